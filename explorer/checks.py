"""Checks of arguments: one message for each kind of bad value.

Each check returns the value, or raises an error of the kind `error` whose code is the name of the argument.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import Any

from .errors import ThoughtspaceError

Kind = type[ThoughtspaceError]


def whole(name: str, value: Any, low: int, high: int, *, error: Kind, hint: str = "") -> int:
    """Check a whole number and return it as a plain `int`; NumPy's integers pass, `True` and `2.0` do not.

    >>> from thoughtspace.explorer.errors import ModelError
    >>> whole("steps", 20, 1, 1000, error=ModelError)
    20
    >>> whole("steps", 0, 1, 1000, error=ModelError, hint="10 to 50 is usual")
    Traceback (most recent call last):
    thoughtspace.explorer.errors.ModelError: Got steps 0, expected a whole number from 1 to 1000; 10 to 50 is usual.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= int(value) <= high:
        raise _refusal(name, value, f"a whole number from {low} to {high}", error, hint)
    return int(value)


def number(name: str, value: Any, low: float, high: float, *, error: Kind, hint: str = "") -> float:
    """Check a number and return it as a plain `float`; `nan` is outside of every range.

    >>> from thoughtspace.explorer.errors import ModelError
    >>> number("guidance", 3, 0, 100, error=ModelError)
    3.0
    """
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or not low <= value <= high:
        raise _refusal(name, value, f"a number from {low:g} to {high:g}", error, hint)
    return float(value)


def choice(name: str, value: Any, options: Collection[str], *, error: Kind, hint: str = "") -> str:
    """Check that a value is one of a few names and return it."""
    if not isinstance(value, str) or value not in options:
        raise _refusal(name, value, f"one of {', '.join(options)}", error, hint)
    return value


def _refusal(name: str, value: Any, expected: str, error: Kind, hint: str) -> ThoughtspaceError:
    shown = repr(value)
    shown = shown if len(shown) <= 40 else f"{shown[:39]}…"
    return error(f"Got {name} {shown}, expected {expected}{'; ' if hint else ''}{hint}.", code=name)
