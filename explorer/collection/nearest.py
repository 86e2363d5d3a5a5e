"""The rows nearest to a vector, exactly: by angle on a sphere, by Euclidean distance in other geometries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .items import Vectors

if TYPE_CHECKING:
    from ..geometry.product import AnyGeometry

Metric = Literal["cosine", "euclidean"]

MEASURE: dict[Metric, str] = {"cosine": "cosine", "euclidean": "minus distance"}
"""The name of what `similarity` returns for each metric."""

_BLOCK = 2**24  # numbers compared at once: 64 MB, small beside the vectors


def metric_of(geometry: AnyGeometry) -> Metric:
    """The metric for neighbours in a space of this geometry, for maps and searches alike."""
    return "cosine" if geometry == "sphere" else "euclidean"


def similarity(x: Vectors, query: Vectors, metric: Metric) -> NDArray[np.float32]:
    """How near each row is to the query, `(n, d), (d,) -> (n,)`. Greater is nearer for both metrics."""
    return cosines(x, query) if metric == "cosine" else -distances(x, query)


def cosines(x: Vectors, query: Vectors) -> NDArray[np.float32]:
    """Cosines, `(n, d), (d,) -> (n,)` in [-1, 1]; NaN for rows that are NaN or zero.

    >>> cosines(np.array([[2.0, 0.0], [-3.0, 0.0]], np.float32), np.array([5.0, 0.0], np.float32)).tolist()
    [1.0, -1.0]
    """
    score = np.empty(len(x), dtype=np.float32)
    unit = query / np.linalg.norm(query)
    for rows in _blocks(x):
        with np.errstate(invalid="ignore", divide="ignore"):
            score[rows] = x[rows] @ unit / np.sqrt(np.einsum("nd,nd->n", x[rows], x[rows]))
    return np.clip(score, -1, 1)


def distances(x: Vectors, query: Vectors) -> NDArray[np.float32]:
    """Euclidean distances, `(n, d), (d,) -> (n,)`; NaN for rows that are NaN.

    >>> distances(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32), np.zeros(2, np.float32)).tolist()
    [5.0, 0.0]
    """
    away = np.empty(len(x), dtype=np.float32)
    for rows in _blocks(x):
        away[rows] = np.linalg.norm(x[rows] - query, axis=1)
    return away


def top(score: NDArray[Any], k: int) -> NDArray[np.int64]:
    """The positions of the `k` greatest scores, greatest first; ties in order, NaN left out."""
    known = np.flatnonzero(~np.isnan(score))
    if k < len(known):
        least = np.partition(score[known], len(known) - k)[len(known) - k]
        known = known[score[known] >= least]
    return known[np.argsort(-score[known], kind="stable")][:k]


def _blocks(x: Vectors) -> list[slice]:
    rows = max(1, _BLOCK // max(1, x.shape[1]))
    return [slice(start, start + rows) for start in range(0, len(x), rows)]
