"""PNG files without their texts, of which one that is too long makes Pillow reject the picture."""

from __future__ import annotations

import zlib

from .picture_colours import MAX_PROFILE


def without_notes(data: bytes) -> tuple[bytes, bytes | None] | None:
    """A PNG without its texts and its colour profile, and that profile; None if it has neither, or is not a PNG.

    A profile that is damaged or longer than `MAX_PROFILE` bytes is left out.
    """
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    kept, profile, at = [data[:8]], None, 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if kind == b"iCCP":
            profile = _unpacked(data[at + 8 : end - 4])
        elif kind not in (b"tEXt", b"zTXt", b"iTXt"):
            kept.append(data[at:end])
        at = end
    bare = b"".join(kept)
    return None if len(bare) == len(data) else (bare, profile)


def _unpacked(chunk: bytes) -> bytes | None:
    """The profile in an iCCP chunk, which has a name, a zero, the compression method (a zero), and a zlib stream."""
    _, _, packed = chunk.partition(b"\0")
    stream = zlib.decompressobj()
    try:
        profile = stream.decompress(packed[1:], MAX_PROFILE)
    except zlib.error:
        return None
    return profile if stream.eof else None
