"""The one writer of a collection: whole batches in, each a commit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import CollectionError
from ..records.pictures import printable
from .folders import one_writer
from .items import PREFIX, Item, extras_json, shapes_of, to_table, vector_array, vector_field
from .tables import Table, read, write_json

if TYPE_CHECKING:
    from .store import Collection

FAILED = "failed.json"


class Writer:
    """Appends to a collection and corrects it, while no other process may.

    Args:
        collection: it shows what was committed as soon as it is.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._table: Table = collection.table

    def append(self, items: Sequence[Item], shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Commit new items with their vectors in the spaces of `shapes`, all of them or none.

        Raises:
            CollectionError: the disk is full or read-only, or a space's points have another shape here.
        """
        if not items:
            return
        self.add_spaces(shapes)
        self._table.append(to_table(items, shapes, first_row=len(self._collection)))
        self._collection.refresh()

    def add_spaces(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Make columns for the vectors of further spaces, empty at first.

        Raises:
            CollectionError: as `append`.
        """
        snapshot = self._table.open()
        if snapshot is None:
            return
        known = shapes_of(snapshot.schema)
        for space, shape in shapes.items():
            if known.get(space, tuple(shape)) != tuple(shape):
                raise CollectionError(
                    f"Got points of shape {tuple(shape)} for space {space!r}, expected {known[space]} as the "
                    "collection holds; use the model that made it."
                )
        new = {space: shape for space, shape in shapes.items() if space not in known}
        self._table.add_columns([vector_field(space, shape) for space, shape in new.items()])

    def add_vectors(self, space: str, ids: Sequence[str], vectors: ArrayLike, *, shape: tuple[int, ...]) -> None:
        """Commit the vectors `(n, d)` of items that are there already, in a space old or new.

        Raises:
            CollectionError: there are not as many vectors as ids, or as `append`.
        """
        import pyarrow as pa

        x = np.asarray(vectors, dtype=np.float32)
        if x.ndim != 2 or len(x) != len(ids) or x.shape[1] != int(np.prod(shape)):
            raise CollectionError(
                f"Got vectors of shape {x.shape} for {len(ids)} items of space {space!r}, expected "
                f"({len(ids)}, {int(np.prod(shape))}); give one row an item."
            )
        self.add_spaces({space: shape})
        column = vector_array(list(x), x.shape[1])
        self._amend(pa.table({"id": pa.array(list(ids), pa.string()), PREFIX + space: column}))

    def set_captions(self, rows: Sequence[tuple[str, str | None, str | None, Mapping[str, Any]]]) -> None:
        """Commit (id, caption, pair, extras) of items that had no caption; extras they had stay, where none is new.

        Raises:
            CollectionError: as `append`.
        """
        import pyarrow as pa

        ids, captions, pairs, extras = zip(*rows, strict=True) if rows else ((), (), (), ())
        known = self._extras(ids)
        merged = [extras_json({**known.get(name, {}), **each}) for name, each in zip(ids, extras, strict=True)]
        columns = {"id": ids, "caption": captions, "pair": pairs, "extras": merged}
        self._amend(pa.table({name: pa.array(list(values), pa.string()) for name, values in columns.items()}))

    def set_failed(self, failed: Mapping[str, str]) -> None:
        """Keep the list of what could not be read: source -> reason."""
        listed = [{"source": source, "reason": reason} for source, reason in failed.items()]
        if listed != self._collection.failed():
            write_json(self._collection.path / FAILED, listed)

    def _extras(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        snapshot = self._table.open()
        if snapshot is None or not ids:
            return {}
        listed = ", ".join("'" + name.replace("'", "''") + "'" for name in ids)
        found = read(snapshot, ["id", "extras"], where=f"id IN ({listed}) AND extras IS NOT NULL")
        return {each["id"]: json.loads(each["extras"]) for each in found.to_pylist()}

    def _amend(self, rows: Any) -> None:
        if rows.num_rows:
            self._table.amend(rows)
            self._collection.refresh()


@contextmanager
def writer(collection: Collection) -> Iterator[Writer]:
    """The writer of a collection, which shows the newest snapshot while it is held.

    Raises:
        CollectionError: another process is writing, or the folder cannot be written.
    """
    with one_writer(collection.path):
        collection.table.sweep()
        for part in collection.path.glob(".*.part"):
            part.unlink(missing_ok=True)
        collection.refresh()
        yield Writer(collection)


def read_failed(path: Path) -> list[dict[str, str]]:
    """What could not be read, as it is kept in a collection.

    Raises:
        CollectionError: the list is damaged.
    """
    try:
        listed = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        return [{"source": str(each["source"]), "reason": str(each["reason"])} for each in listed]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CollectionError(f"Got a damaged {printable(str(path))}, expected a list; delete that file.") from error
