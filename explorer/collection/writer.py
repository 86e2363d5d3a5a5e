"""The writer of a collection: each call is one commit."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import CollectionError
from ..records.pictures import printable
from .items import PREFIX, Item, extras_json, shapes_of, to_table, vector_array, vector_field, vector_shapes
from .tables import Table, among, read, write_json

if TYPE_CHECKING:
    import pyarrow as pa

FAILED = "failed.json"
REPORT = "report.json"


class Writer:
    """Appends and corrects the items of a collection, while no other process may.

    Every method raises `CollectionError` if the disk is full or read-only; then nothing of its commit is kept.

    Args:
        table: the table of the items.
        folder: of the collection.
        committed: called after every commit.
    """

    def __init__(self, table: Table, folder: Path, committed: Callable[[], None]) -> None:
        self._table, self._folder, self._committed = table, folder, committed

    def append(self, items: Sequence[Item]) -> None:
        """Commit new items with their vectors.

        Raises:
            CollectionError: points of another shape than the space has here.
        """
        if not items:
            return
        self._add_spaces(vector_shapes(items))
        self._table.append(to_table(items, first_row=self._next_row()))
        self._committed()

    def add_vectors(self, space: str, ids: Sequence[str], vectors: ArrayLike) -> None:
        """Commit vectors `(n, *shape)` of existing items, in a space old or new.

        Raises:
            CollectionError: unequal numbers of vectors and ids, or as `append`.
        """
        import pyarrow as pa

        x = np.asarray(vectors, dtype=np.float32)
        if x.ndim < 2 or len(x) != len(ids):
            message = f"Got vectors of shape {x.shape} for {len(ids)} items, expected ({len(ids)}, *shape of a point)."
            raise CollectionError(message, code="vectors")
        self._add_spaces({space: x.shape[1:]})
        column = vector_array(list(x), int(np.prod(x.shape[1:])))
        self._amend(pa.table({"id": pa.array(list(ids), pa.string()), PREFIX + space: column}))

    def set_captions(self, items: Sequence[Item]) -> None:
        """Commit the captions, pairs and extras of items without a caption; new extras are added to the old."""
        import pyarrow as pa

        columns = {name: [getattr(item, name) for item in items] for name in ("id", "caption", "pair")}
        known = self._extras(columns["id"])
        columns["extras"] = [extras_json({**known.get(item.id, {}), **item.extras}) for item in items]
        self._amend(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}))

    def correct(self, items: Sequence[Item]) -> None:
        """Commit the captions, pairs, sources and extras of known items, in place of those that they have."""
        import pyarrow as pa

        columns = {name: [getattr(item, name) for item in items] for name in ("id", "caption", "pair", "source")}
        columns["extras"] = [extras_json(item.extras) for item in items]
        self._amend(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}))

    def remove(self, ids: Sequence[str]) -> None:
        """Commit the removal of items. Maps that show them must be drawn again."""
        if ids:
            self._table.delete(ids)
            self._committed()

    def set_report(self, report: Mapping[str, Any]) -> None:
        """Store what the last ingest did."""
        write_json(self._folder / REPORT, report)

    def set_failed(self, failed: Mapping[str, str]) -> None:
        """Store the list of sources that could not be read: source -> reason."""
        listed = [{"source": source, "reason": reason} for source, reason in failed.items()]
        if listed != read_failed(self._folder / FAILED):
            write_json(self._folder / FAILED, listed)

    def _add_spaces(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Add empty columns for the vectors of new spaces."""
        snapshot = self._table.open()
        if snapshot is None:
            return
        known = shapes_of(snapshot.schema)
        for space, shape in shapes.items():
            if known.get(space, tuple(shape)) != tuple(shape):
                raise CollectionError(
                    f"Got points of shape {tuple(shape)} for space {space!r}, expected {known[space]} as in the "
                    "collection; use the model that encoded it.",
                    code="shape",
                )
        new = {space: shape for space, shape in shapes.items() if space not in known}
        self._table.add_columns([vector_field(space, shape) for space, shape in new.items()])

    def _next_row(self) -> int:
        """The number after the largest of all rows; those of removed items are not given again."""
        snapshot = self._table.open()
        rows = None if snapshot is None else read(snapshot, ["row"]).column(0)
        return 0 if rows is None or not len(rows) else int(rows.to_numpy().max()) + 1

    def _extras(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        snapshot = self._table.open()
        if snapshot is None or not ids:
            return {}
        found = read(snapshot, ["id", "extras"], where=f"{among(ids)} AND extras IS NOT NULL")
        return {each["id"]: json.loads(each["extras"]) for each in found.to_pylist()}

    def _amend(self, rows: pa.Table) -> None:
        if rows.num_rows:
            self._table.amend(rows)
            self._committed()


def read_failed(path: Path) -> list[dict[str, str]]:
    """The stored list of sources that could not be read; see `Collection.failed`."""
    try:
        listed = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        return [{"source": str(each["source"]), "reason": str(each["reason"])} for each in listed]
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"Got {printable(str(path))}, which is damaged; delete that file."
        raise CollectionError(message, code="damaged") from error


def read_report(path: Path) -> dict[str, Any] | None:
    """The stored report of the last ingest; see `Collection.report`."""
    try:
        report = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        return None if report is None else dict(report)
    except (OSError, ValueError, TypeError) as error:
        message = f"Got {printable(str(path))}, which is damaged; delete that file."
        raise CollectionError(message, code="damaged") from error
