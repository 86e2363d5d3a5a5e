"""The texts in EXIF data, which is a small TIFF file: directories of tags, each with a type and a value.

Read by hand, because Pillow warns of damage by `warnings`, whose filters are shared by all threads.
"""

from __future__ import annotations

import struct

from .png_texts import decoded

TAGS = {
    "ImageDescription": 0x010E,
    "Make": 0x010F,
    "Model": 0x0110,
    "Software": 0x0131,
    "MakerNote": 0x927C,
    "UserComment": 0x9286,
}
"""The tags in which generators write texts. ComfyUI's are in Make and Model, the scheme of Fooocus in MakerNote."""

_EXIF_DIRECTORY = 0x8769
_TEXT_TYPES = (1, 2, 7, 129)  # BYTE, ASCII, UNDEFINED and UTF-8, of one byte each
_POINTER_TYPES = (4, 13)  # LONG and IFD
_MAX_ENTRIES = 4096


def exif_texts(data: bytes) -> dict[str, str]:
    """Texts by the name of their tag, from the first directory or its EXIF directory; what is damaged is left out."""
    tiff = data.removeprefix(b"Exif\0\0")
    if tiff[:4] not in (b"II*\0", b"MM\0*"):
        return {}
    order = "<" if tiff[:2] == b"II" else ">"
    entries = _entries(tiff, _pointer(tiff[4:8], order), order)
    kind, pointer = entries.get(_EXIF_DIRECTORY, (0, b""))
    if kind in _POINTER_TYPES:
        entries |= _entries(tiff, _pointer(pointer, order), order)
    texts = {name: _text(*entries[tag]) for name, tag in TAGS.items() if tag in entries}
    return {name: text for name, text in texts.items() if text}


def _entries(tiff: bytes, at: int, order: str) -> dict[int, tuple[int, bytes]]:
    """Type and bytes of each tag of the directory at this offset, of the types that are needed here."""
    found: dict[int, tuple[int, bytes]] = {}
    count = _pointer(tiff[at : at + 2], order)
    for entry in range(at + 2, at + 2 + 12 * min(count, _MAX_ENTRIES), 12):
        if entry + 12 > len(tiff):
            break
        tag, kind, length = struct.unpack_from(f"{order}HHI", tiff, entry)
        if kind in _POINTER_TYPES and length == 1:
            found[tag] = kind, tiff[entry + 8 : entry + 12]
        elif kind in _TEXT_TYPES:
            start = entry + 8 if length <= 4 else _pointer(tiff[entry + 8 : entry + 12], order)
            if start + length <= len(tiff):
                found[tag] = kind, tiff[start : start + length]
    return found


def _pointer(value: bytes, order: str) -> int:
    return int.from_bytes(value, "little" if order == "<" else "big")


def _text(kind: int, value: bytes) -> str:
    return "" if kind in _POINTER_TYPES else user_comment(value)


def user_comment(value: bytes) -> str:
    """A text, without the eight bytes of UserComment that name its character code: see Exif 2.32, section 4.6.5.

    >>> user_comment(b"UNICODE\\0" + "a fox".encode("utf-16-be")), user_comment(b"ASCII\\0\\0\\0a fox")
    ('a fox', 'a fox')
    """
    code, text = value[:8], value[8:]
    if code == b"UNICODE\0":
        return _utf16(text).rstrip("\0")
    if code in (b"ASCII\0\0\0", bytes(8)):
        return decoded(text).rstrip("\0")
    return "" if code == b"JIS\0\0\0\0\0" else decoded(value).rstrip("\0")


def _utf16(text: bytes) -> str:
    """UTF-16 in the byte order of its mark, else in the one that gives more ASCII: settings are written in ASCII.

    Some programs say UNICODE and write UTF-8, in which there are no zeros.
    """
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _strict(text, "utf-16") or ""
    as_utf8 = _strict(text, "utf-8")
    if as_utf8 is not None and "\0" not in as_utf8.rstrip("\0"):
        return as_utf8
    found = [each for each in (_strict(text, "utf-16-be"), _strict(text, "utf-16-le")) if each is not None]
    return max(found, key=lambda each: sum(character < "\x80" for character in each), default="")


def _strict(text: bytes, encoding: str) -> str | None:
    even = text[: len(text) // 2 * 2] if encoding.startswith("utf-16") else text
    try:
        return even.decode(encoding)
    except UnicodeDecodeError:
        return None
