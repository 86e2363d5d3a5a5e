"""A collection: items with vectors and maps on disk, and their points if the model is open."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..checks import whole
from ..errors import CollectionError
from ..records.pictures import printable
from . import nearest
from .encoding import kept_as, only_kind, space_of, to_points
from .folders import CARD, make_folder, one_writer, read_card, write_card
from .items import Kind
from .stored import StoredItems
from .writer import Writer

if TYPE_CHECKING:
    import pandas as pd

    from ..explorer import Explorer
    from ..points import Points
    from ..records.images import Images


class Collection(StoredItems):
    """Pictures and texts with their vectors, all encoded by one model, in a folder of Lance tables.

    Without an explorer it has items, thumbnails and maps. Bound to the explorer of the model that encoded it, it also
    has points and can be searched.

        collection = Collection.open("photos.collection", Explorer.open("pocket"))
        collection.search('"a red hat" - "a hat"', k=5)
        collection.points("latent", kind="image")

    Attributes:
        model_name, model_hash: of the model that encoded the items.
    """

    def __init__(self, path: Path, model_name: str, model_hash: str) -> None:
        self.model_name, self.model_hash = model_name, model_hash
        self._explorer: Explorer | None = None
        self._points: dict[tuple[str, Kind | None], Points] = {}
        super().__init__(path)

    @classmethod
    def create(cls, path: str | os.PathLike[str], explorer: Explorer) -> Collection:
        """Make an empty collection for the vectors of one model, in a new or empty folder.

        Raises:
            CollectionError: the folder is not empty or cannot be written.
        """
        folder = Path(os.path.abspath(path))
        if (folder / CARD).exists():
            message = f"Got {printable(str(folder))}, which is already a collection; open it instead."
            raise CollectionError(message, code="exists")
        make_folder(folder)
        write_card(folder, explorer.model.name, explorer.model.hash)
        return cls.open(folder, explorer)

    @classmethod
    def open(cls, path: str | os.PathLike[str], explorer: Explorer | None = None) -> Collection:
        """Open the collection in a folder. Items are read when they are first needed.

        Args:
            explorer: of the model that encoded the collection; without one there are no points.

        Raises:
            CollectionError: no collection, a damaged one, one of a later format, or one of another model.
        """
        folder = Path(os.path.abspath(path))
        opened = cls(folder, *read_card(folder))
        return opened if explorer is None else opened.bound(explorer)

    def bound(self, explorer: Explorer) -> Collection:
        """The same collection with the explorer of its model.

        Raises:
            CollectionError: another model encoded it.
        """
        if explorer is self._explorer:
            return self
        self.require_model(explorer.model.name, explorer.model.hash)
        same = copy(self)
        same._explorer, same._points = explorer, {}
        return same

    def __repr__(self) -> str:
        return f"Collection({str(self.path)!r}: {len(self)} items by {self.model_name})"

    @property
    def explorer(self) -> Explorer:
        """The explorer of the model that encoded the items.

        Raises:
            CollectionError: the collection was opened without one.
        """
        if self._explorer is None:
            raise CollectionError(
                f"Got collection {printable(self.path.name)} without an explorer, expected that of {self.model_name}; "
                "open it with Collection.open(path, explorer).",
                code="no model",
            )
        return self._explorer

    def refresh(self) -> None:
        super().refresh()
        self._points = {}

    def require_model(self, name: str, digest: str) -> None:
        """Raise `CollectionError` unless the model of this hash encoded the collection."""
        if digest != self.model_hash:
            raise CollectionError(
                f"Got collection {printable(self.path.name)} written by model {self.model_name} (hash "
                f"{self.model_hash[:12]}), expected {name} (hash {digest[:12]}); open that model, or ingest into a new "
                "folder.",
                code="other model",
            )

    def points(self, space: str = "joint", kind: Kind | None = None) -> Points:
        """The points of the items, aligned with `items(kind)`. In `joint` the gap between pictures and texts is closed.

        Raises:
            CollectionError: no explorer, no vectors in the space, or an item without one.
            SpaceError: the model has no such space.
        """
        found = space_of(self.explorer, space)
        if (found.name, kind) not in self._points:
            self._points[found.name, kind] = to_points(found, self.vectors(kept_as(found), kind), self.items(kind))
        return self._points[found.name, kind]

    def points_of(self, ids: Sequence[str], space: str = "joint") -> Points:
        """The points of these items, in this order. Other items need no vector in the space.

        Raises:
            CollectionError, SpaceError: as `points` and `row`.
        """
        found, rows = space_of(self.explorer, space), [self.row(item) for item in ids]
        return to_points(found, self.vectors(kept_as(found))[rows], self.take(rows))

    def lookup(self, space: str = "joint") -> Lookup:
        """Looks up `item("id")` and `dir("name")` in a space: the `items` argument of an explorer's methods."""
        return Lookup(self, space)

    def search(
        self, expression: str | Points, k: int = 10, *, kind: Kind | None = None, space: str | None = None
    ) -> pd.DataFrame:
        """The `k` items nearest to an expression, best first; ties in the order of the collection.

        Nearness is the cosine where the space is a sphere (`joint`), and the Euclidean distance elsewhere (`latent`,
        `prompt`, `bottleneck`), as on a map of the space.

        Args:
            expression: source text, in which `item("…")` is an item of this collection, or one point.
            kind: only pictures or only texts; by default every kind that the space encodes.
            space: where text is read; by default that of the point, else `joint`.

        Returns:
            columns `id, kind, score, measure, caption, source, row`. A higher `score` is nearer; its `measure` is
            `cosine`, in [-1, 1], or `minus distance`, at most 0. `row` is that of `items()`.

        Raises:
            CollectionError: no explorer, no vectors in the space, several points, or a zero vector on a sphere.
            ExpressionError, SpaceError: an expression that has no point in the space.
        """
        whole("k", k, 1, 10**9, error=CollectionError, hint="ask for one item or more")
        query = self._query(expression, space)
        name, metric = query.space.name, nearest.metric_of(query.space.geometry)
        kind = kind or only_kind(self.explorer, name)
        vector = query.flat[0].float().cpu().numpy()
        if metric == "cosine" and not np.linalg.norm(vector) > 0:
            message = "Got a point without a direction, expected finite values that are not all zero."
            raise CollectionError(message, code="no direction")
        score = nearest.similarity(self.points(name, kind).flat.float().cpu().numpy(), vector, metric)
        best = nearest.top(score, k)
        rows = best if kind is None else self.rows(kind)[best]
        found = self.take(rows).assign(score=score[best], measure=nearest.MEASURE[metric], row=rows)
        return found[["id", "kind", "score", "measure", "caption", "source", "row"]]

    def retrieve(self, points: Points) -> Images:
        """The picture of the collection that is nearest to each point, found as by `search`.

        For models that cannot decode joint vectors. The records are of the kind `retrieval` and name the item and its
        score. If the file of an item is gone, its thumbnail is returned.

        Raises:
            CollectionError: as `search`, or a collection without pictures.
            PictureError: a file that cannot be read, of an item without a thumbnail.
        """
        from .retrieval import found_images  # needs torch

        found = [self.search(point, 1, kind="image") for point in points]
        if not all(map(len, found)):
            message = f"Got collection {printable(self.path.name)} without pictures; ingest some."
            raise CollectionError(message, code="no pictures")
        items = [each.to_dict("records")[0] for each in found]
        thumbnails = self.thumbnails([item["row"] for item in items])
        return found_images(self.explorer.model, points, items, thumbnails)

    @contextmanager
    def writer(self) -> Iterator[Writer]:
        """Lock the collection for writing. Each commit shows at once. See `Writer`.

        Raises:
            CollectionError: another process is writing, or the folder cannot be written.
        """
        with one_writer(self.path):
            self.table.sweep()
            for part in self.path.glob(".*.part"):  # left by killed writers
                part.unlink(missing_ok=True)
            self.refresh()  # another process may have written since the collection was opened
            yield Writer(self.table, self.path, self.refresh)

    def add_vectors(self, space: str, vectors: ArrayLike, *, ids: Sequence[str] | None = None) -> None:
        """Store vectors `(n, *shape)` in a space, old or new: of the items `ids`, else of all items in order.

        Raises:
            CollectionError: the numbers of vectors and items differ, or they cannot be written.
        """
        with self.writer() as writer:
            chosen = list(self.items()["id"]) if ids is None else list(ids)
            for name in chosen:
                self.row(name)
            writer.add_vectors(space, chosen, vectors)

    def _query(self, expression: str | Points, space: str | None) -> Points:
        """The point to search for."""
        if isinstance(expression, str):
            name = space or "joint"
            return self.explorer.points(expression, name, items=self.lookup(name))
        if len(expression) != 1:
            message = f"Got {len(expression)} points to search with, expected one; choose one by index."
            raise CollectionError(message, code="several points")
        return self.explorer.space(space or expression.space.name).owned(expression)


@dataclass(frozen=True)
class Lookup:
    """Looks up the operands `item("id")` and `dir("name")` of expressions in one space.

    Attributes:
        collection: bound to the explorer of its model.
        space: the name of the space.
    """

    collection: Collection
    space: str

    def item(self, id: str, /) -> Points:
        """The point of an item; see `Collection.points_of`."""
        return self.collection.points_of([id], self.space)

    def direction(self, name: str, /) -> Points:
        """One step along a direction; see `SavedDirection.points`."""
        return self.collection.directions.load(name).points(self.collection.explorer.space(self.space))
