"""How a walk runs, from what its pictures look like: step lengths, detour and turns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import choice, whole
from thoughtspace.explorer.errors import AnalysisError

from .. import evidence
from ..arrays import prepare
from ..evidence import Measured

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Values = NDArray[np.float64]
METRICS = ("angle", "euclidean")


@dataclass(frozen=True, eq=False)
class Steps:
    """A walk of `n` pictures, step by step.

    Attributes:
        lengths: `(n - 1,)` distances of neighbouring pictures.
        direct: the distance from the first to the last.
        turns: `(n - 2,)` angles between one step and the next, in radians: 0 goes straight on, π goes back.
        measures: by name, each beside its null, the same pictures with those between the ends in random order. `cv` is
            the standard deviation of the lengths over their mean; `detour` the whole length over the direct distance;
            `turn` the mean turn.
    """

    lengths: Values = field(repr=False)
    direct: float
    turns: Values = field(repr=False)
    measures: dict[str, Measured]

    @property
    def length(self) -> float:
        """The whole length."""
        return float(self.lengths.sum())

    def table(self) -> pd.DataFrame:
        """A row for each measure, as `Measured.to_json` has it."""
        return evidence.table(self.measures)

    def plot(self) -> go.Figure:
        """The lengths of the steps, and beside them the measures of the walk over their nulls."""
        from plotly.subplots import make_subplots

        figure = make_subplots(1, 2, horizontal_spacing=0.12, subplot_titles=("length of each step", "of the walk"))
        places = np.arange(len(self.lengths)) + 0.5
        figure.add_bar(y=self.lengths, x=places, marker_color="#4f5bd5", showlegend=False, row=1, col=1)
        for trace in evidence.plot(self.measures).data:
            figure.add_trace(trace, row=1, col=2)
        figure.update_xaxes(title="frame", row=1, col=1).update_yaxes(autorange="reversed", row=1, col=2)
        figure.update_layout(template="plotly_white", margin=evidence.LAYOUT["margin"])
        return figure.update_layout(
            legend={"orientation": "h", "x": 1, "xanchor": "right", "y": -0.1, "yanchor": "top"}
        )

    def to_json(self) -> dict[str, Any]:
        """The measures and the lengths as JSON values."""
        return {
            "length": self.length,
            "direct": self.direct,
            "lengths": self.lengths.tolist(),
            "measures": {name: each.to_json() for name, each in self.measures.items()},
        }


def measure_steps(x: ArrayLike, *, metric: str = "angle", n_null: int = 199, random_state: int = 0) -> Steps:
    """Measure a walk by the vectors of its pictures.

    Args:
        x: `(n, d)`, three pictures or more, in order.
        metric: `"angle"` in radians, for unit vectors such as those of `joint`, or `"euclidean"`.

    Raises:
        AnalysisError: fewer than three pictures, ends that are the same, or rows that are not finite.
    """
    choice("metric", metric, METRICS, error=AnalysisError)
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="199 allows p-values down to .01")
    rows = prepare(x, "cosine" if metric == "angle" else "euclidean").astype(np.float64)
    if len(rows) < 3:
        raise AnalysisError(f"Got a walk of {len(rows)} pictures, expected three or more.", code="too few")
    direct = float(_lengths(rows[[0, -1]], metric)[0])
    if not direct > 1e-9:
        message = "Got a walk whose ends look the same, so there is no direct way to compare it with; cut it in two."
        raise AnalysisError(message, code="closed")
    generator = np.random.default_rng(random_state)
    null = []
    for _ in range(n_null):
        between = 1 + generator.permutation(len(rows) - 2)
        null.append(_measures(rows[[0, *between, len(rows) - 1]], metric, direct))
    value = _measures(rows, metric, direct)
    drawn = {name: np.array([each[name] for each in null]) for name in value}
    measures = {name: Measured(value[name], drawn[name]) for name in value}
    return Steps(_lengths(rows, metric), direct, _turns(rows), measures)


def _measures(rows: Values, metric: str, direct: float) -> dict[str, float]:
    lengths = _lengths(rows, metric)
    return {
        "cv": float(lengths.std() / lengths.mean()),
        "detour": float(lengths.sum() / direct),
        "turn": float(_turns(rows).mean()),
    }


def _lengths(rows: Values, metric: str) -> Values:
    chords = np.linalg.norm(np.diff(rows, axis=0), axis=1)
    # From the chord, which is exact for small angles, where the arc cosine of a dot product is not.
    return np.asarray(2 * np.arcsin(np.clip(chords / 2, 0, 1)) if metric == "angle" else chords)


def _turns(rows: Values) -> Values:
    """Angles between neighbouring steps; 0 where a step has no length."""
    steps = np.diff(rows, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    dots, sizes = (steps[:-1] * steps[1:]).sum(1), lengths[:-1] * lengths[1:]
    cosines = np.divide(dots, sizes, out=np.ones_like(dots), where=sizes > 1e-12)
    return np.arccos(np.clip(cosines, -1, 1))
