"""Pictures of every format: cut short, of no size, of a size that no memory holds, and with noise for a header."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from .case import Case, of_bytes
from .whole import SIDE, encoded, fits, icns, whole

ENDINGS: Mapping[str, str] = {
    "JPEG": "jpg",
    "TIFF": "tif",
    "JPEG2000": "jp2",
    "SUN": "ras",
    "HEIF": "heic",
    **{form: form.lower() for form in ("PNG", "WEBP", "GIF", "BMP", "AVIF", "PPM", "ICO", "ICNS", "CUR", "DIB", "PSD")},
    **{form: form.lower() for form in ("DDS", "QOI", "SGI", "PCX", "DCX", "FITS", "FLI", "MSP", "XBM", "XPM", "TGA")},
}
"""The file ending of each format that is read."""

CUTS = (20, 1 / 2, 7 / 8)


RAW = ("QOI", "SGI")
"""Formats whose header is so short that noise after the first bytes is a picture of noise."""

SIZED_ELSEWHERE = ("GIF", "PCX", "DCX")
"""Formats in which a size of 0 means another one: that of the first frame, or 1."""


@dataclass(frozen=True)
class Size:
    """Where a header has the width and the height, and their type as `struct` writes it."""

    width: int
    height: int
    code: str

    def of(self, data: bytes, width: int, height: int) -> bytes:
        """The file with another size in its header."""
        changed = bytearray(data)
        for at, value in ((self.width, width), (self.height, height)):
            struct.pack_into(self.code, changed, at, value)
        return bytes(changed)


SIZES: Mapping[str, tuple[Size, int]] = {
    "GIF": (Size(6, 8, "<H"), 2**16 - 1),
    "BMP": (Size(18, 22, "<i"), 2**31 - 1),
    "DIB": (Size(4, 8, "<i"), 2**31 - 1),
    "PSD": (Size(18, 14, ">I"), 2**31),
    "DDS": (Size(16, 12, "<I"), 2**31),
    "QOI": (Size(4, 8, ">I"), 2**31),
    "SGI": (Size(6, 8, ">H"), 2**16 - 1),
    "PCX": (Size(8, 10, "<H"), 2**16 - 1),
    "DCX": (Size(20, 22, "<H"), 2**16 - 1),
    "SUN": (Size(4, 8, ">I"), 2**31),
    "FLI": (Size(8, 10, "<H"), 2**16 - 1),
    "MSP": (Size(4, 6, "<H"), 2**16 - 1),
    "TGA": (Size(12, 14, "<H"), 2**16 - 1),
}
"""Formats whose sizes stand at a fixed place, and the largest number that fits there, or 2^31."""


def cases() -> Iterator[Case]:
    for form, ending in ENDINGS.items():
        for cut in CUTS:
            yield _cut(form, ending, cut)
        noise = of_bytes("picture of noise", form, f"x.{ending}", lambda form=form: _noise(form), read=form in RAW)
        yield noise
    for form, (size, most) in SIZES.items():
        name = f"x.{ENDINGS[form]}"
        given = form in SIZED_ELSEWHERE
        yield of_bytes("no size", form, name, lambda form=form, size=size: size.of(whole(form), 0, 0), read=given)
        yield of_bytes("mad size", form, name, lambda form=form, size=size, most=most: size.of(whole(form), most, most))
    yield from _of_text()
    yield from _of_boxes()
    yield from _bombs()


def _cut(form: str, ending: str, cut: float) -> Case:
    def data() -> bytes:
        given = whole(form)
        return given[: int(cut if cut > 1 else cut * len(given))]

    share = f"{cut} bytes" if cut > 1 else f"{cut:.0%}"
    return of_bytes("cut picture", f"{form}, {share} of it", f"x.{ending}", data)


def _noise(form: str) -> bytes:
    """The first bytes of the format, and noise."""
    return whole(form)[:12] + np.random.default_rng(len(form)).bytes(4000)


def _of_text() -> Iterator[Case]:
    """Formats that write their size in decimals."""
    for word, side in (("no size", 0), ("mad size", 2**31), ("mad size of 2000 digits", 10**2000 // 9)):
        yield of_bytes(word, "PPM", "x.ppm", lambda side=side: b"P6 %d %d 255\n" % (side, side) + b"\0" * 99)
        yield of_bytes(word, "XBM", "x.xbm", lambda side=side: _xbm(side))
        yield of_bytes(word, "XPM", "x.xpm", lambda side=side: _xpm(side, 2))
    yield of_bytes("mad size", "PPM of 100000 square", "x.ppm", lambda: b"P6 100000 100000 255\n" + b"\0" * 99)
    yield of_bytes("mad size", "PPM in letters", "x.ppm", lambda: b"P3 9000 9000 255\n" + b"1 " * 500)
    yield of_bytes("mad size", "PFM", "x.pfm", lambda: b"Pf\n9000 9000\n-1.0\n" + b"\0" * 99)
    yield of_bytes("mad size", "XPM of 2^31 colours", "x.xpm", lambda: _xpm(SIDE, 2**31))
    yield of_bytes("no size", "FITS", "x.fits", lambda: fits(8, (0, 0)))
    yield of_bytes("mad size", "FITS", "x.fits", lambda: fits(8, (2**31, 2**31), b"\0" * 99))
    yield of_bytes("mad size", "FITS of 999 axes, cut", "x.fits", lambda: fits(-64, (9,) * 999, b"\0" * 99))


def _xbm(side: int) -> bytes:
    return b"#define a_width %d\n#define a_height %d\nstatic char a_bits[] = {\n0x00 };" % (side, side)


def _xpm(side: int, colours: int) -> bytes:
    return whole("XPM").replace(b'"32 32 2 1"', b'"%d %d %d 1"' % (side, side, colours))


def _of_boxes() -> Iterator[Case]:
    """Formats of boxes: the size stands in one of them."""
    for form, box in (("JPEG2000", b"ihdr"), ("AVIF", b"ispe"), ("HEIF", b"ispe")):
        start = 4 if form == "JPEG2000" else 8
        for word, side in (("no size", 0), ("mad size", 2**31)):

            def data(form: str = form, box: bytes = box, start: int = start, side: int = side) -> bytes:
                given = whole(form)
                at = given.index(box) + start
                return given[:at] + struct.pack(">II", side, side) + given[at + 8 :]

            yield of_bytes(word, form, f"x.{ENDINGS[form]}", data)
    yield of_bytes(
        "mad size", "ICO of 65535 pictures", "x.ico", lambda: b"\0\0\1\0\xff\xff" + whole("ICO")[6:22] * 65535
    )
    yield of_bytes("mad size", "ICNS with a block of 4 GB", "x.icns", lambda: icns(b"icp5", b"")[:12] + b"\xff" * 4)
    yield of_bytes("mad size", "ICNS with a block of no size", "x.icns", lambda: icns(b"icp5", b"")[:12] + b"\0" * 99)
    yield of_bytes("mad size", "ICNS with another size in it", "x.icns", lambda: icns(b"icp5", _flat("PNG", 9000)))


def _flat(form: str, side: int, **options: Any) -> bytes:
    return encoded(Image.new("L", (side, side)), form, **options)


def _bombs() -> Iterator[Case]:
    """Files of some kilobytes with a hundred million pixels and more."""
    for form in ("PNG", "GIF", "TIFF", "JPEG"):
        options = {"compression": "tiff_adobe_deflate"} if form == "TIFF" else {}
        yield of_bytes(
            "bomb", f"{form} of 12000 square", f"x.{ENDINGS[form]}", lambda f=form, o=options: _flat(f, 12000, **o)
        )
