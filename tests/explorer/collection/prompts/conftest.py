"""Writers of pictures that carry texts, byte by byte as the formats ask."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping

import pytest
from PIL import Image, PngImagePlugin

ASCII, UNDEFINED = 2, 7
TAGS = {"ImageDescription": 0x010E, "Make": 0x010F, "Model": 0x0110, "Software": 0x0131, "MakerNote": 0x927C}


def exif_bytes(
    first: Mapping[int, tuple[int, bytes]], second: Mapping[int, tuple[int, bytes]] | None = None, *, order: str = "<"
) -> bytes:
    """EXIF data of two directories: tag -> type and bytes, in this byte order."""

    def directory(entries: Mapping[int, tuple[int, bytes]], at: int, link: tuple[int, ...] = ()) -> bytes:
        count = len(entries) + len(link)
        free, packed, outside = at + 2 + 12 * count + 4, b"", b""
        for tag, (kind, value) in sorted(entries.items()):
            packed += struct.pack(f"{order}HHI", tag, kind, len(value))
            if len(value) <= 4:
                packed += value.ljust(4, b"\0")
            else:
                packed += struct.pack(f"{order}I", free + len(outside))
                outside += value + b"\0" * (len(value) % 2)
        for target in link:
            packed += struct.pack(f"{order}HHII", 0x8769, 4, 1, target)
        return struct.pack(f"{order}H", count) + packed + bytes(4) + outside

    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(f"{order}I", 8)
    body = directory(first, 8, (8,) if second else ())
    if second:
        body = directory(first, 8, (8 + len(body),)) + directory(second, 8 + len(body))
    return b"Exif\0\0" + head + body


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def plain_picture() -> Image.Image:
    return Image.new("RGB", (8, 8), "red")


def saved(format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    plain_picture().save(buffer, format, **options)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def png() -> Callable[..., bytes]:
    """`png({"parameters": …})`: a PNG with texts as Pillow writes them, and further raw chunks before the end."""

    def write(texts: Mapping[str, str] | None = None, *chunks: tuple[bytes, bytes]) -> bytes:
        info = PngImagePlugin.PngInfo()
        for keyword, text in (texts or {}).items():
            info.add_text(keyword, text)
        data = saved("PNG", pnginfo=info)
        more = b"".join(png_chunk(kind, content) for kind, content in chunks)
        return data[:-12] + more + data[-12:]

    return write


@pytest.fixture(scope="session")
def exif() -> Callable[..., bytes]:
    """`exif(user_comment, ImageDescription=…)`: EXIF data; the comment in the second directory, as cameras write it."""

    def write(user_comment: bytes = b"", *, order: str = "<", **texts: str) -> bytes:
        first = {TAGS[name]: (ASCII, text.encode() + b"\0") for name, text in texts.items()}
        return exif_bytes(first, {0x9286: (UNDEFINED, user_comment)} if user_comment else None, order=order)

    return write


@pytest.fixture(scope="session")
def holding() -> Callable[[str, bytes], bytes]:
    """`holding("JPEG", exif_data)`: a JPEG, WebP or PNG with these EXIF data, byte for byte."""

    def write(format: str, data: bytes) -> bytes:
        if format == "PNG":
            picture = saved("PNG")
            return picture[:-12] + png_chunk(b"eXIf", data.removeprefix(b"Exif\0\0")) + picture[-12:]
        return saved(format, exif=data)

    return write
