"""Compare every layer of one model with every layer of another; what is said of the best pair allows for the search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import choice, whole
from thoughtspace.explorer.errors import AnalysisError

from ..arrays import prepare
from ..evidence import Score
from .compare import MEASURES, measure_pair, require_same_items, sample

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, eq=False)
class LayerComparison:
    """How alike the layers of two models are.

    Attributes:
        measure: the name of the measure.
        values: `(len(xs), len(ys))` its scores.
        null: `(n_null, len(xs), len(ys))` the scores of shuffled pairs, each draw with one permutation for all layers.
    """

    measure: str
    values: NDArray[np.float64]
    null: NDArray[np.float64] = field(repr=False)

    @property
    def largest(self) -> Score:
        """The largest score beside the largest of each draw (Gröger et al., 2026, algorithm 2).

        The largest of many scores is large without any effect: beside the null of its own cell alone it would look
        better than it is.
        """
        return Score(float(self.values.max()), self.null.max((1, 2)))

    @property
    def best(self) -> tuple[int, int]:
        """The layers of the largest score."""
        row, column = np.unravel_index(int(self.values.argmax()), self.values.shape)
        return int(row), int(column)

    @property
    def p_values(self) -> NDArray[np.float64]:
        """`(len(xs), len(ys))`, each beside the largest of all cells of a draw: the chance that any is so large.

        With them the cells may be searched for the ones that matter (Westfall & Young, 1993).
        """
        largest = self.null.max((1, 2))[:, None, None]
        return (1 + (largest >= self.values).sum(0)) / (1 + len(self.null))

    def table(self) -> pd.DataFrame:
        """A row for each pair of layers: `x, y, value, null_mean, p_value`."""
        import pandas as pd

        x, y = np.indices(self.values.shape)
        null_mean, p_values = self.null.mean(0), self.p_values
        columns = {"x": x, "y": y, "value": self.values, "null_mean": null_mean, "p_value": p_values}
        return pd.DataFrame({name: values.ravel() for name, values in columns.items()})

    def plot(self) -> go.Figure:
        """The scores as a grid of colours beside the mean of the null, on one scale."""
        from plotly.subplots import make_subplots

        figure = make_subplots(1, 2, subplot_titles=(self.measure, "shuffled pairs"), shared_yaxes=True)
        low = float(min(self.values.min(), self.null.mean(0).min()))
        for column, values in enumerate((self.values, self.null.mean(0)), start=1):
            figure.add_heatmap(
                z=values, zmin=low, zmax=1, colorscale="Viridis", showscale=column == 1, row=1, col=column
            )
        return figure.update_layout(template="plotly_white", xaxis_title="layer of y", yaxis_title="layer of x")

    def to_json(self) -> dict[str, Any]:
        """The scores and p-values as JSON values."""
        return {
            "measure": self.measure,
            "values": self.values.tolist(),
            "null_mean": self.null.mean(0).tolist(),
            "p_values": self.p_values.tolist(),
            "best": list(self.best),
            "largest": self.largest.to_json(),
        }


def compare_layers(
    xs: Sequence[ArrayLike],
    ys: Sequence[ArrayLike],
    *,
    measure: str = "cka",
    metric: str = "cosine",
    k: int = 10,
    n_null: int = 200,
    random_state: int = 0,
) -> LayerComparison:
    """Compare each of `xs` with each of `ys`, by the items that are in all of them.

    Args:
        xs, ys: arrays `(n, d)` of any widths d, of which row i is the same item.
        measure: one of `MEASURES`.
        metric: of the distances, for measures that have any.
        k: neighbours of `mutual_knn`.
        n_null: permutations, each of them the same for all layers.
        random_state: seed of the permutations.

    Raises:
        AnalysisError: no layers, arrays of unequal length, too few items, or items that are all alike.
    """
    choice("measure", measure, MEASURES, error=AnalysisError)
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="199 allows p-values down to .005")
    if not xs or not ys:
        raise AnalysisError("Got no layers on one side, expected at least one on either.", code="no layers")
    left, right = ([prepare(each, metric, what="a layer") for each in side] for side in (xs, ys))
    how, _ = measure_pair(measure, (metric, metric), k)
    require_same_items(left, right, fewest=how.least)
    generator = np.random.default_rng(random_state)
    rows = sample(len(left[0]), generator)
    before, after = ([how.summary(each[rows]) for each in side] for side in (left, right))

    def scores(order: NDArray[np.intp]) -> NDArray[np.float64]:
        moved = [how.reordered(each, order) for each in after]
        return np.array([[how.score(a, b) for b in moved] for a in before])

    null = np.stack([scores(generator.permutation(len(rows))) for _ in range(n_null)])
    return LayerComparison(measure, scores(np.arange(len(rows))), null)
