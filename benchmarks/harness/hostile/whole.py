"""A whole picture in every format that is read, to be damaged."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

SIDE = 32


def photo(width: int = SIDE, height: int = SIDE) -> Image.Image:
    """A picture of smooth colours and some noise."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).integers(0, 40, (height, width))
    return Image.fromarray(np.stack([x * 5 + noise, y * 5, x + y + noise], -1).astype(np.uint8))


def encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    """The bytes of a file, by Pillow."""
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


@cache
def whole(form: str) -> bytes:
    """The bytes of a whole picture of `SIDE` pixels square in a format, as Pillow calls it."""
    return BY_HAND[form]() if form in BY_HAND else encoded(photo(), form)


def _cur() -> bytes:
    icon = encoded(photo(), "ICO", sizes=[(SIDE, SIDE)], bitmap_format="bmp")
    return icon[:2] + b"\2" + icon[3:]


def icns(kind: bytes, data: bytes) -> bytes:
    """An icon of macOS with one picture in it."""
    entry = kind + struct.pack(">I", 8 + len(data)) + data
    return b"icns" + struct.pack(">I", 8 + len(entry)) + entry


def _psd() -> bytes:
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, SIDE, SIDE, 8, 3)
    planes = np.moveaxis(np.asarray(photo()), -1, 0).tobytes()
    return header + struct.pack(">III", 0, 0, 0) + b"\0\0" + planes


def _dcx() -> bytes:
    return struct.pack("<III", 0x3ADE68B1, 12, 0) + whole("PCX")


def _sun() -> bytes:
    pixels = photo().tobytes()
    return struct.pack(">8I", 0x59A66A95, SIDE, SIDE, 24, len(pixels), 1, 0, 0) + pixels


def fits_header(named: Mapping[str, object]) -> bytes:
    """A header of FITS, which is filled up to a multiple of 2880 bytes."""
    cards = [f"{name:8}= {value!s:>20}".ljust(80) for name, value in named.items()]
    header = "".join([*cards, "END".ljust(80)])
    return header.ljust(-(-len(header) // 2880) * 2880).encode()


def fits(bits: int = 8, sizes: tuple[int, ...] = (SIDE, SIDE), data: bytes = b"") -> bytes:
    """A FITS file with these sizes in its header."""
    axes = {f"NAXIS{axis}": size for axis, size in enumerate(sizes, start=1)}
    return fits_header({"SIMPLE": "T", "BITPIX": bits, "NAXIS": len(sizes), **axes}) + data


def fli(frame: bytes, frames: int = 1) -> bytes:
    """A FLI animation of one frame, which is a list of chunks."""
    first = struct.pack("<IHH8x", 16 + len(frame), 0xF1FA, 1) + frame
    header = struct.pack("<IHHHHHHI", 128 + len(first), 0xAF11, frames, SIDE, SIDE, 8, 3, 5)
    return header.ljust(128, b"\0") + first


def _fli() -> bytes:
    pixels = photo().convert("L").tobytes()
    return fli(struct.pack("<IH", 6 + len(pixels), 16) + pixels)


def _xpm() -> bytes:
    rows = ['"' + "ab" * (SIDE // 2) + '",' for _ in range(SIDE)]
    head = ["/* XPM */", "static char *a[] = {", f'"{SIDE} {SIDE} 2 1",', '"a c #ff0000",', '"b c #0000ff",']
    return "\n".join([*head, *rows, "};"]).encode()


BY_HAND: Mapping[str, Callable[[], bytes]] = {
    "CUR": _cur,
    "ICNS": lambda: icns(b"icp5", whole("PNG")),
    "PSD": _psd,
    "DCX": _dcx,
    "SUN": _sun,
    "FITS": lambda: fits(data=photo().convert("L").tobytes()),
    "FLI": _fli,
    "XPM": _xpm,
    "MSP": lambda: encoded(photo().convert("1"), "MSP"),
    "XBM": lambda: encoded(photo().convert("1"), "XBM"),
    # Only read if pillow-heif is installed; else such files are counted.
    "HEIF": lambda: whole("AVIF").replace(b"ftypavif", b"ftypheic"),
}
"""Formats that Pillow cannot write, and those that need a mode of their own."""
