"""Check the fields of forms, so that a mistake is shown at once and no job is started."""

from __future__ import annotations

from typing import Any

from thoughtspace.explorer.errors import SpaceError

MAX_SEED = 2**31 - 1


def whole(value: Any, name: str, low: int, high: int) -> int:
    """Read a whole number from a form's field, which may hold a number, its text or nothing.

    Raises:
        SpaceError: the field holds no whole number, or one out of range; the code is the field's name.
    """
    try:
        number = float(value)
        if isinstance(value, bool) or number != int(number) or not low <= number <= high:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        got = f"no {name}" if value in (None, "") else f"{name} {value!r}"
        raise SpaceError(f"Got {got}, expected a whole number from {low} to {high}.", code=name) from None
    return int(number)
