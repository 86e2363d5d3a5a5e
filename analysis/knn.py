"""Nearest neighbours, computed once and shared by projection, quality and lift."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.errors import AnalysisError

from .arrays import Matrix, blocks, pairwise, prepare, rowwise, smallest

EXACT_ROWS = 20_000
"""Up to so many rows all pairs are compared, which is quicker than compiling the approximate search."""

NUMBA = threading.Lock()
"""Held while pynndescent, umap-learn or PaCMAP compute: two at once in threads of one process can abort numba."""

_SPARE = 4  # candidates kept past k, so that rounding in the matrix product cannot push a true neighbour out
_DESCENT = 30  # neighbours that the descent keeps at least: with fewer it misses some where there is no structure
_CHECKED = 256  # rows whose true neighbours the approximate search is held against
_RECALL = 0.95  # share of them it must find


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
        """Only the `k` nearest of each row: what was computed for many serves for fewer.

        Raises:
            AnalysisError: more than there are.
        """
        if not 1 <= k <= self.k:
            raise AnalysisError(f"Got k={k}, expected 1 to the {self.k} neighbours at hand; compute more of them.")
        return Neighbors(self.indices[:, :k], self.distances[:, :k], self.metric)


def neighbors(
    x: ArrayLike, k: int, *, metric: str = "cosine", random_state: int = 0, exact: bool | None = None
) -> Neighbors:
    """The `k` nearest other rows of every row of `x`.

    All pairs by blocks of matrix products up to 20,000 rows; above, nearest-neighbour descent (Dong, Moses & Li 2011)
    by pynndescent, whose answer is held against the true neighbours of 256 rows and replaced by all pairs if it has
    less than 95 % of them. Distances are always taken from the difference of the two rows, so that near-duplicates are
    told apart; equal distances are ordered by row number.

    Args:
        x: `(n, d)` finite numbers; under "cosine" no row may be zero.
        k: neighbours a row, 1 to n - 1.
        metric: "cosine" or "euclidean".
        random_state: seed of the approximate search.
        exact: force the one or the other.

    Raises:
        AnalysisError: an array, a metric or a `k` that does not fit.

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
    """The `k` neighbours of prepared `rows`, out of those already `known` where there are any.

    Raises:
        AnalysisError: known neighbours of other rows, by another metric or too few.
    """
    if known is None:
        return neighbors(rows, k, metric=metric, random_state=random_state)
    if len(known) != len(rows) or known.metric != metric:
        raise AnalysisError(
            f"Got neighbours of {len(known)} rows by {known.metric}, expected {len(rows)} by {metric}; "
            "compute them anew."
        )
    return known.nearest(k)


def query(reference: ArrayLike, queries: ArrayLike, k: int, *, metric: str = "cosine") -> Neighbors:
    """The `k` rows of `reference` nearest to each row of `queries`, exactly; indices are rows of the reference.

    Raises:
        AnalysisError: arrays of two widths, or as `neighbors`.
    """
    rows, asked = prepare(reference, metric, what="reference"), prepare(queries, metric, what="queries")
    check_width(rows, asked)
    _check_k(k, len(rows))
    return nearest(rows, asked, k, metric)


def nearest(rows: Matrix, asked: Matrix, k: int, metric: str) -> Neighbors:
    """As `query`, of prepared rows. A row has the same answer, to the last bit, alone and in any batch.

    The matrix product that finds the candidates rounds differently with the size of the batch. So where the candidate
    that is farthest by it is not farther than the `k`-th neighbour by more than such rounding, all rows are compared
    without it.
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
    """Raise `AnalysisError` unless both have vectors of one width."""
    if rows.shape[1] != asked.shape[1]:
        raise AnalysisError(
            f"Got vectors of width {asked.shape[1]}, expected {rows.shape[1]} as the others; take both from one space."
        )


def _check_k(k: int, most: int) -> None:
    if not 1 <= k <= most:
        raise AnalysisError(f"Got k={k}, expected 1 to {most} with this many rows; ask for fewer or bring more items.")


def _rounding(rows: Matrix, asked: Matrix, metric: str) -> NDArray[np.floating]:
    """By how much the matrix product may be off for each asked row: a cosine distance, or a squared Euclidean one.

    A sum of `d` products of float32 is off by about √d roundings of the largest; eight times that is taken.
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
    """Candidates `(m, k or a few more)` out of all of the reference, without the row `own` of each asked one."""
    n_candidates = min(k + _SPARE, len(reference) - (own is not None))
    candidates = np.empty((len(asked), n_candidates), dtype=np.int32)
    for block in blocks(len(asked), len(reference)):
        distances = pairwise(asked[block], reference, metric)
        if own is not None:
            distances[np.arange(len(distances)), own[block]] = np.inf
        candidates[block] = smallest(distances, n_candidates)
    return candidates


def _by_descent(rows: Matrix, k: int, metric: str, random_state: int) -> NDArray[np.int32] | None:
    """Candidates by pynndescent; None where it misses too many of the neighbours of a sample of rows.

    Rows are unit vectors under "cosine", where Euclid's distance has the same order.
    """
    from pynndescent import NNDescent

    with NUMBA:
        graph = NNDescent(
            rows, metric="euclidean", n_neighbors=max(_DESCENT, k + 1 + _SPARE), random_state=random_state
        )
        candidates: NDArray[np.int32] = graph.neighbor_graph[0]
    if (candidates < 0).any():  # rows for which it found fewer
        return None
    sample = np.random.default_rng(random_state).permutation(len(rows))[:_CHECKED].astype(np.int32)
    asked = rows[sample]
    truth = _ranked(rows, asked, _all_pairs(rows, asked, k, metric, own=sample), k, metric, own=sample)
    found = _ranked(rows, asked, candidates[sample], k, metric, own=sample)
    # By distance, for among equal rows any is as good as another.
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
    """The `k` best candidates of each row in order, the row `own` left out."""
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
