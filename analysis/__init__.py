"""Measure a space: functions of arrays, and the map of a collection.

    from thoughtspace.analysis import CollectionMap, fit_projection, neighbors, quality

Names are loaded when they are first used, so that importing this package is instant.
"""

from typing import TYPE_CHECKING

from thoughtspace.explorer.lazy import lazily

if TYPE_CHECKING:
    from .collection_map import CollectionMap as CollectionMap
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
    from .spots import Landing as Landing
    from .spots import Spot as Spot

_HOMES = {
    "collection_map": ("CollectionMap",),
    "knn": ("Neighbors", "neighbors", "query"),
    "lift": ("Lift", "Lifter"),
    "map_quality": ("Quality", "point_trust", "quality"),
    "projection": ("PCA", "UMAP", "PaCMAP", "Projection", "fit_projection"),
    "projection.process": ("FitProcess",),
    "space_maps": ("CrossingScore", "SpaceMap", "fit_space_map"),
    "spots": ("Landing", "Spot"),
}
_HOME, __getattr__, __dir__ = lazily(__name__, _HOMES)

__all__ = sorted(_HOME)
