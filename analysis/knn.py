"""Nearest neighbours, computed once and shared by projection, quality and lift."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from .arrays import Matrix, blocks, pairwise, prepare, rowwise, smallest

EXACT_ROWS = 20_000
"""Up to this many rows all pairs are compared, which is faster than compiling the approximate search."""


class _Numba:
    """A lock for numba, which can abort if two threads of a process use it at once.

    Numba also sets the threads of OpenMP, which torch shares, to all processors: torch gets those back that it had. On
    a busy machine convolutions were several times slower with more.
    """

    def __init__(self) -> None:
        self._lock, self._threads = threading.Lock(), 0

    def __enter__(self) -> None:
        self._lock.acquire()
        torch = sys.modules.get("torch")
        self._threads = torch.get_num_threads() if torch is not None else 0

    def __exit__(self, *_: object) -> None:
        torch = sys.modules.get("torch")
        if torch is not None and self._threads:
            torch.set_num_threads(self._threads)
        self._lock.release()


NUMBA = _Numba()
"""Held while pynndescent, umap-learn or PaCMAP run."""

_SPARE = 4  # candidates beyond k, so that rounding in the matrix product cannot push a true neighbour out
_DESCENT = 30  # fewest neighbours of the descent: with less it misses some in data without structure
_CHECKED = 256  # rows on which the approximate search is checked
_RECALL = 0.95  # share of their true neighbours that it must find


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The `k` nearest rows of each row, nearest first; a row is not its own neighbour.

    Attributes:
        indices: `(n, k)` int32 row numbers.
        distances: `(n, k)` float32 in `metric`'s unit: `1 - cos` in [0, 2], or the Euclidean length.
        metric: "cosine" or "euclidean".
    """

    indices: NDArray[np.int32]
    distances: NDArray[np.float32]
    metric: str

    @property
    def k(self) -> int:
        return self.indices.shape[1]

    def __len__(self) -> int:
        return len(self.indices)

    def nearest(self, k: int) -> Neighbors:
        """Only the `k` nearest of each row.

        Raises:
            AnalysisError: a `k` beyond the computed neighbours.
        """
        whole("k", k, 1, self.k, error=AnalysisError, hint="compute more neighbours")
        return Neighbors(self.indices[:, :k], self.distances[:, :k], self.metric)


def neighbors(
    x: ArrayLike, k: int, *, metric: str = "cosine", random_state: int = 0, exact: bool | None = None
) -> Neighbors:
    """The `k` nearest other rows of every row of `x`.

    Up to 20,000 rows by comparing all pairs, in blocks of matrix products. Above, by nearest-neighbour descent (Dong,
    Moses & Li 2011) from pynndescent; it is checked on 256 rows, and if it misses more than 5 % of their neighbours,
    all pairs are compared after all. Distances are computed from the difference of two rows, which keeps
    near-duplicates apart. Equal distances are ordered by row number.

    Args:
        x: `(n, d)` finite numbers; under "cosine" no row may be zero.
        k: neighbours per row, 1 to n - 1.
        metric: "cosine" or "euclidean".
        random_state: seed of the approximate search.
        exact: force all pairs (True) or the descent (False).

    Raises:
        AnalysisError: an invalid array, metric or `k`.

    >>> neighbors([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]], 1, metric="euclidean").indices.ravel()
    array([1, 0, 1], dtype=int32)
    """
    rows = prepare(x, metric)
    _check_k(k, len(rows) - 1)
    if exact is None:
        exact = len(rows) <= EXACT_ROWS
    own = np.arange(len(rows), dtype=np.int32)
    candidates = None if exact else _by_descent(rows, k, metric, random_state)
    if candidates is None:
        candidates = _all_pairs(rows, rows, k, metric, own=own)
    return _ranked(rows, rows, candidates, k, metric, own=own)


def at_hand(known: Neighbors | None, rows: Matrix, k: int, metric: str, *, random_state: int = 0) -> Neighbors:
    """The `k` neighbours of prepared `rows`, taken from `known` ones if there are any.

    Raises:
        AnalysisError: known neighbours of other rows, by another metric, or too few.
    """
    if known is None:
        return neighbors(rows, k, metric=metric, random_state=random_state)
    if len(known) != len(rows) or known.metric != metric:
        raise AnalysisError(
            f"Got neighbours of {len(known)} rows by {known.metric}, expected {len(rows)} by {metric}; compute them "
            "from the same points.",
            code="other neighbours",
        )
    return known.nearest(k)


def shared(a: NDArray[np.integer[Any]], b: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """For each item, the share of its neighbours that are the same in two lists of neighbours `(n, k)`: `(n,)`."""
    return np.asarray((a[:, :, None] == b[:, None, :]).any(2).mean(1))


def query(reference: ArrayLike, queries: ArrayLike, k: int, *, metric: str = "cosine") -> Neighbors:
    """The `k` rows of `reference` nearest to each row of `queries`, exactly. Indices are rows of the reference.

    Raises:
        AnalysisError: arrays of unequal width, or as `neighbors`.
    """
    rows, asked = prepare(reference, metric, what="reference"), prepare(queries, metric, what="queries")
    check_width(rows, asked)
    _check_k(k, len(rows))
    return nearest(rows, asked, k, metric)


def nearest(rows: Matrix, asked: Matrix, k: int, metric: str) -> Neighbors:
    """As `query`, for prepared rows. The answer for a row is the same, to the last bit, alone and in any batch.

    The matrix product that selects candidates rounds differently with the size of the batch. So if the farthest
    candidate is not farther than the `k`-th neighbour by more than that rounding, all rows are compared without it.
    """
    candidates = _all_pairs(rows, asked, k, metric)
    spare = _ranked(rows, asked, candidates, candidates.shape[1], metric)
    found = spare.nearest(k)
    if spare.k == len(rows):
        return found
    power = 1 if metric == "cosine" else 2
    margin = spare.distances[:, -1] ** power - found.distances[:, -1] ** power
    every = np.arange(len(rows), dtype=np.int32)[None]
    for row in np.flatnonzero(margin <= _rounding(rows, asked, metric)):
        one = _ranked(rows, asked[row, None], every, k, metric)
        found.indices[row], found.distances[row] = one.indices[0], one.distances[0]
    return found


def check_width(rows: Matrix, asked: Matrix) -> None:
    """Raise `AnalysisError` unless both have vectors of the same width."""
    if rows.shape[1] != asked.shape[1]:
        message = f"Got vectors of width {asked.shape[1]}, expected {rows.shape[1]}; take both from one space."
        raise AnalysisError(message, code="width")


def _check_k(k: int, most: int) -> None:
    whole("k", k, 1, most, error=AnalysisError, hint="ask for fewer neighbours, or add items")


def _rounding(rows: Matrix, asked: Matrix, metric: str) -> NDArray[np.floating]:
    """Bound on the error of the matrix product for each row: of a cosine distance, or a squared Euclidean one.

    The error of a sum of `d` float32 products is about √d roundings of the largest; the bound is eight times that.
    """
    unit = 8 * np.sqrt(rows.shape[1]) * np.finfo(np.float32).eps
    if metric == "cosine":
        return np.full(len(asked), unit)
    middle = rows.mean(axis=0)
    largest = np.linalg.norm(rows - middle, axis=1).max()
    return unit * np.square(largest + np.linalg.norm(asked - middle, axis=1))


def _all_pairs(
    reference: Matrix, asked: Matrix, k: int, metric: str, *, own: NDArray[np.int32] | None = None
) -> NDArray[np.int32]:
    """Candidates `(m, k or a few more)` from all rows of the reference, without each row's `own` index."""
    n_candidates = min(k + _SPARE, len(reference) - (own is not None))
    candidates = np.empty((len(asked), n_candidates), dtype=np.int32)
    for block in blocks(len(asked), len(reference)):
        distances = pairwise(asked[block], reference, metric)
        if own is not None:
            distances[np.arange(len(distances)), own[block]] = np.inf
        candidates[block] = smallest(distances, n_candidates)
    return candidates


def _by_descent(rows: Matrix, k: int, metric: str, random_state: int) -> NDArray[np.int32] | None:
    """Candidates by pynndescent; None if it misses too many neighbours of a sample of rows.

    Rows are unit vectors under "cosine", for which the Euclidean distance has the same order.
    """
    from pynndescent import NNDescent

    with NUMBA:
        graph = NNDescent(
            rows, metric="euclidean", n_neighbors=max(_DESCENT, k + 1 + _SPARE), random_state=random_state
        )
        candidates: NDArray[np.int32] = graph.neighbor_graph[0]
    if (candidates < 0).any():  # it found too few for some rows
        return None
    sample = np.random.default_rng(random_state).permutation(len(rows))[:_CHECKED].astype(np.int32)
    asked = rows[sample]
    truth = _ranked(rows, asked, _all_pairs(rows, asked, k, metric, own=sample), k, metric, own=sample)
    found = _ranked(rows, asked, candidates[sample], k, metric, own=sample)
    # By distance, because equal rows are equally good neighbours.
    return candidates if (found.distances <= truth.distances[:, -1:]).mean() >= _RECALL else None


def _ranked(
    reference: Matrix,
    asked: Matrix,
    candidates: NDArray[np.int32],
    k: int,
    metric: str,
    *,
    own: NDArray[np.int32] | None = None,
) -> Neighbors:
    """The `k` nearest candidates of each row in order, without its `own` index."""
    indices = np.empty((len(asked), k), dtype=np.int32)
    distances = np.empty((len(asked), k), dtype=np.float32)
    for block in blocks(len(asked), candidates.shape[1] * reference.shape[1]):
        some = np.sort(candidates[block], axis=1)
        apart = rowwise(reference[some], asked[block, None], metric)
        if own is not None:
            apart[some == own[block, None]] = np.inf
        order = np.argsort(apart, axis=1, kind="stable")[:, :k]
        indices[block] = np.take_along_axis(some, order, axis=1)
        distances[block] = np.take_along_axis(apart, order, axis=1)
    return Neighbors(indices, distances, metric)
