"""JPEG files that lack their end marker: whole pictures, or cut short?"""

from __future__ import annotations

import io

from PIL import Image

_START, _END = b"\xff\xd8\xff", b"\xff\xd9"
_FILLERS = (b"", b"\x55" * 4096, b"\xaa" * 4096)


def with_end_marker(data: bytes) -> bytes | None:
    """The file with its end marker, if the marker is all that a JPEG lacks; else None.

    The decoder fills up what is missing without saying so. But if all pixels are there, it reads no further, and what
    follows changes none of them.
    """
    bare = data[:-1] if data.endswith(b"\xff") else data
    if not data.startswith(_START) or bare.endswith(_END):
        return None
    first = None
    for filler in _FILLERS:
        pixels = _pixels(bare + filler + _END)
        if pixels is None or pixels != (first or pixels):
            return None
        first = pixels
    return bare + _END


def _pixels(data: bytes) -> bytes | None:
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            return picture.tobytes()
    except Exception:  # damage makes decoders raise many kinds of errors
        return None
