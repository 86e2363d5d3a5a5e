"""Convert a picture of any mode to 8-bit sRGB: upright, on white, its colour profile applied."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps

from .picture_depth import from_greys

MAX_PROFILE = 8 * 2**20
"""Largest colour profile in bytes that is applied; those of printers have about 2 MB."""

_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # mode of the pixels, by the colour space of the profile
_BAND = 2**20  # pixels that are converted at once, so that the steps between need little memory
_VISIBLE = 2  # of 255: a profile that changes no colour by more is sRGB, as another program writes it


def to_srgb(picture: Image.Image) -> Image.Image:
    """Convert a loaded picture to 8-bit sRGB, mode `RGB`, without metadata.

    The camera's orientation is applied; transparency shows white; 16-bit and float greys are scaled, see
    `picture_depth`; a colour profile (International Color Consortium, ICC.1:2022) is applied by LittleCMS, unless it
    is damaged, larger than `MAX_PROFILE` or for another kind of colours than the picture's.
    """
    if type(picture) is Image.Image and picture.mode == "RGB" and not picture.info:
        return picture  # already converted
    picture = upright(picture)
    extremes = _extremes(picture) if _is_deep(picture) else None
    if picture.width * picture.height <= _BAND:
        return _band_to_srgb(picture, extremes)
    result = Image.new("RGB", picture.size)
    for top, band in _bands(picture):
        result.paste(_band_to_srgb(band, extremes), (0, top))
    return result


def _bands(picture: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """The rows of a picture in groups of about `_BAND` pixels, each with its first row."""
    rows = max(1, _BAND // picture.width)
    for top in range(0, picture.height, rows):
        yield top, picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def _band_to_srgb(picture: Image.Image, extremes: tuple[float, float] | None) -> Image.Image:
    colours, alpha = _layers(picture, extremes)
    plain = _with_profile(colours, picture.info.get("icc_profile")).convert("RGB")
    if alpha is not None:
        plain.putalpha(alpha)
        plain = Image.alpha_composite(Image.new("RGBA", plain.size, "white"), plain).convert("RGB")
    plain.info = {}
    return plain


def _is_deep(picture: Image.Image) -> bool:
    return picture.mode == "F" or picture.mode.startswith("I")


def _extremes(picture: Image.Image) -> tuple[float, float]:
    """The least and the greatest value of a deep grey picture; not finite if one of its values is not."""
    found = [(values.min(), values.max()) for values in (np.asarray(band) for _, band in _bands(picture))]
    return float(np.min([low for low, _ in found])), float(np.max([high for _, high in found]))


def upright(picture: Image.Image) -> Image.Image:
    """The picture turned as its camera says; as it is if its metadata are malformed."""
    try:
        turned = picture.getexif().get(ExifTags.Base.Orientation, 1) != 1
        return ImageOps.exif_transpose(picture) if turned else picture
    except Exception:  # malformed metadata of a camera does not make the pixels invalid
        return picture


def _layers(picture: Image.Image, extremes: tuple[float, float] | None) -> tuple[Image.Image, Image.Image | None]:
    """Colours as `L`, `RGB` or `CMYK`, and their opacity, or None where all is opaque."""
    if extremes is not None:
        values = np.asarray(picture)
        clear = picture.info.get("transparency")  # in a 16-bit PNG, the one grey that is transparent
        alpha = Image.fromarray((values != clear) * np.uint8(255)) if isinstance(clear, int) else None
        return Image.fromarray(from_greys(values, extremes)), alpha
    if picture.has_transparency_data:
        if picture.mode in ("1", "L", "LA", "La"):
            layers = picture.convert("LA")
            return layers.getchannel("L"), layers.getchannel("A")
        layers = _with_short_key(picture).convert("RGBA")
        return layers.convert("RGB"), layers.getchannel("A")
    return (picture if picture.mode in ("L", "CMYK") else picture.convert("RGB")), None


def _with_short_key(picture: Image.Image) -> Image.Image:
    """Shorten the transparent colour to 8 bits: Pillow keeps both its bytes, but only the high byte of pixels."""
    clear = picture.info.get("transparency")
    if picture.mode != "RGB" or not isinstance(clear, tuple) or max(clear) < 256:
        return picture
    short = picture.copy()
    short.info["transparency"] = tuple(value >> 8 for value in clear)
    return short


def _with_profile(colours: Image.Image, profile: Any) -> Image.Image:
    found = _to_srgb_of(profile) if isinstance(profile, bytes) and len(profile) <= MAX_PROFILE else None
    if found is None:
        return colours
    mode, transform = found
    if (colours.mode, mode) == ("L", "RGB"):  # greys are colours to an RGB profile
        colours = colours.convert("RGB")
    return transform.apply(colours) if colours.mode == mode else colours


@lru_cache(maxsize=8)
def _to_srgb_of(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform] | None:
    """The mode and the transform to sRGB of a profile; None where it is damaged or sRGB itself."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES[opened.profile.xcolor_space.strip()]
        transform = ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (KeyError, OSError, ValueError, ImageCms.PyCMSError):
        return None
    if mode == "CMYK":
        return mode, transform
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    samples = Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), -1).reshape(64, 64, 3)).convert(mode)
    moved = np.asarray(transform.apply(samples), int) - np.asarray(samples.convert("RGB"), int)
    return (mode, transform) if np.abs(moved).max() > _VISIBLE else None
