"""JPEG: segments of wrong length, tables that are missing, scans of no end, EXIF and profiles that lead nowhere."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from .case import Case, of_bytes
from .png import loop
from .whole import encoded, photo, whole


def segment(marker: int, data: bytes = b"") -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg(*segments: bytes) -> bytes:
    """A JPEG with these segments at its beginning."""
    given = whole("JPEG")
    return given[:2] + b"".join(segments) + given[2:]


def cases() -> Iterator[Case]:
    for damage, data in REFUSED.items():
        yield of_bytes("JPEG", damage, "x.jpg", data)
    for damage, data in READ.items():
        yield of_bytes("JPEG", damage, "x.jpg", data, read=True)


def _without(marker: int) -> bytes:
    """A JPEG without its segments of one kind."""
    given = whole("JPEG")
    kept, at = [given[:2]], 2
    while given[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(given[at + 2 : at + 4], "big")
        kept += [] if given[at + 1] == marker else [given[at:end]]
        at = end
    return b"".join([*kept, given[at:]])


def _sized(width: int, height: int) -> bytes:
    given = bytearray(whole("JPEG"))
    struct.pack_into(">HH", given, given.index(b"\xff\xc0") + 5, height, width)
    return bytes(given)


def _scans(times: int) -> bytes:
    """A large progressive JPEG with its last scan again and again, each a pass over the picture."""
    given = encoded(Image.new("L", (9400, 9400)), "JPEG", progressive=True)
    last = given.rindex(b"\xff\xda")
    return given[:last] + given[last:-2] * times + b"\xff\xd9"


def _changed(marker: bytes, offset: int, value: int) -> bytes:
    given = bytearray(whole("JPEG"))
    given[given.index(marker) + offset] = value
    return bytes(given)


def _exif(data: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + data)


def _profile(number: int, count: int, data: bytes) -> bytes:
    return segment(0xE2, b"ICC_PROFILE\0" + bytes([number, count]) + data)


def _frames(count: int) -> bytes:
    """The index of a file of several pictures that promises so many."""
    entry = struct.pack("<HHII", 0xB001, 4, 1, count)
    return segment(0xE2, b"MPF\0II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 8))


REFUSED: dict[str, Callable[[], bytes]] = {
    "65535 square": lambda: _sized(65535, 65535),
    "no height": lambda: _sized(32, 0),
    "no tables of quantisation": lambda: _without(0xDB),
    "no size": lambda: _without(0xC0),
    "tables of Huffman codes of noise": lambda: _without(0xC4)[:-2].replace(
        b"\xff\xda", segment(0xC4, b"\0" + b"\xff" * 400) + b"\xff\xda"
    ),
    "segment that is longer than the file": lambda: jpeg(b"\xff\xe0\xff\xff"),
    "second size": lambda: jpeg(segment(0xC0, b"\x08\x23\x28\x23\x28\1\1\x11\0")),
    "12 bits a sample": lambda: _changed(b"\xff\xc0", 4, 12),
    "5 components": lambda: _changed(b"\xff\xc0", 9, 5),
    "no components": lambda: _changed(b"\xff\xc0", 9, 0),
    "lossless": lambda: _changed(b"\xff\xc0", 1, 0xC3),
    "sampled 15 by 15": lambda: _changed(b"\xff\xc0", 11, 0xFF),
    "start and end alone": lambda: b"\xff\xd8\xff\xd9",
    "starts of no end": lambda: b"\xff\xd8\xff" * 10_000_000,
    "10 million empty segments": lambda: jpeg(b"\xff\xfe\0\2" * 10_000_000),
    "filled up with 60 MB": lambda: b"\xff\xd8" + b"\xff" * (60 * 2**20),
    "2000 scans of 9400 square": lambda: _scans(2000),
}

READ: dict[str, Callable[[], bytes]] = {
    "segment of no length": lambda: jpeg(b"\xff\xe0\0\0"),
    "no end": lambda: whole("JPEG")[:-2],
    "100000 comments": lambda: jpeg(segment(0xFE, b"a") * 100_000),
    "60 MB of comments": lambda: jpeg(segment(0xFE, bytes(60_000)) * 1000),
    "20000 segments of EXIF": lambda: jpeg(_exif(b"II*\0") * 20_000),
    "EXIF of loops": lambda: jpeg(_exif(loop())),
    "EXIF of noise": lambda: jpeg(_exif(np.random.default_rng(6).bytes(3000))),
    "EXIF of 65535 entries": lambda: jpeg(_exif(b"II*\0" + struct.pack("<IH", 8, 65535) + b"\x12\1\3\0" * 15_000)),
    "XMP of 60 kB of elements": lambda: jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<a>" * 20_000)),
    "resources of Photoshop of noise": lambda: jpeg(
        segment(0xED, b"Photoshop 3.0\x008BIM" + np.random.default_rng(7).bytes(60_000))
    ),
    "profile that misses 254 of its parts": lambda: jpeg(_profile(1, 255, bytes(60_000))),
    "profile whose parts have no number": lambda: jpeg(_profile(0, 0, bytes(60_000)) * 255),
    "profile of 15 MB": lambda: jpeg(b"".join(_profile(number, 255, bytes(60_000)) for number in range(1, 256))),
    "index of 4 billion pictures": lambda: jpeg(_frames(2**32 - 1)),
    "noise behind its end": lambda: whole("JPEG") + np.random.default_rng(8).bytes(5000),
    "name of a PNG": lambda: encoded(photo(), "JPEG", quality=50),
}
