"""What a direction carries along: how far it also tells other properties apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from ..arrays import numbers, prepare
from ..evidence import ALPHA, LAYOUT

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, eq=False)
class Leakage:
    """How far directions tell properties apart that they are not meant for.

    Attributes:
        names: of the directions and their properties.
        auc: `(k, k)`, row: direction, column: property. Off the diagonal it is measured among items that are equal in
            the direction's own property, so that properties that go together in the data do not count. ½ is nothing;
            far from it on either side is leakage.
        p_values: `(k, k)`, two-sided, beside labels that are shuffled among the same items.
        cosines: `(k, k)` of the directions.
    """

    names: tuple[str, ...]
    auc: NDArray[np.float64] = field(repr=False)
    p_values: NDArray[np.float64] = field(repr=False)
    cosines: NDArray[np.float64] = field(repr=False)

    def table(self) -> pd.DataFrame:
        """A row for each direction and property: `direction, property, auc, p_value, cosine`."""
        import pandas as pd

        at = np.indices(self.auc.shape)
        names = np.asarray(self.names)
        columns = {"direction": names[at[0]], "property": names[at[1]], "auc": self.auc, "p_value": self.p_values}
        columns["cosine"] = self.cosines
        return pd.DataFrame({name: values.ravel() for name, values in columns.items()})

    def plot(self) -> go.Figure:
        """The AUCs as a grid of colours, white at ½."""
        import plotly.graph_objects as go

        figure = go.Figure(layout={"template": "plotly_white"})
        rows = zip(self.auc, self.p_values, strict=True)
        said = [[f"{auc:.2f}" + ("*" if p <= ALPHA else "") for auc, p in zip(*row, strict=True)] for row in rows]
        figure.add_heatmap(
            z=self.auc,
            x=self.names,
            y=self.names,
            zmin=0,
            zmax=1,
            zmid=0.5,
            colorscale="RdBu",
            text=said,
            texttemplate="%{text}",
        )
        figure.update_layout(title="AUC; * beyond shuffled labels", margin=LAYOUT["margin"])
        return figure.update_layout(xaxis_title="property", yaxis_title="direction", yaxis_autorange="reversed")

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values."""
        return {"names": list(self.names), "leakage": self.table().to_dict("records")}


def leakage(
    x: ArrayLike,
    directions: Mapping[str, ArrayLike],
    labels: Mapping[str, ArrayLike],
    *,
    n_null: int = 99,
    random_state: int = 0,
) -> Leakage:
    """Measure what each direction tells apart, on items that none was fitted on.

    Args:
        x: `(n, d)` items.
        directions: by the name of the property, `(d,)`.
        labels: by the name of the property, `(n,)` whether each item has it.
        n_null: shuffles for each p-value.

    Raises:
        AnalysisError: other names, another number of labels, missing ones, a property that all items of a group have or
            lack, or a direction of another width or of length zero.
    """
    rows = prepare(x, "euclidean")
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="99 allows p-values down to .02")
    names = tuple(directions)
    if set(names) != set(labels) or not names:
        message = f"Got directions {', '.join(names)} and labels {', '.join(labels)}, expected the same names."
        raise AnalysisError(message, code="names")
    known = {name: _truths(name, each) for name, each in labels.items()}
    wrong = next((name for name, each in known.items() if each.shape != (len(rows),)), None)
    if wrong is not None:
        message = f"Got {known[wrong].shape} labels of {wrong!r} for {len(rows)} items, expected one for each."
        raise AnalysisError(message, code="number of labels")
    vectors = np.stack([_unit(name, directions[name], rows.shape[1]) for name in names])
    generator = np.random.default_rng(random_state)
    auc, p_values = np.empty((len(names), len(names))), np.empty((len(names), len(names)))
    for row, name in enumerate(names):
        along = rows @ vectors[row]
        for column, other in enumerate(names):
            groups = np.zeros(len(rows), bool) if name == other else known[name]
            value = _within(along, known[other], groups)
            if np.isnan(value):
                message = f"Got items of which, at equal {name!r}, all or none have {other!r}, expected both; add some."
                raise AnalysisError(message, code="one class")
            null = np.array([_within(along, _shuffled(known[other], groups, generator), groups) for _ in range(n_null)])
            auc[row, column] = value
            p_values[row, column] = (1 + (np.abs(null - 0.5) >= abs(value - 0.5)).sum()) / (1 + n_null)
    return Leakage(names, auc, p_values, vectors @ vectors.T)


def _unit(name: str, direction: ArrayLike, width: int) -> NDArray[np.float64]:
    vector = numbers(direction, f"direction {name!r}")
    if vector.shape != (width,):
        message = f"Got direction {name!r} of shape {vector.shape}, expected {(width,)}, as items are."
        raise AnalysisError(message, code="width")
    length = float(np.linalg.norm(vector))
    if not length > 0:
        message = f"Got direction {name!r} of length zero, expected one that leads somewhere."
        raise AnalysisError(message, code="no variation")
    return np.asarray(vector / length)


def _truths(name: str, labels: ArrayLike) -> NDArray[np.bool_]:
    given = np.asarray(labels)
    if given.dtype != bool and not np.isin(given, (0, 1)).all():
        message = f"Got labels of {name!r} that are not all true or false, expected whether each item has it."
        raise AnalysisError(message, code="labels")
    return given.astype(bool)


def _within(along: NDArray[np.float64], labels: NDArray[np.bool_], groups: NDArray[np.bool_]) -> float:
    """The mean AUC within groups, weighted by their pairs; NaN without a group that has both labels."""
    from scipy.stats import rankdata

    total, weight = 0.0, 0
    for group in np.unique(groups):
        here = groups == group
        have, n = int(labels[here].sum()), int(here.sum())
        pairs = have * (n - have)
        if pairs:
            ranks = rankdata(along[here])[labels[here]].sum()
            total += ranks - have * (have + 1) / 2
            weight += pairs
    return total / weight if weight else float("nan")


def _shuffled(
    labels: NDArray[np.bool_], groups: NDArray[np.bool_], generator: np.random.Generator
) -> NDArray[np.bool_]:
    shuffled = labels.copy()
    for group in np.unique(groups):
        here = np.flatnonzero(groups == group)
        shuffled[here] = generator.permutation(labels[here])
    return shuffled
