"""Columns: the values that points of a map can be coloured by, as small arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.collection.items import COLUMNS

if TYPE_CHECKING:
    import pandas as pd

MOST_CATEGORIES = 18
"""Most categories with a colour of their own; rarer ones are shown as `other`."""

FEW = 12
"""Most categories whose colours are told apart at a glance."""

NOTHING = 255
"""Code of an item without a value."""

_FREE_TEXT = 64  # with more distinct values a column is free text
_NOT_SHOWN = frozenset(("id", "source", "caption", "pair", "sha256"))
_LABELS = {"kind": "Pictures and prompts", "per_point": "Trust of the place", "trust": "Trust of the place"}


@dataclass(frozen=True, eq=False)
class Column:
    """One value per item.

    Attributes:
        name: in the collection.
        label: on the page.
        kind: `"category"` or `"number"`.
        values: `(n,)` uint8 codes of the categories, 255 where there is no value; or float32, NaN where there is none.
        categories: names of the codes.
    """

    name: str
    label: str
    kind: Literal["category", "number"]
    values: NDArray[Any]
    categories: tuple[str, ...] = ()

    def describe(self) -> dict[str, Any]:
        """All but the values, for the browser."""
        return {"name": self.name, "label": self.label, "kind": self.kind, "categories": list(self.categories)}


def columns_of(frame: pd.DataFrame, more: Mapping[str, NDArray[Any]]) -> tuple[Column, ...]:
    """The columns of the items that can be shown as colours, and those saved with the map."""
    found = [_column(str(name), frame[name]) for name in frame if name not in _NOT_SHOWN]
    for name, values in more.items():
        if values.ndim == 1 and np.issubdtype(values.dtype, np.number):
            found.append(Column(name, label_of(name), "number", values.astype(np.float32)))
    return tuple(column for column in found if column is not None)


def first_shown(columns: Sequence[Column]) -> int:
    """The column that a map is coloured by at first: the first of few categories that is the user's own, else any.

    Pictures and prompts are told apart by their shapes already.
    """
    own = [at for at, each in enumerate(columns) if each.kind == "category" and each.name != "kind"]
    return next((at for at in own if len(columns[at].categories) <= FEW), 0)


def with_pairs(frame: pd.DataFrame) -> pd.DataFrame:
    """The items, where a caption without values of its own has those of its picture."""
    extras = [str(name) for name in frame if name not in COLUMNS]
    paired = (frame["kind"] == "text") & frame["pair"].notna()
    if not extras or not paired.any():
        return frame
    filled = frame.copy()
    theirs = frame.set_index("id")[extras].reindex(frame.loc[paired, "pair"]).set_axis(frame.index[paired])
    for name in extras:  # each by itself, so that none takes another's type
        own = frame.loc[paired, name]
        filled.loc[paired, name] = own.where(own.notna(), theirs[name])
    return filled


def label_of(name: str) -> str:
    """A column's name as plain words.

    >>> label_of("hair_colour")
    'Hair colour'
    """
    words = name.replace("_", " ").strip()
    return _LABELS.get(name, words[:1].upper() + words[1:])


def _column(name: str, values: pd.Series) -> Column | None:
    import pandas as pd

    distinct = values.nunique(dropna=True)
    if distinct < 2:
        return None
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values) and distinct > 12:
        return Column(name, label_of(name), "number", values.to_numpy(dtype=np.float32, na_value=np.nan))
    if distinct > _FREE_TEXT:
        return None
    return _categories(name, values)


def _categories(name: str, values: pd.Series) -> Column:
    known = values.dropna()
    counts = known.map(_text).value_counts()
    names = [str(each) for each in counts.index]
    if len(names) > MOST_CATEGORIES:
        names = [*names[: MOST_CATEGORIES - 1], "other"]
    codes = {each: code for code, each in enumerate(names)}
    rest = codes.get("other", NOTHING)
    coded = np.full(len(values), NOTHING, dtype=np.uint8)
    coded[values.notna().to_numpy()] = [codes.get(_text(each), rest) for each in known]
    shown = {"image": "picture", "text": "prompt"} if name == "kind" else {}
    return Column(name, label_of(name), "category", coded, tuple(shown.get(each, each) for each in names))


def _text(value: Any) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)
