"""Arrow tables: streams, as Hugging Face's `datasets` saves them, and files, which Feather is too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import CollectionError, reason
from .cells import Inside, Version, buffer, version
from .schema import Records, cells, labels_of, picture_column

if TYPE_CHECKING:
    import pyarrow as pa

_FILE, _OLD_FEATHER = b"ARROW1", b"FEA1"  # the first bytes; a stream has no such mark


@dataclass(frozen=True)
class InArrow(Inside):
    """The place of a picture in an Arrow table. The file is mapped into memory, so only its own bytes are read.

    Attributes:
        batch: the batch of records, from 0.
        at: the record of the batch, from 0.
    """

    batch: int
    at: int

    def cell(self) -> Any:
        return _column(version(self.path), self.column, self.batch)[self.at].as_py()


def read(path: Path) -> Records:
    """The records of an Arrow table. The bytes of pictures are not read.

    Of a file that is cut off or damaged, the records before that are read, and `damage` says why not the others.

    Raises:
        Exception: not even one record can be read; pyarrow has errors of its own.
    """
    table = _Table(version(path))
    names, pictures, labels = table.schema.names, picture_column(table.schema), labels_of(table.schema)
    rows: list[list[Any]] = []
    places: dict[int, Inside] = {}
    try:
        for number, batch in enumerate(table.batches()):
            batch.validate(full=True)  # so that damaged offsets are an error, and not a crash
            columns = {
                each.name: cells(each, batch.column(at), labels.get(each.name)) for at, each in enumerate(table.schema)
            }
            if pictures is not None:
                full = _with_bytes(batch.column(names.index(pictures)))
                inside = (at for at, name in enumerate(columns[pictures]) if full[at] or not name)
                places |= {len(rows) + at: InArrow(path, pictures, len(rows) + at, number, at) for at in inside}
            rows += [list(row) for row in zip(*columns.values(), strict=True)]
    except Exception as error:
        if not rows:
            raise
        return Records(list(dict.fromkeys(names)), rows, pictures, places, reason(error))
    return Records(list(dict.fromkeys(names)), rows, pictures, places)


def _with_bytes(column: pa.Array) -> list[bool]:
    """Whether each cell has bytes; only the bitmap that says so is read."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = pc.struct_field(column, "bytes") if pa.types.is_struct(column.type) else column
    return values.is_valid().to_pylist()


class _Table:
    """An opened Arrow table: its schema and its batches of records. Nothing is copied, unless it is compressed."""

    def __init__(self, file: Version) -> None:
        import pyarrow as pa

        mapped = buffer(file)
        first = mapped[: len(_FILE)].to_pybytes()
        if first.startswith(_OLD_FEATHER):
            raise CollectionError("it is of the first version of Feather; save it again as Parquet", code="no table")
        self._is_file = first == _FILE
        self._reader = pa.ipc.open_file(mapped) if self._is_file else pa.ipc.open_stream(mapped)
        self.schema: pa.Schema = self._reader.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The batches in their order."""
        if not self._is_file:
            return iter(self._reader)
        return (self._reader.get_batch(number) for number in range(self._reader.num_record_batches))

    def batch(self, number: int) -> pa.RecordBatch:
        """One batch. A stream is gone through up to it, which is quick unless it is compressed."""
        return self._reader.get_batch(number) if self._is_file else next(islice(self._reader, number, None))


@lru_cache(maxsize=2)
def _column(file: Version, column: str, batch: int) -> pa.Array:
    values = _Table(file).batch(batch).column(column)
    values.validate(full=True)
    return values
