"""Progress: how long work is followed and stopped."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, Protocol, TypeVar

from .errors import Cancelled

Made = TypeVar("Made")


class Progress(Protocol):
    """Wraps an iterable, as `tqdm` does; whatever it raises, such as `Cancelled`, stops the work."""

    def __call__(self, iterable: Iterable[Any], /, *, total: int, desc: str) -> Iterable[Any]:
        """Yield the same items, one after the other.

        Args:
            total: the number of items.
            desc: the kind of work, in a word.
        """
        ...


def run(steps: Generator[Any, None, Made], progress: Progress | None = None, *, total: int = 0, desc: str = "") -> Made:
    """Run a generator to its end and return its result; each of its steps is one item of `progress`.

    Raises:
        Cancelled: `progress` stopped iterating before the end.

    >>> def work():
    ...     yield
    ...     return 7
    >>> run(work())
    7
    """
    returned: list[Made] = []

    def ticks() -> Generator[Any, None, None]:
        returned.append((yield from steps))

    going = ticks()
    try:
        for _ in going if progress is None else progress(going, total=total, desc=desc):
            pass
    finally:
        going.close()
    if not returned:
        raise Cancelled(f"{desc or 'work'} was stopped before its end")
    return returned[0]
