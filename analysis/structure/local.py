"""The dimension around each item of a collection, and whether it differs more than estimates of one cloud do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from .. import evidence
from ..arrays import prepare
from ..concepts.normal import normal_like
from ..evidence import Measured
from .dimension import local_dimension

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer.collection.items import Kind
    from thoughtspace.explorer.collection.store import Collection

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LocalDimension:
    """The dimension around each item, beside that around normal draws with the same mean and covariance.

    Attributes:
        values: `(n,)` of each item; NaN where all its neighbours are as far as each other.
        null: `(n_null, n)` of the draws.
        items: the items, in the rows of the values: `id, kind, source, caption`.
        k: the neighbours that each is estimated from.
    """

    values: Values = field(repr=False)
    null: Values = field(repr=False)
    items: pd.DataFrame = field(repr=False)
    k: int

    @property
    def measures(self) -> Mapping[str, Measured]:
        """The `median` over items, and their `spread`: the distance of the quartiles over the median."""
        return {
            "median": Measured(_median(self.values), np.array([_median(each) for each in self.null])),
            "spread": Measured(_spread(self.values), np.array([_spread(each) for each in self.null])),
        }

    def table(self) -> pd.DataFrame:
        """A row for each item: `id, kind, source, caption, dimension`."""
        return self.items.assign(dimension=self.values)

    def plot(self) -> go.Figure:
        """How often each dimension is found around items, and around the draws."""
        import plotly.graph_objects as go

        figure = go.Figure(layout={"template": "plotly_white", "barmode": "overlay", **evidence.LAYOUT})
        for values, name, colour in ((self.null, "normal draws", "#9aa0a8"), (self.values, "items", "#4f5bd5")):
            known = values[np.isfinite(values)]
            figure.add_histogram(x=known, name=name, histnorm="probability", opacity=0.7, marker_color=colour)
        title = f"Dimension around each of {len(self.values):,} items, from {self.k} neighbours"
        return figure.update_layout(title=title, xaxis_title="dimension", yaxis_title="share")

    def to_json(self) -> dict[str, Any]:
        """The measures, and the dimension around each item, as JSON values; null where there is none."""
        found = self.table()[["id", "source", "caption", "dimension"]]
        told = found.astype(object).where(found.notna(), None).to_dict("records")
        measures = {name: each.to_json() for name, each in self.measures.items()}
        return {"n": len(self.values), "k": self.k, "measures": measures, "items": told}


def local_dimension_of(
    collection: Collection,
    *,
    space: str = "joint",
    kind: Kind = "image",
    k: int = 20,
    n_null: int = 9,
    random_state: int = 0,
) -> LocalDimension:
    """Estimate the dimension around each stored vector of one kind of items; see `local_dimension`.

    Raises:
        CollectionError: no vectors of that space.
        AnalysisError: as `local_dimension`, or items that all lie on others.
    """
    whole("n_null", n_null, 1, 10**4, error=AnalysisError, hint="9 allows p-values down to .2")
    metric = "cosine" if space == "joint" else "euclidean"
    vectors = collection.vectors(space, kind)
    there = np.isfinite(vectors).all(axis=1)
    rows = prepare(vectors[there], metric)
    values = local_dimension(rows, k=k, metric=metric)
    if not np.isfinite(values).any():
        raise AnalysisError("Got items that all lie on others, which have no dimension.", code="no variation")
    generator = np.random.default_rng(random_state)
    null = [local_dimension(normal_like(rows, generator), k=k, metric=metric) for _ in range(n_null)]
    items = collection.items(kind)[["id", "kind", "source", "caption"]].iloc[np.flatnonzero(there)]
    return LocalDimension(values, np.stack(null), items, k)


def _median(values: Values) -> float:
    return float(np.nanmedian(values))


def _spread(values: Values) -> float:
    low, middle, high = np.nanquantile(values, [0.25, 0.5, 0.75])
    return float((high - low) / middle)
