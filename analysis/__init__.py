"""Measure a space: functions of arrays, and the map of a collection.

    from thoughtspace.analysis import CollectionMap, fit_projection, neighbors, quality

Names are loaded when they are first used, so that importing this package is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .collection_map import CollectionMap as CollectionMap
    from .collection_map import Landing as Landing
    from .collection_map import Spot as Spot
    from .knn import Neighbors as Neighbors
    from .knn import neighbors as neighbors
    from .knn import query as query
    from .lift import Lift as Lift
    from .lift import Lifter as Lifter
    from .map_quality import Quality as Quality
    from .map_quality import point_trust as point_trust
    from .map_quality import quality as quality
    from .projection import PCA as PCA
    from .projection import UMAP as UMAP
    from .projection import PaCMAP as PaCMAP
    from .projection import Projection as Projection
    from .projection import fit_projection as fit_projection
    from .projection.process import FitProcess as FitProcess
    from .space_maps import CrossingScore as CrossingScore
    from .space_maps import SpaceMap as SpaceMap
    from .space_maps import fit_space_map as fit_space_map

_HOMES = {
    "collection_map": ("CollectionMap", "Landing", "Spot"),
    "knn": ("Neighbors", "neighbors", "query"),
    "lift": ("Lift", "Lifter"),
    "map_quality": ("Quality", "point_trust", "quality"),
    "projection": ("PCA", "UMAP", "PaCMAP", "Projection", "fit_projection"),
    "projection.process": ("FitProcess",),
    "space_maps": ("CrossingScore", "SpaceMap", "fit_space_map"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
