"""Progress of work that is done in a few long stages, of which there is nothing to count."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

from thoughtspace.explorer.progress import Progress, run

Made = TypeVar("Made")


def stage(work: Callable[[], Made], progress: Progress | None, desc: str) -> Made:
    """What `work` gives; `progress` is told of it and may raise `Cancelled` instead.

    >>> stage(lambda: 7, None, "counting")
    7
    """

    def once() -> Generator[None, None, Made]:
        yield
        return work()

    return run(once(), progress, total=1, desc=desc)
