"""A score with its evidence: what it is where there is nothing to find, and how much it depends on the sample."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

ALPHA = 0.05
"""Level of thresholds and, doubled at both ends, of intervals: 95 %."""

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Score:
    """A score, of which larger is stronger, beside its null.

    Attributes:
        value: the score.
        null: `(n_null,)` the scores of the same procedure where the effect was taken away, such as shuffled pairs.
        interval: lower and upper end of its 95 % interval over samples of the items; None if it was not asked for.
        best: the largest value that the score can have.
    """

    value: float
    null: Values
    interval: tuple[float, float] | None = None
    best: float = 1.0

    @property
    def p_value(self) -> float:
        """The chance of so large a score without the effect, `(1 + #{null >= value}) / (1 + n_null)`.

        The added one keeps it valid for few draws, and above 0 (Phipson & Smyth, 2010).
        """
        return float((1 + np.count_nonzero(self.null >= self.value)) / (1 + len(self.null)))

    @property
    def threshold(self) -> float:
        """The score that a value without the effect exceeds with a chance of 5 % at most, the value among the draws."""
        drawn = np.sort(np.append(self.null, self.value))
        return float(drawn[min(math.ceil((1 - ALPHA) * len(drawn)), len(drawn)) - 1])

    @property
    def calibrated(self) -> float:
        """Where the value lies between the threshold, 0, and the best, 1 (Gröger et al., 2026, algorithm 1)."""
        room = self.best - self.threshold
        return float(np.clip((self.value - self.threshold) / room, 0, 1)) if room > 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        """The score as JSON values; of the null its mean, its threshold and the number of draws."""
        low, high = self.interval or (None, None)
        return {
            "value": self.value,
            "low": low,
            "high": high,
            "null_mean": float(self.null.mean()),
            "null_threshold": self.threshold,
            "p_value": self.p_value,
            "calibrated": self.calibrated,
            "n_null": len(self.null),
        }


def table(scores: Mapping[str, Score]) -> pd.DataFrame:
    """A row for each score, by its name, with the columns of `Score.to_json`."""
    import pandas as pd

    return pd.DataFrame.from_dict({name: score.to_json() for name, score in scores.items()}, orient="index")


def plot(scores: Mapping[str, Score], *, title: str = "") -> go.Figure:
    """Each score as a dot with its interval, over the range of its null in grey."""
    import plotly.graph_objects as go

    figure = go.Figure(layout={"title": title, "template": "plotly_white", "showlegend": False})
    for name, score in scores.items():
        figure.add_box(
            x=score.null,
            y=[name] * len(score.null),
            orientation="h",
            name="null",
            boxpoints=False,
            marker_color="#9aa0a8",
            hoverinfo="skip",
        )
        low, high = score.interval or (score.value, score.value)
        figure.add_scatter(
            x=[score.value],
            y=[name],
            error_x={"array": [high - score.value], "arrayminus": [score.value - low]},
            mode="markers",
            marker={"size": 10, "color": "#4f5bd5"},
            name=name,
            hovertemplate=f"{name} %{{x:.3f}}, p = {score.p_value:.3g}<extra></extra>",
        )
    figure.update_yaxes(autorange="reversed")
    return figure
