"""The texts in EXIF data. Pillow finds the tags; the encodings of UserComment are decoded here."""

from __future__ import annotations

from PIL import Image

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

_EXIF_IFD = 0x8769


def exif_texts(data: bytes) -> dict[str, str]:
    """Texts by the name of their tag, from the first directory or its EXIF directory; what is damaged is left out."""
    if not data:
        return {}
    texts: dict[str, str] = {}
    try:
        exif = Image.Exif()
        exif.load(data)
        directories = [exif, exif.get_ifd(_EXIF_IFD)]
    except Exception:  # damage makes Pillow raise many kinds of errors
        return {}
    for directory in directories:
        for name, tag in TAGS.items():
            try:
                value = directory.get(tag)
            except Exception:  # this entry alone is damaged
                continue
            text = _text(value)
            if text:
                texts[name] = text
    return texts


def _text(value: object) -> str:
    if isinstance(value, str):  # Pillow has decoded the bytes as Latin-1
        return decoded(value.encode("latin-1", "ignore")).rstrip("\0")
    return user_comment(value) if isinstance(value, bytes) else ""


def user_comment(value: bytes) -> str:
    """UserComment without its character code: eight bytes, see Exif 2.32, section 4.6.5.

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
    if as_utf8 is not None and "\0" not in as_utf8:
        return as_utf8
    found = [each for each in (_strict(text, "utf-16-be"), _strict(text, "utf-16-le")) if each is not None]
    return max(found, key=lambda each: sum(character < "\x80" for character in each), default="")


def _strict(text: bytes, encoding: str) -> str | None:
    even = text[: len(text) // 2 * 2] if encoding.startswith("utf-16") else text
    try:
        return even.decode(encoding)
    except UnicodeDecodeError:
        return None
