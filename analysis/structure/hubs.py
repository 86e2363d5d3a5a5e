"""Hubs: items that are among the neighbours of many others, which high dimensions make."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from ..arrays import prepare
from ..knn import Neighbors, at_hand


@dataclass(frozen=True, eq=False)
class Hubs:
    """How unevenly items are neighbours of others.

    Attributes:
        occurrences: `(n,)` how many items have this one among their `k` nearest; their mean is `k`.
        k: the number of neighbours.
    """

    occurrences: NDArray[np.int64] = field(repr=False)
    k: int

    @property
    def skewness(self) -> float:
        """Skewness of the occurrences (Radovanović et al., 2010): 0 if they are even, some units if there are hubs."""
        from scipy.stats import skew

        return float(skew(self.occurrences))

    @property
    def antihubs(self) -> float:
        """Share of the items that are nobody's neighbour: no search among `k` finds them."""
        return float((self.occurrences == 0).mean())

    @property
    def robin_hood(self) -> float:
        """Share of all occurrences that would have to move to make them even (Feldbauer & Flexer, 2019): 0 to 1."""
        return float(np.abs(self.occurrences - self.k).sum() / (2 * self.occurrences.sum()))

    def top(self, n: int = 10) -> NDArray[np.intp]:
        """The rows of the largest hubs, largest first."""
        return np.argsort(-self.occurrences, kind="stable")[:n]


def hubs(x: ArrayLike, *, k: int = 10, metric: str = "cosine", neighbors: Neighbors | None = None) -> Hubs:
    """Count how often each item is among the `k` nearest of others.

    Raises:
        AnalysisError: an invalid array, metric or `k`.
    """
    rows = prepare(x, metric)
    whole("k", k, 1, len(rows) - 1, error=AnalysisError, hint="it must be below the number of items")
    found = at_hand(neighbors, rows, k, metric)
    return Hubs(np.bincount(found.indices.ravel(), minlength=len(rows)), k)
