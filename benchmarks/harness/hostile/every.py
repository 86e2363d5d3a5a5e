"""All hostile files, by kind."""

from __future__ import annotations

from collections import Counter

from . import animated, jpeg, packed, places, png, sizes, tables, tiff
from .case import Case

MODULES = (sizes, png, jpeg, tiff, animated, tables, packed, places)


def every(of_each: int | None = None) -> list[Case]:
    """All cases, or so many of each kind."""
    found = [case for module in MODULES for case in module.cases()]
    if of_each is None:
        return found
    seen: Counter[str] = Counter()
    kept = []
    for case in found:
        seen[case.kind] += 1
        kept += [case] if seen[case.kind] <= of_each else []
    return kept
