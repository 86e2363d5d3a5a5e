"""What a table is by its content, where its name says something else."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from ...errors import CollectionError
from ...records.archives import contents, regular
from ...records.pictures import MAX_BYTES
from .text import lines

_TYPED = {b"PAR1": ".parquet", b"ARROW1": ".arrow"}
_PACKED = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")  # the spreadsheets of Excel and LibreOffice
_OLD_FEATHER = b"FEA1"
_TABLE = re.compile(rb"\s*(?:[{\[]|[^\r\n]*[,;\t|])[\t\r\n -~]*")  # JSON, or a first line of several cells
_FIRST = 64  # bytes that are looked at


def typed_kind(path: Path, suffix: str) -> str:
    """The ending of a table as its first bytes have it: `.parquet` or `.arrow`, or empty if it is a table of text.

    Args:
        suffix: its own ending, which decides where the first bytes do not.

    Raises:
        CollectionError: it is a spreadsheet.
        OSError: it cannot be read.
    """
    first = _first_bytes(path)
    if first.startswith(_PACKED):
        raise CollectionError("it is a spreadsheet or an archive; save it as CSV UTF-8", code="no table")
    found = next((kind for mark, kind in _TYPED.items() if first.startswith(mark)), None)
    return found or ("" if _TABLE.fullmatch(first) and not first.startswith(_OLD_FEATHER) else suffix)


def is_json(text: str) -> bool:
    """Whether a text is a list or an object of JSON, or its first line is.

    >>> is_json('{"file": "a.png"}\\n{"fi'), is_json("file,caption\\na.png,fox"), is_json("[a fox], red")
    (True, False, False)
    """
    if not text.lstrip().startswith(("{", "[")):
        return False
    first = next(line for line in lines(text) if line.strip())
    for part in (first, text):
        try:
            return isinstance(json.loads(part), dict | list)
        except (ValueError, RecursionError):
            continue
    return False


def _first_bytes(path: Path) -> bytes:
    if not os.path.exists(path):  # in an archive
        return contents(path, MAX_BYTES)[:_FIRST]
    regular(path)
    with open(path, "rb") as file:
        return file.read(_FIRST)
