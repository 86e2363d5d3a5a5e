"""Cells of tables as values: whole numbers stay exact, codes such as `007` stay text, nothing is NaN."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterable
from datetime import date, time, timedelta
from typing import Any

from .text import clean

MIN_WHOLE, MAX_WHOLE = -(2**63), 2**64 - 1
"""Whole numbers that are kept as such; larger ones are kept as text."""

_EXACT = 2**53  # beyond it a float skips whole numbers
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WORDS = ("caption", "captions", "raw", "text", "sentence", "sentences", "phrase", "description", "prompt", "value")
_LANGUAGE = re.compile(r"[a-z]{2,3}([-_][A-Za-z]{2,4})?")
_ITEM = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_LIST = re.compile(rf"\[\s*(?:{_ITEM.pattern})(?:(?:\s*,\s*|\s+)(?:{_ITEM.pattern}))*\s*\]", re.DOTALL)
_NO_NUMBER = frozenset(("nan", "inf", "-inf", "+inf", "infinity", "-infinity"))


def typed(cells: Iterable[str]) -> list[Any]:
    """The values of one column of texts; None where a cell is empty.

    All are whole numbers, or all are numbers, or all stay text. A column with a number that its type would change, such
    as `007` or one beyond 2^64-1, stays text. `nan` and `inf` among numbers are left out.

    >>> typed(["1990", "", "18446744073709551615"]), typed(["1", "2.50"]), typed(["007", "8"])
    ([1990, None, 18446744073709551615], [1.0, 2.5], ['007', '8'])
    """
    texts = [clean(cell) for cell in cells]
    told = [text for text in texts if text and text.lower() not in _NO_NUMBER]
    kind = _kind(told)
    if kind is str:
        return [text or None for text in texts]
    return [kind(text) if text and text.lower() not in _NO_NUMBER else None for text in texts]


def plain(value: Any) -> Any:
    """A value of JSON or Parquet as a plain JSON value: None, a boolean, a finite number, or text of one line.

    Dates, times and durations become text by ISO 8601.

    >>> plain(3), plain(float("nan")), plain(" red\\n"), plain([1]), plain(2**64), plain(date(2024, 5, 1))
    (3, None, 'red', '[1]', '18446744073709551616', '2024-05-01')
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if MIN_WHOLE <= value <= MAX_WHOLE else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return None  # no text, and nothing that a table of items could show
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, list | tuple | dict):
        value = json.dumps(_finite(value), default=str, ensure_ascii=False)
    return clean(str(value)) or None


def text_of(value: Any) -> str:
    """A cell of a file or text column as text, whatever it looks like."""
    if value is None or isinstance(value, bytes) or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return clean(value if isinstance(value, str) else str(value))


def texts_of(value: Any) -> list[str]:
    """The texts of a cell: a list of texts is several. Of an object, as of Karpathy's splits or Visual Genome, that
    under a word for a text counts, else those of all languages.

    >>> texts_of(["one", "two "]), texts_of("['one']"), texts_of(None)
    (['one', 'two'], ["['one']"], [])
    >>> texts_of({"en": "fox", "de": "Fuchs"}), texts_of([{"raw": "a fox", "tokens": ["a", "fox"], "sentid": 3}])
    (['fox', 'Fuchs'], ['a fox'])
    """
    if isinstance(value, dict):
        word = next((each for each in _WORDS if isinstance(value.get(each), str | list | dict)), None)
        asked = [value[word]] if word else [each for key, each in value.items() if _LANGUAGE.fullmatch(str(key))]
        return [text for each in asked for text in texts_of(each)]
    if isinstance(value, list | tuple):
        if value and all(isinstance(each, tuple) and len(each) == 2 for each in value):  # a map, as Arrow has it
            return texts_of(dict(value))
        return [text for each in value for text in texts_of(each)]
    text = text_of(value)
    return [text] if text else []


def written_list(cell: Any) -> list[str] | None:
    """The texts of a list that a cell has as text, as JSON, Python or numpy write it; None for other cells.

    >>> written_list("['a fox', \\"a dog's\\"]"), written_list("['one' 'two']"), written_list("[a fox]")
    (['a fox', "a dog's"], ['one', 'two'], None)
    """
    if not isinstance(cell, str) or _LIST.fullmatch(cell.strip()) is None:
        return None
    try:
        return [ast.literal_eval(item) for item in _ITEM.findall(cell)]
    except (ValueError, SyntaxError):  # such as a line end in a text of Python
        return None


def are_lists(cells: Iterable[Any]) -> bool:
    """Whether each cell that is not empty has a list as text."""
    told = [cell for cell in cells if cell is not None and cell != ""]
    return bool(told) and all(written_list(cell) is not None for cell in told)


def is_lost(value: Any) -> bool:
    """Whether a cell of texts has something in it that is no text, such as an object without one."""
    return isinstance(value, list | tuple | dict) and bool(value) and any(map(_tells, _inner(value)))


def _inner(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else list(value)


def _tells(value: Any) -> bool:
    return any(map(_tells, _inner(value))) if isinstance(value, list | tuple | dict) else value not in (None, "")


def _duration(value: timedelta) -> str:
    """A duration by ISO 8601, such as `P1DT2H` or `-PT0.5S`."""
    whole = abs(value)
    hours, rest = divmod(whole.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    fraction = f".{whole.microseconds:06}".rstrip("0") if whole.microseconds else ""
    clock = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    clock += f"{seconds}{fraction}S" if seconds or fraction else ""
    days = f"{whole.days}D" if whole.days else ""
    return ("-" if value < timedelta() else "") + "P" + days + (f"T{clock}" if clock else "" if days else "T0S")


def _kind(told: list[str]) -> type[int] | type[float] | type[str]:
    if not told or not all(_NUMBER.fullmatch(text) for text in told):
        return str
    wholes = [int(text) for text in told if len(text) <= 20 and _WHOLE.fullmatch(text)]
    if len(wholes) == len(told):
        return int if all(MIN_WHOLE <= whole <= MAX_WHOLE for whole in wholes) else str
    digits = any(_WHOLE.fullmatch(text) and abs(int(text[:30])) > _EXACT for text in told)
    return str if digits or not all(math.isfinite(float(text)) for text in told) else float


def _finite(value: Any) -> Any:
    """The value with null for each number that JSON lacks."""
    if isinstance(value, dict):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _duration(value)
    return None if isinstance(value, bytes) else value
