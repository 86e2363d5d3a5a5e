"""Pictures that would keep a decoder busy for minutes: recognised by a look at their bytes and their header."""

from __future__ import annotations

from collections.abc import Mapping

from PIL import Image, ImageFile

MOST_PARTS = 200_000
"""Most chunks of a PNG, and most segments and filling bytes before the pixels of a JPEG."""

MOST_PASSES = 2 * 10**9
"""Most pixels of a JPEG, counted once for each of its scans: 22 scans of the largest picture. Usual are at most 10."""

MOST_SLOW_PIXELS: Mapping[str, int] = {
    **dict.fromkeys(("qoi", "dds_rgb", "ppm_plain"), 4_000_000),
    "bmp_rle": 8_000_000,
    **dict.fromkeys(("fits_gzip", "xpm"), 16_000_000),
}
"""Most pixels for the decoders of Pillow, by their names there, that are written in Python: some 8 seconds."""

_PNG, _JPEG, _SCAN = b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xda"


def trap_in_bytes(data: bytes) -> str:
    """What in a file would take Pillow minutes to read its header; else empty."""
    if data.startswith(_PNG) and _chunks(data) > MOST_PARTS:
        return f"more than {MOST_PARTS} chunks"
    if data.startswith(_JPEG) and _segments(data) > MOST_PARTS:
        return f"more than {MOST_PARTS} segments"
    return ""


def trap_in_pixels(picture: Image.Image, data: bytes) -> str:
    """What in a file would take minutes to decode the pixels of a picture whose header was read; else empty."""
    pixels = picture.width * picture.height
    if isinstance(picture, ImageFile.ImageFile) and picture.tile:
        most = MOST_SLOW_PIXELS.get(picture.tile[0][0], pixels)
        if pixels > most:
            return f"{picture.width} × {picture.height} pixels, in this format at most {most}"
    scans = data.count(_SCAN) if data.startswith(_JPEG) else 0
    return f"{scans} scans of {picture.width} × {picture.height} pixels" if scans * pixels > MOST_PASSES else ""


def _chunks(data: bytes) -> int:
    """The number of chunks, counted to `MOST_PARTS` and one more."""
    at, count = len(_PNG), 0
    while at + 8 <= len(data) and count <= MOST_PARTS:
        at += 12 + int.from_bytes(data[at : at + 4], "big")
        count += 1
    return count


def _segments(data: bytes) -> int:
    """The number of segments and filling bytes before the pixels, counted to `MOST_PARTS` and one more."""
    at, count = data.find(b"\xff", len(_JPEG)), 0
    while 0 <= at <= len(data) - 4 and count <= MOST_PARTS:
        marker, count = data[at + 1], count + 1
        if marker == _SCAN[1]:
            break
        if marker == 0xFF:  # filling
            at += 1
        elif marker <= 1 or 0xD0 <= marker <= 0xD9:  # markers that have no length
            at = data.find(b"\xff", at + 2)
        else:
            at = data.find(b"\xff", at + 2 + int.from_bytes(data[at + 2 : at + 4], "big"))
    return count
