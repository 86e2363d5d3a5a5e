"""A score with its evidence: what it is where there is nothing to find, and how much it depends on the sample."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
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
class Measured:
    """A number beside its null: too small or too large for it, both would say something.

    Attributes:
        value: the number.
        null: `(n_null,)` what the same procedure gives where the effect was taken away.
        interval: lower and upper end of its 95 % interval over samples of the items; None if it was not asked for.
    """

    value: float
    null: Values
    interval: tuple[float, float] | None = None

    @property
    def p_value(self) -> float:
        """The chance, without the effect, of a number so far out on either side: twice the smaller of both tails.

        Each tail is `(1 + draws beyond the value) / (1 + n_null)`, of which the added one keeps it valid for few draws,
        and above 0 (Phipson & Smyth, 2010).
        """
        return min(1.0, 2 * min(self._tail(self.null >= self.value), self._tail(self.null <= self.value)))

    def to_json(self) -> dict[str, Any]:
        """The number as JSON values; of the null its mean, its middle 95 % and the number of draws."""
        low, high = self.interval or (None, None)
        null_low, null_high = np.quantile(self.null, [ALPHA / 2, 1 - ALPHA / 2])
        return {
            "value": self.value,
            "low": low,
            "high": high,
            "null_mean": float(self.null.mean()),
            "null_low": float(null_low),
            "null_high": float(null_high),
            "p_value": self.p_value,
            "n_null": len(self.null),
        }

    def _tail(self, beyond: NDArray[np.bool_]) -> float:
        return float((1 + np.count_nonzero(beyond)) / (1 + len(self.null)))


@dataclass(frozen=True, eq=False)
class Score(Measured):
    """A number of which larger is stronger, such as a similarity; `null` may be that of shuffled pairs.

    Attributes:
        best: the largest value that it can have.
    """

    best: float = 1.0

    @property
    def p_value(self) -> float:
        """The chance of so large a score without the effect, `(1 + #{null >= value}) / (1 + n_null)`."""
        return self._tail(self.null >= self.value)

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
        """As `Measured.to_json`, with the threshold and the calibrated score."""
        return {**super().to_json(), "threshold": self.threshold, "calibrated": self.calibrated}


def half_samples(n: int, n_samples: int, generator: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Rows of random halves of `n` items, without replacement.

    The spread of what is computed from them is that of the bootstrap (Shao & Wu, 1989). The bootstrap itself draws
    items twice, which are each other's nearest neighbours and spoil whatever looks at neighbours or pairs.
    """
    for _ in range(n_samples):
        yield np.sort(generator.permutation(n)[: n // 2])


def interval(value: float, drawn: Sequence[float] | Values, *, best: float = math.inf) -> tuple[float, float]:
    """The 95 % interval around a value, with the spread of its half-samples, and no higher than `best`."""
    x = np.asarray(drawn)
    low, high = np.quantile(x - x.mean(), [ALPHA / 2, 1 - ALPHA / 2])
    return value + float(low), min(value + float(high), best)


LAYOUT: dict[str, Any] = {
    "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"},
    "margin": {"t": 64, "b": 48, "l": 64, "r": 24},
}
"""Of figures: the legend above them, and margins without much empty space."""


def table(scores: Mapping[str, Measured]) -> pd.DataFrame:
    """A row for each score, by its name, with the columns of its `to_json`."""
    import pandas as pd

    return pd.DataFrame.from_dict({name: score.to_json() for name, score in scores.items()}, orient="index")


def plot(scores: Mapping[str, Measured], *, title: str = "") -> go.Figure:
    """Each score as a dot with its interval, over the range of its null in grey."""
    import plotly.graph_objects as go

    figure = go.Figure(layout={"title": title, "template": "plotly_white", **LAYOUT})
    for row, (name, score) in enumerate(scores.items()):
        figure.add_box(
            x=score.null,
            y=[name] * len(score.null),
            orientation="h",
            name="null",
            legendgroup="null",
            showlegend=row == 0,
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
            name="value, 95 % interval" if score.interval else "value",
            legendgroup="value",
            showlegend=row == 0,
            hovertemplate=f"{name} %{{x:.3f}}, p = {score.p_value:.3g}<extra></extra>",
        )
    figure.update_yaxes(autorange="reversed")
    return figure
