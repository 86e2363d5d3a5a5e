"""The texts of a PNG: uncompressed (tEXt), compressed (zTXt) and international (iTXt)."""

from __future__ import annotations

import zlib

KINDS = (b"tEXt", b"zTXt", b"iTXt")


def text_chunk(kind: bytes, content: bytes, *, most: int) -> tuple[str, str] | None:
    """Keyword and text of a chunk; None if it is damaged or has more than `most` bytes unpacked.

    See sections 11.3.3.2 to 11.3.3.4 of the PNG specification, third edition.

    >>> text_chunk(b"tEXt", b"Title\\0caf\\xe9", most=100)
    ('Title', 'café')
    """
    keyword, zero, rest = content.partition(b"\0")
    if not zero or not keyword:
        return None
    packed = kind == b"zTXt"
    if packed:
        rest = rest[1:]  # the method of compression, always 0
    elif kind == b"iTXt":
        packed, parts = rest[:1] == b"\1", rest[2:].split(b"\0", 2)  # language, translated keyword, text
        if len(parts) < 3:
            return None
        rest = parts[2]
    text = _unpacked(rest, most) if packed else rest
    return None if text is None or len(text) > most else (decoded(keyword), decoded(text))


def decoded(text: bytes) -> str:
    """Text as UTF-8 where it is valid UTF-8, else as Latin-1.

    The specification asks for Latin-1 in tEXt and zTXt, and for UTF-8 in iTXt; many programs write UTF-8 into all
    three. Latin-1 with accents that happens to be valid UTF-8 does not occur in words.
    """
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _unpacked(packed: bytes, most: int) -> bytes | None:
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(packed, most + 1)
    except zlib.error:
        return None
    return text if stream.eof or len(text) > most else None
