"""The map of a collection: any place of it is lifted to a point that can be decoded, any point is placed on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.collection.encoding import only_kind
from thoughtspace.explorer.collection.nearest import metric_of, similarity
from thoughtspace.explorer.errors import MapError
from thoughtspace.explorer.language.nodes import Call, Item, Node, Number
from thoughtspace.explorer.progress import Progress

from .knn import neighbors
from .lift import Lifter
from .map_quality import quality
from .projection import Method, Projection, fit_projection
from .projection.methods import method_of
from .stages import stage

if TYPE_CHECKING:
    from thoughtspace.explorer.collection.maps import SavedMap
    from thoughtspace.explorer.collection.store import Collection
    from thoughtspace.explorer.points import Points

K = 15
"""Neighbours that a map is scored by."""

LIFTED_FROM = 8
"""Items that a place is a mean of."""


@dataclass(frozen=True, eq=False)
class Spot:
    """What a place of a map stands for.

    Attributes:
        point: one point of the map's space, whose values are the lifted vector, bit for bit.
        place: its coordinates on the map.
        confidence: in [0, 1], of this very point: about 1 among the data, low in the gaps. See `Lifter`.
        items: ids of the items that the point is the mean of, the nearest on the map first.
        weights: their shares.
    """

    point: Points
    place: tuple[float, ...]
    confidence: float
    items: tuple[str, ...]
    weights: tuple[float, ...]


class Landing(NamedTuple):
    """Where points land on a map.

    Attributes:
        places: `(m, c)` float32.
        agreement: `(m,)` in [0, 1]: the cosine of each point with what the map has at its place, or 0 if it is below.
    """

    places: NDArray[np.float32]
    agreement: NDArray[np.float32]


class CollectionMap:
    """A saved map and the points of the items on it.

        shown = CollectionMap.fit(collection)            # or CollectionMap.open(collection, "joint-umap")
        spot = shown.at((1.3, -0.4))
        ex.decode(spot.point).save("there.png")          # the very point whose confidence is spot.confidence
        places, agreement = shown.place("a red fox")

    The points are made when they are first needed.

    Args:
        collection: bound to its explorer.
        saved: one of its maps.

    Attributes:
        collection: whose items are on it.
        saved: the map as it is kept: ids, coordinates, options, quality, columns.
    """

    def __init__(self, collection: Collection, saved: SavedMap) -> None:
        self.collection, self.saved = collection, saved
        self._row_of = {item: row for row, item in enumerate(saved.ids)}

    @classmethod
    def fit(
        cls,
        collection: Collection,
        *,
        space: str = "joint",
        method: str | Method = "umap",
        seed: int | None = 0,
        name: str | None = None,
        project: Callable[..., Projection] = fit_projection,
        progress: Progress | None = None,
    ) -> CollectionMap:
        """Map all items that the space has points for, score the map and save it under a name.

        In `joint` these are pictures and texts together, the gap between them closed. The neighbours are found once,
        for the drawing and for its scores. What is saved is all that placing and lifting need: the options with
        `method`, and for each item its `trust` and its `neighbors`.

        Args:
            collection: bound to its explorer.
            method: "umap", "pacmap" or "pca", or one with options: `UMAP(min_dist=0.5)`.
            seed: the same gives the same map; None draws one, and lets UMAP use several threads.
            name: of the map; by default `joint-umap` and so on.
            project: what draws; `FitProcess.fit` draws in a process that is warm and can be stopped.
            progress: wraps each stage; may raise `Cancelled`, and nothing is saved then.

        Raises:
            CollectionError: no explorer, or no vectors of the space.
            MapError: too few items, an unknown method or no possible name.
        """
        chosen = method_of(method)
        kind = only_kind(collection.explorer, space)
        points = collection.points(space, kind)
        if len(points) < 4:
            raise MapError(f"Got {len(points)} items to map, expected at least 4; ingest more.")
        x, metric = points.flat.float().cpu().numpy(), metric_of(points.space.geometry)
        k = min(K, len(x) - 1)
        most = max(k, chosen.n_neighbors_of(len(x)))
        near = stage(lambda: neighbors(x, most, metric=metric, random_state=seed or 0), progress, "finding neighbours")
        drawn = project(x, chosen, metric=metric, random_state=seed, neighbors=near, progress=progress)
        fair = min(k, (len(x) - 1) // 2)
        scores = stage(
            lambda: quality(x, drawn.coordinates, k=fair, metric=metric, random_state=seed or 0, neighbors=near),
            progress,
            "scoring the map",
        )
        saved = collection.save_map(
            name or f"{space}-{drawn.method}",
            drawn.coordinates,
            ids=list(collection.items(kind)["id"]),
            space=space,
            options={"method": drawn.method, "seed": seed, **drawn.options},
            quality=scores.to_json(),
            columns={"trust": scores.per_point, "neighbors": near.nearest(k).indices},
        )
        return cls(collection, saved)

    @classmethod
    def open(cls, collection: Collection, name: str | None = None) -> CollectionMap:
        """A saved map of a collection.

        Args:
            collection: bound to its explorer, if places are to be lifted or points placed.
            name: of the map; by default that of the joint space by UMAP, else the first.

        Raises:
            MapError: the collection has no map, or none of that name, or one of items it no longer has.
        """
        names = collection.maps()
        if not names:
            raise MapError(
                f"Got collection {collection.path.name} without a map, expected at least one; make it with "
                "`thoughtspace map` or CollectionMap.fit."
            )
        saved = collection.load_map(name or ("joint-umap" if "joint-umap" in names else names[0]))
        if not set(saved.ids) <= set(collection.items()["id"]):
            raise MapError(f"Got map {saved.name!r} of items the collection does not have; make it anew.")
        return cls(collection, saved)

    def __len__(self) -> int:
        return len(self.saved)

    def __repr__(self) -> str:
        method = self.saved.options.get("method", "umap")
        return (
            f"CollectionMap({self.saved.name!r}: {len(self)} items of {self.collection.path.name} "
            f"in {self.saved.space} by {method})"
        )

    @property
    def coordinates(self) -> NDArray[np.float32]:
        """`(n, 2)` or `(n, 3)`, the place of each item."""
        return self.saved.coordinates

    @cached_property
    def points(self) -> Points:
        """The items of the map as points, in its order.

        Raises:
            CollectionError: a collection without an explorer, or without vectors of the space.
        """
        return self.collection.points_of(self.saved.ids, self.saved.space)

    @cached_property
    def projection(self) -> Projection:
        """The map as arrays."""
        options = dict(self.saved.options)
        x = self.points.flat.float().cpu().numpy()
        return Projection(str(options.pop("method", "umap")), x, self.saved.coordinates, options)

    @cached_property
    def lifter(self) -> Lifter:
        """From places to vectors."""
        return Lifter(self.projection, geometry=self.points.space.geometry, k=min(LIFTED_FROM, len(self) - 1))

    def at(self, place: Sequence[float] | ArrayLike) -> Spot:
        """What a place stands for: the mean of its nearest items on the map, the nearer the heavier.

        Args:
            place: two numbers, or three on a map of three dimensions, where a third that is left out is the middle.

        Raises:
            MapError: a place that is not so many finite numbers.
        """
        asked = np.asarray(place, dtype=np.float64).reshape(-1)
        width = self.coordinates.shape[1]
        if len(asked) == 2 < width:
            asked = np.append(asked, self.coordinates[:, 2].mean())
        lifted = self.lifter(asked)
        rows, weights, confidence = lifted.neighbors[0], lifted.weights[0], float(lifted.confidence[0])
        rows, weights = rows[weights > 0], weights[weights > 0]
        items = tuple(self.saved.ids[row] for row in rows)
        shares = tuple(float(weight) for weight in weights)
        point = self._point(lifted.vectors[0], mean_of(items, shares))
        return Spot(point, tuple(asked.tolist()), confidence, items, shares)

    def item(self, item: str) -> Spot:
        """What an item of the map stands for: itself, at its place.

        Raises:
            MapError: there is no such item on the map.
        """
        if item not in self._row_of:
            raise MapError(f"Got item {item[:40]!r}, expected one of the {len(self)} on map {self.saved.name!r}.")
        row = self._row_of[item]
        place = self.coordinates[row]
        confidence = float(self.lifter(place).confidence[0])
        return Spot(self.points[row], tuple(place.tolist()), confidence, (item,), (1.0,))

    def place(self, points: str | Points) -> Landing:
        """Where points land on the map, which stays as it is, and how well the map has them.

        A point lands on the same place alone and in any batch; an item's own point on that item's place.

        Args:
            points: of the map's space, or an expression.

        Raises:
            SpaceError: points of another space.
            ExpressionError: an expression that has no point.
        """
        x = self._own(points).flat.float().cpu().numpy()
        places = self.projection.transform(x)
        there = self.lifter(places).vectors
        norms = np.linalg.norm(x, axis=1) * np.linalg.norm(there, axis=1)
        cosine = np.einsum("md,md->m", x, there) / np.maximum(norms, np.finfo(np.float32).tiny)
        return Landing(places, np.clip(cosine, 0, 1).astype(np.float32))

    def similarity(self, expression: str | Points) -> NDArray[np.float32]:
        """How near each item is to one point, `(n,)`: the cosine on a sphere, minus the distance elsewhere.

        Raises:
            SpaceError, ExpressionError: as `place`.
            MapError: several points.
        """
        point = self._own(expression)
        if len(point) != 1:
            raise MapError(f"Got {len(point)} points to compare with, expected one; choose one by index.")
        metric = metric_of(point.space.geometry)
        return similarity(self.projection.points, point.flat[0].float().cpu().numpy(), metric)

    def _own(self, points: str | Points) -> Points:
        """Points of the map's space."""
        name = self.saved.space
        if isinstance(points, str):
            return self.collection.explorer.points(points, name, items=self.collection.lookup(name))
        return self.collection.explorer.space(name).owned(points)

    def _point(self, vector: NDArray[np.float32], origin: Node) -> Points:
        import torch

        from thoughtspace.explorer.points import Points

        space = self.points.space
        values = torch.from_numpy(vector).reshape(1, *space.shape).to(self.points.device)
        return Points(values, space, (origin,))


def mean_of(items: Sequence[str], weights: Sequence[float]) -> Node:
    """The expression tree of the weighted mean of items; of one item, that item."""
    if len(items) == 1:
        return Item(items[0])
    return Call("mean", (*map(Item, items), *map(Number, weights)))
