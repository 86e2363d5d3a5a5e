"""How long a walk stays near data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from ..arrays import prepare
from ..knn import neighbors, query

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Nearness:
    """Distances of the points of a walk to data.

    Attributes:
        distances: `(n,)` of each point to its k-th nearest item.
        null: `(m,)` of each item to its k-th nearest other: how far data are from data.
        between: `(r,)` of the middles between random pairs of items: how far a walk to nowhere in particular is.
    """

    distances: Values = field(repr=False)
    null: Values = field(repr=False)
    between: Values = field(repr=False)

    @property
    def limit(self) -> float:
        """As far as 95 % of the items are from others."""
        return float(np.quantile(self.null, 0.95))

    @property
    def near(self) -> float:
        """The share of the walk within that limit; for items it would be .95."""
        return float((self.distances <= self.limit).mean())

    @property
    def near_between(self) -> float:
        """The same for the middles of random pairs."""
        return float((self.between <= self.limit).mean())

    def table(self) -> pd.DataFrame:
        """A row for each point: `distance, near`."""
        import pandas as pd

        return pd.DataFrame({"distance": self.distances, "near": self.distances <= self.limit})

    def plot(self) -> go.Figure:
        """The distance along the walk, over what is usual for items in grey."""
        import plotly.graph_objects as go

        figure = go.Figure(
            layout={"template": "plotly_white", "xaxis_title": "frame", "yaxis_title": "distance to data"}
        )
        figure.add_hrect(y0=0, y1=self.limit, fillcolor="#e6e8ec", line_width=0, annotation_text="95 % of items")
        return figure.add_scatter(y=self.distances, mode="lines+markers", line_color="#4f5bd5")

    def to_json(self) -> dict[str, Any]:
        """The shares and distances as JSON values."""
        shares = {"near": self.near, "near_between": self.near_between, "limit": self.limit}
        return {**shares, "distances": self.distances.tolist()}


def nearness(
    walk: ArrayLike, data: ArrayLike, *, k: int = 5, metric: str = "cosine", random_state: int = 0
) -> Nearness:
    """Compare a walk with data of its space.

    Args:
        walk: `(n, d)`.
        data: `(m, d)` items, more than `k + 1`.
        k: which neighbour; the first one is noisy.

    Raises:
        AnalysisError: too few items, two widths, or values that are not finite.
    """
    rows, items = prepare(walk, metric, what="walk"), prepare(data, metric, what="data")
    whole("k", k, 1, 10**4, error=AnalysisError, hint="5 is usual")
    if rows.shape[1] != items.shape[1]:
        message = f"Got a walk of {rows.shape[1]} numbers and data of {items.shape[1]}, expected those of one space."
        raise AnalysisError(message, code="width")
    if len(items) < k + 2:
        raise AnalysisError(f"Got {len(items)} items, expected at least {k + 2}; add some.", code="too few")
    generator = np.random.default_rng(random_state)
    pairs = generator.integers(len(items), size=(min(1000, 10 * len(items)), 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    middles = (items[pairs[:, 0]] + items[pairs[:, 1]]) / 2
    middles = middles[np.linalg.norm(middles, axis=1) > 1e-6]
    own = neighbors(items, k, metric=metric).distances[:, -1].astype(np.float64)
    found, between = (query(items, each, k, metric=metric).distances[:, -1] for each in (rows, middles))
    return Nearness(found.astype(np.float64), own, between.astype(np.float64))
