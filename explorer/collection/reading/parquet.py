"""Parquet tables, and pictures that are stored inside of them, as Hugging Face does."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import reason
from .cells import Inside, Version, buffer, version
from .schema import FIRST, Lost, Records, cells, labels_of, leaves, picture_columns

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


@dataclass(frozen=True)
class InParquet(Inside):
    """The place of a picture in a Parquet table. One part of the column is kept in memory."""

    def cell(self) -> Any:
        now = version(self.path)
        starts = _starts(now)
        part = bisect(starts, self.row) - 1
        return _column(now, self.column, part)[self.row - starts[part]].as_py()


def read(path: Path) -> Records:
    """The records of a Parquet table. The bytes of pictures are not read.

    Of a damaged part, all rows are `lost`.

    Raises:
        Exception: not even one part can be read; pyarrow has errors of its own.
    """
    with _opened(version(path)) as file:
        names = list(dict.fromkeys(file.schema_arrow.names))
        rows, lost = _rows(file)
        pictures, unread = picture_columns(file.schema_arrow, lambda name: _first(file, name))
        bare = _without_bytes(file, pictures) if pictures is not None else set()
    if pictures is None:
        return Records(names, rows, unread=unread, lost=lost)
    at = names.index(pictures)
    inside = (row for row in range(len(rows)) if row not in bare or not rows[row][at])
    places = {row: InParquet(path, pictures, row) for row in inside}
    return Records(names, rows, pictures, places, unread=unread, lost=lost)


def _rows(file: pq.ParquetFile) -> tuple[list[list[Any]], list[Lost]]:
    """The cells of all rows, which are empty in parts that are damaged, and those parts."""
    rows: list[list[Any]] = []
    lost: list[Lost] = []
    for part in range(file.metadata.num_row_groups):
        count = file.metadata.row_group(part).num_rows
        try:
            rows += _rows_of(file, part, count)
        except Exception as error:
            if len(lost) == file.metadata.num_row_groups - 1:
                raise
            lost.append(Lost(len(rows), len(rows) + count, reason(error)))
            rows += [[None] * len(file.schema_arrow)] * count
    return rows, lost


def _rows_of(file: pq.ParquetFile, part: int, count: int) -> list[list[Any]]:
    """The cells of one part."""
    schema, labels = file.schema_arrow, labels_of(file.schema_arrow)
    table = file.read_row_group(part, columns=[leaf for each in schema for leaf in leaves(each)])
    table.validate(full=True)  # so that damaged texts are an error
    columns = {
        each.name: cells(each, table.column(each.name), labels.get(each.name))
        if each.name in table.column_names
        else [None] * count
        for each in schema
    }
    return [list(row) for row in zip(*columns.values(), strict=True)]


def _first(file: pq.ParquetFile, column: str) -> list[Any]:
    """The first cells of a column; not more of the file is read. None if they are damaged, which their reading says."""
    try:
        batch = next(file.iter_batches(batch_size=FIRST, columns=[column]), None)
    except Exception:  # pyarrow has errors of its own
        return []
    return [] if batch is None else batch.column(0).to_pylist()


def _without_bytes(file: pq.ParquetFile, column: str) -> set[int]:
    """The rows whose cell has no bytes. The pictures of a part are read only if some of them have bytes, some not."""
    bare, start = set[int](), 0
    for part in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(part)
        chunks = (group.column(at) for at in range(group.num_columns))
        chunk = next(each for each in chunks if each.path_in_schema in (column, f"{column}.bytes"))
        nulls = chunk.statistics.null_count if chunk.statistics and chunk.statistics.has_null_count else None
        if nulls == group.num_rows:
            bare.update(range(start, start + group.num_rows))
        elif nulls != 0:
            try:
                values = file.read_row_group(part, columns=[chunk.path_in_schema]).column(0)
            except Exception:  # each of its pictures will say so
                values = ()
            bare.update(start + at for at, cell in enumerate(values) if not _bytes(cell.as_py()))
        start += group.num_rows
    return bare


def _bytes(cell: Any) -> bytes | None:
    return cell.get("bytes") if isinstance(cell, dict) else cell


def _opened(file: Version) -> pq.ParquetFile:
    import pyarrow.parquet as pq

    return pq.ParquetFile(buffer(file), page_checksum_verification=True)


@lru_cache(maxsize=4)
def _starts(file: Version) -> list[int]:
    """The first row of each part of the file."""
    starts = [0]
    with _opened(file) as opened:
        for part in range(opened.metadata.num_row_groups - 1):
            starts.append(starts[-1] + opened.metadata.row_group(part).num_rows)
    return starts


@lru_cache(maxsize=2)
def _column(file: Version, column: str, part: int) -> pa.ChunkedArray:
    with _opened(file) as opened:
        return opened.read_row_group(part, columns=[column]).column(0)
