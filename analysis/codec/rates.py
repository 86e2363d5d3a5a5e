"""Rate and distortion: the autoencoder at several sizes, beside JPEG, WebP and AVIF at the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import number
from thoughtspace.explorer.errors import AnalysisError

from ..arrays import numbers
from ..evidence import LAYOUT
from ..resampling import mean_interval, rows_drawn
from . import latent_code, picture_code
from .fidelity import check_range, psnr, ssim

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer.progress import Progress

STEPS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Steps of the latents' values, in standard deviations of their channel, from about 6.4 to 1.4 bits a value."""

OURS = "autoencoder"

Values = NDArray[np.float64]
Decode = Callable[[NDArray[np.float32]], NDArray[np.float32]]
Distance = Callable[[NDArray[np.float32], NDArray[np.float32]], Values]


@dataclass(frozen=True, eq=False)
class Curve:
    """What a codec makes of pictures at several sizes; NaN where it has no file as small as was asked for.

    Attributes:
        sizes: `(n_rates, n)` bytes of each picture.
        psnr, ssim: `(n_rates, n)` of each picture.
        distance: `(n_rates, n)` perceptual distance of each picture, 0 for equal ones; None if none was asked for.
    """

    sizes: Values = field(repr=False)
    psnr: Values = field(repr=False)
    ssim: Values = field(repr=False)
    distance: Values | None = field(repr=False)


@dataclass(frozen=True, eq=False)
class Rates:
    """Curves of several codecs on the same pictures. The weights of a decoder are not counted.

    Attributes:
        curves: by codec, the autoencoder first; the others have at most its bytes, picture by picture.
        pixels: number of pixels of a picture.
        raw: `(n,)` PSNR of the autoencoder with latents that are not quantised, the most that it can reach.
    """

    curves: Mapping[str, Curve]
    pixels: int
    raw: Values = field(repr=False)

    def table(self) -> pd.DataFrame:
        """A row for each codec and rate: `codec, rate, n, bytes, bits_per_pixel, psnr, low, high, ssim, distance`.

        `n` pictures have a file of that size, and the means are of these. If they are not all, they are those that
        are easy to code, so their means must not be compared with those of all. `low` and `high` are the ends of the
        95 % interval of the mean PSNR over pictures, by the bootstrap.
        """
        import pandas as pd

        rows = []
        for name, curve in self.curves.items():
            for rate in range(len(curve.sizes)):
                there = np.isfinite(curve.psnr[rate])
                if not there.any():
                    rows.append({"codec": name, "rate": rate, "n": 0})
                    continue
                values = curve.psnr[rate][there]
                size = float(curve.sizes[rate][there].mean())
                low, high = mean_interval(values, rows_drawn(len(values), 0))
                about = {"bytes": size, "bits_per_pixel": 8 * size / self.pixels, "psnr": float(values.mean())}
                about |= {"low": float(low), "high": float(high), "ssim": float(curve.ssim[rate][there].mean())}
                if curve.distance is not None:
                    about["distance"] = float(curve.distance[rate][there].mean())
                rows.append({"codec": name, "rate": rate, "n": int(there.sum()), **about})
        found = pd.DataFrame(rows)
        return found if "psnr" in found else found.assign(psnr=np.nan)

    def bd_rate(self, other: str) -> float | None:
        """How many more bytes in percent the autoencoder needs for the PSNR of `other`, on average (Bjøntegaard, 2001).

        Negative means fewer. None if their curves have no PSNR in common, or fewer than four rates with all pictures.
        """
        table = self._whole()
        ends = [table[table["codec"] == name].sort_values("psnr") for name in (other, OURS)]
        if min(map(len, ends)) < 4:
            return None
        return bd_rate(*((each["bytes"].to_numpy(), each["psnr"].to_numpy()) for each in ends))

    def plot(self) -> go.Figure:
        """PSNR over bits a pixel of each codec, with intervals, and the limit of the autoencoder as a line."""
        import plotly.graph_objects as go

        figure = go.Figure(layout={"template": "plotly_white"})
        for name, part in self._whole().groupby("codec", sort=False):
            error = {"array": part["high"] - part["psnr"], "arrayminus": part["psnr"] - part["low"]}
            figure.add_scatter(x=part["bits_per_pixel"], y=part["psnr"], error_y=error, name=str(name))
        figure.add_hline(
            float(self.raw.mean()),
            line_dash="dot",
            annotation_text="autoencoder, not quantised",
            annotation_position="top left",
        )
        whole = set(self._whole()["codec"])
        without = [name for name in self.curves if name not in whole]
        figure.update_layout(
            title=f"not all pictures have so small a file: {', '.join(without)}" if without else "", **LAYOUT
        )
        return figure.update_layout(xaxis_title="bits per pixel", yaxis_title="PSNR, dB", xaxis_type="log")

    def _whole(self) -> pd.DataFrame:
        """The rows of the table for rates at which all pictures have a file."""
        table = self.table()
        return table[table["n"] == len(self.raw)]

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values, null where there is no file; the BD-rates; the limit of the autoencoder."""
        table = self.table().astype(object)
        rows = table.where(table.notna(), None).to_dict("records")
        bd_rates = {name: self.bd_rate(name) for name in self.curves if name != OURS}
        return {"rates": rows, "bd_rate": bd_rates, "psnr_not_quantised": float(self.raw.mean()), "pixels": self.pixels}


def rates(
    pictures: ArrayLike,
    latents: ArrayLike,
    decode: Decode,
    *,
    steps: Sequence[float] = STEPS,
    formats: Sequence[str] | None = None,
    distance: Distance | None = None,
    progress: Progress | None = None,
) -> Rates:
    """Compare an autoencoder with formats of pictures at equal bytes.

    Each latent is coded to real bytes with every step, and each picture by every format to at most as many bytes.

    Args:
        pictures: `(n, h, w, 3)` in [0, 1].
        latents: `(n, c, h', w')`, those of the pictures.
        decode: from latents to pictures.
        steps: see `latent_code.encode`.
        formats: some of `picture_code.known_formats()`; by default all.
        distance: from two batches of pictures to the perceptual distance of each pair, `(n,)`.
        progress: wraps the steps.

    Raises:
        AnalysisError: arrays of other shapes, a picture that is flat, no steps, or another format.
    """
    x, z = (numbers(*each).astype(np.float32) for each in ((pictures, "pictures"), (latents, "latents")))
    if x.ndim != 4 or x.shape[3] != 3 or z.ndim != 4 or len(x) != len(z) or not len(x):
        message = f"Got pictures {x.shape} and latents {z.shape}, expected (n, h, w, 3) and (n, c, h, w) of the same n."
        raise AnalysisError(message, code="shape")
    check_range(x)
    flat = np.flatnonzero(np.ptp(x.reshape(len(x), -1), axis=1) == 0)
    if len(flat):
        message = f"Got picture {flat[0]} of one grey alone, which any codec keeps whole; leave it out."
        raise AnalysisError(message, code="no variation")
    if not steps:
        raise AnalysisError("Got no steps, expected at least one; 0.5 takes about 3 bits a value.", code="steps")
    for step in steps:
        number("step", step, 0.001, 8, error=AnalysisError, hint="0.5 takes about 3 bits a value")
    names = picture_code.known_formats() if formats is None else tuple(formats)
    found: dict[str, list[tuple[Values, NDArray[np.float32]]]] = {name: [] for name in (OURS, *names)}
    known: dict[str, list[dict[int, int]]] = {name: [{} for _ in x] for name in names}
    wrapped = progress(steps, total=len(steps), desc="coding") if progress else steps
    for step in wrapped:
        codes = [latent_code.encode(each, step) for each in z]
        sizes = np.array([len(code) for code in codes], np.float64)
        found[OURS].append((sizes, _shown(decode, np.stack([latent_code.decode(code) for code in codes]), x.shape)))
        for name in names:
            files = [
                picture_code.within(each, name, int(size), known=made)
                for each, size, made in zip(x, sizes, known[name], strict=True)
            ]
            nothing = np.full(x.shape[1:], np.nan, np.float32)
            shown = np.stack([nothing if file is None else file.pixels for file in files])
            found[name].append((np.array([np.nan if file is None else file.size for file in files]), shown))
    raw = np.array([psnr(a, b) for a, b in zip(x, _shown(decode, z, x.shape), strict=True)])
    curves = {name: _curve(x, drawn, distance) for name, drawn in found.items()}
    return Rates(curves, x.shape[1] * x.shape[2], raw)


def bd_rate(anchor: tuple[Values, Values], other: tuple[Values, Values]) -> float | None:
    """The mean difference of the rate at equal quality, in percent of the anchor's (Bjøntegaard, 2001).

    The logarithm of the rate is interpolated over the quality by monotone cubic pieces, and both are averaged over the
    qualities that they have in common. None if there are none.

    Args:
        anchor, other: rates and qualities, each at least two, of which none are equal.
    """
    from scipy.interpolate import PchipInterpolator

    low = max(float(np.min(quality)) for _, quality in (anchor, other))
    high = min(float(np.max(quality)) for _, quality in (anchor, other))
    if not low < high:
        return None
    areas = []
    for rate, quality in (anchor, other):
        order = np.argsort(quality)
        curve = PchipInterpolator(np.asarray(quality)[order], np.log(np.asarray(rate)[order]))
        areas.append(float(curve.integrate(low, high)))
    return float(100 * np.expm1((areas[1] - areas[0]) / (high - low)))


def _shown(decode: Decode, latents: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    shown = np.clip(np.asarray(decode(latents), np.float32), 0, 1)
    if shown.shape != shape:
        message = f"Got pictures of shape {shown.shape} from the decoder, expected {shape} as those given."
        raise AnalysisError(message, code="shape")
    return shown


def _curve(
    x: NDArray[np.float32], drawn: Sequence[tuple[Values, NDArray[np.float32]]], distance: Distance | None
) -> Curve:
    def of_each(measure: Callable[[ArrayLike, ArrayLike], float]) -> Values:
        return np.array(
            [
                [measure(a, b) if np.isfinite(b).all() else np.nan for a, b in zip(x, shown, strict=True)]
                for _, shown in drawn
            ]
        )

    far = None
    if distance is not None:
        far = np.full((len(drawn), len(x)), np.nan)
        for rate, (sizes, shown) in enumerate(drawn):
            there = np.isfinite(sizes)
            if there.any():
                far[rate, there] = distance(x[there], shown[there])
    return Curve(np.stack([sizes for sizes, _ in drawn]), of_each(psnr), of_each(ssim), far)
