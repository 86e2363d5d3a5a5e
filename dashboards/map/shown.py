"""The map of a page: its columns, thumbnails and cards, and the answer to a click or an expression."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thoughtspace.analysis import CollectionMap
from thoughtspace.explorer.errors import MapError, ThoughtspaceError
from thoughtspace.explorer.records.machine import versions

from .columns import Column, columns_of, with_pairs

if TYPE_CHECKING:
    import pandas as pd

    from thoughtspace.analysis import Spot
    from thoughtspace.explorer.collection.atlas import Atlas
    from thoughtspace.explorer.options import Gap
    from thoughtspace.explorer.points import Points

    from ..serving.workspace import Workspace

ATLAS_CELL = 64
ATLAS_PICTURES = 6000
"""Most pictures in an atlas; the others stay dots. The browser draws far fewer at once."""


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer to a click or an expression.

    Attributes:
        point: one point of the map's space.
        place: `(x, y)` on the map.
        title: two or three words.
        confidence: in [0, 1]; of a place, the confidence of its point; of a point, its agreement with its place.
        links: rows of the map and weights of the items that a place is the mean of; empty for a point.
    """

    point: Points
    place: tuple[float, float]
    title: str
    confidence: float
    links: Sequence[tuple[int, float]] = ()

    @property
    def expression(self) -> str:
        """The expression that gives the point again."""
        return self.point.expressions[0]


class MapView:
    """One saved map of a workspace's collection, and what a page shows of it.

    Args:
        workspace: model and collection.
        name: of the map; by default `joint-umap`, else the first.

    Raises:
        MapError: the collection has no map, no map of that name, or no longer all of its items.
    """

    def __init__(self, workspace: Workspace, name: str | None = None) -> None:
        self.workspace = workspace
        self.saved = CollectionMap.open(workspace.collection, name).saved
        items = workspace.collection.items()
        row_of = {item: row for row, item in enumerate(items["id"])}
        self.rows: NDArray[np.int64] = np.array([row_of[item] for item in self.saved.ids], dtype=np.int64)
        self.frame: pd.DataFrame = items.iloc[self.rows].reset_index(drop=True)
        self._place_of = {int(row): place for place, row in enumerate(self.rows)}
        self.key = self._key()

    def __len__(self) -> int:
        return len(self.saved)

    @cached_property
    def map(self) -> CollectionMap:
        """The map with its model, which is opened if needed."""
        return CollectionMap(self.workspace.bound, self.saved)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns that points can be coloured by."""
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
    def atlas(self) -> Atlas:
        """Thumbnails of the pictures; on a large map, of a random sample of them."""
        from thoughtspace.explorer.collection.atlas import atlas

        pictures = np.flatnonzero(self.kinds == 0)
        if len(pictures) > ATLAS_PICTURES:
            pictures = np.sort(np.random.default_rng(0).choice(pictures, ATLAS_PICTURES, replace=False))
        return atlas(self.workspace.collection, self.rows[pictures].tolist(), cell=ATLAS_CELL)

    def atlas_rows(self) -> list[int]:
        """The row of the map of each cell of the atlas."""
        return [self._place_of[row] for row in self.atlas.rows]

    def warm(self) -> None:
        """Prepare the model and the map, so that the first click is fast."""
        try:
            self.workspace.warm()
            self.at(self.coordinates.mean(0).tolist())
        except ThoughtspaceError:
            return  # the first click raises it again, and the page shows it

    def at(self, place: Sequence[float]) -> Answer:
        """The point of a place on the map; see `CollectionMap.at`.

        Raises:
            MapError: the place is not two finite numbers.
        """
        return self._answer(self.map.at(place), "A place between items")

    def item(self, row: int) -> Answer:
        """The point of an item of the map.

        Raises:
            MapError: there is no such row.
        """
        if not 0 <= row < len(self):
            raise MapError(f"Got row {row}, expected 0 to {len(self) - 1}; click on a point.", code="row")
        return self._answer(self.map.item(self.saved.ids[row]), "A prompt" if self.kinds[row] else "A picture")

    @property
    def gap(self) -> Gap | None:
        """How the texts of the map entered its space; None on a map of another space."""
        return self.saved.options.get("gap", "mean") if self.saved.space == "joint" else None

    def landing(self, expression: str, title: str = "Your point", *, gap: Gap | None = None) -> Answer:
        """The point of an expression and its place on the map; the confidence is its agreement with that place.

        Args:
            gap: how texts enter the space, by default as those of the map.

        Raises:
            ExpressionError, SpaceError, PictureError, CollectionError: the expression has no point.
        """
        point = self.workspace.points(expression, self.saved.space, gap=gap or self.gap)
        places, agreement = self.map.place(point)
        return Answer(point, (float(places[0, 0]), float(places[0, 1])), title, float(agreement[0]))

    def similarity(self, expression: str, *, gap: Gap | None = None) -> NDArray[np.float32]:
        """Cosine of each item with an expression, `(n,)`; see `CollectionMap.similarity` and, for `gap`, `landing`.

        Raises:
            ExpressionError, SpaceError, PictureError, CollectionError: the expression has no point.
        """
        return self.map.similarity(self.workspace.points(expression, self.saved.space, gap=gap or self.gap))

    def place_of(self, row: int) -> int | None:
        """The row of the map of a row of the collection; `None` when the map does not have it."""
        return self._place_of.get(int(row))

    def cards(self, found: pd.DataFrame) -> list[dict[str, Any]]:
        """Cards for `components.item_grid`; `found` has the columns `id, kind, caption`, and may have `score`."""
        return [self._card(row) for row in found.to_dict("records")]

    def _key(self) -> str:
        """A key of all data sent of this map. Browsers cache it for a year, so changed data need another key."""
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
        caption = item.get("caption")
        return {
            "id": item["id"],
            "caption": caption if isinstance(caption, str) else "",
            "thumbnail": self.workspace.thumbnail_url(item["id"]),
            "score": item.get("score"),
        }

    def _answer(self, spot: Spot, title: str) -> Answer:
        rows = self.saved.rows(spot.items).tolist()
        place = (spot.place[0], spot.place[1])
        return Answer(spot.point, place, title, spot.confidence, list(zip(rows, spot.weights, strict=True)))
