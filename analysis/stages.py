"""Progress of work that is done in a few long stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Progress = Callable[..., Iterable[Any]]
"""`progress(iterable, total=, desc=)` gives the same items and says how far they are; it may raise `Cancelled`."""


def stage(progress: Progress | None, desc: str) -> Iterable[Any]:
    """One stage, to be looped over once: `for _ in stage(progress, "scoring"): ...`."""
    return (None,) if progress is None else progress((None,), total=1, desc=desc)
