"""What a picture carries beside its pixels: the texts of a PNG, the EXIF and XMP of a PNG, JPEG or WebP, its name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from .exif import exif_texts
from .png_texts import KINDS, decoded, text_chunk

MAX_TEXT = 4 * 2**20
"""Most bytes of one text, unpacked. Longer ones are left out: a graph of ComfyUI has at most some hundred kilobytes."""

MAX_TEXTS = 16 * 2**20
"""Most bytes of all texts of a picture together; those after that are left out."""

MAX_PARTS = 1_000_000
"""Most parts of a file that are looked at."""

XMP_KEY = "XML:com.adobe.xmp"

_PNG = b"\x89PNG\r\n\x1a\n"
_FILL = re.compile(rb"\xff+")  # bytes that may fill the space before a marker, which begins with the last
_XMP_IN_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Carried:
    """Texts that a picture carries; empty where it has none.

    Attributes:
        texts: the texts of a PNG (tEXt, zTXt, iTXt) by their keyword; if one is there twice, the last.
        exif: texts of the EXIF data, by the names of `exif.TAGS`.
        xmp: the XMP packet, an XML document.
        name: the name of the file.
    """

    texts: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    exif: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    xmp: str = ""
    name: str = ""

    @property
    def user_comment(self) -> str:
        """EXIF's UserComment."""
        return self.exif.get("UserComment", "")

    @property
    def description(self) -> str:
        """The text `Description` of a PNG, else EXIF's ImageDescription."""
        return self.texts.get("Description") or self.exif.get("ImageDescription", "")

    @property
    def software(self) -> str:
        """The text `Software` of a PNG, else EXIF's Software."""
        return self.texts.get("Software") or self.exif.get("Software", "")


def read_carried(data: bytes, name: str = "") -> Carried:
    """Read the texts in the bytes of a PNG, JPEG or WebP without decoding it; damaged parts and other files give none.

    >>> read_carried(b"no picture", "fox.png")
    Carried(texts=mappingproxy({}), exif=mappingproxy({}), xmp='', name='fox.png')
    """
    if data.startswith(_PNG):
        return _of_png(data, name)
    if data.startswith(b"\xff\xd8"):
        parts = _segments(data)
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        parts = _riff_chunks(data)
    else:
        return Carried(name=name)
    exif, xmp = b"", b""
    for kind, part in parts:
        if kind == "exif" and not exif:
            exif = part
        elif kind == "xmp" and not xmp:
            xmp = part
    return Carried(exif=MappingProxyType(exif_texts(exif)), xmp=decoded(xmp[:MAX_TEXT]), name=name)


def _of_png(data: bytes, name: str) -> Carried:
    texts: dict[str, str] = {}
    exif, left = b"", MAX_TEXTS
    for kind, start, end in _png_chunks(data):
        if kind == b"eXIf" and end - start <= MAX_TEXT:
            exif = data[start:end]
        elif kind in KINDS and end - start <= MAX_TEXT:
            found = text_chunk(kind, data[start:end], most=min(MAX_TEXT, left))
            if found is not None:
                keyword, text = found
                texts[keyword] = text
                left -= len(text)
    xmp = texts.pop(XMP_KEY, "")
    return Carried(MappingProxyType(texts), MappingProxyType(exif_texts(exif)), xmp, name)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the contents of each whole chunk of a PNG."""
    at = len(_PNG)
    for _ in range(MAX_PARTS):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data) or at + 8 > len(data):
            return
        yield data[at + 4 : at + 8], at + 8, end
        at = end + 4  # a checksum follows


def _segments(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The EXIF and XMP segments of a JPEG, all of which come before its pixels."""
    at = 2
    for _ in range(MAX_PARTS):
        if (filled := _FILL.match(data, at)) is not None:
            at = filled.end() - 1
        if data[at : at + 1] != b"\xff" or data[at + 1 : at + 2] in (b"", b"\xda", b"\xd9"):
            return
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        part = data[at + 4 : at + 2 + length]
        if marker == 0xE1 and part.startswith(b"Exif\0"):
            yield "exif", part
        elif marker == 0xE1 and part.startswith(_XMP_IN_JPEG):
            yield "xmp", part[len(_XMP_IN_JPEG) :]
        at += 2 + max(length, 2)


def _riff_chunks(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The EXIF and XMP chunks of a WebP."""
    at = 12
    for _ in range(MAX_PARTS):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if len(kind) < 4 or at + 8 + length > len(data):
            return
        if kind in (b"EXIF", b"XMP ") and length <= MAX_TEXT:
            yield kind.decode().strip().lower(), data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
