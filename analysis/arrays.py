"""What every measure here stands on: checked rows of numbers, their distances, and work cut into blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.errors import AnalysisError

METRICS = ("cosine", "euclidean")
_BLOCK = 2**24  # numbers held at once by a block of work: 64 MiB of float32

Matrix = NDArray[np.float32]


def prepare(x: ArrayLike, metric: str, *, what: str = "x") -> Matrix:
    """`x` as contiguous float32 `(n, d)`, of unit rows under "cosine".

    Raises:
        AnalysisError: not two-dimensional, empty, not finite, an unknown metric, or a zero row under "cosine".
    """
    if metric not in METRICS:
        raise AnalysisError(f"Got metric {metric!r}, expected one of {', '.join(METRICS)}; choose one of these.")
    try:
        rows = np.ascontiguousarray(x, dtype=np.float32)
    except (TypeError, ValueError):
        raise AnalysisError(f"Got {what} that is no array of numbers, expected (n, d); stack the vectors.") from None
    if rows.ndim != 2 or 0 in rows.shape:
        raise AnalysisError(f"Got {what} of shape {rows.shape}, expected (n, d); flatten each item to one row.")
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        bad = np.flatnonzero(~finite)
        raise AnalysisError(f"Got {len(bad)} rows of {what} that are not finite; remove row {bad[0]}.")
    if metric == "euclidean":
        return rows
    norms = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    if not norms.all():
        raise AnalysisError(
            f"Got a zero vector in row {int(np.argmin(norms))} of {what}, expected directions; "
            'remove it or use metric="euclidean".'
        )
    return (rows / norms).astype(np.float32)


def pairwise(rows: Matrix, others: Matrix, metric: str) -> Matrix:
    """All distances of prepared rows, `(m, d), (n, d) -> (m, n)`; by one matrix product unless `d` is that of a map."""
    if metric == "cosine":
        dots = rows @ others.T
        return np.subtract(1.0, dots, out=dots)
    if rows.shape[1] <= 3:
        squared = np.zeros((len(rows), len(others)), dtype=np.float32)
        for j in range(rows.shape[1]):
            squared += np.square(rows[:, j, None] - others[:, j])
        return np.sqrt(squared, out=squared)
    middle = others.mean(axis=0)  # a common offset would drown the differences of the squares below
    rows, others = rows - middle, others - middle
    squared = rows @ others.T
    squared *= -2.0
    squared += np.einsum("ij,ij->i", rows, rows)[:, None]
    squared += np.einsum("ij,ij->i", others, others)
    return np.sqrt(np.maximum(squared, 0.0, out=squared), out=squared)


def rowwise(rows: Matrix, others: Matrix, metric: str) -> Matrix:
    """The distance of each prepared row to its partner, `(..., d), (..., d) -> (...)`, exact for close ones."""
    difference = rows - others
    squared = np.einsum("...j,...j->...", difference, difference)
    return squared / 2 if metric == "cosine" else np.sqrt(squared)


def blocks(n_rows: int, width: int) -> list[slice]:
    """Slices of `n_rows` rows whose `width` numbers each make no more than one block of work."""
    step = max(1, _BLOCK // max(1, width))
    return [slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]


def smallest(distances: Matrix, k: int) -> NDArray[np.intp]:
    """Columns of the `k` smallest entries of each row, in no order."""
    return np.argpartition(distances, k - 1, axis=1)[:, :k]
