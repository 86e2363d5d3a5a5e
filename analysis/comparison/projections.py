"""Maps of a collection by several methods and seeds, compared by how much of the space they keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from ..knn import neighbors
from ..map_comparison import MapComparison, compare_maps
from ..projection import Method, fit_projection
from ..projection.methods import method_of

if TYPE_CHECKING:
    from thoughtspace.explorer.collection.items import Kind
    from thoughtspace.explorer.collection.store import Collection
    from thoughtspace.explorer.progress import Progress

K = 15


def compare_projections(
    collection: Collection,
    methods: Sequence[str | Method] = ("pca", "umap"),
    *,
    seeds: int = 3,
    space: str = "joint",
    kind: Kind = "image",
    labels: str | None = None,
    progress: Progress | None = None,
) -> MapComparison:
    """Draw maps of the stored vectors of one kind of items, and compare them; see `compare_maps`.

    Neighbours in the space are found once for all maps. A method without randomness has the same map with every seed.

    Args:
        methods: names, or methods with options: `UMAP(min_dist=0.5)`; the same name twice is one method.
        seeds: maps of each method.
        labels: a column whose values a map should keep together.

    Raises:
        CollectionError: no vectors of that space.
        AnalysisError: no methods, too few items, no such column, or one with a missing value.
        MapError: an unknown method, or one that is not installed.
    """
    whole("seeds", seeds, 1, 100, error=AnalysisError, hint="3 show how much a map depends on it")
    if not methods:
        raise AnalysisError("Got no methods, expected at least one; umap and pca are usual.", code="methods")
    chosen = {each.name: each for each in map(method_of, methods)}
    vectors = collection.vectors(space, kind)
    there = np.isfinite(vectors).all(axis=1)
    x = vectors[there]
    classes = None if labels is None else _column(collection, labels, kind)[there]
    if len(x) < 2 * 3 + 1:
        raise AnalysisError(f"Got {len(x)} items, expected at least 7 to compare neighbours; add some.", code="too few")
    metric = "cosine" if space == "joint" else "euclidean"
    k = min(K, (len(x) - 1) // 2)
    near = neighbors(x, max(k, *(each.n_neighbors_of(len(x)) for each in chosen.values())), metric=metric)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in chosen}
    steps = [(name, seed) for name in chosen for seed in range(seeds)]
    for name, seed in progress(steps, total=len(steps), desc="drawing maps") if progress else steps:
        fitted = fit_projection(x, chosen[name], metric=metric, random_state=seed, neighbors=near)
        drawn[name].append(fitted.coordinates)
    return compare_maps(x, drawn, k=k, metric=metric, labels=classes, neighbors=near)


def _column(collection: Collection, name: str, kind: Kind) -> NDArray[np.object_]:
    frame = collection.items(kind)
    if name not in frame:
        known = ", ".join(map(str, frame.columns))
        raise AnalysisError(f"Got column {name!r}, expected one of {known}.", code="column")
    return frame[name].astype(object).where(frame[name].notna(), None).to_numpy(object)
