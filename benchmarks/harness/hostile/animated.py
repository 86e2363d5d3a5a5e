"""GIF, WebP and formats of a few lines: frames of no end, codes of no size, canvases that no screen has."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Iterator

import numpy as np

from .case import Case, of_bytes
from .whole import SIDE, encoded, fits, fits_header, fli, photo, whole

GREYS = bytes(level for level in range(256) for _ in range(3))


def gif(*blocks: bytes, palette: bytes = GREYS, code: int = 8, size: tuple[int, int] = (SIDE, SIDE)) -> bytes:
    """A GIF with these blocks before its first frame, which is all of one colour."""
    flags = 0xF7 if palette else 0x70
    frame = b"," + struct.pack("<HHHHB", 0, 0, *size, 0) + bytes([code])
    return b"".join(
        [b"GIF89a", struct.pack("<HHBBB", SIDE, SIDE, flags, 0, 0), palette, *blocks, frame, _codes(), b";"]
    )


def _codes() -> bytes:
    """The pixels as LZW codes of 9 bits, with a code that clears the table before each hundred of them."""
    codes = [code for start in range(0, SIDE * SIDE, 100) for code in (256, *[7] * min(100, SIDE * SIDE - start))]
    bits = "".join(format(code, "09b")[::-1] for code in [*codes, 257])
    data = bytes(int(bits[at : at + 8].ljust(8, "0")[::-1], 2) for at in range(0, len(bits), 8))
    return _blocks(data)


def _blocks(data: bytes) -> bytes:
    parts = (data[at : at + 255] for at in range(0, len(data), 255))
    return b"".join([*(bytes([len(part)]) + part for part in parts), b"\0"])


def _comment(data: bytes) -> bytes:
    return b"!\xfe" + _blocks(data)


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP file of these chunks."""
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def _canvas(flags: int, side: int) -> tuple[bytes, bytes]:
    return b"VP8X", bytes([flags, 0, 0, 0]) + (side - 1).to_bytes(3, "little") * 2


def _lossy() -> bytes:
    return whole("WEBP")[20:]


def _frame(side: int, offset: int = 0) -> tuple[bytes, bytes]:
    about = offset.to_bytes(3, "little") * 2 + (side - 1).to_bytes(3, "little") * 2 + b"\x10\0\0\0"
    data = _lossy()
    return b"ANMF", about + b"VP8 " + struct.pack("<I", len(data)) + data


def _lossless(bits: int) -> bytes:
    given = bytearray(encoded(photo(), "WEBP", lossless=True))
    struct.pack_into("<I", given, 21, bits)
    return bytes(given)


ANIMATED = (b"ANIM", b"\0" * 6)

REFUSED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "GIF with codes of 255 bits": ("x.gif", lambda: gif(code=255)),
    "GIF with a first frame of 65535 square": ("x.gif", lambda: gif(size=(65535, 65535))),
    "GIF without a frame": ("x.gif", lambda: gif()[:781] + b";"),
    "GIF of comments that never end": ("x.gif", lambda: gif()[:781] + b"!\xfe" + (b"\xff" + b"a" * 255) * 200_000),
    "WebP with a canvas of 2^24 square": ("x.webp", lambda: webp(_canvas(2, 2**24), ANIMATED, _frame(SIDE))),
    "WebP with a frame outside of it": ("x.webp", lambda: webp(_canvas(2, SIDE), ANIMATED, _frame(SIDE, 9999))),
    "WebP with a frame of another size": ("x.webp", lambda: webp(_canvas(2, SIDE), ANIMATED, _frame(2**20))),
    "WebP of no frame": ("x.webp", lambda: webp(_canvas(2, SIDE), ANIMATED)),
    "WebP without loss, of 16384 square": ("x.webp", lambda: _lossless(2**28 - 1)),
    "WebP without loss, of another version": ("x.webp", lambda: _lossless(7 << 29 | 31 << 14 | 31)),
    "WebP whose transparency is noise": (
        "x.webp",
        lambda: webp(_canvas(16, SIDE), (b"ALPH", np.random.default_rng(20).bytes(200)), (b"VP8 ", _lossy())),
    ),
    "WebP that says it has 4 GB": ("x.webp", lambda: b"RIFF\xff\xff\xff\xff" + whole("WEBP")[8:200]),
    "WebP of chunks of no length": ("x.webp", lambda: webp(_canvas(0, SIDE), *[(b"ABCD", b"")] * 100_000)),
    "DDS of unknown packing": ("x.dds", lambda: _at("DDS", 80, struct.pack("<I4s", 4, b"DX99"))),
    "DDS of packed blocks, cut": ("x.dds", lambda: _at("DDS", 80, struct.pack("<I4s", 4, b"DXT5"))[:200]),
    "PSD of 9 bits": ("x.psd", lambda: _at("PSD", 22, b"\0\x09")),
    "PSD with resources of 4 GB": ("x.psd", lambda: _at("PSD", 30, b"\xff" * 4)),
    "PSD with layers of 4 GB": ("x.psd", lambda: _at("PSD", 34, b"\xff" * 4)),
    "SGI with a table of rows behind its end": ("x.sgi", lambda: _at("SGI", 3, b"\1")[:512] + b"\xff" * 800),
    "SGI of 9 dimensions": ("x.sgi", lambda: _at("SGI", 4, b"\0\x09")),
    "PCX of 7 planes": ("x.pcx", lambda: _at("PCX", 65, b"\7")),
    "DCX that leads into itself": ("x.dcx", lambda: struct.pack("<III", 0x3ADE68B1, 0, 0) + bytes(200)),
    "QOI of 9 channels, cut": ("x.qoi", lambda: _at("QOI", 12, rb"\9")[:60]),
    "TGA of kind 99": ("x.tga", lambda: _at("TGA", 2, b"\x63")),
    "TGA with a palette of 65535 colours": ("x.tga", lambda: _at("TGA", 1, b"\1\1\0\0\xff\xff\x18")),
    "SUN of 9 bits": ("x.ras", lambda: _at("SUN", 12, b"\0\0\0\x09")),
    "SUN with a palette of 4 GB": ("x.ras", lambda: _at("SUN", 24, b"\0\0\0\1\xff\xff\xff\xff")),
    "BMP with a palette of 4 billion": ("x.bmp", lambda: _at("BMP", 28, b"\x08")[:46] + b"\xff" * 4 + bytes(999)),
    "BMP with pixels behind its end": ("x.bmp", lambda: _at("BMP", 10, b"\xff\xff\xff\x7f")),
    "BMP of runs that never end": ("x.bmp", lambda: _at("BMP", 28, b"\x08\0\1\0")[:54] + bytes(1024) + b"\1\0" * 20),
    "JPEG 2000 with a box of no length": ("x.jp2", lambda: whole("JPEG2000")[:12] + bytes(100)),
    "JPEG 2000 with a box of 2^64": ("x.jp2", lambda: whole("JPEG2000")[:12] + b"\0\0\0\1jp2h" + b"\xff" * 8),
    "JPEG 2000 with tiles of one pixel": ("x.j2k", lambda: _tiles(1)),
    "FLI with a chunk of no length": ("x.fli", lambda: fli(b"\0" * 6)),
    "FLI with a chunk of 4 GB": ("x.fli", lambda: fli(b"\xff\xff\xff\xff\x0f\0" + bytes(99))),
    "FITS packed by gzip, of 9400 square": ("x.fits", lambda: _packed_fits(9400)),
    "QOI of 9400 square": ("x.qoi", lambda: _qoi(9400)),
    "XPM of 9400 square, cut": ("x.xpm", lambda: whole("XPM").replace(b'"32 32', b'"9400 9400')),
    "HTML called a picture": ("x.jpg", lambda: b"<html><body>404 not found</body></html>"),
    "pointer of Git LFS": ("x.png", lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    "empty": ("x.png", lambda: b""),
    "zeros, 60 MB of them": ("x.png", lambda: bytes(60 * 2**20)),
    "postscript that would start a program": ("x.png", lambda: b"%!PS-Adobe-3.0 EPSF\n%%BoundingBox: 0 0 9 9\n"),
}

READ: dict[str, tuple[str, Callable[[], bytes]]] = {
    "GIF of 100000 frames": ("x.gif", lambda: gif(*[b",\0\0\0\0\1\0\1\0\0\x02\x02L\1\0"] * 100_000)),
    "GIF with 100000 comments": ("x.gif", lambda: gif(*[_comment(b"a")] * 100_000)),
    "GIF with a comment of 20 MB": ("x.gif", lambda: gif(_comment(b"a" * (20 * 2**20)))),
    "GIF without a palette": ("x.gif", lambda: gif(palette=b"")),
    "GIF without its end": ("x.gif", lambda: gif()[:-2]),
    "WebP with 10 MB of EXIF": ("x.webp", lambda: webp(_canvas(8, SIDE), (b"VP8 ", _lossy()), (b"EXIF", bytes(10**7)))),
    "WebP with a profile of noise": (
        "x.webp",
        lambda: webp(_canvas(32, SIDE), (b"ICCP", np.random.default_rng(21).bytes(9999)), (b"VP8 ", _lossy())),
    ),
    "PSD of 56 channels": ("x.psd", lambda: _at("PSD", 12, b"\0\x38")),
    "FLI of 65535 frames": ("x.fli", lambda: whole("FLI")[:6] + b"\xff\xff" + whole("FLI")[8:]),
    "name of another format": ("x.webp", lambda: whole("BMP")),
    "name of no picture": ("x.bin", lambda: whole("PNG")),
}


def cases() -> Iterator[Case]:
    for damage, (name, data) in REFUSED.items():
        yield of_bytes("other picture", damage, name, data)
    for damage, (name, data) in READ.items():
        yield of_bytes("other picture", damage, name, data, read=True)


def _at(form: str, at: int, data: bytes) -> bytes:
    """A whole picture with some of its bytes changed."""
    given = whole(form)
    return given[:at] + data + given[at + len(data) :]


def _packed_fits(side: int) -> bytes:
    """A FITS file whose pixels are in a table, packed by gzip."""
    table = {"ZIMAGE": "T", "ZBITPIX": 8, "ZNAXIS": 2, "ZNAXIS1": side, "ZNAXIS2": side, "ZCMPTYPE": "'GZIP_1  '"}
    plain = {"XTENSION": "'BINTABLE'", "BITPIX": 8, "NAXIS": 2, "NAXIS1": 0, "NAXIS2": 0}
    return fits(8, ()) + fits_header({**plain, **table}) + gzip.compress(bytes(4 * side * side), 1)


def _qoi(side: int) -> bytes:
    """Pixels that each differ from that before."""
    header = b"qoif" + struct.pack(">IIBB", side, side, 3, 0)
    return header + b"\x7f" * (side * side) + bytes(7) + b"\1"


def _tiles(side: int) -> bytes:
    """A JPEG 2000 stream of 30000 square whose tiles are this large."""
    sizes = struct.pack(">HIIIIIIIIH", 0, 9000, 9000, 0, 0, side, side, 0, 0, 1) + b"\7\1\1"
    return b"\xff\x4f\xff\x51" + struct.pack(">H", len(sizes) + 2) + sizes + bytes(100)
