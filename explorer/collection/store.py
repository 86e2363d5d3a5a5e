"""A collection on disk: items, their vectors in each space, their maps, and what could not be read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CollectionError
from ..records.pictures import printable
from . import maps, writer
from .encoding import kept_as, to_points
from .folders import CARD, make_folder, read_card, write_card
from .items import COLUMNS, PREFIX, Kind, Vectors, shapes_of, to_frame, to_table, to_vectors
from .maps import SavedMap
from .tables import Table, read

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from ..explorer import Explorer
    from ..points import Points
    from ..records.images import Images


class Collection:
    """Pictures and texts with their vectors, all encoded by one model, in a folder of Lance tables.

    What it shows is one snapshot: the rows of `items()` and of every `vectors(...)` belong together, whatever another
    process appends meanwhile. `refresh()` moves on to the newest.

    Attributes:
        path: the folder.
        model_name, model_hash: of the model that encoded the items.
        table: where the items are kept.
    """

    def __init__(self, path: Path, model_name: str, model_hash: str) -> None:
        self.path, self.model_name, self.model_hash = path, model_name, model_hash
        self.table = Table(path / "items.lance")
        self.refresh()

    @classmethod
    def create(cls, path: str | os.PathLike[str], model_name: str, model_hash: str) -> Collection:
        """A new, empty collection for the vectors of one model, in a new or empty folder.

        Raises:
            CollectionError: the folder holds something already, or cannot be written.
        """
        folder = Path(os.path.abspath(path))
        if (folder / CARD).exists():
            raise CollectionError(
                f"Got {printable(str(folder))}, which is a collection already, expected a new folder; open it instead."
            )
        make_folder(folder)
        write_card(folder, model_name, model_hash)
        return cls(folder, model_name, model_hash)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Collection:
        """The collection in a folder; its items are read when they are asked for.

        Raises:
            CollectionError: there is none, or it is damaged or of a later format.
        """
        folder = Path(os.path.abspath(path))
        return cls(folder, *read_card(folder))

    def __len__(self) -> int:
        return 0 if self._snapshot is None else int(self._snapshot.count_rows())

    def __repr__(self) -> str:
        return f"Collection({str(self.path)!r}: {len(self)} items by {self.model_name})"

    @property
    def spaces(self) -> dict[str, tuple[int, ...]]:
        """The spaces there are vectors of, and the shape of one point of each."""
        return {} if self._snapshot is None else shapes_of(self._snapshot.schema)

    @property
    def version(self) -> int:
        """The number of the snapshot shown; 0 before the first commit."""
        return 0 if self._snapshot is None else int(self._snapshot.version)

    def refresh(self) -> None:
        """Show the newest snapshot."""
        self._snapshot = self.table.open()
        self._order: NDArray[np.int64] | None = None
        self._frame: pd.DataFrame | None = None
        self._rows: dict[str, int] = {}
        self._vectors: dict[str, Vectors] = {}
        self._points: dict[tuple[str, Kind | None, str], Points] = {}

    def require_model(self, name: str, digest: str) -> None:
        """Nothing, when the model is the one that encoded this collection.

        Raises:
            CollectionError: it is another.
        """
        if digest != self.model_hash:
            raise CollectionError(
                f"Got collection {printable(self.path.name)} written by model {self.model_name} (hash "
                f"{self.model_hash[:12]}), expected {name} (hash {digest[:12]}); open the model that wrote it, or "
                "ingest into a new folder."
            )

    def items(self, kind: Kind | None = None) -> pd.DataFrame:
        """One row an item in the order they came: id, kind, source, caption, pair, width, height, sha256, extras."""
        if self._frame is None:
            self._frame = to_frame(self._read([*COLUMNS, "extras"]))
        return self._frame.copy() if kind is None else self.take(self.rows(kind))

    def vectors(self, space: str = "joint", kind: Kind | None = None) -> Vectors:
        """`(n, d)` float32, read-only, aligned with `items(kind)`: raw, as the encoder gave them, `d` flattened.

        Rows that the space cannot encode (texts, in `latent`) are NaN.

        Raises:
            CollectionError: no vectors of that space are kept.
        """
        space = kept_as(space)
        if space not in self.spaces:
            raise CollectionError(
                f"Got space {space!r}, expected one of those in {printable(self.path.name)} "
                f"({', '.join(self.spaces) or 'none: it is empty'}); ingest with --space {printable(space)}."
            )
        if space not in self._vectors:
            self._vectors[space] = to_vectors(self._read([PREFIX + space]).column(0))
        return self._vectors[space] if kind is None else self._vectors[space][self.rows(kind)]

    def rows(self, kind: Kind) -> NDArray[np.int64]:
        """The rows of `items()` that are of a kind."""
        if self._frame is None:
            self.items()
        return np.flatnonzero(self._frame["kind"] == kind)  # type: ignore[index]

    def take(self, rows: ArrayLike) -> pd.DataFrame:
        """Those rows of `items()`, in the order given."""
        if self._frame is None:
            self.items()
        return self._frame.iloc[np.asarray(rows)].reset_index(drop=True)  # type: ignore[union-attr]

    def points(self, explorer: Explorer, space: str = "joint", kind: Kind | None = None) -> Points:
        """The items' points, aligned with `items(kind)`: in `joint` free of the gap between pictures and texts.

        Raises:
            CollectionError: another model's collection, or items that have no vector in the space.
        """
        self.require_model(explorer.model.name, explorer.model.hash)
        key = (space, kind, explorer.model.hash)
        if key not in self._points:
            self._points[key] = to_points(explorer, space, self.vectors(space, kind), self.items(kind))
        return self._points[key]

    def points_of(self, explorer: Explorer, ids: Sequence[str], space: str = "joint") -> Points:
        """The points of these items, in the order given; the others need no vector in the space.

        Raises:
            CollectionError: as `points` and `row`.
        """
        self.require_model(explorer.model.name, explorer.model.hash)
        rows = [self.row(item) for item in ids]
        return to_points(explorer, space, self.vectors(space)[rows], self.take(rows))

    def retrieve(self, explorer: Explorer, points: Points) -> Images:
        """The nearest picture to each point, for models that decode no joint vectors; see `retrieval.retrieve`."""
        from .retrieval import retrieve  # which needs torch

        return retrieve(self, explorer, points)

    def row(self, item: str) -> int:
        """The row of an item in `items()`.

        Raises:
            CollectionError: there is no item of that id.
        """
        if not self._rows:
            self._rows = {name: row for row, name in enumerate(self.items()["id"])}
        if item not in self._rows:
            raise CollectionError(
                f"Got item {printable(item)[:40]!r}, expected the id of one of the {len(self)} items of "
                f"{printable(self.path.name)}; look it up with `thoughtspace search`."
            )
        return self._rows[item]

    def thumbnail(self, item: str) -> bytes | None:
        """The JPEG of a picture, at most 96 pixels long, or `None` for a text.

        Raises:
            CollectionError: there is no item of that id.
        """
        return self.thumbnails([self.row(item)])[0]

    def thumbnails(self, rows: Sequence[int]) -> list[bytes | None]:
        """The JPEGs at these rows of `items()`, `None` for texts.

        Raises:
            CollectionError: a row is out of range.
        """
        outside = [row for row in rows if not 0 <= row < len(self)]
        if outside:
            raise CollectionError(f"Got row {outside[0]}, expected 0 to {len(self) - 1}; use rows of items().")
        if self._snapshot is None or not len(rows):
            return []
        places = self._places()[np.asarray(rows, dtype=np.int64)]
        return read(self._snapshot, ["thumbnail"], places.tolist()).column(0).to_pylist()

    def failed(self) -> list[dict[str, str]]:
        """What could not be read so far: `source` and `reason` of each.

        Raises:
            CollectionError: the list is damaged.
        """
        return writer.read_failed(self.path / writer.FAILED)

    def writer(self) -> AbstractContextManager[writer.Writer]:
        """Hold the collection for writing; see `Writer`.

        Raises:
            CollectionError: another process is writing, or the folder cannot be written.
        """
        return writer.writer(self)

    def add_vectors(
        self, space: str, vectors: ArrayLike, *, ids: Sequence[str] | None = None, shape: tuple[int, ...]
    ) -> None:
        """Keep the vectors `(n, d)` of items in a space, old or new: of the items `ids`, else of all in order.

        Raises:
            CollectionError: there are not as many vectors as items, or they cannot be written.
        """
        with self.writer() as hold:
            chosen = list(self.items()["id"]) if ids is None else list(ids)
            for name in chosen:
                self.row(name)
            hold.add_vectors(space, chosen, vectors, shape=shape)

    def lacking(self, space: str, kind: Kind) -> list[str]:
        """The ids of the items of a kind that have no vector in a space."""
        if self._snapshot is None:
            return []
        missing = f" AND {PREFIX}{space} IS NULL" if space in self.spaces else ""
        return read(self._snapshot, ["id"], where=f"kind = '{kind}'{missing}").column(0).to_pylist()

    def maps(self) -> list[str]:
        """The names of the saved maps."""
        return maps.map_names(self.path / "maps")

    def load_map(self, name: str) -> SavedMap:
        """The map of a name; its `ids` say which items it shows, for the collection may have grown since.

        Raises:
            MapError: there is none.
        """
        return maps.load_map(self.path / "maps", name)

    def save_map(
        self,
        name: str,
        coordinates: ArrayLike,
        *,
        ids: Sequence[str] | None = None,
        space: str = "joint",
        options: Mapping[str, Any] | None = None,
        quality: Mapping[str, Any] | None = None,
        columns: Mapping[str, ArrayLike] | None = None,
    ) -> SavedMap:
        """Keep coordinates `(n, 2)` of the items `ids` (all, in order, by default), in place of any map of that name.

        Raises:
            MapError: the name is no plain one, or the arrays do not fit together.
            CollectionError: it cannot be written.
        """
        chosen, folder = list(self.items()["id"] if ids is None else ids), self.path / "maps"
        return maps.save_map(
            folder, name, coordinates, ids=chosen, space=space, options=options, quality=quality, columns=columns
        )

    def _read(self, columns: list[str]) -> pa.Table:
        if self._snapshot is None:
            return to_table([], {}, first_row=0).select(columns)
        table, places = read(self._snapshot, columns), self._places()
        return table if (places[:-1] < places[1:]).all() else table.take(places)

    def _places(self) -> NDArray[np.int64]:
        """Where in the snapshot each row lies: corrected items move to the end of their table."""
        if self._order is None and self._snapshot is not None:
            self._order = np.argsort(read(self._snapshot, ["row"]).column(0).to_numpy(), kind="stable")
        return np.empty(0, dtype=np.int64) if self._order is None else self._order
