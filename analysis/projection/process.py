"""A process that fits projections: warmed up before it is needed, and killed to stop a fit."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from tqdm import tqdm

from thoughtspace.explorer.errors import MapError, ThoughtspaceError, reason
from thoughtspace.explorer.progress import Progress, run

from ..arrays import prepare
from ..knn import Neighbors
from .methods import Method, method_of
from .projection import Projection, fit_projection


class FitProcess:
    """Fits projections in a process of its own.

    Importing and compiling umap-learn takes about 15 s in every process, and its optimisation cannot be stopped from
    inside. So this process starts at once with a small fit of the same kind, while the caller does other work. It is
    killed when the caller leaves the block.

        with FitProcess() as process:
            ...                                                       # draw, encode
            CollectionMap.fit(collection, project=process.fit)

    Args:
        method: what to warm up: a name, or a method with options.
        random_state: None warms up fits without a seed, which are compiled separately.

    Raises:
        MapError: an unknown method, or one whose package is not installed.
    """

    def __init__(self, method: str | Method = "umap", *, random_state: int | None = 0) -> None:
        chosen = method_of(method)
        context = get_context("spawn")  # the fork of a process with threads may hang
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, chosen, random_state), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> FitProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def running(self) -> bool:
        """Whether it can still fit."""
        return self._process.is_alive()

    def close(self) -> None:
        """Kill the process, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def fit(
        self,
        x: ArrayLike,
        method: str | Method = "umap",
        *,
        metric: str = "cosine",
        n_components: int = 2,
        random_state: int | None = 0,
        neighbors: Neighbors | None = None,
        progress: Progress | None = None,
    ) -> Projection:
        """As `fit_projection`, with the same result bit for bit.

        Args:
            progress: gets one step per second, without a total; may raise `Cancelled` at any step.

        Raises:
            MapError, AnalysisError: as `fit_projection`, or a process that ended.
        """
        options = {"metric": metric, "n_components": n_components, "random_state": random_state, "neighbors": neighbors}
        chosen = method_of(method)
        try:
            self._pipe.send((np.asarray(x), chosen, options))
            answer = run(self._answer(), progress, desc=f"drawing the map by {chosen.name}, seconds")
        except (EOFError, OSError) as error:
            self._process.join(1.0)
            raise MapError(
                f"Got no map: its process ended (exit code {self._process.exitcode}); map fewer items, or free memory.",
                code="process ended",
            ) from error
        if isinstance(answer, Exception):
            raise answer
        return Projection(answer[0], prepare(x, "euclidean"), answer[1], answer[2])

    def _answer(self) -> Generator[None, None, Any]:
        while not self._pipe.poll(1.0):
            yield
        return self._pipe.recv()


def warm(method: str | Method = "umap", *, random_state: int | None = 0) -> None:
    """Import and compile what a fit needs, by a small fit."""
    fit_projection(np.random.default_rng(0).normal(size=(64, 8)), method, random_state=random_state)


def _serve(pipe: Connection, method: Method, random_state: int | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the caller ends this one
    tqdm.set_lock(threading.RLock())  # its default is a semaphore, which a killed process would leak
    warm(method, random_state=random_state)
    while True:
        try:
            x, method, options = pipe.recv()
        except EOFError:  # the caller is gone
            return
        try:
            fitted = fit_projection(x, method, **options)
            pipe.send((fitted.method, fitted.coordinates, dict(fitted.options)))
        except ThoughtspaceError as error:
            pipe.send(error)
        except Exception as error:  # of a library: this process goes on
            why = " ".join(reason(error).split())[:160]
            pipe.send(MapError(f"Got no map by {method.name} ({why}); try other options.", code="no fit"))
