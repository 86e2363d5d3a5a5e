"""Nearest neighbours, computed once and shared by projection, quality and lift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.errors import MapError

from .arrays import Matrix, blocks, pairwise, prepare, rowwise, smallest
from .cells import search_cells

EXACT_ROWS = 12_000
_SPARE = 4  # candidates kept past k, so that rounding in the matrix product cannot push a true neighbour out
_CHECKED = 256  # rows whose true neighbours the approximate search is held against
_RECALL = 0.98  # share of them it must find


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
            MapError: more than there are.
        """
        if not 1 <= k <= self.k:
            raise MapError(f"Got k={k}, expected 1 to the {self.k} neighbours at hand; compute them for a larger k.")
        return Neighbors(self.indices[:, :k], self.distances[:, :k], self.metric)


def neighbors(
    x: ArrayLike, k: int, *, metric: str = "cosine", random_state: int = 0, exact: bool | None = None
) -> Neighbors:
    """The `k` nearest other rows of every row of `x`.

    All pairs by blocks of matrix products up to 12,000 rows. Above, each row is held against the rows of nearby cells
    only (`cells.py`); the answer is checked on 256 rows, and more cells are searched until it has 98 % of their true
    neighbours. Distances are always taken from the difference of the two rows, so that near-duplicates are told
    apart; equal distances are ordered by row number.

    Args:
        x: `(n, d)` finite numbers; under "cosine" no row may be zero.
        k: neighbours a row, 1 to n - 1.
        metric: "cosine" or "euclidean".
        random_state: seed of the approximate search.
        exact: force the one or the other.

    Raises:
        MapError: an array, a metric or a `k` that does not fit.

    >>> neighbors([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]], 1, metric="euclidean").indices.ravel()
    array([1, 0, 1], dtype=int32)
    """
    rows = prepare(x, metric)
    _check_k(k, len(rows) - 1)
    if exact is None:
        exact = len(rows) <= EXACT_ROWS
    every = np.arange(len(rows))
    candidates = _all_pairs(rows, rows, k, metric, own=every) if exact else _by_cells(rows, k, metric, random_state)
    return _ranked(rows, rows, candidates, k, metric)


def at_hand(known: Neighbors | None, rows: Matrix, k: int, metric: str, *, random_state: int = 0) -> Neighbors:
    """The `k` neighbours of prepared `rows`, out of those already `known` where there are any.

    Raises:
        MapError: known neighbours of other rows, by another metric or too few.
    """
    if known is None:
        return neighbors(rows, k, metric=metric, random_state=random_state)
    if len(known) != len(rows) or known.metric != metric:
        raise MapError(
            f"Got neighbours of {len(known)} rows by {known.metric}, expected {len(rows)} by {metric}; "
            "compute them anew."
        )
    return known.nearest(k)


def query(reference: ArrayLike, queries: ArrayLike, k: int, *, metric: str = "cosine") -> Neighbors:
    """The `k` rows of `reference` nearest to each query, exactly: `(n, d), (m, d) -> (m, k)`.

    Raises:
        MapError: as `neighbors`, or two widths that differ.
    """
    rows, asked = prepare(reference, metric, what="reference"), prepare(queries, metric, what="queries")
    if rows.shape[1] != asked.shape[1]:
        raise MapError(
            f"Got queries of width {asked.shape[1]}, expected {rows.shape[1]} as the reference; "
            "take both from one space."
        )
    _check_k(k, len(rows))
    return _ranked(rows, asked, _all_pairs(rows, asked, k, metric), k, metric)


def _check_k(k: int, most: int) -> None:
    if not 1 <= k <= most:
        raise MapError(f"Got k={k}, expected 1 to {most} with this many rows; ask for fewer or bring more items.")


def _all_pairs(
    reference: Matrix, asked: Matrix, k: int, metric: str, *, own: NDArray[np.intp] | None = None
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


def _by_cells(rows: Matrix, k: int, metric: str, random_state: int) -> NDArray[np.int32]:
    """Candidates from ever more cells, until those of a sample of rows are right."""
    generator = np.random.default_rng(random_state)
    sample = generator.permutation(len(rows))[:_CHECKED]
    truth = _ranked(rows, rows[sample], _all_pairs(rows, rows[sample], k, metric, own=sample), k, metric).indices
    for candidates in search_cells(rows, min(k + _SPARE, len(rows) - 1), metric, generator):
        found = _ranked(rows, rows[sample], candidates[sample], k, metric).indices
        if (truth[:, :, None] == found[:, None]).any(axis=2).mean() >= _RECALL:
            return candidates
    return _all_pairs(rows, rows, k, metric, own=np.arange(len(rows)))  # points without any structure


def _ranked(reference: Matrix, asked: Matrix, candidates: NDArray[np.int32], k: int, metric: str) -> Neighbors:
    """The `k` best candidates of each row in order."""
    indices = np.empty((len(asked), k), dtype=np.int32)
    distances = np.empty((len(asked), k), dtype=np.float32)
    for block in blocks(len(asked), candidates.shape[1] * reference.shape[1]):
        some = np.sort(candidates[block], axis=1)
        apart = rowwise(reference[some], asked[block, None], metric)
        order = np.argsort(apart, axis=1, kind="stable")[:, :k]
        indices[block] = np.take_along_axis(some, order, axis=1)
        distances[block] = np.take_along_axis(apart, order, axis=1)
    return Neighbors(indices, distances, metric)
