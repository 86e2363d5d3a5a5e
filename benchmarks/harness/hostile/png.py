"""PNG: checksums, palettes, texts that unpack to gigabytes, a hundred thousand chunks, animations of no end."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from PIL import Image

from .case import Case, of_bytes
from .whole import SIDE, encoded, photo

SIGNATURE = b"\x89PNG\r\n\x1a\n"
BOMB = 200 * 2**20
"""Bytes that a bomb unpacks to; it has a thousandth of them."""


def chunk(name: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def header(width: int = SIDE, height: int = SIDE, depth: int = 8, colours: int = 2, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, interlace))


def pixels(data: bytes | None = None) -> bytes:
    """The rows of a picture, each after the number of its filter."""
    rows = np.asarray(photo()).reshape(SIDE, -1)
    return chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows) if data is None else data))


def png(*before: bytes, first: bytes = b"", data: bytes | None = None) -> bytes:
    """A PNG with these chunks before its pixels."""
    return b"".join([SIGNATURE, first or header(), *before, pixels() if data is None else data, chunk(b"IEND")])


def bomb() -> bytes:
    """A zlib stream of zeros that unpacks to `BOMB` bytes."""
    packer = zlib.compressobj(9)
    return b"".join([*(packer.compress(bytes(2**20)) for _ in range(BOMB // 2**20)), packer.flush()])


def cases() -> Iterator[Case]:
    for damage, data in REFUSED.items():
        yield of_bytes("PNG", damage, "x.png", data)
    for damage, data in READ.items():
        yield of_bytes("PNG", damage, "x.png", data, read=True)


def _wrong(data: bytes) -> bytes:
    """A chunk with a wrong checksum."""
    return data[:-1] + bytes([data[-1] ^ 1])


def _frames(count: int, width: int, height: int) -> bytes:
    """The chunks that begin an animation."""
    frame = struct.pack(">IIIIIHHBB", 0, width, height, 0, 0, 1, 1, 0, 0)
    return chunk(b"acTL", struct.pack(">II", count, 0)) + chunk(b"fcTL", frame)


def _large(mode: str) -> bytes:
    """A picture just below the most pixels that are read."""
    return encoded(Image.new(mode, (9400, 9400)), "PNG", compress_level=1)


def _exif(data: bytes) -> bytes:
    return png(chunk(b"eXIf", data))


def loop(depth: Sequence[int] = (0x8769, 0x8825, 0xA005)) -> bytes:
    """EXIF whose parts, and the next part of each, are itself."""
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, 8) for tag in depth)
    return b"II*\0" + struct.pack("<IH", 8, len(depth)) + entries + struct.pack("<I", 8)


REFUSED: dict[str, Callable[[], bytes]] = {
    "wrong checksum of its header": lambda: png(first=_wrong(header())),
    "palette that is missing": lambda: png(first=header(colours=3), data=pixels(bytes(SIDE * (SIDE + 1)))),
    "no pixels": lambda: png(data=chunk(b"tEXt", b"a\0b")),
    "pixels of noise": lambda: png(data=chunk(b"IDAT", np.random.default_rng(1).bytes(3000))),
    "no chunk at all": lambda: SIGNATURE,
    "no header": lambda: SIGNATURE + pixels() + chunk(b"IEND"),
    "header of 5 bytes": lambda: png(first=chunk(b"IHDR", b"\0\0\0\1\0")),
    "3 bits a sample": lambda: png(first=header(depth=3)),
    "colours of kind 7": lambda: png(first=header(colours=7)),
    "chunk of 4 GB": lambda: SIGNATURE + header() + b"\xff\xff\xff\xffIDAT" + bytes(100),
    "chunk of 2 GB of text": lambda: SIGNATURE + header() + b"\x7f\xff\xff\xfftEXt" + bytes(100),
    "names of chunks that are noise": lambda: SIGNATURE + header() + np.random.default_rng(2).bytes(5000),
    "filter 9 in each row": lambda: png(data=pixels((b"\x09" + bytes(3 * SIDE)) * SIDE)),
    "no width": lambda: png(first=header(width=0)),
    "2^31 - 1 square": lambda: png(first=header(2**31 - 1, 2**31 - 1)),
    "4 GB wide, one high": lambda: png(first=header(2**32 - 1, 1)),
    "second header of another size": lambda: png(header(9000, 9000)),
    "5 million unknown chunks": lambda: png(chunk(b"abCd") * 5_000_000),
    "5 million pixel chunks of no length": lambda: png(data=chunk(b"IDAT") * 5_000_000 + pixels()),
    "frame larger than the picture": lambda: png(_frames(2, 9000, 9000)),
}

READ: dict[str, Callable[[], bytes]] = {
    "half of its rows": lambda: png(data=pixels(bytes(SIDE * (3 * SIDE + 1) // 2))),
    "wrong checksum of its pixels, which have another": lambda: png(data=_wrong(pixels())),
    "zTXt bomb": lambda: png(chunk(b"zTXt", b"parameters\0\0" + bomb())),
    "iTXt bomb": lambda: png(chunk(b"iTXt", b"parameters\0\1\0\0\0" + bomb())),
    "iCCP bomb": lambda: png(chunk(b"iCCP", b"profile\0\0" + bomb())),
    "pixels that unpack to 200 MB more": lambda: png(data=chunk(b"IDAT", bomb())),
    "text of 60 MB": lambda: png(chunk(b"tEXt", b"parameters\0" + b"a " * (30 * 2**20))),
    "100000 texts": lambda: png(b"".join(chunk(b"tEXt", b"key%d\0value" % key) for key in range(100_000))),
    "1000 packed texts of a MB": lambda: png(chunk(b"zTXt", b"key\0\0" + zlib.compress(bytes(2**20))) * 1000),
    "100000 unknown chunks": lambda: png(chunk(b"abCd", b"x") * 100_000),
    "100000 pixel chunks of no length": lambda: png(data=chunk(b"IDAT") * 100_000 + pixels()),
    "EXIF of loops": lambda: _exif(loop()),
    "EXIF of noise": lambda: _exif(np.random.default_rng(3).bytes(3000)),
    "EXIF with a count of 4 GB": lambda: _exif(b"II*\0" + struct.pack("<IHHHII", 8, 1, 0x112, 3, 2**32 - 1, 8)),
    "profile of noise": lambda: png(chunk(b"iCCP", b"p\0\0" + zlib.compress(np.random.default_rng(4).bytes(5000)))),
    "animation of 4 billion frames": lambda: png(_frames(2**32 - 1, SIDE, SIDE)),
    "transparency of 10000 colours": lambda: png(chunk(b"tRNS", bytes(10_000))),
    "noise behind its end": lambda: png() + np.random.default_rng(5).bytes(5000),
    "9400 square with transparency": lambda: _large("RGBA"),
    "9400 square, greys of 16 bits": lambda: _large("I;16"),
    "9400 square, grey and transparency": lambda: _large("LA"),
}
