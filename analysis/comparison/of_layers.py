"""The layers of one or two models compared on the same pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from thoughtspace.explorer.errors import AnalysisError

from ..evidence import Score
from .layers import LayerComparison, compare_layers

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer import Explorer


@dataclass(frozen=True, eq=False)
class ModelLayers:
    """The layers of two models, or of one beside itself, with their names.

    Attributes:
        models: the names of both; the same twice for one model.
        names: of the layers of either.
        comparison: the scores, with rows of the first and columns of the second.
        n: pictures.
        same: whether it is one model, whose layers are compared with each other but not with themselves.
    """

    models: tuple[str, str]
    names: tuple[tuple[str, ...], tuple[str, ...]]
    comparison: LayerComparison = field(repr=False)
    n: int
    same: bool

    @property
    def best(self) -> tuple[str, str]:
        """The layers of the largest score; of one model, two different layers."""
        row, column = np.unravel_index(
            int(self._searched(self.comparison.values).argmax()), self.comparison.values.shape
        )
        return self.names[0][row], self.names[1][column]

    @property
    def largest(self) -> Score:
        """The largest score beside the largest of each draw, which has one permutation for all layers."""
        found = self.comparison
        null = self._searched(found.null).max((1, 2))
        return Score(float(self._searched(found.values).max()), null)

    def table(self) -> pd.DataFrame:
        """As `LayerComparison.table`, with the names of the layers."""
        table = self.comparison.table()
        for side, names in zip("xy", self.names, strict=True):
            table[side] = [names[row] for row in table[side]]
        return table

    def plot(self) -> go.Figure:
        """As `LayerComparison.plot`, with the names of the layers."""
        figure = self.comparison.plot()
        rows, columns = self.names
        ticks = {"tickvals": list(range(len(columns))), "ticktext": [_short(name) for name in columns]}
        figure.update_xaxes(title=self.models[1], **ticks)
        figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=[_short(name) for name in rows])
        return figure.update_yaxes(title=self.models[0], col=1)

    def to_json(self) -> dict[str, Any]:
        """The names, the scores and p-values, and the largest, as JSON values."""
        told = {**self.comparison.to_json(), "best": list(self.best), "largest": self.largest.to_json()}
        return {"models": list(self.models), "n": self.n, "layers": [list(each) for each in self.names], **told}

    def _searched(self, values: Any) -> Any:
        """The scores that may be the largest: of one model, none of a layer with itself."""
        return np.where(np.eye(values.shape[-1], dtype=bool), -np.inf, values) if self.same else values


def compare_models(
    first: Explorer,
    second: Explorer | None,
    pictures: Sequence[Any],
    *,
    by: Callable[..., LayerComparison] = compare_layers,
) -> ModelLayers:
    """Compare the layers of image towers, each as the mean of its states over places; see `compare_layers`.

    Args:
        second: of another model; None compares the layers of the first with each other.
        pictures: of PIL, or their paths; five or more.
        by: how, such as `partial(compare_layers, measure="rsa")`.

    Raises:
        ModelError: a model without blocks that read pictures.
        AnalysisError: as `compare_layers`, or a model without a joint encoder.
    """
    from thoughtspace.explorer.models.layers import layers_of_pictures

    sides = []
    for explorer in (first,) if second is None else (first, second):
        if explorer.model.clip is None:
            message = f"Got the model {explorer.model.name} without an image tower, expected one that encodes pictures."
            raise AnalysisError(message, code="no layers")
        sides.append({name: each.numpy() for name, each in layers_of_pictures(explorer.model.clip, pictures).items()})
    left, right = sides[0], sides[-1]
    found = by(list(left.values()), list(right.values()))
    models = first.model.name, (second or first).model.name
    return ModelLayers(models, (tuple(left), tuple(right)), found, len(pictures), second is None)


def _short(name: str) -> str:
    """The end of a layer's name that tells it apart."""
    return ".".join(name.split(".")[-2:])
