"""Intrinsic dimension: in how many directions items vary, near and further away, and around each item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from ..arrays import prepare
from ..knn import Neighbors, at_hand

Values = NDArray[np.float64]

FEWEST = 20
"""Items without which no dimension is estimated."""


@dataclass(frozen=True)
class Dimension:
    """An intrinsic dimension.

    Attributes:
        value: the estimate.
        low, high: its 95 % interval, if the density is even over the neighbours of each item.
        n_used: items that it was estimated from.
        n_duplicates: items that were left out, because another lies on them.
    """

    value: float
    low: float
    high: float
    n_used: int
    n_duplicates: int


def two_nn(x: ArrayLike, *, metric: str = "euclidean", neighbors: Neighbors | None = None) -> Dimension:
    """The dimension from the ratio of the distances to the two nearest neighbours (Facco et al., 2017).

    `n / Σ log(r₂ / r₁)`, the estimate of largest likelihood. It depends on the very nearest neighbours alone: noise
    makes it large. It falls short above about 10, since no sample is dense there.

    Args:
        x: `(n, d)`.
        neighbors: at least two of each row, if they are already computed.

    Raises:
        AnalysisError: fewer than 20 items that lie apart.
    """
    return gride(x, n_near=1, metric=metric, neighbors=neighbors)


def gride(x: ArrayLike, *, n_near: int = 2, metric: str = "euclidean", neighbors: Neighbors | None = None) -> Dimension:
    """The dimension from the ratio of the distances to neighbours `n_near` and `2 n_near` (Denti et al., 2022, eq. 6).

    With `n_near=1` it is `two_nn`; larger ones look further, where noise counts less and curvature more.

    Raises:
        AnalysisError: as `two_nn`, or fewer than `2 n_near` neighbours.
    """
    from scipy.optimize import brentq

    whole("n_near", n_near, 1, 10_000, error=AnalysisError, hint="powers of 2 show how the dimension depends on scale")
    rows = prepare(x, metric)
    _require(len(rows))
    found = at_hand(neighbors, rows, 2 * n_near, metric)
    distances = _distances(found)
    near, far = distances[:, n_near - 1], distances[:, -1]
    apart = (distances[:, 0] > 0) & (far > near)
    duplicates = int(np.count_nonzero(distances[:, 0] == 0))
    _require(int(apart.sum()), f" that lie apart ({duplicates} lie on others)")
    logs = np.log(far[apart] / near[apart])

    def slopes(dimension: float) -> Values:
        """Derivatives in d of the log-likelihood of `d (μ^d - 1)^(k-1) / μ^(d (2k-1) + 1)`, with k = n_near."""
        above = -1 / np.expm1(-dimension * logs)  # μ^d / (μ^d - 1)
        return 1 / dimension + logs * ((n_near - 1) * above - (2 * n_near - 1))

    value = float(brentq(lambda dimension: slopes(dimension).sum(), 1e-3, 1e5))
    error = 1.96 * _standard_error(value, logs, slopes(value), n_near, found.indices, np.flatnonzero(apart))
    return Dimension(value, max(value - error, 0.0), value + error, len(logs), duplicates)


def _standard_error(
    value: float, logs: Values, slopes: Values, n_near: int, near: NDArray[np.int32], rows: NDArray[np.intp]
) -> float:
    """That of an estimate whose items share neighbours: the sandwich of White (1982) with sums over linked items.

    Items that are each other's neighbours have distances in common. As if they had not, intervals would be too narrow.
    """
    from scipy.sparse import coo_array

    with np.errstate(over="ignore"):
        information = len(logs) / value**2 + float(((n_near - 1) * (logs / (2 * np.sinh(value * logs / 2))) ** 2).sum())
    n = len(near)
    pairs = np.repeat(np.arange(n), near.shape[1]), near.ravel()
    links = coo_array((np.ones(len(pairs[0])), pairs), shape=(n, n)).tocsr()
    linked = ((links + links.T) > 0)[rows][:, rows]
    variance = float((slopes**2).sum() + slopes @ (linked @ slopes))
    return float(np.sqrt(max(variance, float((slopes**2).sum()))) / information)


def local_dimension(
    x: ArrayLike, *, k: int = 20, metric: str = "euclidean", neighbors: Neighbors | None = None
) -> Values:
    """The dimension around each item, `(n,)`, from its `k` nearest neighbours (Levina & Bickel, 2004, eq. 8).

    With k - 2 in place of k - 1, which takes out the bias. Single values are noisy: their relative standard error is
    about `1 / √(k - 3)`. NaN where all neighbours are as far as each other.

    Raises:
        AnalysisError: fewer than 20 items, or a `k` below 4 or too large.
    """
    total, counted = _growth(x, k, metric, neighbors)
    return np.divide(counted - 1, total, out=np.full(len(total), np.nan), where=total > 0)


def mle(x: ArrayLike, *, k: int = 20, metric: str = "euclidean", neighbors: Neighbors | None = None) -> float:
    """The dimension of all items from their `k` nearest neighbours: one likelihood (MacKay & Ghahramani, 2005).

    Raises:
        AnalysisError: as `local_dimension`, or items that all lie on others.
    """
    total, counted = _growth(x, k, metric, neighbors)
    if not total.any():
        raise AnalysisError("Got items that all lie on others, which have no dimension.", code="no variation")
    return float(counted[total > 0].sum() / total.sum())


def _growth(x: ArrayLike, k: int, metric: str, neighbors: Neighbors | None) -> tuple[Values, Values]:
    """Of each item, `Σ log(r_k / r_j)` over its nearer neighbours, and how many of these do not lie on it."""
    whole("k", k, 4, 10_000, error=AnalysisError, hint="20 is usual")
    rows = prepare(x, metric)
    _require(len(rows))
    distances = _distances(at_hand(neighbors, rows, k, metric))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(distances[:, -1:]) - np.log(distances[:, :-1])
    known = np.isfinite(logs)
    return np.where(known, logs, 0).sum(1), known.sum(1).astype(np.float64)


def _distances(found: Neighbors) -> Values:
    """Distances along chords: under the cosine, neighbours are sorted by `1 - cos`, which is a squared length."""
    distances = found.distances.astype(np.float64)
    return np.sqrt(2 * distances) if found.metric == "cosine" else distances


def _require(n: int, what: str = "") -> None:
    if n < FEWEST:
        raise AnalysisError(f"Got {n} items{what}, expected at least {FEWEST}; add some.", code="too few")
