"""Rows of tables of any kind, each with its line, its file, its texts and its further columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import CollectionError
from .cells import Inside
from .columns import IsFile, Roles, name_in, roles
from .delimited import SAMPLE
from .names import stored
from .schema import Records
from .text import clean, shortened
from .values import are_lists, is_lost, plain, texts_of, written_list

FRAME = "DataFrame"
"""The name of a data frame in origins: `DataFrame:12` is its twelfth row."""

ARRAY = "array"
"""The name of an array of vectors in origins."""

MOST_COLUMNS, MOST_LETTERS = 10_000, 2**20
"""Most columns of a table, and most characters of one cell."""

IN_MEMORY = (FRAME, ARRAY)


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        line: of the file, or the number of the row, from 1.
        file: the picture as it is written; empty if none is named.
        texts: its captions, or a prompt.
        extras: the further columns, plain JSON values.
        empty: the further columns that have no value in this row.
        problem: why the row cannot be used.
        picture: where the picture itself is, in a table that holds pictures.
    """

    line: int
    file: str = ""
    texts: Sequence[str] = ()
    extras: Mapping[str, Any] = field(default_factory=dict)
    empty: frozenset[str] = frozenset()
    problem: str = ""
    picture: Inside | None = None


@dataclass(frozen=True)
class Sheet:
    """A table that was read.

    Attributes:
        path: the file; for a data frame, its name in origins.
        columns: the names of its columns.
        file: the column that names the pictures, or None.
        texts: the columns of their texts.
        rows: its rows, those with problems too.
        encoding: what its text was decoded from; empty for tables whose columns have types.
        guessed: whether the encoding is a guess.
        separator: between the cells, in a word; empty where there is none.
        header: whether its first record names the columns.
        joined: rows with commas of the text that should have been in quotation marks, and were put together again.
        above: what its lines above the header, or above the first row, say: titles and comments.
        lists: whether texts are lists that are written as text, of which each text is taken.
        whole: whether it was read to its end.
        gaps: whether it is the rows of some parts alone that cannot be read.
        unread: columns of further pictures, which are not read.
    """

    path: Path
    columns: Sequence[str] = ()
    file: str | None = None
    texts: Sequence[str] = ()
    rows: Sequence[Row] = ()
    encoding: str = ""
    guessed: bool = False
    separator: str = ""
    header: bool = True
    joined: int = 0
    above: Sequence[str] = ()
    lists: bool = False
    whole: bool = True
    gaps: bool = False
    unread: Sequence[str] = ()

    @property
    def source(self) -> str:
        """Its name in origins and reports: the path as it is stored, or `DataFrame`."""
        return FRAME if str(self.path) == FRAME else stored(self.path)


def sheet_of_records(path: Path, found: Records, is_file: IsFile) -> Sheet:
    """The sheet of a table whose columns have types, and whose pictures may be inside."""
    names = found.names
    check_width(len(names))
    known = roles(names, [row for row in found.rows[:SAMPLE] if any(cell is not None for cell in row)], is_file)
    if found.pictures is not None:
        known = Roles(names.index(found.pictures), tuple(at for at in known.texts if names[at] != found.pictures))
    lost = {row for each in found.lost for row in range(each.start, each.stop)}
    told = [(row + 1, cells, "") for row, cells in enumerate(found.rows) if row not in lost]
    sheet = sheet_of(path, names, known, told)
    sheet = replace(sheet, unread=[clean(name) for name in found.unread])
    rows = [replace(row, picture=found.places.get(row.line - 1)) for row in sheet.rows]
    for each in found.lost:
        why = f"rows {each.start + 1} to {each.stop}, which are damaged ({shortened(each.why, 160)})"
        rows.append(Row(each.start + 1, problem=why))
    if not found.damage:
        return replace(sheet, rows=rows, whole=not found.lost, gaps=bool(found.lost))
    why = f"a file that is cut off or damaged from here on ({shortened(found.damage, 160)})"
    return replace(sheet, rows=[*rows, Row(len(rows) + 1, problem=why)], whole=False)


def check_width(columns: int) -> None:
    """Raise a CollectionError if a table has more than `MOST_COLUMNS`."""
    if columns > MOST_COLUMNS:
        raise CollectionError(f"it has {columns} columns, expected at most {MOST_COLUMNS}", code="too wide")


def sheet_of(
    path: Path,
    names: Sequence[str],
    known: Roles,
    found: Sequence[tuple[int, Sequence[Any], str]],
    values: Mapping[int, Sequence[Any]] | None = None,
) -> Sheet:
    """The sheet of these records `(line, cells, problem)`; `values` has the typed columns of delimited ones."""
    rows, whole = [], 0
    others = further(names, known)
    lists = {at for at in known.texts if are_lists(cells[at] for _, cells, problem in found if not problem)}
    for line, cells, problem in found:
        longest = max((len(cell) for cell in cells if isinstance(cell, str)), default=0)
        if not problem and longest > MOST_LETTERS:
            problem = f"a cell of {longest} characters, which are more than {MOST_LETTERS},"
            whole += 1
        if problem:
            rows.append(Row(line, problem=problem))
            continue
        extras = {names[at]: plain(cells[at]) if values is None else values[at][whole] for at in others}
        whole += 1
        told = ((written_list(cells[at]) if at in lists else None) or cells[at] for at in known.texts)
        texts = list(dict.fromkeys(text for cell in told for text in texts_of(cell)))
        if not texts and any(is_lost(cells[column]) for column in known.texts):
            rows.append(Row(line, problem="a caption that is an object without a text"))
            continue
        more = {clean(name): value for name, value in extras.items() if value is not None}
        file = name_in(cells[known.file]) if known.file is not None else ""
        empty = frozenset(clean(name) for name, value in extras.items() if value is None)
        rows.append(Row(line, file if file.strip() else "", texts, more, empty))
    file_column = None if known.file is None else clean(names[known.file])
    text_columns = [clean(names[each]) for each in known.texts]
    return Sheet(path, [clean(name) for name in names], file_column, text_columns, rows, lists=bool(lists))


def unique_names(cells: Sequence[str], known: Roles) -> list[str]:
    """Names for the columns, each once."""
    names: dict[str, None] = {}
    for column, cell in enumerate(cells):
        name = clean(cell) or ("file" if column == known.file else "caption" if column in known.texts else "")
        name = name or f"column {column + 1}"
        while name in names:
            name = f"{name} ({column + 1})"
        names[name] = None
    return list(names)


def further(names: Sequence[str], known: Roles) -> list[int]:
    """The places of the further columns: those of no file and no text."""
    return [column for column in range(len(names)) if column != known.file and column not in known.texts]
