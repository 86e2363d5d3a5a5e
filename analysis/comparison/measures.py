"""Measures of how alike two spaces are, on the same items: each from a summary of either side.

A summary can be put into another order of the items cheaply, so that a null of hundreds of permutations is quick.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.errors import AnalysisError

from ..arrays import Matrix, pairwise, prepare
from ..knn import neighbors, shared

Order = NDArray[np.intp]
Summary = NDArray[Any]

VARIANCE = 0.99
"""Share of the variance that SVCCA keeps (Raghu et al., 2017, section 2.1)."""


class Measure(Protocol):
    """A score of two spaces, at most 1."""

    @property
    def least(self) -> int:
        """The fewest items that it can compare."""

    def summary(self, x: Matrix) -> Summary:
        """What the measure needs to know of one space: `(n, d)` -> `(n, …)`."""

    def reordered(self, summary: Summary, order: Order) -> Summary:
        """The summary of `x[order]`."""

    def score(self, a: Summary, b: Summary) -> float:
        """The score of two summaries."""


class _OfPairs:
    """A measure whose summary has a number for each pair of items: the score is the cosine of two such matrices."""

    least = 5

    def reordered(self, summary: Summary, order: Order) -> Summary:
        return summary[order][:, order]

    def score(self, a: Summary, b: Summary) -> float:
        return float(np.vdot(a, b))


class CKA(_OfPairs):
    """Linear centred kernel alignment (Kornblith et al., 2019), debiased by U-centring (Song et al., 2012, eq. 5).

    Without that, two independent spaces of p dimensions score about p / (p + n). It is 1 under rotation, shift and a
    common scale, and about 0, also below, for independent spaces.
    """

    def summary(self, x: Matrix) -> Summary:
        centred = x - x.mean(0, dtype=np.float64)
        gram = centred @ centred.T
        np.fill_diagonal(gram, 0)
        n = len(gram)
        rows = gram.sum(1) / (n - 2)
        gram -= rows[:, None]
        gram -= rows - rows.sum() / (n - 1)
        np.fill_diagonal(gram, 0)
        return _unit(gram)


@dataclass(frozen=True)
class RSA(_OfPairs):
    """Representational similarity (Kriegeskorte et al., 2008): Spearman's correlation of the distances of all pairs.

    Attributes:
        metric: of the distances.
    """

    metric: str = "cosine"

    def summary(self, x: Matrix) -> Summary:
        from scipy.stats import rankdata

        rows, columns = np.triu_indices(len(x), 1)
        distances = pairwise(prepare(x, self.metric), prepare(x, self.metric), self.metric)[rows, columns]
        ranks = np.zeros((len(x), len(x)))
        ranks[rows, columns] = rankdata(distances)
        ranks[rows, columns] -= ranks[rows, columns].mean()
        return _unit(ranks + ranks.T)


@dataclass(frozen=True)
class MutualKNN:
    """The mean share of the k nearest neighbours that an item has in both spaces (Huh et al., 2024).

    Its expected value without any relation is k / (n - 1).

    Attributes:
        k: neighbours.
        metric: of the distances.
    """

    k: int = 10
    metric: str = "cosine"

    @property
    def least(self) -> int:
        return self.k + 2

    def summary(self, x: Matrix) -> Summary:
        return neighbors(x, self.k, metric=self.metric).indices

    def reordered(self, summary: Summary, order: Order) -> Summary:
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return place[summary[order].astype(np.intp)]

    def score(self, a: Summary, b: Summary) -> float:
        return float(shared(a, b).mean())


class Procrustes:
    """Orthogonal Procrustes similarity: the squared correlation after the best rotation, reflection and scale.

    It is 1 - `disparity` of `scipy.spatial.procrustes`.
    """

    least = 3

    def summary(self, x: Matrix) -> Summary:
        return _unit(x - x.mean(0, dtype=np.float64))

    def reordered(self, summary: Summary, order: Order) -> Summary:
        return summary[order]

    def score(self, a: Summary, b: Summary) -> float:
        return float(np.linalg.svd(a.T @ b, compute_uv=False).sum() ** 2)


class SVCCA:
    """Mean canonical correlation of the leading principal components (Raghu et al., 2017).

    It grows with the number of components and is near 1 for any two spaces with as many components as half the items:
    without its null it says nothing.
    """

    least = 3

    def summary(self, x: Matrix) -> Summary:
        u, sigma, _ = np.linalg.svd(x - x.mean(0, dtype=np.float64), full_matrices=False)
        _require_variation(float(sigma[0]))
        share = np.cumsum(sigma**2) / (sigma**2).sum()
        return u[:, : int(np.searchsorted(share, VARIANCE)) + 1]

    def reordered(self, summary: Summary, order: Order) -> Summary:
        return summary[order]

    def score(self, a: Summary, b: Summary) -> float:
        return float(np.linalg.svd(a.T @ b, compute_uv=False).mean())


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    norm = float(np.linalg.norm(values))
    _require_variation(norm)
    return values / norm


def _require_variation(size: float) -> None:
    if not size > 0:
        raise AnalysisError("Got items that are all alike, which cannot be compared; add others.", code="no variation")
