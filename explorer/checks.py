"""Checks of arguments: one sentence for each kind of bad value, whoever asks."""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import Any

from .errors import ThoughtspaceError

Kind = type[ThoughtspaceError]


def whole(name: str, value: Any, low: int, high: int, *, error: Kind, hint: str = "choose another") -> int:
    """A whole number in a range, as a plain `int`; NumPy's integers are taken, `True` and `2.0` are not.

    Raises:
        ThoughtspaceError: of the kind `error`, for anything else.

    >>> from thoughtspace.explorer.errors import ModelError
    >>> whole("steps", 20, 1, 1000, error=ModelError)
    20
    >>> whole("steps", 0, 1, 1000, error=ModelError, hint="10 to 50 is usual")
    Traceback (most recent call last):
    thoughtspace.explorer.errors.ModelError: Got steps 0, expected a whole number from 1 to 1000; 10 to 50 is usual.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= value <= high:
        raise error(f"Got {name} {_shown(value)}, expected a whole number from {low} to {high}; {hint}.", code=name)
    return int(value)


def number(name: str, value: Any, low: float, high: float, *, error: Kind, hint: str = "choose another") -> float:
    """A finite number in a range, as a plain `float`; `nan` is outside of every range.

    Raises:
        ThoughtspaceError: of the kind `error`, for anything else.

    >>> from thoughtspace.explorer.errors import ModelError
    >>> number("guidance", 3, 0, 100, error=ModelError)
    3.0
    """
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or not low <= value <= high:
        raise error(f"Got {name} {_shown(value)}, expected a number from {low:g} to {high:g}; {hint}.", code=name)
    return float(value)


def choice(name: str, value: Any, options: Collection[str], *, error: Kind, hint: str = "choose one") -> str:
    """One of a few names.

    Raises:
        ThoughtspaceError: of the kind `error`, for anything else.
    """
    if not isinstance(value, str) or value not in options:
        raise error(f"Got {name} {_shown(value)}, expected one of {', '.join(options)}; {hint}.", code=name)
    return value


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:39]}…"
