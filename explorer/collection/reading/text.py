"""Texts of strangers: from bytes to characters, to lines, to a caption of one line."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from ...errors import CollectionError
from ...records.pictures import printable

SHOWN = 80
"""Most characters of somebody's text in a message."""

_SHOWN_OF_PATH = 200

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before that of UTF-16, which begins in the same way
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE_END = re.compile(r"\r\n|\n|\r")
_BYTES_LINE_END = re.compile(rb"(\r\n|\n|\r)")
_SHOWN_LINES = 10
_ROWS = re.compile(rb"[\x80-\xff]+")
_STRANGE = 4  # letters with marks in a row, which words of Western Europe do not have
_BINARY = re.compile("[\x00-\x08\x0e-\x19\x1c-\x1f]")  # control characters that no text has; \x1a ends a file of DOS
_BLANK = re.compile("[\\s\u00ad\u061c\u180e\u200b-\u200f\u2060-\u2064\ufeff]*")
_SPACES = re.compile(" +")
_ONE_LINE = dict.fromkeys((*range(32), *range(127, 160), 8232, 8233), " ")
_ONE_LINE |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


@dataclass(frozen=True)
class Text:
    """A decoded text.

    Attributes:
        text: its characters, without a byte order mark.
        encoding: what it was decoded from, as Python names it.
        guessed: whether nothing in the file says so.
    """

    text: str
    encoding: str
    guessed: bool = False


def decode(data: bytes) -> Text:
    """Decode a text: by its byte order mark, else as UTF-8, else as Windows' cp1252, which is a guess.

    Of a text that is mostly UTF-8, single lines are decoded as cp1252, and a last character that is cut is dropped.
    UTF-16 without a mark is recognised by its zero bytes, and is a guess too.

    Raises:
        CollectionError: none of them.

    >>> decode("a café".encode("cp1252"))
    Text(text='a café', encoding='cp1252', guessed=True)
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return Text(_decoded(data, encoding).lstrip("\ufeff"), encoding.removesuffix("-sig"))
    if b"\0" in data:
        return _without_mark(data)
    try:
        return Text(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        found = _mostly_utf_8(data) or Text(_decoded(data, "cp1252"), _western(data), guessed=True)
    if _BINARY.search(found.text):
        raise _refused("cp1252")
    return found


def _western(data: bytes) -> str:
    """`cp1252`, with a doubt if most of its marked letters stand in long rows, as in texts of other alphabets."""
    rows = _ROWS.findall(data)
    strange = sum(len(row) >= _STRANGE and len(set(row)) > 2 for row in rows)
    return "cp1252, but perhaps another one; save it as UTF-8" if 2 * strange >= len(rows) else "cp1252"


def _mostly_utf_8(data: bytes) -> Text | None:
    """A text in UTF-8 of which some lines are cp1252, or whose last character is cut; None if most lines are not."""
    parts = _BYTES_LINE_END.split(data)  # lines, and between them what ends them
    good, bad, cut = 0, list[int](), False
    for at in range(0, len(parts), 2):
        try:
            good += not parts[at].decode("utf-8").isascii()
        except UnicodeDecodeError as error:
            if at == len(parts) - 1 and error.end == len(parts[at]) and error.reason == "unexpected end of data":
                cut = True
            else:
                bad.append(at)
    if not good or len(bad) > good:
        return None
    told = [each.decode("cp1252" if at in bad else "utf-8", "replace") for at, each in enumerate(parts[:-1])]
    last = len(parts) - 1
    told.append(parts[last].decode("cp1252", "replace") if last in bad else parts[last].decode("utf-8", "ignore"))
    lines_of = ", ".join(str(at // 2 + 1) for at in bad[:_SHOWN_LINES]) + (" …" if len(bad) > _SHOWN_LINES else "")
    how = [f"cp1252 in line {lines_of}"] if bad else []
    how += ["cut in its last character"] if cut else []
    return Text("".join(told), ", ".join(["utf-8", *how]), guessed=True)


def lines(text: str) -> list[str]:
    """The lines of a file, which end with a line feed, a carriage return or both, and with nothing else.

    >>> lines("one\\r\\ntwo\\u2028still two\\n")
    ['one', 'two\\u2028still two']
    """
    found = _LINE_END.split(text)
    return found[:-1] if found[-1] in ("", "\x1a") else found


def clean(text: str) -> str:
    """A text as one line with single spaces: control characters and line separators become spaces.

    Half surrogates, which no file can hold, become U+FFFD. All other characters stay, also those that do not show:
    joiners, tags, and characters that are younger than this Python.

    >>> clean("  a red\\n fox\\u2028 ")
    'a red fox'
    """
    found = _SPACES.sub(" ", text.translate(_ONE_LINE)).strip(" ")
    return "" if is_blank(found) else found


def is_blank(text: str) -> bool:
    """Whether a text has nothing but spaces of any kind and characters that have no width."""
    return _BLANK.fullmatch(text) is not None


def shortened(text: str, most: int = SHOWN) -> str:
    """A text for a message: one line of at most so many characters.

    >>> shortened("word " * 30, most=12)
    'word word w…'
    """
    line = clean(text[: 4 * most])
    return line if len(line) <= most else f"{line[: most - 1]}…"


def shown_path(path: str) -> str:
    """A path for a message; of a long one, its end."""
    shown = printable(path)
    return shown if len(shown) <= _SHOWN_OF_PATH else f"…{shown[1 - _SHOWN_OF_PATH :]}"


def _without_mark(data: bytes) -> Text:
    """UTF-16 without a byte order mark: of most scripts, the spaces and line ends have a zero in every other byte."""
    even, odd = data[::2].count(0), data[1::2].count(0)
    encoding = "utf-16-le" if not even else "utf-16-be" if not odd else ""
    if not encoding:
        raise _refused("UTF-16")
    text = _decoded(data, encoding)
    if _BINARY.search(text):
        raise _refused("UTF-16")
    return Text(text, encoding, guessed=True)


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _refused(encoding) from error


def _refused(encoding: str) -> CollectionError:
    name = encoding.upper().removesuffix("-SIG")
    return CollectionError(f"its bytes are not UTF-8, nor {name}; save it as UTF-8", code="not a text")
