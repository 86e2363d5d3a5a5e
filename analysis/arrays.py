"""Shared by all measures: checked arrays, distances between rows, and work in blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import choice
from thoughtspace.explorer.errors import AnalysisError

METRICS = ("cosine", "euclidean")
_LARGEST = 1e15  # sums of its squares are numbers of float32
_BLOCK = 2**24  # numbers in memory for one block of work: 64 MiB of float32

Matrix = NDArray[np.float32]


def numbers(x: ArrayLike, what: str) -> NDArray[np.float64]:
    """`x` as finite numbers of any shape.

    Raises:
        AnalysisError: an array of something else, or numbers that are not finite.
    """
    try:
        values = np.asarray(x, np.float64)
    except (TypeError, ValueError):
        message = f"Got {what} that is not an array of numbers, expected one; stack equal shapes."
        raise AnalysisError(message, code="not numbers") from None
    if not np.isfinite(values).all():
        message = f"Got {what} with numbers that are not finite; leave them out."
        raise AnalysisError(message, code="not finite")
    return values


def prepare(x: ArrayLike, metric: str, *, what: str = "x") -> Matrix:
    """`x` as contiguous float32 `(n, d)`; with unit rows under "cosine".

    Raises:
        AnalysisError: an array that is not `(n, d)` finite numbers, an unknown metric, a zero row under "cosine", or
            numbers whose squares are too large for float32.
    """
    choice("metric", metric, METRICS, error=AnalysisError)
    try:
        rows = np.ascontiguousarray(x, dtype=np.float32)
    except (TypeError, ValueError):
        message = f"Got {what} that is not an array of numbers, expected (n, d); stack the vectors."
        raise AnalysisError(message, code="not numbers") from None
    if rows.ndim != 2 or 0 in rows.shape:
        how = "add items" if rows.ndim == 2 else "flatten each item to one row"
        message = f"Got {what} of shape {rows.shape}, expected (n, d); {how}."
        raise AnalysisError(message, code="shape")
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        bad = np.flatnonzero(~finite)
        message = f"Got {len(bad)} rows of {what} that are not finite, the first is row {bad[0]}; remove them."
        raise AnalysisError(message, code="not finite")
    if metric == "euclidean":
        if (largest := float(np.abs(rows).max())) > _LARGEST:
            message = f"Got {what} with numbers as large as {largest:.2g}, expected at most {_LARGEST:g}; scale them."
            raise AnalysisError(message, code="too large")
        return rows
    norms = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    if not norms.all():
        raise AnalysisError(
            f"Got a zero vector in row {int(np.argmin(norms))} of {what}, which has no cosine; remove it, or use "
            'metric="euclidean".',
            code="zero vector",
        )
    return (rows / norms).astype(np.float32)


def pairwise(rows: Matrix, others: Matrix, metric: str) -> Matrix:
    """All distances between prepared rows, `(m, d), (n, d) -> (m, n)`; by a matrix product if `d` is more than 3."""
    if metric == "cosine":
        dots = rows @ others.T
        return np.subtract(1.0, dots, out=dots)
    if rows.shape[1] <= 3:
        squared = np.zeros((len(rows), len(others)), dtype=np.float32)
        for j in range(rows.shape[1]):
            squared += np.square(rows[:, j, None] - others[:, j])
        return np.sqrt(squared, out=squared)
    middle = others.mean(axis=0)  # a common offset would lose the differences of the squares to rounding
    rows, others = rows - middle, others - middle
    squared = rows @ others.T
    squared *= -2.0
    squared += np.einsum("ij,ij->i", rows, rows)[:, None]
    squared += np.einsum("ij,ij->i", others, others)
    return np.sqrt(np.maximum(squared, 0.0, out=squared), out=squared)


def rowwise(rows: Matrix, others: Matrix, metric: str) -> Matrix:
    """Distances of pairs of prepared rows, `(..., d), (..., d) -> (...)`, accurate for close rows too."""
    difference = rows - others
    squared = np.einsum("...j,...j->...", difference, difference)
    return squared / 2 if metric == "cosine" else np.sqrt(squared)


def blocks(n_rows: int, width: int) -> list[slice]:
    """Cut `n_rows` rows, with `width` numbers of work each, into slices of at most one block."""
    step = max(1, _BLOCK // max(1, width))
    return [slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]


def smallest(distances: Matrix, k: int) -> NDArray[np.intp]:
    """Columns of the `k` smallest entries of each row, in no order."""
    return np.argpartition(distances, k - 1, axis=1)[:, :k]
