"""Progress of work in a few long stages, without anything to count."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

from thoughtspace.explorer.progress import Progress, run

Made = TypeVar("Made")


def stage(work: Callable[[], Made], progress: Progress | None, desc: str) -> Made:
    """Run `work` as one step of `progress`, which may raise `Cancelled` before it.

    >>> stage(lambda: 7, None, "counting")
    7
    """

    def once() -> Generator[None, None, Made]:
        yield
        return work()

    return run(once(), progress, total=1, desc=desc)
