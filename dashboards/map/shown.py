"""The map that is shown: its columns as arrays, and what any place of it, or any point, turns out to be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.errors import GeometryError, MapError, ThoughtspaceError
from thoughtspace.explorer.language.nodes import quote
from thoughtspace.explorer.records.machine import versions

from .columns import Column, columns_of, with_pairs

if TYPE_CHECKING:
    import pandas as pd

    from thoughtspace.analysis.lift import Lifter
    from thoughtspace.analysis.projection import Projection
    from thoughtspace.explorer.collection.atlas import Atlas
    from thoughtspace.explorer.points import Points

    from ..serving.workspace import Workspace

ATLAS_CELL = 64
ATLAS_PICTURES = 6000
"""Pictures of an atlas at most: what is drawn at once is far less, and what was left out stays a dot."""

_LEAST_WEIGHT = 0.005  # neighbours of a smaller share are left out of an expression


@dataclass(frozen=True, eq=False)
class Probe:
    """A point that was asked for, by a click or by an expression.

    Attributes:
        point: one point of the map's space.
        expression: what makes it again.
        place: `(x, y)` on the map.
        title: what it is, in two or three words.
        confidence: in [0, 1]: of a place, how far its point is to be believed; of a point, how well the map has it.
        links: rows of the map and weights of the items a place is mixed of.
    """

    point: Points
    expression: str
    place: tuple[float, float]
    title: str
    confidence: float
    links: Sequence[tuple[int, float]] = ()


class MapView:
    """One saved map of a workspace's collection.

    Args:
        workspace: model and collection.
        name: of the map; by default that of the joint space by UMAP, else the first.

    Raises:
        MapError: the collection has no map, or none of that name, or one of things it no longer has.
    """

    def __init__(self, workspace: Workspace, name: str | None = None) -> None:
        self.workspace = workspace
        names = workspace.collection.maps()
        if not names:
            raise MapError(
                f"Got collection {workspace.collection.path.name} without a map, expected at least one; make it with "
                "`thoughtspace map`."
            )
        chosen = name or ("joint-umap" if "joint-umap" in names else names[0])
        self.saved = workspace.collection.load_map(chosen)
        items = workspace.collection.items()
        row_of = {item: row for row, item in enumerate(items["id"])}
        if any(item not in row_of for item in self.saved.ids):
            raise MapError(f"Got map {chosen!r} of items the collection does not have; make it anew.")
        self.rows: NDArray[np.int64] = np.array([row_of[item] for item in self.saved.ids], dtype=np.int64)
        self.frame: pd.DataFrame = items.iloc[self.rows].reset_index(drop=True)
        self._place_of = {int(row): place for place, row in enumerate(self.rows)}
        self.key = self._key()

    def __len__(self) -> int:
        return len(self.saved)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """What points can be coloured by."""
        return columns_of(with_pairs(self.frame), self.saved.columns)

    @property
    def coordinates(self) -> NDArray[np.float32]:
        """`(n, 2)`; of a map in three dimensions, the first two."""
        return self.saved.coordinates[:, :2]

    @property
    def kinds(self) -> NDArray[np.uint8]:
        """`(n,)`: 0 for a picture, 1 for a text."""
        return (self.frame["kind"] == "text").to_numpy().astype(np.uint8)

    @cached_property
    def points(self) -> Points:
        """The items of the map as points, in its order."""
        return self.workspace.item_points(self.saved.space, self.saved.ids)

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """The same as `(n, d)` float32."""
        vectors: NDArray[np.float32] = self.points.flat.cpu().numpy()
        return vectors

    @cached_property
    def projection(self) -> Projection:
        """The map as `analysis` knows it, for placing new points."""
        from thoughtspace.analysis.projection import Projection

        options = dict(self.saved.options)
        return Projection(str(options.pop("method", "umap")), self.saved.coordinates, options)

    @cached_property
    def lifter(self) -> Lifter:
        """From places to points."""
        from thoughtspace.analysis.lift import Lifter

        k = min(8, len(self) - 1)
        return Lifter(self.projection, self.vectors, geometry=self.points.space.geometry, k=k)

    @cached_property
    def atlas(self) -> Atlas:
        """Thumbnails for the map; of a large one, of a random part of its pictures."""
        from thoughtspace.explorer.collection.atlas import atlas

        pictures = np.flatnonzero(self.kinds == 0)
        if len(pictures) > ATLAS_PICTURES:
            pictures = np.sort(np.random.default_rng(0).choice(pictures, ATLAS_PICTURES, replace=False))
        return atlas(self.workspace.collection, self.rows[pictures].tolist(), cell=ATLAS_CELL)

    def atlas_rows(self) -> list[int]:
        """The row of the map of each cell of the atlas."""
        return [self._place_of[row] for row in self.atlas.rows]

    def warm(self) -> None:
        """Make ready all that a first click needs."""
        try:
            self.workspace.warm()
            self.at(self.coordinates.mean(0))
        except ThoughtspaceError:
            return  # the first click will say it, to someone who can read it

    def at(self, place: Sequence[float] | NDArray[Any]) -> Probe:
        """What an empty place stands for: the mean of its nearest items on the map, weighted, as an expression.

        Raises:
            MapError: a place that is not two finite numbers.
        """
        x, y = (float(value) for value in place)
        lift = self.lifter([[x, y, *self.saved.coordinates.mean(0)[2:]]])
        order = np.argsort(-lift.weights[0], kind="stable")
        links = [(int(lift.neighbors[0][i]), float(lift.weights[0][i])) for i in order]
        links = [link for link in links if link[1] >= _LEAST_WEIGHT] or links[:1]
        try:
            point = self.workspace.points(expression := self._mean(links), self.saved.space)
        except (
            GeometryError
        ):  # they point every way and have no mean: the lift takes the nearest, and has no confidence
            links = links[:1]
            point = self.workspace.points(expression := self._mean(links), self.saved.space)
        return Probe(point, expression, (x, y), "A place between items", float(lift.confidence[0]), links)

    def item(self, row: int) -> Probe:
        """What an item of the map stands for: itself.

        Raises:
            MapError: there is no such row.
        """
        if not 0 <= row < len(self):
            raise MapError(f"Got row {row}, expected 0 to {len(self) - 1}; click on a point.")
        place = (float(self.coordinates[row, 0]), float(self.coordinates[row, 1]))
        title = "A prompt" if self.kinds[row] else "A picture"
        confidence = float(self.lifter(self.saved.coordinates[row]).confidence[0])
        return Probe(self.points[row], f"item({quote(self.saved.ids[row])})", place, title, confidence, [(row, 1.0)])

    def landing(self, expression: str, title: str = "Your point") -> Probe:
        """Where the point of an expression lands; its confidence is the cosine with what the map has at that place.

        Raises:
            ExpressionError, SpaceError, PictureError: an expression that has no point.
        """
        from thoughtspace.analysis.projection import place

        point = self.workspace.points(expression, self.saved.space)
        vector = point.flat.cpu().numpy()
        found = place(self.projection, self.vectors, vector)[0]
        there = self.lifter(found).vectors[0]
        cosine = float(vector[0] @ there / max(float(np.linalg.norm(vector) * np.linalg.norm(there)), 1e-12))
        return Probe(point, expression, (float(found[0]), float(found[1])), title, max(0.0, cosine))

    def similarity(self, expression: str) -> NDArray[np.float32]:
        """The cosine of every item with an expression, `(n,)`.

        Raises:
            ExpressionError, SpaceError, PictureError: an expression that has no point.
        """
        from thoughtspace.explorer.collection.nearest import cosines

        return cosines(self.vectors, self.workspace.points(expression, self.saved.space).flat[0].cpu().numpy())

    def place_of(self, row: int) -> int | None:
        """The row on the map of a row of the collection."""
        return self._place_of.get(int(row))

    def cards(self, found: pd.DataFrame) -> list[dict[str, Any]]:
        """Items as `components.item_grid` shows them; `found` has `id, kind, caption` and perhaps `score, row`."""
        return [self._card(row) for row in found.to_dict("records")]

    def _key(self) -> str:
        """A name for all that is sent of this map: browsers keep it for a year, so other bytes need another name."""
        collection = self.workspace.collection
        about = {
            "collection": [str(collection.path), collection.version],
            "map": [self.saved.name, self.saved.created, len(self)],
            "columns": [column.describe() for column in self.columns],
            "package": versions("thoughtspace"),
        }
        digest = hashlib.sha256(json.dumps(about).encode())
        for values in (self.coordinates, *(column.values for column in self.columns)):
            digest.update(values.tobytes())
        return digest.hexdigest()[:16]

    def _card(self, item: Mapping[Any, Any]) -> dict[str, Any]:
        picture = item["kind"] == "image"
        caption = item.get("caption")
        return {
            "id": item["id"],
            "caption": caption if isinstance(caption, str) else "",
            "thumbnail": f"/data/thumbnail/{item['id']}" if picture else None,
            "score": item.get("score"),
        }

    def _mean(self, links: Sequence[tuple[int, float]]) -> str:
        names = [f"item({quote(self.saved.ids[row])})" for row, _ in links]
        if len(names) == 1:
            return names[0]
        return f"mean({', '.join(names)}, {', '.join(f'{weight:.3f}' for _, weight in links)})"
