"""A projection: the places of points on a map, and where new points land on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from thoughtspace.explorer.errors import MapError
from thoughtspace.explorer.progress import Progress

from ..arrays import Matrix, prepare
from ..knn import Neighbors, at_hand, check_width, nearest
from ..stages import stage
from .methods import Method, method_named, method_of
from .placing import Places

_SAME = {"cosine": 1e-10, "euclidean": 1e-6}  # nearer than this, a point is the known one (of its norm, if Euclidean)


@dataclass(frozen=True, eq=False)
class Projection:
    """A finished map: two arrays, a name and a JSON object, to be saved as they are.

    Attributes:
        method: "umap", "pacmap" or "pca".
        points: `(n, d)` float32, read-only, what was projected.
        coordinates: `(n, c)` float32, read-only, the place of each point.
        options: what it was fitted with and what `transform` needs; JSON values only.

    Raises:
        MapError: an unknown method, places that do not go with the points, options that lack a key.
        AnalysisError: an array that is not `(n, d)` finite numbers.
    """

    method: str
    points: Matrix
    coordinates: Places
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        needed = {"metric", *method_named(self.method).keeps}
        if missing := sorted(needed - self.options.keys()):
            raise MapError(f"Got a map without the options {', '.join(missing)}; fit it again.")
        points = prepare(self.points, "euclidean", what="points").view()
        coordinates = prepare(self.coordinates, "euclidean", what="coordinates").copy()
        if len(points) != len(coordinates):
            raise MapError(
                f"Got {len(points)} points for {len(coordinates)} places; pass the points the map was fitted on."
            )
        for array in (points, coordinates):
            array.flags.writeable = False
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "coordinates", coordinates)
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))

    def __len__(self) -> int:
        return len(self.coordinates)

    @property
    def metric(self) -> str:
        """ "cosine" or "euclidean"."""
        return str(self.options["metric"])

    @cached_property
    def rows(self) -> Matrix:
        """The points as the metric compares them: of unit length under "cosine"."""
        return self.points if self.metric == "euclidean" else prepare(self.points, self.metric)

    def transform(self, new: ArrayLike) -> Places:
        """Where new points land on this map, which stays as it is: `(m, d) -> (m, c)` float32.

        A PCA is the same linear map again. On the others a point settles where its nearest neighbours among the
        points of the map pull it to (`placing.settle`). There is no randomness, and a point lands on the same bits
        alone and in any batch. A point of the map lands on its own place exactly.

        Raises:
            AnalysisError: points of another width, or not finite.
        """
        asked = prepare(new, self.metric, what="new points")
        check_width(self.rows, asked)
        k = min(self.options.get("n_neighbors", 2), len(self))
        known = nearest(self.rows, asked, k, self.metric)
        places = method_named(self.method).place(self.coordinates, self.rows, asked, known, self.options)
        tolerance = _SAME[self.metric] * (1.0 if self.metric == "cosine" else np.linalg.norm(asked, axis=1))
        same = known.distances[:, 0] <= tolerance
        places[same] = self.coordinates[known.indices[same, 0]]
        return places


def fit_projection(
    x: ArrayLike,
    method: str | Method = "umap",
    *,
    metric: str = "cosine",
    n_components: int = 2,
    random_state: int | None = 0,
    neighbors: Neighbors | None = None,
    progress: Progress | None = None,
) -> Projection:
    """Map the points `x`. With a seed, the same arguments give the same bits again on the same machine.

    Args:
        x: `(n, d)`, n > 3.
        method: "umap", "pacmap" or "pca", or one with options: `UMAP(min_dist=0.5)`.
        metric: "cosine" or "euclidean".
        n_components: dimensions of the map, 2 or 3.
        random_state: the seed; None draws one, and lets UMAP use several threads.
        neighbors: those of `x`, at least as many as the method draws from, when they are at hand.
        progress: wraps each stage: finding the neighbours, drawing the map. May raise `Cancelled` between them; what
            must be stopped within runs in a process of its own (`FitProcess`).

    Raises:
        MapError: options that do not fit.
        AnalysisError: an array or neighbours that do not fit.

    >>> x = np.random.default_rng(0).normal(size=(40, 5))
    >>> drawn = fit_projection(x, "pca")
    >>> drawn.coordinates.shape, np.array_equal(drawn.transform(x[:3]), drawn.coordinates[:3])
    ((40, 2), True)
    """
    chosen = method_of(method)
    rows = prepare(x, metric)
    if len(rows) < 4:
        raise MapError(f"Got {len(rows)} points, expected at least 4 to draw a map; add items.")
    if n_components not in (2, 3) or n_components > rows.shape[1]:
        raise MapError(
            f"Got n_components={n_components}, expected 2 or 3 and at most the points' {rows.shape[1]}; 2 is usual."
        )
    near = None
    if k := chosen.n_neighbors_of(len(rows)):
        near = stage(
            lambda: at_hand(neighbors, rows, k, metric, random_state=random_state or 0), progress, "finding neighbours"
        )
    places, options = stage(
        lambda: chosen.fit(rows, near, n_components, random_state), progress, f"drawing the map by {chosen.name}"
    )
    options |= {"metric": metric, "n_components": n_components, "random_state": random_state}
    return Projection(chosen.name, prepare(x, "euclidean"), places, options)
