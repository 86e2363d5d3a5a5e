"""How well known noise is predicted, by the amount of it, and how much the prediction owes to what guides it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.errors import AnalysisError

from ..evidence import LAYOUT, Measured
from ..resampling import mean_interval, rows_drawn, sign_flips

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer.progress import Progress

Values = NDArray[Any]
Predict = Callable[[Values, float], tuple[Values, Values]]
"""From x_t `(n, ...)` at a timestep to the predicted noise ε̂ and the predicted picture x̂0, of the same shape."""

RIGHT, WRONG, NONE = "right", "wrong", "none"


class Level(NamedTuple):
    """An amount of noise: x_t = alpha·x0 + sigma·ε at timestep `t`."""

    t: float
    alpha: float
    sigma: float

    @property
    def snr(self) -> float:
        """The signal-to-noise ratio α²/σ²; infinite without noise."""
        return (self.alpha / self.sigma) ** 2 if self.sigma else float("inf")


@dataclass(frozen=True, eq=False)
class NoiseErrors:
    """Errors of predicted noise, for each picture. The noise of a picture is the same at all levels and for all guides.

    Attributes:
        levels: `k` amounts of noise.
        noise: by what guided, `(k, n)` mean of (ε - ε̂)² over the numbers of a picture. ε has 1 by itself.
        picture: by what guided, `(k, n)` mean of (x0 - x̂0)², which is σ²/α² times that of the noise.
        shuffled: by what guided, `(k, n)` mean of (ε' - ε̂)² with the noise ε' of another picture: the null.
        scale: root of the mean of x0².
    """

    levels: tuple[Level, ...]
    noise: Mapping[str, Values] = field(repr=False)
    picture: Mapping[str, Values] = field(repr=False)
    shuffled: Mapping[str, Values] = field(repr=False)
    scale: float
    _seed: int = field(default=0, repr=False)

    @property
    def n(self) -> int:
        """Number of pictures."""
        return int(next(iter(self.noise.values())).shape[1])

    @property
    def gaussian(self) -> Values:
        """`(k,)` the least ε-error where nothing is known of pictures but their scale s: α²s²/(α²s² + σ²)."""
        alpha, sigma = np.array([[level.alpha, level.sigma] for level in self.levels]).T
        signal = np.square(alpha * self.scale)
        return np.asarray(signal / (signal + np.square(sigma)))

    def table(self) -> pd.DataFrame:
        """A row for each guide and level, from the most noise to the least.

        Columns `guide, t, snr, error, se, low, high, shuffled, gaussian, picture_error, picture_se`: means over
        pictures with standard errors; `low` and `high` end the 95 % interval of `error`, by the bootstrap.
        """
        import pandas as pd

        drawn, rows = rows_drawn(self.n, self._seed), []
        for guide, errors in self.noise.items():
            for k, level in enumerate(self.levels):
                low, high = mean_interval(errors[k], drawn)
                of_picture = self.picture[guide][k]
                rows.append(
                    {
                        "guide": guide,
                        "t": level.t,
                        "snr": level.snr,
                        "error": float(errors[k].mean()),
                        "se": _standard_error(errors[k]),
                        "low": low,
                        "high": high,
                        "shuffled": float(self.shuffled[guide][k].mean()),
                        "gaussian": float(self.gaussian[k]),
                        "picture_error": float(of_picture.mean()),
                        "picture_se": _standard_error(of_picture),
                    }
                )
        return pd.DataFrame(rows)

    def differences(self) -> pd.DataFrame:
        """How much larger the ε-error is with another guide than the right one, on the same picture and noise.

        A row for each other guide and level: `guide, t, snr, difference, low, high`, a mean over pictures and its 95 %
        interval by the bootstrap. Empty where there is no right guide.
        """
        import pandas as pd

        drawn, rows = rows_drawn(self.n, self._seed), []
        for guide, difference in self._differences().items():
            for level, values in zip(self.levels, difference, strict=True):
                low, high = mean_interval(values, drawn)
                rows.append((guide, level.t, level.snr, float(values.mean()), low, high))
        return pd.DataFrame(rows, columns=["guide", "t", "snr", "difference", "low", "high"])

    def effects(self) -> dict[str, Measured]:
        """The mean of the differences over levels, by the other guide.

        The null turns the sign of each picture's difference at random, as is fair if the guide makes none.
        """
        drawn, found = rows_drawn(self.n, self._seed), {}
        for guide, difference in self._differences().items():
            values = difference.mean(0)
            found[guide] = Measured(
                float(values.mean()), sign_flips(values, self._seed), interval=mean_interval(values, drawn)
            )
        return found

    def plot(self) -> go.Figure:
        """The ε-error of each guide over the timestep, with its interval, and both baselines in grey."""
        import plotly.graph_objects as go

        figure, table = go.Figure(layout={"template": "plotly_white"}), self.table()
        first = table[table["guide"] == next(iter(self.noise))]
        for name, dash in (("shuffled", "dot"), ("gaussian", "dash")):
            line = {"color": "#9aa0a8", "dash": dash}
            figure.add_scatter(x=first["t"], y=first[name], name=name, line=line, mode="lines")
        for (guide, part), colour in zip(table.groupby("guide", sort=False), _COLOURS, strict=False):
            around = {"array": part["high"] - part["error"], "arrayminus": part["error"] - part["low"]}
            figure.add_scatter(x=part["t"], y=part["error"], error_y=around, name=str(guide), line_color=colour)
        # Where nothing of the picture is left, ε is nearly what is given, and the error too small for the axis.
        seen = table.loc[table["snr"] > 1e-3, "error"]
        least = float(np.log10(seen.min() / 2)) if len(seen) and seen.min() > 0 else -4.0
        figure.update_yaxes(type="log", range=[least, 0.5], exponentformat="none")
        return figure.update_layout(xaxis_title="timestep", yaxis_title="ε-error", **LAYOUT)

    def to_json(self) -> dict[str, Any]:
        """The table, the differences and the effects as JSON values; null for a number that is not finite."""
        return {
            "n": self.n,
            "scale": self.scale,
            "errors": _records(self.table()),
            "differences": _records(self.differences()),
            "effects": {guide: effect.to_json() for guide, effect in self.effects().items()},
        }

    def _differences(self) -> dict[str, Values]:
        if RIGHT not in self.noise:
            return {}
        return {guide: errors - self.noise[RIGHT] for guide, errors in self.noise.items() if guide != RIGHT}


_COLOURS = ("#4f5bd5", "#d5564f", "#3a9d6a")


def noise_errors(
    x0: ArrayLike,
    noise: ArrayLike,
    levels: Sequence[Level],
    predict: Mapping[str, Predict],
    *,
    random_state: int = 0,
    progress: Progress | None = None,
) -> NoiseErrors:
    """Add known noise to data, let it be predicted, and compare.

    Args:
        x0: `(n, ...)` data, such as latents; at least two.
        noise: as `x0`, standard normal.
        levels: amounts of noise.
        predict: by the name of what guides; differences are taken to the one named `"right"`.
        random_state: of intervals and nulls.
        progress: wraps the levels.

    Raises:
        AnalysisError: fewer than two rows, no levels, unequal shapes, or numbers that are not finite.
    """
    x, epsilon = _rows("x0", x0), _rows("noise", noise)
    if x.shape != epsilon.shape or len(x) < 2:
        message = f"Got data {x.shape} and noise {epsilon.shape}, expected the same shape with at least two rows."
        raise AnalysisError(message, code="too few" if x.shape == epsilon.shape else "shape")
    if not levels or not predict:
        message = f"Got {len(levels)} levels and {len(predict)} predictions, expected at least one of each."
        raise AnalysisError(message, code="levels")
    other = np.roll(epsilon, 1, axis=0)
    found: dict[str, dict[str, list[Values]]] = {kind: {name: [] for name in predict} for kind in _KINDS}
    for level in progress(levels, total=len(levels), desc="predicting noise") if progress else levels:
        x_t = level.alpha * x + level.sigma * epsilon
        for name, of in predict.items():
            predicted, picture = of(x_t, level.t)
            for kind, wanted, got in zip(_KINDS, (epsilon, x, other), (predicted, picture, predicted), strict=True):
                found[kind][name].append(_mean_square(wanted, got, name, level))
    errors = {kind: {name: np.stack(each) for name, each in found[kind].items()} for kind in _KINDS}
    scale = float(np.sqrt(np.square(x.astype(np.float64)).mean()))
    return NoiseErrors(
        tuple(levels), errors["noise"], errors["picture"], errors["shuffled"], scale=scale, _seed=random_state
    )


_KINDS = ("noise", "picture", "shuffled")


def _mean_square(wanted: Values, got: Values, name: str, level: Level) -> Values:
    if got.shape != wanted.shape:
        message = f"Got a prediction of shape {got.shape} for {wanted.shape}, expected the same."
        raise AnalysisError(message, code="shape")
    squares = np.square(wanted.astype(np.float64) - got).reshape(len(wanted), -1).mean(1)
    if not np.isfinite(squares).all():
        raise AnalysisError(
            f"Got a prediction that is not finite, guided by {name!r} at timestep {level.t:g}, expected numbers; open "
            "the model in a wider dtype.",
            code="not finite",
        )
    return squares


def _rows(what: str, values: ArrayLike) -> Values:
    x = np.asarray(values)
    if x.ndim < 2 or not np.issubdtype(x.dtype, np.floating):
        message = f"Got {what} of shape {x.shape} and type {x.dtype}, expected (n, ...) floating numbers."
        raise AnalysisError(message, code="shape")
    if not np.isfinite(x).all():
        raise AnalysisError(f"Got {what} with numbers that are not finite; remove those rows.", code="not finite")
    return x


def _standard_error(values: Values) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): value if isinstance(value, str) or np.isfinite(value) else None for name, value in row.items()}
        for row in table.to_dict("records")
    ]
