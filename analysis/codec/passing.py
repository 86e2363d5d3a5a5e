"""What an autoencoder takes for signal and what for noise: how much of a change to a picture passes through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import number, whole
from thoughtspace.explorer.errors import AnalysisError

from ..arrays import numbers
from ..resampling import mean_interval, rows_drawn
from .fidelity import check_range

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Values = NDArray[np.float64]
Through = Callable[[NDArray[np.float32]], NDArray[np.float32]]

LEVELS = (0.02, 0.05, 0.1, 0.2)
"""Root mean squares of changes, in units of the range of values."""
KINDS = ("another picture", "white noise", "noise in strips", "a shift of colour")


@dataclass(frozen=True, eq=False)
class Passing:
    """How much of a change passes: the part of the decoded change that is along it, as a share of it.

    1: it comes out as it went in; 0: it is gone. All changes of a level have the same root mean square.

    Attributes:
        levels: `(l,)` root mean square of the changes.
        shares: kind of change -> `(l, n)` of each picture.
        null: numbers of a latent per number of a picture: what an orthogonal projection on as many random directions
            passes of any change, whatever it is.
    """

    levels: Values
    shares: dict[str, Values] = field(repr=False)
    null: float

    def table(self) -> pd.DataFrame:
        """A row for each kind and level: `change, level, passes, low, high`, the last two a 95 % interval."""
        import pandas as pd

        rows = []
        for kind, values in self.shares.items():
            drawn = rows_drawn(values.shape[1], 0)
            for level, each in zip(self.levels, values, strict=True):
                low, high = mean_interval(each, drawn)
                rows.append(
                    {"change": kind, "level": float(level), "passes": float(each.mean()), "low": low, "high": high}
                )
        return pd.DataFrame(rows)

    def plot(self) -> go.Figure:
        """The share that passes over the size of the change, a line for each kind."""
        import plotly.graph_objects as go

        figure = go.Figure(layout={"template": "plotly_white"})
        for kind, part in self.table().groupby("change", sort=False):
            error = {"array": part["high"] - part["passes"], "arrayminus": part["passes"] - part["low"]}
            figure.add_scatter(x=part["level"], y=part["passes"], error_y=error, name=str(kind))
        figure.add_hline(self.null, line_dash="dot", line_color="#9aa0a8", annotation_text="random directions")
        return figure.update_layout(xaxis_title="root mean square of the change", yaxis_title="share that passes")

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values."""
        return {"passing": self.table().to_dict("records"), "null": self.null}


def passing(
    pictures: ArrayLike,
    through: Through,
    *,
    n_numbers: int,
    levels: Sequence[float] = LEVELS,
    random_state: int = 0,
) -> Passing:
    """Change pictures, send them through, and see what is left of the change.

    With the autoencoder A and a change d, the share is `⟨A(x + d) - A(x), d⟩ / ⟨d, d⟩`. The changes: a step towards
    another of the pictures, which is signal; white noise; noise that is constant along each row; and one colour added
    everywhere, the coarsest change that there is. Values are not cut at 0 and 1, so that nothing but A removes a part.

    Args:
        pictures: `(n, h, w, 3)` in [0, 1].
        through: encodes and decodes pictures of the same shape.
        n_numbers: numbers of a latent.
        levels: root mean squares of the changes.

    Raises:
        AnalysisError: fewer than two pictures, two that are equal, or a level out of range.
    """
    x = numbers(pictures, "pictures").astype(np.float32)
    if x.ndim != 4 or x.shape[3] != 3 or len(x) < 2:
        raise AnalysisError(f"Got pictures {x.shape}, expected two or more (n, h, w, 3).", code="shape")
    check_range(x)
    if not len(levels):
        raise AnalysisError("Got no levels, expected at least one; 0.1 is a tenth of the range.", code="levels")
    for level in levels:
        number("level", level, 0.001, 1, error=AnalysisError, hint="0.1 is a tenth of the range of values")
    whole("n_numbers", n_numbers, 1, 10**9, error=AnalysisError, hint="it is the product of a latent's shape")
    changes = dict(zip(KINDS, _changes(x, np.random.default_rng(random_state)), strict=True))
    before = numbers(through(x), "what comes through")
    shares: dict[str, list[Values]] = {kind: [] for kind in KINDS}
    for level in levels:
        for kind, change in changes.items():
            change = level * change
            came = numbers(through((x + change).astype(np.float32)), "what comes through") - before
            shares[kind].append((came * change).sum((1, 2, 3)) / np.square(change).sum((1, 2, 3)))
    found = {kind: np.stack(each) for kind, each in shares.items()}
    return Passing(np.asarray(levels, np.float64), found, n_numbers / x[0].size)


def _changes(x: NDArray[np.float32], generator: np.random.Generator) -> list[Values]:
    """`(n, h, w, 3)` of each kind, of which each picture's has a root mean square of 1."""
    n, height, width, _ = x.shape
    other = np.roll(x, 1, axis=0).astype(np.float64) - x
    if not np.square(other).sum((1, 2, 3)).all():
        raise AnalysisError("Got equal pictures next to each other, expected different ones; drop one.", code="equal")
    white = generator.standard_normal((n, height, width, 3))
    strips = np.broadcast_to(generator.standard_normal((n, height, 1, 3)), x.shape)
    colour = np.broadcast_to(generator.standard_normal((n, 1, 1, 3)), x.shape)
    return [each / np.sqrt(np.square(each).mean((1, 2, 3), keepdims=True)) for each in (other, white, strips, colour)]
