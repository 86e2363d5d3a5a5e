"""Nearest neighbours, computed once and shared by projection, quality and lift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from thoughtspace.explorer.errors import MapError

METRICS = ("cosine", "euclidean")
EXACT_ROWS = 30_000  # beyond it, half a minute of compiling pynndescent is sooner over than all pairs
_BLOCK = 2**24  # numbers held at once by a block of work: 64 MiB of float32
_SPARE = 4  # candidates kept past k, so that rounding in the matrix product cannot push a true neighbour out

Matrix = NDArray[np.float32]


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

    Exact by blocks of matrix products up to 30,000 rows, by nearest-neighbour descent (Dong et al. 2011, pynndescent)
    above. Distances are always computed from the difference of the two rows, so that near-duplicates are told apart;
    equal distances are ordered by row number.

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
    if exact:
        return Neighbors(*_exact(rows, rows, k, metric, skip_self=True), metric)
    return Neighbors(*_approximate(rows, k, metric, random_state), metric)


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
    return Neighbors(*_exact(rows, asked, k, metric, skip_self=False), metric)


def prepare(x: ArrayLike, metric: str, *, what: str = "x") -> Matrix:
    """`x` as contiguous float32 `(n, d)`, of unit rows under "cosine".

    Raises:
        MapError: not two-dimensional, empty, not finite, an unknown metric, or a zero row under "cosine".
    """
    if metric not in METRICS:
        raise MapError(f"Got metric {metric!r}, expected one of {', '.join(METRICS)}; choose one of these.")
    rows = np.ascontiguousarray(x, dtype=np.float32)
    if rows.ndim != 2 or 0 in rows.shape:
        raise MapError(f"Got {what} of shape {rows.shape}, expected (n, d); flatten each item to one row.")
    if not np.isfinite(rows).all():
        bad = np.flatnonzero(~np.isfinite(rows).all(1))
        raise MapError(f"Got {len(bad)} rows of {what} that are not finite, expected numbers; remove row {bad[0]}.")
    if metric == "euclidean":
        return rows
    norms = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    if not norms.all():
        raise MapError(
            f"Got a zero vector in row {int(np.argmin(norms))} of {what}, expected directions; "
            'remove it or use metric="euclidean".'
        )
    return (rows / norms).astype(np.float32)


def pairwise(rows: Matrix, others: Matrix, metric: str) -> Matrix:
    """All distances of prepared rows, `(m, d), (n, d) -> (m, n)`, by one matrix product."""
    dots = rows @ others.T
    if metric == "cosine":
        return np.subtract(1.0, dots, out=dots)
    dots *= -2.0
    dots += np.einsum("ij,ij->i", rows, rows)[:, None]
    dots += np.einsum("ij,ij->i", others, others)
    return np.sqrt(np.maximum(dots, 0.0, out=dots), out=dots)


def blocks(n_rows: int, width: int) -> list[slice]:
    """Slices of `n_rows` rows whose `width` numbers each make no more than one block of work."""
    step = max(1, _BLOCK // max(1, width))
    return [slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]


def _check_k(k: int, most: int) -> None:
    if not 1 <= k <= most:
        raise MapError(f"Got k={k}, expected 1 to {most} with this many rows; ask for fewer or bring more items.")


def _exact(
    reference: Matrix, asked: Matrix, k: int, metric: str, *, skip_self: bool
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    n_candidates = min(k + _SPARE, len(reference) - skip_self)
    candidates = np.empty((len(asked), n_candidates), dtype=np.int32)
    for block in blocks(len(asked), len(reference)):
        distances = pairwise(asked[block], reference, metric)
        if skip_self:
            distances[np.arange(len(distances)), np.arange(block.start, block.stop)] = np.inf
        candidates[block] = np.argpartition(distances, n_candidates - 1, axis=1)[:, :n_candidates]
    return _ranked(reference, asked, candidates, k, metric)


def _ranked(
    reference: Matrix, asked: Matrix, candidates: NDArray[np.int32], k: int, metric: str
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The `k` best candidates of each row in order, their distances taken from the difference of the vectors."""
    indices = np.empty((len(asked), k), dtype=np.int32)
    distances = np.empty((len(asked), k), dtype=np.float32)
    for block in blocks(len(asked), candidates.shape[1] * reference.shape[1]):
        some = np.sort(candidates[block], axis=1)
        difference = reference[some] - asked[block, None]
        squared = np.einsum("ijk,ijk->ij", difference, difference)
        order = np.argsort(squared, axis=1, kind="stable")[:, :k]
        indices[block] = np.take_along_axis(some, order, axis=1)
        nearest = np.take_along_axis(squared, order, axis=1)
        distances[block] = nearest / 2 if metric == "cosine" else np.sqrt(nearest)
    return indices, distances


def _approximate(rows: Matrix, k: int, metric: str, random_state: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    from pynndescent import NNDescent  # compiles for seconds: only for large collections

    # Unit rows have the same order under both metrics, and the Euclidean kernels come compiled.
    index = NNDescent(rows, metric="euclidean", n_neighbors=k + 1, random_state=random_state, compressed=False)
    found = np.asarray(index.neighbor_graph[0])
    own = np.arange(len(rows))[:, None]
    drop = found == own
    drop[~drop.any(1), -1] = True  # a row hidden behind its duplicates does not list itself
    others = found[~drop].reshape(len(rows), k).astype(np.int32)
    indices, distances = _ranked(rows, rows, np.maximum(others, 0), k, metric)
    short = np.flatnonzero((others < 0).any(1))
    if len(short):
        indices[short], distances[short] = _search_rows(rows, short, k, metric)
    return indices, distances


def _search_rows(
    rows: Matrix, which: NDArray[np.intp], k: int, metric: str
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Exact neighbours of a few rows that the descent left with too few."""
    indices, _ = _exact(rows, rows[which], min(k + 1, len(rows)), metric, skip_self=False)
    others = np.stack([row[row != own][:k] for row, own in zip(indices, which, strict=True)])
    return _ranked(rows, rows[which], others, k, metric)
