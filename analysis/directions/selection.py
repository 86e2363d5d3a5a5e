"""Items chosen by what is known of them: `weather=rain`, `caption~red hat`, `year>1990`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.errors import AnalysisError

if TYPE_CHECKING:
    import pandas as pd

_CONDITION = re.compile(r"\s*(.+?)\s*(>=|<=|=|~|>|<)\s*(.*?)\s*", re.DOTALL)


def chosen(items: pd.DataFrame, selection: str | Sequence[str]) -> NDArray[np.bool_]:
    """Which rows of `Collection.items()` a selection takes: `(n,)`.

    Args:
        selection: ids, or one condition on a column. `column=value` takes equal values, of numbers as of texts;
            `column~words` takes texts with these words in them, whatever their case; `<`, `<=`, `>` and `>=` compare
            numbers.

    Raises:
        AnalysisError: no condition, an unknown column or id, a comparison without numbers, or no item at all.

    >>> import pandas as pd
    >>> captions = ["a red hat", "Red hats", None]
    >>> frame = pd.DataFrame({"id": ["a", "b", "c"], "caption": captions, "year": [1990, 2001, None]})
    >>> chosen(frame, "caption~red").tolist(), chosen(frame, "caption~red hat").tolist()
    ([True, True, False], [True, False, False])
    >>> chosen(frame, "year>1990").tolist(), chosen(frame, ["c"]).tolist()
    ([False, True, False], [False, False, True])
    """
    if not isinstance(selection, str):
        return _by_id(items, selection)
    found = _CONDITION.fullmatch(selection)
    if found is None:
        raise AnalysisError(
            f"Got selection {selection!r}, expected a condition such as weather=rain, caption~smiling or year>1990.",
            code="selection",
        )
    name, sign, value = found.groups()
    if name not in items.columns:
        raise AnalysisError(
            f"Got column {name!r} in {selection!r}, expected one of {', '.join(map(str, items.columns))}.",
            code="no such column",
        )
    rows = _compared(items[name], sign, value, selection)
    if not rows.any():
        raise AnalysisError(f"Got {selection!r}, which no item fulfils; {_values(items[name])}.", code="none chosen")
    return rows


def _by_id(items: pd.DataFrame, ids: Sequence[str]) -> NDArray[np.bool_]:
    known = set(items["id"])
    unknown = [each for each in ids if each not in known]
    if unknown or not len(ids):
        got = f"item {unknown[0]!r}" if unknown else "no ids"
        raise AnalysisError(f"Got {got}, expected ids of the {len(items)} items to choose from.", code="no item")
    return items["id"].isin(list(ids)).to_numpy(dtype=bool)


def _compared(column: pd.Series, sign: str, value: str, selection: str) -> NDArray[np.bool_]:
    import pandas as pd

    there = column.notna().to_numpy(dtype=bool)
    if sign == "~":
        words = re.compile(rf"(?<!\w){re.escape(value)}(?!\w)", re.IGNORECASE)
        return there & np.array([words.search(str(each)) is not None for each in column])
    numbers = pd.to_numeric(column.where(there).astype(object), errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    number = _number(value)
    if sign == "=":
        same = np.array([str(each) == value for each in column])
        return there & (same if number is None else same | (numbers == number))
    if number is None or not np.isfinite(numbers).any():
        what = f"{value!r}" if number is None else f"a column without numbers in {selection!r}"
        raise AnalysisError(f"Got {what} to compare by {sign}, expected numbers; use = or ~.", code="not numbers")
    return np.asarray(
        {">": numbers > number, ">=": numbers >= number, "<": numbers < number, "<=": numbers <= number}[sign]
    )


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _values(column: pd.Series) -> str:
    """What there is instead, in a few words."""
    common: list[Any] = column.dropna().astype(str).value_counts().index[:5].tolist()
    shown = ", ".join(repr(each[:40]) for each in common)
    return f"its column has values such as {shown}" if common else "its column has no values"
