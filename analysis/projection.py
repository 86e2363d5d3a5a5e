"""Maps: points -> places in two or three dimensions, and where new points land on a map that stays as it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.errors import MapError

from .arrays import Matrix, blocks, prepare
from .knn import Neighbors, at_hand, query
from .layout import curve, fuzzy_graph, memberships, optimize

METHODS = ("umap", "pca")
MapPlaces = NDArray[np.float32]

_SAME = {"cosine": 1e-10, "euclidean": 1e-6}  # nearer than this, a point is the known one (of its norm, if Euclidean)
_SETTLE_STEPS = 32


@dataclass(frozen=True, eq=False)
class Projection:
    """A finished map. These three fields are all of it: an array and a JSON object, to be saved as they are.

    Attributes:
        method: "umap" or "pca".
        coordinates: `(n, c)` float32, read-only, one place a point.
        options: what it was fitted with and what placing needs; JSON values only.

    Raises:
        MapError: an unknown method, coordinates that are not `(n, c)` finite numbers, options that lack a key.
    """

    method: str
    coordinates: MapPlaces
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_method(self.method)
        coordinates = prepare(self.coordinates, "euclidean", what="coordinates").copy()
        coordinates.flags.writeable = False
        missing = _NEEDED[self.method] - self.options.keys()
        if missing:
            raise MapError(f"Got a map without the options {', '.join(sorted(missing))}; fit it again.")
        object.__setattr__(self, "coordinates", coordinates)
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))

    def __len__(self) -> int:
        return len(self.coordinates)

    def place(self, new: ArrayLike, reference: ArrayLike) -> MapPlaces:
        """Where points land on this map: `place(self, reference, new)`."""
        return place(self, reference, new)


_NEEDED = {"umap": {"metric", "n_neighbors", "a", "b"}, "pca": {"metric"}}


def fit_projection(
    x: ArrayLike,
    *,
    method: str = "umap",
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    metric: str = "cosine",
    n_components: int = 2,
    n_epochs: int | None = None,
    random_state: int = 0,
    neighbors: Neighbors | None = None,
    progress: Callable[..., Any] | None = None,
) -> Projection:
    """Map the points `x`. The same arguments give the same bits again on the same machine.

    UMAP (McInnes et al. 2018) as umap-learn does it with `init="pca"` and these neighbours: the same graph and the
    same layout (`layout.py`). PCA is that of the rows, made unit length first under "cosine"; each axis is turned so
    that its largest loading is positive.

    Args:
        x: `(n, d)`, n > 3.
        n_neighbors: size of a neighbourhood, the point itself counted; lowered to n where there are fewer points.
        min_dist: how close places may come, in [0, 1); for UMAP.
        metric: "cosine" or "euclidean".
        n_components: dimensions of the map, 2 or 3.
        n_epochs: passes of the layout; by default 500 up to 10,000 points and 200 above.
        neighbors: those of `x`, at least `n_neighbors - 1`, when they are at hand.
        progress: wraps the passes of the layout; may raise `Cancelled`.

    Raises:
        MapError: options or an array that do not fit.

    >>> x = np.random.default_rng(0).normal(size=(40, 5))
    >>> fit_projection(x, n_epochs=20).coordinates.shape
    (40, 2)
    """
    rows = prepare(x, metric)
    _check_options(rows, method, n_neighbors, min_dist, n_components, n_epochs)
    if method == "pca":
        coordinates, _ = _principal(rows, n_components, random_state)
        return Projection("pca", coordinates, {"metric": metric, "n_components": n_components})
    n_neighbors = min(n_neighbors, len(rows))
    n_epochs = n_epochs or (500 if len(rows) <= 10_000 else 200)
    near = at_hand(neighbors, rows, n_neighbors - 1, metric, random_state=random_state)
    a, b = curve(min_dist)
    generator = np.random.default_rng(random_state)
    coordinates = optimize(
        _first_places(rows, n_components, random_state, generator),
        fuzzy_graph(near),
        a=a,
        b=b,
        n_epochs=n_epochs,
        generator=generator,
        progress=progress,
    )
    options = {
        "n_neighbors": n_neighbors,
        "min_dist": min_dist,
        "metric": metric,
        "n_components": n_components,
        "n_epochs": n_epochs,
        "random_state": random_state,
        "a": a,
        "b": b,
    }
    return Projection("umap", coordinates, options)


def place(projection: Projection, reference: ArrayLike, new: ArrayLike) -> MapPlaces:
    """Where new points land on a map that stays as it is: `(m, d) -> (m, c)` float32.

    PCA: the same linear map. UMAP: with `w` the memberships of a point's nearest neighbours among the reference
    (UMAP eq. 1-2) and `y` their places, the place of least `Σ w log(1 + a |p - y|^2b)`, UMAP's attraction, found from
    the best of the `y` by re-weighted means. Unlike a plain mean it does not fall between two clusters; unlike
    `umap.UMAP.transform` it needs nothing but these arrays, has no randomness and does not depend on the batch.
    A point of the reference lands on its own place exactly.

    Args:
        reference: `(n, d)`, the points that the map was fitted on, in its order.
        new: `(m, d)`.

    Raises:
        MapError: a reference that is not the map's, or arrays that do not fit.
    """
    metric = projection.options["metric"]
    rows, asked = prepare(reference, metric, what="reference"), prepare(new, metric, what="new")
    if len(rows) != len(projection):
        raise MapError(
            f"Got {len(rows)} reference points, expected {len(projection)}; pass the points the map was fitted on."
        )
    known = query(rows, asked, min(projection.options.get("n_neighbors", 2), len(rows)), metric=metric)
    if projection.method == "pca":
        places = _place_linear(projection.coordinates, rows, asked)
    else:
        places = _settle(projection, known)
    tolerance = _SAME[metric] * (1.0 if metric == "cosine" else np.linalg.norm(asked, axis=1))
    same = known.distances[:, 0] <= tolerance
    places[same] = projection.coordinates[known.indices[same, 0]]
    return places


def _check_method(method: str) -> None:
    if method not in METHODS:
        raise MapError(f"Got map method {method!r}, expected one of {', '.join(METHODS)}; choose one of these.")


def _check_options(
    rows: Matrix, method: str, n_neighbors: int, min_dist: float, n_components: int, n_epochs: int | None
) -> None:
    _check_method(method)
    if len(rows) < 4:
        raise MapError(f"Got {len(rows)} points, expected at least 4 to draw a map; add items.")
    if n_neighbors < 3:
        raise MapError(f"Got n_neighbors={n_neighbors}, expected 3 or more; 15 is usual.")
    if not 0 <= min_dist < 1:
        raise MapError(f"Got min_dist={min_dist}, expected a number in [0, 1); 0.1 is usual.")
    if n_components not in (2, 3) or n_components > rows.shape[1]:
        raise MapError(
            f"Got n_components={n_components}, expected 2 or 3 and at most the points' {rows.shape[1]}; 2 is usual."
        )
    if n_epochs is not None and n_epochs < 1:
        raise MapError(f"Got n_epochs={n_epochs}, expected at least 1; leave it out for the usual number.")


def _principal(rows: Matrix, n_components: int, random_state: int) -> tuple[MapPlaces, Matrix]:
    """Places along the axes of largest variance, and the axes: `(n, c), (c, d)`."""
    from sklearn.decomposition import PCA

    fitted = PCA(n_components, random_state=random_state).fit(rows)
    axes = fitted.components_
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])
    axes = axes * signs[:, None]
    return ((rows - fitted.mean_) @ axes.T).astype(np.float32), axes


def _first_places(rows: Matrix, n_components: int, random_state: int, generator: np.random.Generator) -> MapPlaces:
    """The PCA map stretched to 10 on each side, with a trace of noise to part equal points, as umap-learn does."""
    places, _ = _principal(rows, n_components, random_state)
    places *= 10 / (float(np.abs(places).max()) or 1.0)
    places += generator.normal(scale=1e-4, size=places.shape).astype(np.float32)
    low = places.min(axis=0)
    return (10 * (places - low) / (places.max(axis=0) - low)).astype(np.float32)


def _place_linear(coordinates: MapPlaces, rows: Matrix, asked: Matrix) -> MapPlaces:
    """The linear map of a PCA, told from its points and their places: `axes = (YᵀY)⁻¹ YᵀX` for centred X and Y."""
    mean = rows.mean(0, dtype=np.float64)
    centred = rows - mean
    y = coordinates.astype(np.float64)
    axes = np.linalg.pinv(y.T @ y) @ (y.T @ centred)
    return ((asked - mean) @ axes.T).astype(np.float32)


def _settle(projection: Projection, known: Neighbors) -> MapPlaces:
    """Where UMAP's attraction to the known neighbours has its minimum, by iteratively re-weighted means."""
    a, b = projection.options["a"], projection.options["b"]
    target = math.log2(max(2, known.k))
    result = np.empty((len(known), projection.coordinates.shape[1]), dtype=np.float32)
    for block in blocks(len(known), known.k**2 * 4):
        y = projection.coordinates[known.indices[block]].astype(np.float64)
        w = memberships(known.distances[block], target=target)
        between = np.square(y[:, :, None] - y[:, None]).sum(-1)
        cost = (w[:, None] * np.log1p(a * between**b)).sum(-1)
        p = y[np.arange(len(y)), cost.argmin(1)]
        for _ in range(_SETTLE_STEPS):
            squared = np.square(y - p[:, None]).sum(-1) + 1e-3  # UMAP's own guard against a zero distance
            pull = w * squared ** (b - 1) / (1 + a * squared**b)
            p = (pull[:, :, None] * y).sum(1) / pull.sum(1)[:, None]
        result[block] = p
    return result
