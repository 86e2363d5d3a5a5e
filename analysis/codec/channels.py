"""What each latent channel carries: what its loss costs, and what in the picture it changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from ..arrays import numbers
from ..resampling import mean_interval, rows_drawn
from .fidelity import check_range, psnr

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer.progress import Progress

Values = NDArray[np.float64]
Decode = Callable[[NDArray[np.float32]], NDArray[np.float32]]

_LUMA = np.array([1.0, 1.0, 1.0]) / np.sqrt(3)  # the first axis of an orthonormal basis, so that shares add up


@dataclass(frozen=True, eq=False)
class Channels:
    """What is lost when one channel is set to its mean, in each of `n` pictures.

    Attributes:
        loss: `(c, n)` by how many dB the PSNR of a picture falls.
        luma: `(c,)` share of the change in decoded pictures that is in their lightness; the rest is in colour.
        coarse: `(c,)` share of the change at frequencies that the latent's grid has, below half a cycle per cell.
        colour: `(c,)` R² of the channel from the mean red, green and blue of the cell: how far it is a colour.
        variance: `(c,)` share of the variance of all latents.
        null: `(n_null,)` mean loss where a random direction is set to its mean instead, after each channel is scaled
            to a variance of 1.
    """

    loss: Values = field(repr=False)
    luma: Values = field(repr=False)
    coarse: Values = field(repr=False)
    colour: Values = field(repr=False)
    variance: Values = field(repr=False)
    null: Values = field(repr=False)

    def table(self) -> pd.DataFrame:
        """A row for each channel: `channel, loss, low, high, luma, coarse, colour, variance`.

        `loss` is the mean over pictures, `low` to `high` its 95 % interval.
        """
        import pandas as pd

        drawn = rows_drawn(self.loss.shape[1], 0)
        ends = np.array([mean_interval(each, drawn) for each in self.loss])
        return pd.DataFrame(
            {
                "channel": np.arange(len(self.loss)),
                "loss": self.loss.mean(1),
                "low": ends[:, 0],
                "high": ends[:, 1],
                "luma": self.luma,
                "coarse": self.coarse,
                "colour": self.colour,
                "variance": self.variance,
            }
        )

    def plot(self) -> go.Figure:
        """The loss of each channel, coloured by its share of lightness, beside that of random directions in grey."""
        import plotly.graph_objects as go

        table = self.table()
        figure = go.Figure(layout={"template": "plotly_white"})
        low, high = np.quantile(self.null, [0.025, 0.975])
        figure.add_hrect(low, high, fillcolor="#9aa0a8", opacity=0.3, line_width=0, annotation_text="random directions")
        figure.add_bar(
            x=table["channel"],
            y=table["loss"],
            error_y={"array": table["high"] - table["loss"], "arrayminus": table["loss"] - table["low"]},
            marker={"color": table["luma"], "colorbar": {"title": "lightness"}, "cmin": 0, "cmax": 1},
        )
        return figure.update_layout(xaxis_title="channel", yaxis_title="dB lost without it", xaxis_dtick=1)

    def to_json(self) -> dict[str, Any]:
        """The table and the null as JSON values."""
        low, high = np.quantile(self.null, [0.025, 0.975])
        null = {"mean": float(self.null.mean()), "low": float(low), "high": float(high), "n": len(self.null)}
        return {"channels": self.table().to_dict("records"), "null": null}


def channels(
    pictures: ArrayLike,
    latents: ArrayLike,
    decode: Decode,
    *,
    n_null: int = 19,
    random_state: int = 0,
    progress: Progress | None = None,
) -> Channels:
    """Measure what each channel of latents carries.

    Args:
        pictures: `(n, h, w, 3)` in [0, 1].
        latents: `(n, c, h', w')`, those of the pictures.
        decode: from latents to pictures.
        n_null: random directions.
        progress: wraps the channels and directions.

    Raises:
        AnalysisError: fewer than two pictures, arrays of other shapes, or latents without variation.
    """
    x, z = (numbers(*each).astype(np.float32) for each in ((pictures, "pictures"), (latents, "latents")))
    if x.ndim != 4 or x.shape[3] != 3 or z.ndim != 4 or len(x) != len(z) or len(x) < 2:
        message = (
            f"Got pictures {x.shape} and latents {z.shape}, expected (n, h, w, 3) and (n, c, h, w) of two or more."
        )
        raise AnalysisError(message, code="shape")
    check_range(x)
    if not np.ptp(z, axis=(0, 2, 3)).any():
        message = "Got latents that are the same at all places, whose channels carry nothing; take others."
        raise AnalysisError(message, code="no variation")
    whole("n_null", n_null, 1, 10**4, error=AnalysisError, hint="19 allow p-values down to .05")
    c = z.shape[1]
    mean = z.mean((0, 2, 3))[:, None, None]
    scale = np.maximum(z.std((0, 2, 3)), 1e-6)[:, None, None]  # a channel without variation is 0 after scaling too
    scaled = (z - mean) / scale
    turned = np.random.default_rng(random_state).standard_normal((n_null, c))
    directions = np.concatenate([np.eye(c), turned / np.linalg.norm(turned, axis=1, keepdims=True)]).astype(np.float32)
    whole_pictures = decode(scaled * scale + mean)  # as the others, so that what a channel does not touch is equal
    best = _psnr(x, whole_pictures)
    loss, luma, coarse = [], [], []
    steps = range(len(directions))
    for index in progress(steps, total=len(steps), desc="channels") if progress else steps:
        along = directions[index]
        without = scaled - np.einsum("c,nchw->nhw", along, scaled)[:, None] * along[:, None, None]
        shown = decode(without * scale + mean)
        loss.append(best - _psnr(x, shown))
        if index < c:
            change = (whole_pictures - shown).astype(np.float64)
            luma.append(_share(np.square(change @ _LUMA).sum(), np.square(change).sum()))
            coarse.append(_coarse(change, z.shape[2:]))
    variance = z.astype(np.float64).var((0, 2, 3))
    null = np.array([each.mean() for each in loss[c:]])
    return Channels(
        np.array(loss[:c]), np.array(luma), np.array(coarse), _colour(x, z), variance / variance.sum(), null
    )


def _psnr(x: NDArray[np.float32], shown: NDArray[np.float32]) -> Values:
    return np.array([psnr(a, np.clip(b, 0, 1)) for a, b in zip(x, shown, strict=True)])


def _share(part: float, total: float) -> float:
    """NaN where nothing changes: a channel without variation has no share of it."""
    return float(part / total) if total > 0 else float("nan")


def _coarse(change: Values, grid: tuple[int, ...]) -> float:
    """Share of the power of `(n, h, w, 3)` at less than half a cycle for each cell of the grid, in either direction."""
    power = np.square(np.abs(np.fft.fft2(change, axes=(1, 2)))).sum((0, 3))
    down, across = (np.abs(np.fft.fftfreq(n)) * n < cells / 2 for n, cells in zip(power.shape, grid, strict=True))
    return _share(float(power[np.ix_(down, across)].sum()), float(power.sum()))


def _colour(x: NDArray[np.float32], z: NDArray[np.float32]) -> Values:
    """R² of each channel from the mean colour of its cell, by a linear fit on all cells."""
    from PIL import Image
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import r2_score

    height, width = z.shape[2:]
    planes = [[Image.fromarray(each[:, :, band]) for band in range(3)] for each in x]
    small = np.array([[np.asarray(p.resize((width, height), Image.Resampling.BOX)) for p in bands] for bands in planes])
    cells, values = (each.transpose(0, 2, 3, 1).reshape(-1, each.shape[1]).astype(np.float64) for each in (small, z))
    return np.asarray(r2_score(values, LinearRegression().fit(cells, values).predict(cells), multioutput="raw_values"))
