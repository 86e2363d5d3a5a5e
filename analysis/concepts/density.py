"""How alone each item is: the distance to its k-th nearest neighbour, beside items without outliers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from ..arrays import prepare
from ..knn import neighbors
from .normal import normal_like

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Values = NDArray[np.float64]

MOST = 5000
"""Rows of the draws that items are held against."""


@dataclass(frozen=True, eq=False)
class Density:
    """How densely other items lie around each.

    Attributes:
        distances: `(n,)` to the k-th nearest neighbour: long where items are rare. 0 for an item with k copies.
        null: `(m,)` the same distances among normal draws with the mean and covariance of the items.
        k: which neighbour.
    """

    distances: Values = field(repr=False)
    null: Values = field(repr=False)
    k: int

    @property
    def p_values(self) -> Values:
        """`(n,)` the chance that a normal draw is as alone: `(1 + draws at least as far) / (1 + draws)`.

        Of n items without outliers a share α has a p-value of at most α: look at how many there are, or divide α by n.
        """
        beyond = len(self.null) - np.searchsorted(np.sort(self.null), self.distances, side="left")
        return np.asarray((1 + beyond) / (1 + len(self.null)))

    def outliers(self, n: int = 10) -> NDArray[np.intp]:
        """The rows of the items that are most alone, most first."""
        return np.argsort(-self.distances, kind="stable")[:n]

    def table(self) -> pd.DataFrame:
        """A row for each item: `distance, p_value`."""
        import pandas as pd

        return pd.DataFrame({"distance": self.distances, "p_value": self.p_values})

    def plot(self) -> go.Figure:
        """The distances of items beside those of normal draws in grey."""
        import plotly.graph_objects as go

        figure = go.Figure(layout={"template": "plotly_white", "barmode": "overlay"})
        for name, values, colour in (("normal draws", self.null, "#9aa0a8"), ("items", self.distances, "#4f5bd5")):
            figure.add_histogram(x=values, name=name, marker_color=colour, opacity=0.6, histnorm="probability density")
        return figure.update_xaxes(title=f"distance to neighbour {self.k}")

    def to_json(self) -> dict[str, Any]:
        """The most alone, and how many are further out than all but 1 % of normal draws, as JSON values."""
        rows, p_values = self.outliers(), self.p_values
        most = [{"row": int(r), "distance": float(self.distances[r]), "p_value": float(p_values[r])} for r in rows]
        return {
            "k": self.k,
            "n": len(self.distances),
            "outliers": most,
            "share_beyond_1_percent": float((p_values <= 0.01).mean()),
        }


def density(x: ArrayLike, *, k: int = 10, metric: str = "cosine", random_state: int = 0) -> Density:
    """Find how alone items are.

    A small p-value says that an item lies further out than normal draws of the same covariance do. Items in clusters
    lie closer than that, so an item between clusters need not stand out.

    Args:
        x: `(n, d)`.
        k: which neighbour; larger than the largest group of outliers that should be seen.

    Raises:
        AnalysisError: no more items than `k`, or items that all lie on each other.
    """
    whole("k", k, 1, 10**4, error=AnalysisError, hint="10 is usual")
    rows = prepare(x, metric)
    if len(rows) < k + 2:
        message = f"Got {len(rows)} items, expected at least {k + 2} for neighbour {k}; add some, or lower k."
        raise AnalysisError(message, code="too few")
    distances = neighbors(rows, k, metric=metric).distances[:, -1].astype(np.float64)
    if not distances.any():
        raise AnalysisError("Got items that all lie on others, whose density has no measure.", code="no variation")
    generator = np.random.default_rng(random_state)
    some = rows if len(rows) <= MOST else rows[generator.permutation(len(rows))[:MOST]]
    drawn = normal_like(some, generator, sphere=metric == "cosine")
    # Draws are held among as many others as items are, or distances would depend on the number.
    null = neighbors(drawn, max(1, round(k * len(some) / len(rows))), metric=metric).distances[:, -1]
    return Density(distances, null.astype(np.float64), k)
