"""The map of a collection: lift any place to a point that can be decoded, place any point on the map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.collection.encoding import only_kind, space_of
from thoughtspace.explorer.collection.nearest import metric_of, similarity
from thoughtspace.explorer.errors import MapError
from thoughtspace.explorer.language.nodes import Node
from thoughtspace.explorer.progress import Progress

from .knn import neighbors
from .lift import Lifter
from .map_quality import quality
from .projection import Method, Projection, fit_projection
from .projection.methods import method_of
from .projection.projection import check_seed
from .spots import Landing, Spot, mean_of
from .stages import stage

if TYPE_CHECKING:
    from thoughtspace.explorer.collection.maps import SavedMap
    from thoughtspace.explorer.collection.store import Collection
    from thoughtspace.explorer.points import Points

K = 15
"""Number of neighbours for the scores of a map."""

LIFTED_FROM = 8
"""Number of items that a place is lifted from."""


class CollectionMap:
    """A saved map and the points of the items on it.

        shown = CollectionMap.fit(collection)            # or CollectionMap.open(collection, "joint-umap")
        spot = shown.at((1.3, -0.4))
        ex.decode(spot.point).save("there.png")          # decodes the point whose confidence is spot.confidence
        places, agreement = shown.place("a red fox")

    Args:
        collection: bound to its explorer.
        saved: one of its maps: ids, coordinates, options, quality, columns.
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
        """Fit, score and save a map of all items that have points in a space.

        In `joint` these are pictures and texts, with the gap between them closed in the explorer's way; the map keeps
        to that way, whatever explorer it is opened with. Neighbours are computed once, for the projection and for its
        scores. The map is saved with its options, and with the `trust` and the `neighbors` of each item.

        Args:
            collection: bound to its explorer.
            method: "umap", "pacmap" or "pca", or one with options: `UMAP(min_dist=0.5)`.
            seed: the same seed gives the same map; None draws one, and lets UMAP use several threads.
            name: of the map; by default `joint-umap` and so on.
            project: fits the projection; `FitProcess.fit` does so in a warm process that can be stopped.
            progress: wraps each stage; may raise `Cancelled`, and then nothing is saved.

        Raises:
            CollectionError: no explorer, or no vectors in the space.
            MapError: too few items, an unknown method, or an invalid seed or name.
        """
        chosen = method_of(method)
        check_seed(seed)
        space, kind = space_of(collection.explorer, space).name, only_kind(collection.explorer, space)
        points = collection.points(space, kind)
        if len(points) < 4:
            raise MapError(f"Got {len(points)} items, expected at least 4; ingest more.", code="too few items")
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
        gap = collection.explorer.model.closes if space == "joint" else "mean"  # as on earlier maps, which say nothing
        saved = collection.save_map(
            name or f"{space}-{drawn.method}",
            drawn.coordinates,
            ids=list(collection.items(kind)["id"]),
            space=space,
            options={"method": drawn.method, "seed": seed, **drawn.options} | ({"gap": gap} if gap != "mean" else {}),
            quality=scores.to_json(),
            columns={"trust": scores.per_point, "neighbors": near.nearest(k).indices},
        )
        return cls(collection, saved)

    @classmethod
    def open(cls, collection: Collection, name: str | None = None) -> CollectionMap:
        """Open a saved map of a collection.

        Args:
            collection: bound to its explorer, unless only coordinates are needed.
            name: of the map; by default `joint-umap`, else the first.

        Raises:
            MapError: no map, no map of this name, or a map of items that the collection does not have.
        """
        names = collection.maps()
        if not names:
            raise MapError(
                f"Got collection {collection.path.name} without a map; make one with `thoughtspace map` or "
                "CollectionMap.fit.",
                code="no map",
            )
        saved = collection.load_map(name or ("joint-umap" if "joint-umap" in names else names[0]))
        if not set(saved.ids) <= set(collection.items()["id"]):
            message = f"Got map {saved.name!r} of items that the collection does not have; make it again."
            raise MapError(message, code="other items")
        return cls(collection, saved)

    def __len__(self) -> int:
        return len(self.saved)

    def __repr__(self) -> str:
        method = self.saved.options.get("method", "umap")
        where = f"of {self.collection.path.name} in {self.saved.space}"
        return f"CollectionMap({self.saved.name!r}: {len(self)} items {where} by {method})"

    @property
    def coordinates(self) -> NDArray[np.float32]:
        """`(n, 2)` or `(n, 3)`, the place of each item."""
        return self.saved.coordinates

    @cached_property
    def _bound(self) -> Collection:
        """The collection with an explorer whose texts are where they were when the map was made."""
        explorer = self.collection.explorer
        gap = self.saved.options.get("gap", "mean") if self.saved.space == "joint" else explorer.model.closes
        return self.collection if explorer.model.closes == gap else self.collection.bound(explorer.with_gap(gap))

    @cached_property
    def points(self) -> Points:
        """The points of the items, in the order of the map.

        Raises:
            CollectionError: a collection without an explorer, or without vectors in the space.
        """
        return self._bound.points_of(self.saved.ids, self.saved.space)

    @cached_property
    def projection(self) -> Projection:
        """The map as a `Projection`."""
        options = dict(self.saved.options)
        x = self.points.flat.float().cpu().numpy()
        return Projection(str(options.pop("method", "umap")), x, self.saved.coordinates, options)

    @cached_property
    def lifter(self) -> Lifter:
        """The `Lifter` of the map."""
        return Lifter(self.projection, geometry=self.points.space.geometry, k=min(LIFTED_FROM, len(self) - 1))

    def at(self, place: Sequence[float] | ArrayLike) -> Spot:
        """Lift a place: the mean of its nearest items on the map, weighted by nearness. See `Lifter`.

        Args:
            place: two finite numbers, or three on a map of three dimensions; there the third defaults to the mean.

        Raises:
            MapError: another number of coordinates, or one that is not finite.
        """
        try:
            asked = np.asarray(place, dtype=np.float64).reshape(-1)
        except (TypeError, ValueError):
            message = f"Got {str(place)[:40]!r} as a place, expected two finite numbers, or three."
            raise MapError(message, code="not numbers") from None
        if len(asked) == 2 < self.coordinates.shape[1]:
            asked = np.append(asked, self.coordinates[:, 2].mean())
        lifted = self.lifter(asked)
        rows, weights, confidence = lifted.neighbors[0], lifted.weights[0], float(lifted.confidence[0])
        rows, weights = rows[weights > 0], weights[weights > 0]
        items = tuple(self.saved.ids[row] for row in rows)
        shares = tuple(float(weight) for weight in weights)
        point = self._point(lifted.vectors[0], mean_of(items, shares))
        return Spot(point, tuple(asked.tolist()), confidence, items, shares)

    def item(self, item: str) -> Spot:
        """An item of the map: its own point, at its place.

        Raises:
            MapError: the item is not on the map.
        """
        if item not in self._row_of:
            message = f"Got item {item[:40]!r}, expected one of the {len(self)} on map {self.saved.name!r}."
            raise MapError(message, code="no item")
        row = self._row_of[item]
        place = self.coordinates[row]
        confidence = float(self.lifter(place).confidence[0])
        return Spot(self.points[row], tuple(place.tolist()), confidence, (item,), (1.0,))

    def place(self, points: str | Points) -> Landing:
        """Place new points on the map, which does not change.

        The place of a point is the same alone and in any batch. The point of an item lands on the item.

        Args:
            points: of the map's space, or an expression.

        Raises:
            SpaceError: points of another space.
            ExpressionError: an invalid expression.
        """
        x = self._own(points).flat.float().cpu().numpy()
        places = self.projection.transform(x)
        there = self.lifter(places).vectors
        norms = np.linalg.norm(x, axis=1) * np.linalg.norm(there, axis=1)
        cosine = np.einsum("md,md->m", x, there) / np.maximum(norms, np.finfo(np.float32).tiny)
        return Landing(places, np.clip(cosine, 0, 1).astype(np.float32))

    def of_pictures(self, pictures: Sequence[Any]) -> Points:
        """The points of pictures in the map's space, of which `joint` may have its gap open."""
        return self._bound.explorer.space(self.saved.space).image(*pictures)

    def similarity(self, expression: str | Points) -> NDArray[np.float32]:
        """How near each item is to one point, `(n,)`: the cosine on a sphere, minus the distance elsewhere.

        Raises:
            SpaceError, ExpressionError: as `place`.
            MapError: several points.
        """
        point = self._own(expression)
        if len(point) != 1:
            raise MapError(f"Got {len(point)} points, expected one; choose one by index.", code="several points")
        wanted = point.flat[0].float().cpu().numpy()
        return similarity(self.projection.points, wanted, metric_of(point.space.geometry))

    def _own(self, points: str | Points) -> Points:
        """Points of the map's space, from such points or an expression."""
        name, bound = self.saved.space, self._bound
        if isinstance(points, str):
            return bound.explorer.points(points, name, items=bound.lookup(name))
        return bound.explorer.space(name).owned(points)

    def _point(self, vector: NDArray[np.float32], origin: Node) -> Points:
        import torch

        from thoughtspace.explorer.points import Points

        space = self.points.space
        values = torch.from_numpy(vector).reshape(1, *space.shape).to(self.points.device)
        return Points(values, space, (origin,))
