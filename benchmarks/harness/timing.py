"""Timing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Run `work`; returns its seconds and its result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result
