"""Pictures as the bytes of JPEG, WebP and AVIF, by Pillow: the best quality that fits into a number of bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from thoughtspace.explorer.checks import choice
from thoughtspace.explorer.errors import AnalysisError

Pixels = NDArray[np.float32]

FORMATS: Mapping[str, Mapping[str, Any]] = {
    "jpeg": {"format": "JPEG", "optimize": True, "progressive": True},
    "webp": {"format": "WEBP", "method": 6},
    "avif": {"format": "AVIF", "speed": 4},
}
"""The formats, each with the options that make its files smallest. No metadata is written."""

_LOOKED_ABOVE = 4
"""Sizes grow with the quality but for a few bytes: so many qualities above the first that is too large are tried."""

_QUALITIES = {"jpeg": (1, 95), "webp": (0, 100), "avif": (0, 100)}


@dataclass(frozen=True)
class Coded:
    """A picture as a file.

    Attributes:
        size: bytes of the file.
        pixels: `(h, w, 3)` what the file shows, in [0, 1].
        quality: the setting of the format.
    """

    size: int
    pixels: Pixels
    quality: int


def known_formats() -> tuple[str, ...]:
    """The formats that this Pillow can write."""
    return tuple(name for name in FORMATS if name == "jpeg" or features.check(name))


def coded(pixels: Pixels, name: str, quality: int) -> Coded:
    """A picture `(h, w, 3)` in [0, 1] as a file of this format and quality."""
    buffer = io.BytesIO()
    picture = Image.fromarray(np.rint(255 * np.clip(pixels, 0, 1)).astype(np.uint8))
    picture.save(buffer, quality=quality, **FORMATS[name])
    with Image.open(io.BytesIO(buffer.getvalue())) as opened:
        shown = (np.asarray(opened.convert("RGB")) / 255).astype(np.float32)
    return Coded(len(buffer.getvalue()), shown, quality)


def within(pixels: Pixels, name: str, size: int, *, known: dict[int, int] | None = None) -> Coded | None:
    """The file of the highest quality that has at most `size` bytes; None if even the lowest has more.

    Args:
        pixels: `(h, w, 3)` in [0, 1].
        name: one of `known_formats()`.
        known: sizes by quality of the same picture and format, not measured again; new ones are added.

    Raises:
        AnalysisError: another format, or pixels of another shape.
    """
    choice("format", name, known_formats(), error=AnalysisError)
    if np.ndim(pixels) != 3 or np.shape(pixels)[2] != 3:
        message = f"Got pixels of shape {np.shape(pixels)}, expected (h, w, 3) in [0, 1]."
        raise AnalysisError(message, code="shape")
    sizes = {} if known is None else known

    def fits(quality: int) -> bool:
        if quality not in sizes:
            sizes[quality] = coded(pixels, name, quality).size
        return sizes[quality] <= size

    low, most = _QUALITIES[name]
    high, best = most, None
    while low <= high:
        middle = (low + high) // 2
        if fits(middle):
            best, low = middle, middle + 1
        else:
            high = middle - 1
    for quality in range(low + 1, min(low + _LOOKED_ABOVE, most) + 1):
        best = quality if fits(quality) else best
    return None if best is None else coded(pixels, name, best)
