"""What the space of a collection is like, in one table and one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from .. import evidence
from ..arrays import prepare
from ..concepts.normal import normal_like
from ..evidence import Measured
from ..knn import neighbors
from .dimension import gride, mle, two_nn
from .hubs import hubs
from .pairs import uniformity
from .spread import Norms, effective_rank, isotropy, norms

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from numpy.typing import ArrayLike, NDArray

    from thoughtspace.explorer.collection.items import Kind
    from thoughtspace.explorer.collection.store import Collection

K = 20
"""Neighbours of the estimates that look further."""


@dataclass(frozen=True, eq=False)
class Structure:
    """Numbers of a space, each beside that of normal draws with the same mean and covariance.

    Attributes:
        measures: `two_nn`, `gride` (at neighbours 8 and 16) and `mle` are dimensions; `effective_rank` and `isotropy`
            do not tell items from the draws, which have their covariance; `hubness` is the skewness of how often an
            item is a neighbour. Under the cosine also `uniformity`, which is least where directions are even.
        n: items.
        d: numbers of each.
        norms: the lengths of the items beside those of N(0, I).
    """

    measures: Mapping[str, Measured]
    n: int
    d: int
    norms: Norms

    @property
    def sentence(self) -> str:
        """What the dimension means for a map of this space, in plain words."""
        found = self.measures["two_nn"]
        low, high = found.interval or (found.value, found.value)
        said = f"Around each item, items vary in about {found.value:.1f} directions ({low:.1f} to {high:.1f})"
        if high < 2.5:
            return f"{said}: a map in the plane can keep its neighbourhoods."
        if high < 3.5:
            return f"{said}: a map in three dimensions can keep its neighbourhoods, one in the plane cannot keep all."
        return (
            f"{said}: no map in two or three dimensions can keep all neighbourhoods. Items that are apart on it may be "
            "near in the space, and the other way round; its recall says how many."
        )

    def table(self) -> pd.DataFrame:
        """A row for each measure; see `Measured.to_json` for the columns."""
        return evidence.table(self.measures)

    def plot(self) -> go.Figure:
        """The measures beside their nulls, each on an axis of its own."""
        from plotly.subplots import make_subplots

        n = len(self.measures)
        figure = make_subplots(rows=n, cols=1, vertical_spacing=0.5 / n)
        for row, (name, measure) in enumerate(self.measures.items(), 1):
            for trace in evidence.plot({name: measure}).data:
                figure.add_trace(trace.update(showlegend=row == 1), row=row, col=1)
        figure.update_xaxes(rangemode="tozero")
        title = f"{self.n:,} items of {self.d} numbers"
        return figure.update_layout(title=title, template="plotly_white", height=90 * n, **evidence.LAYOUT)

    def to_json(self) -> dict[str, Any]:
        """The table and the sentence as JSON values."""
        measures = {name: each.to_json() for name, each in self.measures.items()}
        mean, deviation = self.norms.expected
        lengths = {
            "mean": float(self.norms.lengths.mean()),
            "deviation": float(self.norms.lengths.std()),
            "normal_mean": mean,
            "normal_deviation": deviation,
            "p_value": self.norms.p_value,
        }
        return {"n": self.n, "d": self.d, "sentence": self.sentence, "measures": measures, "norms": lengths}


def structure(x: ArrayLike, *, metric: str = "cosine", n_null: int = 9, random_state: int = 0) -> Structure:
    """Measure a space by its items.

    Args:
        x: `(n, d)`, more than 40 items.
        n_null: normal draws.

    Raises:
        AnalysisError: too few items, or as the measures.
    """
    rows = prepare(x, metric)
    whole("n_null", n_null, 1, 10**4, error=AnalysisError, hint="9 allows p-values down to .2")
    if len(rows) <= 2 * K:
        raise AnalysisError(f"Got {len(rows)} items, expected more than {2 * K}; add some.", code="too few")
    generator = np.random.default_rng(random_state)
    value = _measured(rows, metric)
    null = [_measured(prepare(normal_like(rows, generator), metric), metric) for _ in range(n_null)]
    near, further = two_nn(rows, metric=metric), gride(rows, n_near=8, metric=metric)
    intervals = {"two_nn": (near.low, near.high), "gride": (further.low, further.high)}
    measures = {
        name: Measured(each, np.array([draw[name] for draw in null]), intervals.get(name))
        for name, each in value.items()
    }
    return Structure(measures, len(rows), rows.shape[1], norms(x))


def structure_of(
    collection: Collection, *, space: str = "joint", kind: Kind = "image", n_null: int = 9, random_state: int = 0
) -> Structure:
    """Measure a space by the stored vectors of one kind of items: by the cosine in `joint`, else Euclidean.

    Raises:
        CollectionError: no vectors of that space.
        AnalysisError: too few items.
    """
    vectors = collection.vectors(space, kind)
    there = np.isfinite(vectors).all(axis=1)
    metric = "cosine" if space == "joint" else "euclidean"
    return structure(vectors[there], metric=metric, n_null=n_null, random_state=random_state)


def _measured(rows: NDArray[np.float32], metric: str) -> dict[str, float]:
    known = neighbors(rows, K, metric=metric)
    found: dict[str, Callable[[], float]] = {
        "two_nn": lambda: two_nn(rows, metric=metric, neighbors=known).value,
        "gride": lambda: gride(rows, n_near=8, metric=metric, neighbors=known).value,
        "mle": lambda: mle(rows, k=K, metric=metric, neighbors=known),
        "effective_rank": lambda: effective_rank(rows),
        "isotropy": lambda: isotropy(rows),
        "hubness": lambda: hubs(rows, k=10, metric=metric, neighbors=known).skewness,
    }
    if metric == "cosine":
        found["uniformity"] = lambda: uniformity(rows)
    return {name: float(measure()) for name, measure in found.items()}
