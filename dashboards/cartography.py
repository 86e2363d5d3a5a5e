"""A map of a whole collection: projected, scored and saved under a name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from thoughtspace.explorer.errors import MapError

if TYPE_CHECKING:
    from thoughtspace.explorer import Collection
    from thoughtspace.explorer.collection import SavedMap

K = 15
"""Neighbours that a map is drawn from and scored by."""


def make_map(
    collection: Collection,
    *,
    space: str = "joint",
    method: str = "umap",
    seed: int = 0,
    name: str | None = None,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> SavedMap:
    """Map all items that the space has points for: in `joint` pictures and texts together, the gap between closed.

    The neighbours are found once, for the drawing and for its scores. What is saved is all that placing and lifting
    need: the options under their names with `method`, and for each item its `trust` and its `neighbors`.

    Args:
        collection: bound to its explorer.
        name: of the map; by default `joint-umap` and so on.
        progress: wraps the passes of the layout.

    Raises:
        CollectionError: no explorer, or no vectors of the space.
        MapError: too few items, an unknown method or no possible name.
    """
    from thoughtspace.analysis.knn import neighbors
    from thoughtspace.analysis.map_quality import quality
    from thoughtspace.analysis.projection import fit_projection
    from thoughtspace.explorer.collection.encoding import only_kind

    check_method(method)
    kind = only_kind(collection.explorer, space)
    points = collection.points(space, kind)
    if len(points) < 4:
        raise MapError(f"Got {len(points)} items to map, expected at least 4; ingest more.")
    metric = "cosine" if points.space.geometry == "sphere" else "euclidean"
    x = points.flat.float().cpu().numpy()
    k = min(K, len(x) - 1)
    near = neighbors(x, k, metric=metric, random_state=seed)
    projection = fit_projection(
        x, method=method, n_neighbors=K, metric=metric, random_state=seed, neighbors=near, progress=progress
    )
    scores = quality(
        x,
        projection.coordinates,
        k=min(k, (len(x) - 1) // 2),
        metric=metric,
        random_state=seed,
        neighbors=near,
    )
    return collection.save_map(
        name or f"{space}-{method}",
        projection.coordinates,
        ids=list(collection.items(kind)["id"]),
        space=space,
        options={"method": method, "seed": seed, **projection.options},
        quality=scores.to_json(),
        columns={"trust": scores.per_point, "neighbors": near.indices},
    )


def check_method(method: str) -> None:
    """Raise `MapError` unless there is a way of drawing of this name."""
    from thoughtspace.analysis.projection import METHODS

    if method not in METHODS:
        raise MapError(f"Got map method {method!r}, expected one of {', '.join(METHODS)}; choose one of these.")
