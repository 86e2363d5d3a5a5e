"""Fields of forms as checked values: a mistake is answered at once, before it costs a job."""

from __future__ import annotations

from typing import Any

from thoughtspace.explorer.errors import SpaceError

MAX_SEED = 2**31 - 1


def whole(value: Any, what: str, low: int, high: int) -> int:
    """A whole number of a form's field, which may hold a number, its text or nothing.

    Raises:
        SpaceError: it is none, or out of range.
    """
    try:
        number = float(value)
        if isinstance(value, bool) or number != int(number) or not low <= number <= high:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        got = "nothing" if value in (None, "") else repr(value)
        raise SpaceError(f"Got {got} for {what}, expected a whole number from {low} to {high}; change it.") from None
    return int(number)
