"""How near a picture is to its original: PSNR, SSIM and the place and frequency of the error."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.errors import AnalysisError

from ..arrays import numbers

Values = NDArray[np.float64]

_SIGMA, _K1, _K2 = 1.5, 0.01, 0.03


def psnr(original: ArrayLike, decoded: ArrayLike) -> float:
    """`-10 log10` of the mean squared error of values in [0, 1], in dB; infinite for equal pictures.

    Raises:
        AnalysisError: pictures of other shapes.
    """
    a, b = _alike(original, decoded)
    check_range(a)
    error = float(np.square(a - b).mean())
    return float("inf") if error == 0 else float(-10 * np.log10(error))


def ssim(original: ArrayLike, decoded: ArrayLike) -> float:
    """Structural similarity of the luma of two pictures `(h, w, 3)` in [0, 1] (Wang et al., 2004): 1 for equal ones.

    With the paper's normal window of standard deviation 1.5 px, 11 px wide, and its constants.

    Raises:
        AnalysisError: pictures of other shapes, or smaller than the window.
    """
    from scipy.ndimage import gaussian_filter

    pair = _alike(original, decoded)
    check_range(pair[0])
    a, b = (each @ [0.299, 0.587, 0.114] for each in pair)
    margin = 5
    if min(a.shape) <= 2 * margin:
        raise AnalysisError(f"Got pictures of {a.shape}, expected at least 11 pixels a side.", code="shape")

    def blurred(values: Values) -> Values:
        return np.asarray(gaussian_filter(values, _SIGMA, radius=margin))

    mean_a, mean_b = blurred(a), blurred(b)
    variance_a, variance_b = blurred(a * a) - mean_a**2, blurred(b * b) - mean_b**2
    covariance = blurred(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + _K1**2) / (mean_a**2 + mean_b**2 + _K1**2)
    structure = (2 * covariance + _K2**2) / (variance_a + variance_b + _K2**2)
    inside = slice(margin, -margin)  # where the whole window lies on the picture
    return float((luminance * structure)[inside, inside].mean())


def error_map(originals: ArrayLike, decoded: ArrayLike) -> Values:
    """Root mean squared error of each pixel over pictures `(n, h, w, 3)`: `(h, w)`."""
    a, b = _alike(originals, decoded)
    return np.asarray(np.sqrt(np.square(a - b).mean((0, 3))))


def error_spectrum(originals: ArrayLike, decoded: ArrayLike, *, n_bands: int = 12) -> tuple[Values, Values, Values]:
    """At which frequencies the error of pictures `(n, h, w, 3)` lies, beside the pictures themselves.

    Returns:
        the middle of each band in cycles per pixel, 0 to 0.5; the share of the pictures' power there that the error
        has, 1 where nothing is kept; and the share of all power of the pictures that lies there, without the mean.

    Raises:
        AnalysisError: pictures of other shapes, or of one colour each.
    """
    a, b = _alike(originals, decoded)
    height, width = a.shape[1:3]
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(height), np.fft.fftfreq(width), indexing="ij"))
    power, lost = (np.square(np.abs(np.fft.fft2(each, axes=(1, 2)))).mean((0, 3)) for each in (a, a - b))
    edges = np.linspace(0, 0.5, n_bands + 1)
    band = np.digitize(radius, edges[1:-1])
    counted = (radius > 0) & (radius <= 0.5)
    kept = [np.bincount(band[counted], each[counted], n_bands) for each in (power, lost)]
    if not kept[0].sum() > 0:
        message = "Got pictures of one colour each, which have no frequencies; add others."
        raise AnalysisError(message, code="no variation")
    share = np.divide(kept[1], kept[0], out=np.full(n_bands, np.nan), where=kept[0] > 0)
    return (edges[1:] + edges[:-1]) / 2, share, kept[0] / kept[0].sum()


def _alike(original: ArrayLike, decoded: ArrayLike) -> tuple[Values, Values]:
    a, b = numbers(original, "original"), numbers(decoded, "decoded")
    if a.shape != b.shape or a.ndim not in (3, 4) or a.shape[-1] != 3:
        raise AnalysisError(
            f"Got pictures of shapes {a.shape} and {b.shape}, expected the same (h, w, 3).", code="shape"
        )
    return a, b


def check_range(pictures: NDArray[Any]) -> None:
    """Raise unless the values of pictures are in [0, 1], as all measures of errors take them to be."""
    low, high = (float(each) for each in (pictures.min(initial=0), pictures.max(initial=0)))
    if low < -1e-3 or high > 1 + 1e-3:
        message = f"Got pictures of values from {low:g} to {high:g}, expected 0 to 1; divide those of 8 bits by 255."
        raise AnalysisError(message, code="range")
