"""A library's loop that calls back at each step, turned into a generator that hands its steps out one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import Any

import torch
from torch import Tensor

from ..generator import Run


class _Stopped(BaseException):
    """Raised inside the loop, past whatever `except Exception` it has, when nobody waits for its steps any more."""


def stepwise(work: Callable[[Callable[[Tensor], None]], Tensor]) -> Run:
    """`work(show)` in a thread of its own: yields what it shows, returns what it returns, raises what it raises.

    The thread waits at each `show` until the next step is asked for, so closing the generator stops it there.

    >>> steps = stepwise(lambda show: [show(torch.tensor(i)) for i in range(3)] and torch.tensor(9))
    >>> [int(each) for each in steps]
    [0, 1, 2]
    """
    said: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    go, stopping = Semaphore(0), Event()
    workers = torch.get_num_threads()

    def show(latents: Tensor) -> None:
        said.put(("step", latents))
        go.acquire()
        if stopping.is_set():
            raise _Stopped

    def body() -> None:
        try:
            torch.set_num_threads(workers)  # a number of each thread's own: sums round by it
            with torch.inference_mode():
                said.put(("done", work(show)))
        except BaseException as error:  # whatever it is, it belongs to whoever waits
            said.put(("failed", error))

    thread = Thread(target=body, daemon=True)
    thread.start()
    try:
        while True:
            kind, value = said.get()
            if kind == "done":
                return value
            if kind == "failed":
                raise value
            yield value
            go.release()
    finally:
        stopping.set()
        go.release()
        thread.join()


def thinned(run: Run, counter: Iterator[int], every: int) -> Run:
    """A run that shows each `every`-th step alone, so that several in turn show as many as one."""
    try:
        while True:
            try:
                latents = next(run)
            except StopIteration as end:
                return end.value
            if next(counter) % every == 0:
                yield latents
    finally:
        run.close()
