"""Perceptual path length: how fast pictures change under a tiny step (PPL; Karras et al., 2019, section 4.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import choice, number
from thoughtspace.explorer.errors import AnalysisError

from ..arrays import numbers

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Values = NDArray[np.float64]
See = Callable[[Values], ArrayLike]
"""Points `(m, d)` -> what is seen of them, `(m, k)`."""
Between = Callable[[Values, Values, Values], ArrayLike]
"""Ends `(m, d)` and places `(m,)` -> points `(m, d)`."""
WHERE = ("full", "end")


@dataclass(frozen=True, eq=False)
class PathLength:
    """Squared speeds of pictures along interpolations.

    Attributes:
        speeds: `(m,)` squared distance over the squared step, one for each pair.
        kept: `(m,)` those between the percentiles 1 and 99, as the measure leaves out the others.
    """

    speeds: Values = field(repr=False)
    kept: NDArray[np.bool_] = field(repr=False)

    @property
    def value(self) -> float:
        """The mean of what is kept."""
        return float(self.speeds[self.kept].mean())

    @property
    def error(self) -> float:
        """Its standard error over pairs."""
        kept = self.speeds[self.kept]
        return float(kept.std(ddof=1) / np.sqrt(len(kept)))

    def table(self) -> pd.DataFrame:
        """One row: `n, ppl, error, median`."""
        import pandas as pd

        row = {"n": len(self.speeds), "ppl": self.value, "error": self.error, "median": float(np.median(self.speeds))}
        return pd.DataFrame([row])

    def plot(self) -> go.Figure:
        """The distribution of the speeds, and their mean."""
        import plotly.graph_objects as go

        figure = go.Figure(layout={"template": "plotly_white", "xaxis_title": "squared speed"})
        figure.add_histogram(x=self.speeds, marker_color="#4f5bd5")
        return figure.add_vline(x=self.value, line_dash="dot")

    def to_json(self) -> dict[str, Any]:
        """The table's row as JSON values."""
        return {str(name): value for name, value in self.table().to_dict("records")[0].items()}


def perceptual_length(
    a: ArrayLike,
    b: ArrayLike,
    between: Between,
    see: See,
    *,
    step: float = 1e-2,
    where: str = "full",
    random_state: int = 0,
) -> PathLength:
    """Measure how fast pictures change along the way from `a` to `b`.

    Compare it between spaces of one model, or interpolations of one space: its size depends on what `see` measures. Its
    null is that of a decoder as straight as a line, the squared distance of both ends as they are seen.

    Args:
        a, b: `(m, d)` ends, two pairs at least.
        between: the interpolation.
        see: decodes, and says what is seen; distances between its answers are Euclidean.
        step: of the place between 0 and 1. Karras et al. take 1e-4, which the rounding of pictures to 8 bits drowns.
        where: `"full"` anywhere between the ends, `"end"` at `a`.

    Raises:
        AnalysisError: ends that do not fit, or answers that are not one finite row for each point.
    """
    choice("where", where, WHERE, error=AnalysisError)
    number("step", step, 1e-8, 0.5, error=AnalysisError, hint="0.01 suits pictures of 8 bits")
    first, second = numbers(a, "a"), numbers(b, "b")
    if first.ndim != 2 or first.shape != second.shape or len(first) < 2:
        message = f"Got ends of shapes {first.shape} and {second.shape}, expected (m, d) both, with two pairs or more."
        raise AnalysisError(message, code="shape")
    generator = np.random.default_rng(random_state)
    t = generator.random(len(first)) * (1 - step) if where == "full" else np.zeros(len(first))
    seen = [np.asarray(see(np.asarray(between(first, second, at))), np.float64) for at in (t, t + step)]
    if any(each.ndim != 2 or len(each) != len(first) or not np.isfinite(each).all() for each in seen):
        message = f"Got {seen[0].shape} from `see` for {len(first)} points, expected one finite row for each."
        raise AnalysisError(message, code="judge")
    speeds = np.square(seen[1] - seen[0]).sum(1) / step**2
    low, high = np.percentile(speeds, 1, method="lower"), np.percentile(speeds, 99, method="higher")
    return PathLength(speeds, (speeds >= low) & (speeds <= high))
