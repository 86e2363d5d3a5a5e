"""Parquet tables, and pictures that are stored inside of them, as Hugging Face does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from ...errors import PictureError, reason
from ...records.archives import regular
from ...records.pictures import printable

if TYPE_CHECKING:
    import pyarrow as pa

_READING = Lock()  # threads that read neighbouring rows share one part of the file


@dataclass(frozen=True)
class Inside:
    """The place of a picture in a Parquet table.

    Attributes:
        path: of the table.
        column: of the pictures: bytes, or structs with the bytes in `bytes`.
        row: from 0.
    """

    path: Path
    column: str
    row: int

    def read(self) -> bytes:
        """The bytes of its file.

        Raises:
            PictureError: the table cannot be read, or has no picture in this row.
        """
        name = f"{printable(self.path.name)}:{self.row + 1}"
        try:
            with _READING:
                starts, parts = _parts(self.path)
                part = next(part for part in range(parts) if self.row < starts[part + 1])
                cell = _column(self.path, self.column, part)[self.row - starts[part]].as_py()
        except Exception as error:  # pyarrow has errors of its own
            message = f"Got {name}, which cannot be read ({reason(error)}); download the table again."
            raise PictureError(message, code="cannot read") from error
        data = cell.get("bytes") if isinstance(cell, dict) else cell
        if not data:
            message = f"Got {name} without the bytes of a picture; add them, or leave the row out."
            raise PictureError(message, code="empty")
        return data


def read(path: Path) -> tuple[list[str], list[list[Any]], str | None]:
    """The names of the columns, the records, and the column that holds pictures, if there is one.

    The bytes of pictures are not read; of a struct, its cell has the `path`.
    """
    import pyarrow.parquet as pq

    regular(path)
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        pictures = next((each.name for each in schema if _holds_pictures(each)), None)
        leaves = [leaf for each in schema for leaf in _leaves(each)]
        table = file.read(columns=leaves)
    names = [each.name for each in schema]
    empty = [None] * table.num_rows
    columns = [table.column(name).to_pylist() if name in table.column_names else empty for name in names]
    return names, [list(cells) for cells in zip(*columns, strict=True)] if columns else [], pictures


def _holds_pictures(column: pa.Field) -> bool:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_struct(kind):
        return any(each.name == "bytes" and _is_binary(each.type) for each in kind)
    return _is_binary(kind) and column.name.lower() in ("image", "img", "picture", "photo", "jpg", "png", "bytes")


def _is_binary(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _leaves(column: pa.Field) -> list[str]:
    """The parts of a column that are read at once: all but binary ones."""
    import pyarrow as pa

    if _is_binary(column.type):
        return []
    if pa.types.is_struct(column.type) and _holds_pictures(column):
        return [f"{column.name}.{each.name}" for each in column.type if not _is_binary(each.type)]
    return [column.name]


@lru_cache(maxsize=4)
def _parts(path: Path) -> tuple[list[int], int]:
    """The first row of each part of the file and the row after the last, and the number of parts."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        starts = [0]
        for part in range(file.metadata.num_row_groups):
            starts.append(starts[-1] + file.metadata.row_group(part).num_rows)
    return starts, len(starts) - 1


@lru_cache(maxsize=2)
def _column(path: Path, column: str, part: int) -> pa.ChunkedArray:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return file.read_row_group(part, columns=[column]).column(0)
