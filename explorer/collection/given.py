"""Vectors as sources: rows that were encoded elsewhere, each with what a table says of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CollectionError
from ..records.archives import exists
from .items import Kind, Vectors
from .reading.frames import read_frame
from .reading.names import stored
from .reading.rows import FRAME, Row, Sheet
from .reading.sheets import read_sheet
from .reading.vectors import Array, read_vectors, shards
from .scanned import Scanned, TableReport
from .source import Source

if TYPE_CHECKING:
    import pandas as pd


def of_file(path: Path, table: Path | pd.DataFrame | None, scanned: Scanned) -> Iterator[Source]:
    """The rows of a file of vectors; see `of_array`."""
    return of_array(read_vectors(path), stored(path), table, scanned)


def of_array(array: Array, origin: str, table: Path | pd.DataFrame | None, scanned: Scanned) -> Iterator[Source]:
    """The rows of an array of vectors.

    They are those of pictures if the table has a column that names some, whether they are there or not, or if there is
    no table; else they are those of its texts.

    Args:
        origin: what the array is called.
        table: rows in the same order.

    Raises:
        CollectionError: a table that cannot be read, or with another number of rows.
    """
    sheet = None if table is None else _sheet(table)
    kind: Kind = "text" if sheet is not None and sheet.file is None and sheet.texts else "image"
    return _rows({kind: array}, origin, sheet, scanned)


def of_folder(folder: Path, scanned: Scanned) -> Iterator[Source]:
    """The rows of a folder of clip-retrieval; a part of it that cannot be read is one source with a problem."""
    for shard in shards(folder):
        origin = stored(next(iter(shard.files.values())))
        try:
            arrays = {kind: read_vectors(path) for kind, path in shard.files.items()}
            yield from _rows(arrays, origin, None if shard.table is None else _sheet(shard.table), scanned)
        except CollectionError as error:
            yield Source(origin=origin, problem=str(error))


def _sheet(table: Path | pd.DataFrame) -> Sheet:
    if isinstance(table, Path):
        return read_sheet(table, lambda name: _file(name, table) is not None)
    return read_frame(table, lambda name: _file(name, Path(FRAME)) is not None)


def _rows(arrays: Mapping[Kind, Array], origin: str, sheet: Sheet | None, scanned: Scanned) -> Iterator[Source]:
    counts = {len(array) for array in arrays.values()} | (set() if sheet is None else {len(sheet.rows)})
    if len(counts) > 1:
        have = [
            f"{len(array)} vectors of {'pictures' if kind == 'image' else 'texts'}" for kind, array in arrays.items()
        ]
        have += [] if sheet is None else [f"a table of {len(sheet.rows)} rows"]
        message = f"Got {origin} with {' and '.join(have)}, expected one row for each vector, in the same order."
        raise CollectionError(message, code="rows")
    rows: Sequence[Row] = [Row(number) for number in range(1, counts.pop() + 1)] if sheet is None else sheet.rows
    if sheet is not None:
        if sheet.whole:
            scanned.read.add(sheet.source)
        scanned.tables.append(TableReport.of(sheet, sheet.source, used=True, matched=len(rows)))
    for at, row in enumerate(rows):
        vectors: dict[Kind, Vectors] = {kind: array[at] for kind, array in arrays.items()}
        yield from _sources(row, vectors, f"{origin}:{at + 1}", sheet)


def _sources(row: Row, vectors: Mapping[Kind, Vectors], origin: str, sheet: Sheet | None) -> Iterator[Source]:
    """The sources of one row: its picture with the first text, and its further texts."""
    if row.problem:
        yield Source(origin=origin, problem=f"Got {row.problem} in {origin}; correct it.")
        return
    if "image" not in vectors and not row.texts:
        message = f"Got {origin}, the vector of a text without the text; add it to the table, in a column 'caption'."
        yield Source(origin=origin, problem=message)
        return
    inside, path, extras = row.picture if "image" in vectors else None, None, dict(row.extras)
    if sheet is not None and row.file and inside is None:
        path = _file(row.file, sheet.path) if "image" in vectors else None
        if path is None and sheet.file is not None:
            extras = {sheet.file: row.file, **extras}
    caption = row.texts[0] if row.texts else None
    picture = Path(path) if path is not None else None
    yield Source(picture, caption, origin, extras, row.empty, inside, vectors=vectors)
    # The vector of a text is that of the first; the others are encoded by the model.
    of_picture: dict[Kind, Vectors] = {kind: vector for kind, vector in vectors.items() if kind == "image"}
    yield from (Source(picture, text, origin, inside=inside, vectors=of_picture) for text in row.texts[1:])


def _file(name: str, table: Path) -> str | None:
    path = os.path.abspath(os.path.join(table.parent, os.path.expanduser(name)))
    return path if exists(path) and not os.path.isdir(path) else None
