"""Convert pixels of any depth to 8 bits: 16-bit and 32-bit greys, floats, and NumPy arrays."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import PictureError

Array = NDArray[Any]

DEPTHS = (8, 10, 12)
"""Bits that cameras and scanners store in 16; the fewest that hold the brightest value are assumed."""


def from_array(array: Array) -> Image.Image:
    """A picture from an array `(h, w)` or `(h, w, c)`: grey, grey and alpha, RGB or RGBA for c of 1, 2, 3 or 4.

    Values are uint8; uint16, scaled by `from_sixteen_bits`; bool; or floats in [0, 1].

    Raises:
        PictureError: another shape or type, or floats that are outside [0, 1] or not finite.

    >>> from_array(np.array([[0.0, 0.5, 1.0]])).tobytes()
    b'\\x00\\x80\\xff'
    """
    if array.ndim not in (2, 3) or 0 in array.shape or (array.ndim == 3 and array.shape[2] > 4):
        raise PictureError(
            f"Got an array of shape {array.shape}, expected (h, w) or (h, w, c) with 1 to 4 channels; an array "
            "(c, h, w) needs array.transpose(1, 2, 0), several pictures are several arguments.",
            code="shape",
        )
    values = np.asarray(array)
    if values.dtype.kind == "f":
        values = _from_unit_floats(values)
    elif values.dtype == bool:
        values = values * np.uint8(255)
    elif values.dtype.kind == "u" and values.dtype.itemsize == 2:
        values = from_sixteen_bits(values)
    elif values.dtype != np.uint8:
        raise PictureError(
            f"Got an array of {values.dtype}, expected uint8, uint16, bool or floats in [0, 1]; for whole numbers "
            "up to 255 write array.astype(numpy.uint8).",
            code="dtype",
        )
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    return Image.fromarray(np.ascontiguousarray(values))


def from_greys(values: Array, extremes: tuple[float, float]) -> Array:
    """The greys of a picture, or of some of its rows, in mode `I;16`, `I` or `F` as uint8.

    Whole numbers from 0 to 65535 are scaled by `from_sixteen_bits`, floats in [0, 1] are fractions of white. Other
    values (measurements, depths) have no defined white: the least becomes black, the greatest white. Raises
    PictureError for values that are not finite.

    Args:
        extremes: the least and the greatest value of the whole picture.
    """
    low, high = extremes
    if not np.isfinite(high - low):
        raise PictureError(
            "Got a picture with values that are not finite, expected numbers; export it as 8-bit.", code="not finite"
        )
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        return _from_unit_floats(values)
    if values.dtype.kind != "f" and low >= 0 and high < 2**16:
        return from_sixteen_bits(values, greatest=int(high))
    scale = 255 / (high - low) if high > low else 0.0
    return np.rint((values.astype(np.float64) - low) * scale).astype(np.uint8)


def from_sixteen_bits(values: Array, *, greatest: int | None = None) -> Array:
    """Convert whole numbers below 65536 to uint8: their high byte, as Pillow reads 16-bit colours.

    Cameras and scanners store 10 or 12 bits in 16 without saying so, and some programs store 8. Such a picture would be
    almost black. So values that all fit in 8, 10 or 12 bits are assumed to have that many, with a warning.

    Args:
        greatest: the greatest value of the whole picture, if these are some of its rows.

    >>> from_sixteen_bits(np.array([0, 32768, 65535])).tolist()
    [0, 128, 255]
    """
    greatest = int(values.max()) if greatest is None else greatest
    bits = next((bits for bits in DEPTHS if greatest < 2**bits), 16)
    if greatest and bits < 16:
        warnings.warn(
            f"Got 16-bit values that all fit in {bits} bits, so {2**bits - 1} is taken for white; if 65535 is "
            "white, save the picture with 8 bits.",
            stacklevel=2,
        )
    return (values >> (bits - 8)).astype(np.uint8)


def _from_unit_floats(values: Array) -> Array:
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):  # NaN fails both
        raise PictureError(
            f"Got floats from {low:g} to {high:g}, expected all in [0, 1]; divide 8-bit values by 255, map [-1, 1] by "
            "(x + 1) / 2, or clip.",
            code="range",
        )
    return np.rint(values.astype(np.float32) * 255).astype(np.uint8)
