"""TIFF: directories in circles, counts of four billion, strips and tiles that are not there, bombs in each packing."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from PIL import Image

from .case import Case, of_bytes
from .png import bomb
from .whole import SIDE, encoded, photo

WIDTH, HEIGHT, BITS, PACKING, COLOURS, STRIPS, SAMPLES, ROWS, LENGTHS = 256, 257, 258, 259, 262, 273, 277, 278, 279
TILES = 324
DEFLATE, LZW, JPEG, G4, LZMA, PACKBITS = 8, 5, 7, 4, 34925, 32773

Entry = tuple[int, int, int]
"""The type, the count and the value of a tag."""


def tiff(data: bytes = b"", changed: Mapping[int, Entry] | None = None, following: int = 0) -> bytes:
    """A grey TIFF of `SIDE` pixels square with its pixels at byte 8 and some tags changed."""
    tags: dict[int, Entry] = dict.fromkeys((WIDTH, HEIGHT, ROWS), (3, 1, SIDE))
    tags |= {BITS: (3, 1, 8), PACKING: (3, 1, 1), COLOURS: (3, 1, 1), SAMPLES: (3, 1, 1)}
    data = data or photo().convert("L").tobytes()
    where = {} if changed and TILES in changed else {STRIPS: (4, 1, 8), LENGTHS: (4, 1, len(data))}
    tags |= {**where, **(changed or {})}
    entries = b"".join(struct.pack("<HHII", tag, *tags[tag]) for tag in sorted(tags))
    start = 8 + len(data)
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", start) + data + directory


def cases() -> Iterator[Case]:
    for damage, data in REFUSED.items():
        yield of_bytes("TIFF", damage, "x.tif", data)
    for damage, data in READ.items():
        yield of_bytes("TIFF", damage, "x.tif", data, read=True)


def _packed(how: int, data: bytes, side: int = SIDE) -> bytes:
    return tiff(data, {PACKING: (3, 1, how), WIDTH: (4, 1, side), HEIGHT: (4, 1, side), ROWS: (4, 1, side)})


def _tiles(width: int, height: int) -> bytes:
    return tiff(changed={322: (4, 1, width), 323: (4, 1, height), TILES: (4, 1, 8), 325: (4, 1, 1024)})


def _large(mode: str) -> bytes:
    return encoded(Image.new(mode, (9400, 9400)), "TIFF", compression="tiff_adobe_deflate")


def _directories(count: int) -> bytes:
    """So many directories after the first."""
    first = tiff()
    later = b"".join(struct.pack("<HI", 0, len(first) + 6 * (number + 1)) for number in range(count))
    return tiff(following=len(first)) + later


REFUSED: dict[str, Callable[[], bytes]] = {
    "directory at 0": lambda: b"II*\0\0\0\0\0" + bytes(100),
    "directory behind the end": lambda: b"II*\0\xff\xff\xff\xff" + bytes(100),
    "directory of no tags": lambda: b"II*\0\x08\0\0\0" + bytes(100),
    "directory of 65535 tags": lambda: b"II*\0\x08\0\0\0\xff\xff" + np.random.default_rng(9).bytes(5000),
    "BigTIFF of 2^64 tags": lambda: b"II+\0\x08\0\0\0\x10" + bytes(7) + b"\xff" * 8 + bytes(100),
    "no width": lambda: tiff(changed={WIDTH: (3, 1, 0)}),
    "2^31 square": lambda: tiff(changed={WIDTH: (4, 1, 2**31), HEIGHT: (4, 1, 2**31)}),
    "pixels behind the end": lambda: tiff(changed={STRIPS: (4, 1, 2**31)}),
    "pixels of 4 GB": lambda: _packed(DEFLATE, zlib.compress(bytes(SIDE))) + bytes(9),
    "4 billion strips": lambda: tiff(changed={STRIPS: (4, 2**32 - 1, 8), LENGTHS: (4, 2**32 - 1, 8)}),
    "65535 samples": lambda: tiff(changed={SAMPLES: (3, 1, 65535)}),
    "4 billion samples": lambda: tiff(changed={SAMPLES: (4, 1, 2**32 - 1), BITS: (3, 2**31, 8)}),
    "7 bits a sample": lambda: tiff(changed={BITS: (3, 1, 7)}),
    "unknown packing": lambda: tiff(changed={PACKING: (3, 1, 4711)}),
    "colours of kind 99": lambda: tiff(changed={COLOURS: (3, 1, 99)}),
    "palette of 4 GB": lambda: tiff(changed={COLOURS: (3, 1, 3), 320: (3, 2**32 - 1, 8)}),
    "no palette": lambda: tiff(changed={COLOURS: (3, 1, 3)}),
    "LZW of noise": lambda: _packed(LZW, np.random.default_rng(10).bytes(500)),
    "deflate of noise": lambda: _packed(DEFLATE, np.random.default_rng(11).bytes(500)),
    "JPEG of noise": lambda: _packed(JPEG, np.random.default_rng(12).bytes(500)),
    "LZMA of noise": lambda: _packed(LZMA, np.random.default_rng(14).bytes(500)),
    "bytes repeated of no end": lambda: _packed(PACKBITS, b"\x80" * 500),
    "8000 square of a few bytes of LZW": lambda: _packed(LZW, b"\x80" + bytes(400), 8000),
    "rows of no strip": lambda: tiff(changed={ROWS: (3, 1, 0)}),
    "tile of 4 GB": lambda: _tiles(2**31, 2**31),
    "tile of no size": lambda: _tiles(0, 0),
    "floats that are not finite": lambda: tiff(
        np.full((SIDE, SIDE), np.nan, np.float32).tobytes(), {BITS: (3, 1, 32), 339: (3, 1, 3)}
    ),
}

READ: dict[str, Callable[[], bytes]] = {
    "next directory is itself": lambda: tiff(following=8 + SIDE * SIDE),
    "100000 directories": lambda: _directories(100_000),
    "EXIF that is itself": lambda: tiff(changed={0x8769: (4, 1, 8 + SIDE * SIDE), 0x8825: (4, 1, 8 + SIDE * SIDE)}),
    "directories inside of itself": lambda: tiff(changed={330: (4, 1, 8 + SIDE * SIDE)}),
    "text of 4 GB": lambda: tiff(changed={270: (2, 2**32 - 1, 8)}),
    "profile of 4 GB": lambda: tiff(changed={34675: (7, 2**32 - 1, 8)}),
    "fax of noise, as faxes are": lambda: tiff(
        np.random.default_rng(13).bytes(500), {PACKING: (3, 1, G4), BITS: (3, 1, 1)}
    ),
    "direction 99": lambda: tiff(changed={274: (3, 1, 99)}),
    "deflate bomb": lambda: _packed(DEFLATE, bomb()),
    "9400 square of floats": lambda: _large("F"),
    "9400 square of whole numbers of 32 bits": lambda: _large("I"),
    "9400 square of printing colours": lambda: _large("CMYK"),
}
