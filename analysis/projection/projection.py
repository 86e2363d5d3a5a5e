"""A projection: the places of points on a map, and the places of new points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import MapError
from thoughtspace.explorer.progress import Progress

from ..arrays import Matrix, prepare
from ..knn import Neighbors, at_hand, check_width, nearest
from ..stages import stage
from .methods import Method, method_named, method_of
from .placing import Places

MAX_SEED = 2**32 - 1
"""Largest seed of NumPy's older generators, which the libraries use."""

_SAME = {"cosine": 1e-10, "euclidean": 1e-6}  # nearer points are the same; Euclidean in units of the norm


@dataclass(frozen=True, eq=False)
class Projection:
    """A fitted projection: two arrays, a name and JSON values, to be saved as they are.

    Attributes:
        method: "umap", "pacmap" or "pca".
        points: `(n, d)` float32, read-only, the projected points.
        coordinates: `(n, c)` float32, read-only, the place of each point.
        options: the options of the fit and what `transform` needs; JSON values only.

    Raises:
        MapError: an unknown method, unequal numbers of points and places, or missing options.
        AnalysisError: an array that is not `(n, d)` finite numbers.
    """

    method: str
    points: Matrix
    coordinates: Places
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        needed = {"metric", *method_named(self.method).keeps}
        if missing := sorted(needed - self.options.keys()):
            raise MapError(f"Got a map without the options {', '.join(missing)}; fit it again.", code="options")
        points = prepare(self.points, "euclidean", what="points").view()
        coordinates = prepare(self.coordinates, "euclidean", what="coordinates").copy()
        if len(points) != len(coordinates):
            message = f"Got {len(points)} points and {len(coordinates)} places, expected one place per point."
            raise MapError(message, code="number of points")
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
        """The points prepared for the metric: of unit length under "cosine"."""
        return self.points if self.metric == "euclidean" else prepare(self.points, self.metric)

    def transform(self, new: ArrayLike) -> Places:
        """Place new points on this map, which does not change: `(m, d) -> (m, c)` float32.

        A PCA applies the same linear map. With other methods a point settles where its nearest neighbours among the
        points of the map pull it (`placing.settle`). There is no randomness, and the place of a point is the same bit
        for bit alone and in any batch. A point of the map lands exactly on its own place.

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


def check_seed(seed: Any) -> None:
    """Raise MapError unless the seed of a map is None or one that NumPy and numba take."""
    if seed is not None:
        whole("seed", seed, 0, MAX_SEED, error=MapError, hint="0 is usual")


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
    """Project the points `x`. With a seed, the result is reproducible bit for bit on the same machine.

    Args:
        x: `(n, d)`, n > 3.
        method: "umap", "pacmap" or "pca", or one with options: `UMAP(min_dist=0.5)`.
        metric: "cosine" or "euclidean".
        n_components: dimensions of the map, 2 or 3.
        random_state: the seed; None draws one, and lets UMAP use several threads.
        neighbors: at least as many neighbours of `x` as the method needs, if they are already computed.
        progress: wraps each stage: finding the neighbours, drawing the map. May raise `Cancelled` before each; to
            stop a stage, use a `FitProcess`.

    Raises:
        MapError: too few points, or an invalid option.
        AnalysisError: an invalid array, or neighbours of other points.

    >>> x = np.random.default_rng(0).normal(size=(40, 5))
    >>> drawn = fit_projection(x, "pca")
    >>> drawn.coordinates.shape, np.array_equal(drawn.transform(x[:3]), drawn.coordinates[:3])
    ((40, 2), True)
    """
    chosen = method_of(method)
    check_seed(random_state)
    rows = prepare(x, metric)
    if len(rows) < 4:
        raise MapError(f"Got {len(rows)} points, expected at least 4; add items.", code="too few items")
    if n_components not in (2, 3) or n_components > rows.shape[1]:
        message = f"Got n_components={n_components}, expected 2 or 3 and at most the points' {rows.shape[1]}."
        raise MapError(message, code="n_components")
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
