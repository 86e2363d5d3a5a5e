"""Work done ahead in threads, in order, with a limit on how much waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Thing = TypeVar("Thing")
Result = TypeVar("Result")


def ahead(
    work: Callable[[Thing], Result],
    things: Iterable[Thing],
    *,
    workers: int,
    window: int,
    budget: float,
    size: Callable[[Result], float],
) -> Generator[Result, None, None]:
    """`map(work, things)` in `workers` threads that run ahead of the consumer.

    At most `window` things are in work or waiting. If results are large, only as many as fit in `budget` at the size
    of the largest so far, but never fewer than there are threads.

    >>> list(ahead(str, [1, 2, 3], workers=2, window=2, budget=9, size=len))
    ['1', '2', '3']
    """
    waiting: deque[Future[Result]] = deque()
    largest = budget / max(1, 2 * workers)  # assume large results until the first is known

    def take() -> Result:
        nonlocal largest
        result = waiting.popleft().result()
        largest = size(result) if seen == 1 else max(largest, size(result))
        return result

    seen = 0
    pool = ThreadPoolExecutor(workers, thread_name_prefix="readahead")
    try:
        for thing in things:
            waiting.append(pool.submit(work, thing))
            if len(waiting) >= max(workers, min(window, int(budget / max(1.0, largest)))):
                seen += 1
                yield take()
        while waiting:
            seen += 1
            yield take()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
