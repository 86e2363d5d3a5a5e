"""The contents of a collection on disk, without a model: items, vectors, thumbnails, maps, directions, reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CollectionError
from ..records.pictures import printable
from . import maps
from .directions import Directions
from .items import COLUMNS, PREFIX, Kind, Vectors, shapes_of, to_frame, to_table, to_vectors
from .maps import SavedMap
from .tables import Table, read
from .writer import FAILED, REPORT, read_failed, read_report

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class StoredItems:
    """The items of a collection and their vectors, in one snapshot of the table.

    The rows of `items()` and of every `vectors(...)` agree, whatever another process appends meanwhile.

    Attributes:
        path: the folder of the collection.
        table: the table of the items.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table = Table(path / "items.lance")
        self.refresh()

    def __len__(self) -> int:
        return 0 if self._snapshot is None else int(self._snapshot.count_rows())

    @property
    def spaces(self) -> dict[str, tuple[int, ...]]:
        """The spaces with stored vectors, and the shape of a point in each."""
        return {} if self._snapshot is None else shapes_of(self._snapshot.schema)

    @property
    def version(self) -> int:
        """The number of the snapshot; 0 before the first commit."""
        return 0 if self._snapshot is None else int(self._snapshot.version)

    def refresh(self) -> None:
        """Move to the newest snapshot."""
        self._snapshot = self.table.open()
        self._order: NDArray[np.int64] | None = None
        self._frame: pd.DataFrame | None = None
        self._rows: dict[str, int] = {}
        self._vectors: dict[str, Vectors] = {}

    def items(self, kind: Kind | None = None) -> pd.DataFrame:
        """One row per item, oldest first: id, kind, source, caption, pair, width, height, sha256, extras."""
        return self._items().copy() if kind is None else self.take(self.rows(kind))

    def vectors(self, space: str = "joint", kind: Kind | None = None) -> Vectors:
        """The stored vectors, uncentred and flattened: `(n, d)` float32, read-only, aligned with `items(kind)`.

        Items without a vector, such as texts in `latent`, have NaN rows.

        Raises:
            CollectionError: no vectors of that space are stored.
        """
        if space not in self.spaces:
            raise CollectionError(
                f"Got space {space!r}, expected one of those in {printable(self.path.name)} "
                f"({', '.join(self.spaces) or 'none: it is empty'}); ingest with --space {printable(space)}.",
                code="no vectors",
            )
        if space not in self._vectors:
            self._vectors[space] = to_vectors(self._read([PREFIX + space]).column(0))
        return self._vectors[space] if kind is None else self._vectors[space][self.rows(kind)]

    def rows(self, kind: Kind) -> NDArray[np.int64]:
        """The rows of `items()` with this kind."""
        return np.flatnonzero(self._items()["kind"] == kind)

    def take(self, rows: ArrayLike) -> pd.DataFrame:
        """These rows of `items()`, in this order."""
        return self._items().iloc[np.asarray(rows)].reset_index(drop=True)

    def row(self, item: str) -> int:
        """The row of an item in `items()`.

        Raises:
            CollectionError: there is no item with this id.
        """
        if not self._rows:
            self._rows = {name: row for row, name in enumerate(self._items()["id"])}
        if item not in self._rows:
            raise CollectionError(
                f"Got item {printable(item)[:40]!r}, expected the id of one of the {len(self)} items of "
                f"{printable(self.path.name)}; look it up with `thoughtspace search`.",
                code="no item",
            )
        return self._rows[item]

    def thumbnail(self, item: str) -> bytes | None:
        """The thumbnail of a picture, a JPEG of at most 96 pixels a side; `None` for a text. Raises as `row`."""
        return self.thumbnails([self.row(item)])[0]

    def thumbnails(self, rows: Sequence[int]) -> list[bytes | None]:
        """The thumbnails at these rows of `items()`; `None` for texts.

        Raises:
            CollectionError: a row out of range.
        """
        outside = [row for row in rows if not 0 <= row < len(self)]
        if outside:
            message = f"Got row {outside[0]}, expected 0 to {len(self) - 1}; use rows of items()."
            raise CollectionError(message, code="row")
        if self._snapshot is None or not len(rows):
            return []
        places = self._places()[np.asarray(rows, dtype=np.int64)]
        return read(self._snapshot, ["thumbnail"], places.tolist()).column(0).to_pylist()

    def lacking(self, space: str, kind: Kind) -> list[str]:
        """The ids of the items of a kind that lack a vector in a space."""
        if self._snapshot is None:
            return []
        missing = f" AND {PREFIX}{space} IS NULL" if space in self.spaces else ""
        return read(self._snapshot, ["id"], where=f"kind = '{kind}'{missing}").column(0).to_pylist()

    def stored(self) -> dict[str, dict[str, Any]]:
        """Each item by its id, as it is stored: kind, source, caption, pair, and the extras as JSON."""
        columns = ["id", "kind", "source", "caption", "pair", "extras"]
        return {each.pop("id"): each for each in self._read(columns).to_pylist()}

    def failed(self) -> list[dict[str, str]]:
        """The sources that could not be read so far: `source` and `reason` of each.

        Raises:
            CollectionError: the list is damaged.
        """
        return read_failed(self.path / FAILED)

    def report(self) -> dict[str, Any] | None:
        """What the last ingest did, as `IngestReport.to_json` has it; None if it was made before reports were kept.

        Raises:
            CollectionError: the report is damaged.
        """
        return read_report(self.path / REPORT)

    def maps(self) -> list[str]:
        """The names of the saved maps."""
        return maps.map_names(self.path / "maps")

    def load_map(self, name: str) -> SavedMap:
        """The map of this name. Its `ids` say which items it shows; the collection may have grown since.

        Raises:
            MapError: there is no such map, or it lacks its record.
            CollectionError: the table is damaged.
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
        """Save a map of the items `ids` (by default all, in order), in place of any map of the same name.

        It is saved whole or not at all.

        Raises:
            MapError: an invalid name, or arrays that do not fit together.
            CollectionError: the map cannot be written.
        """
        chosen, x = tuple(self.items()["id"] if ids is None else ids), np.ascontiguousarray(coordinates, np.float32)
        arrays = {key: np.asarray(values) for key, values in (columns or {}).items()}
        return maps.save_map(self.path / "maps", SavedMap(name, chosen, x, space, options or {}, quality or {}, arrays))

    @property
    def directions(self) -> Directions:
        """The saved directions."""
        return Directions(self.path / "directions")

    def _items(self) -> pd.DataFrame:
        if self._frame is None:
            self._frame = to_frame(self._read([*COLUMNS, "extras"]))
        return self._frame

    def _read(self, columns: list[str]) -> pa.Table:
        if self._snapshot is None:
            return to_table([], first_row=0).select(columns)
        table, places = read(self._snapshot, columns), self._places()
        return table if (places[:-1] < places[1:]).all() else table.take(places)

    def _places(self) -> NDArray[np.int64]:
        """The position in the snapshot of each row: amended items move to the end of the table."""
        if self._order is None and self._snapshot is not None:
            self._order = np.argsort(read(self._snapshot, ["row"]).column(0).to_numpy(), kind="stable")
        return np.empty(0, dtype=np.int64) if self._order is None else self._order
