"""Measure a space: functions of arrays that need no model and no screen.

The functions `neighbors` and `quality` are imported from their modules, whose names they share.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "CrossingScore": "space_maps",
    "Lift": "lift",
    "Lifter": "lift",
    "Neighbors": "knn",
    "Projection": "projection",
    "Quality": "map_quality",
    "SpaceMap": "space_maps",
    "fit_projection": "projection",
    "fit_space_map": "space_maps",
    "lift": "lift",
    "place": "projection",
    "point_trust": "map_quality",
    "query": "knn",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Load a name when it is first used, so that importing this package costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
