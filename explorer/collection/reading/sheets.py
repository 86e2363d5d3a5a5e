"""Tables of captions: a file of any kind to rows, each with its line, its file, its texts and its further columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import CollectionError, reason
from ...records.archives import contents
from ...records.pictures import MAX_BYTES
from . import delimited, parquet
from .columns import Roles, name_in, roles, roles_of_records
from .text import clean, decode, lines, shortened, shown_path
from .values import plain, texts_of, typed

DELIMITED = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".psv": "|"}
"""Delimited tables and their usual separator; another one is recognised."""

SUFFIXES = (*DELIMITED, ".jsonl", ".ndjson", ".json", ".parquet")
"""File endings of tables, lower case."""

MOST_COLUMNS, MOST_LETTERS = 10_000, 2**20
"""Most columns of a table, and most characters of one cell."""

_SEPARATOR_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}

IsFile = Callable[[str], bool]


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
    picture: parquet.Inside | None = None


@dataclass(frozen=True)
class Sheet:
    """A table that was read.

    Attributes:
        path: the file.
        columns: the names of its columns.
        file: the column that names the pictures, or None.
        texts: the columns of their texts.
        rows: its rows, those with problems too.
        encoding: what its text was decoded from; empty for Parquet.
        guessed: whether the encoding is a guess.
        separator: between the cells, in a word; empty where there is none.
        header: whether its first record names the columns.
        joined: rows with commas of the text that should have been in quotation marks, and were put together again.
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


def read_sheet(path: Path, is_file: IsFile) -> Sheet:
    """Read a table; each row that cannot be read has a `problem`.

    Args:
        is_file: whether a name in the table is that of a file.

    Raises:
        CollectionError: the file cannot be read, or is no table.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise CollectionError(
            f"Got captions in {shown_path(str(path))}, expected {', '.join(SUFFIXES)} or a .txt of prompts; "
            "convert it.",
            code="no table",
        )
    try:
        if suffix == ".parquet":
            return _from_parquet(path, is_file)
        text = decode(contents(path, MAX_BYTES))
        if suffix in DELIMITED:
            sheet = _from_delimited(path, text.text, DELIMITED[suffix], is_file)
        else:
            sheet = _from_objects(path, text.text, is_file, whole=suffix == ".json")
    except Exception as error:  # pyarrow and the codecs have errors of their own
        why = shortened(reason(error), 160)
        message = f"Got {shown_path(str(path))}, which cannot be read as a table of files and captions ({why})."
        raise CollectionError(message, code="cannot read") from error
    return replace(sheet, encoding=text.encoding, guessed=text.guessed)


def _from_delimited(path: Path, text: str, usual: str, is_file: IsFile) -> Sheet:
    given = lines(text)
    start = 1 if given and len(given[0].strip()) == 5 and given[0].lower().startswith("sep=") else 0  # as Excel writes
    choices = delimited.separators(given, usual)
    body = ["", *given[1:]] if start else given
    separator = max(choices, key=lambda each: _fit(body, each, is_file)) if len(choices) > 1 else choices[0]
    found = list(delimited.records(body, separator))
    if not found:
        raise CollectionError("it is empty", code="empty")
    _check_width(len(found[0].cells))
    known = roles_of_records(_sample(found), is_file)
    names = _names(found[0].cells if known.header else [""] * len(found[0].cells), known)
    wide = len(delimited.trimmed(found[0].cells)) if known.header else _usual_width(found)
    names = names[: max(wide, 1)]
    rows, joined = [], 0
    for record in found[known.header :]:
        cells, problem = record.cells, record.problem
        if not problem and len(cells) > len(names):
            cells = cells[: len(names)] if len(delimited.trimmed(cells)) <= len(names) else cells
            if len(cells) > len(names) and len(names) <= 2 and known.texts == (len(names) - 1,):
                cells = [*cells[: len(names) - 1], separator.join(cells[len(names) - 1 :])]
                joined += 1
        if not problem and len(cells) != len(names):
            problem = f"{len(cells)} cells where the header has {len(names)}"
        rows.append((record.line, cells, problem))
    word = "" if delimited.is_one_column(separator) else _SEPARATOR_NAMES.get(separator, repr(separator))
    whole = [cells for _, cells, problem in rows if not problem]
    values = {column: typed(cells[column] for cells in whole) for column in _others(names, known)}
    sheet = _sheet(path, names, known, rows, values)
    return replace(sheet, separator=word, header=known.header, joined=joined)


def _fit(given: Sequence[str], separator: str, is_file: IsFile) -> tuple[int, float, int]:
    """How well a separator fits: the columns that it shows, and whether the records have equal numbers of cells."""
    sample = []
    for record in delimited.records(given[: 4 * delimited.SAMPLE], separator):
        sample.append(record)
        if len(sample) == delimited.SAMPLE:
            break
    known = roles_of_records(_sample(sample), is_file)
    return known.known, delimited.agreement(sample), len(sample[0].cells) if sample else 0


def _sample(found: Sequence[delimited.Record]) -> list[list[str]]:
    """The cells of the first records, of which one that is too wide is cut."""
    return [each.cells[:MOST_COLUMNS] for each in found[: delimited.SAMPLE]]


def _check_width(columns: int) -> None:
    if columns > MOST_COLUMNS:
        raise CollectionError(f"it has {columns} columns, expected at most {MOST_COLUMNS}", code="too wide")


def _usual_width(found: Sequence[delimited.Record]) -> int:
    widths = [len(delimited.trimmed(each.cells)) for each in found]
    return max(set(widths), key=widths.count)


def _from_objects(path: Path, text: str, is_file: IsFile, *, whole: bool) -> Sheet:
    """JSON lines, or a `whole` JSON document with a list of objects in it."""
    found = _listed(json.loads(text, parse_constant=_nothing)) if whole else _lines_of_json(text)
    names = list(dict.fromkeys(str(name) for _, each in found if isinstance(each, dict) for name in each))
    _check_width(len(names))
    rows = []
    for line, each in found:
        if isinstance(each, dict):
            rows.append((line, [each.get(name) for name in names], ""))
        else:
            rows.append((line, [], each if isinstance(each, str) else "a value that is no object"))
    known = roles(names, [cells for _, cells, problem in rows[: delimited.SAMPLE] if not problem], is_file)
    return _sheet(path, names, known, rows)


def _lines_of_json(text: str) -> list[tuple[int, Any]]:
    """The value of each line, or what is wrong with it."""
    found: list[tuple[int, Any]] = []
    for number, line in enumerate(lines(text), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_constant=_nothing)
            found.append((number, value if isinstance(value, dict) else "a line that is no JSON object"))
        except (ValueError, RecursionError):
            found.append((number, f"a line that is no JSON: {shortened(line)}"))
    return found


def _listed(document: Any) -> list[tuple[int, Any]]:
    """The objects of a document: a list, or an object of which one value is a list of objects."""
    if isinstance(document, dict):
        lists = [each for each in document.values() if isinstance(each, list) and each and isinstance(each[0], dict)]
        document = lists[0] if len(lists) == 1 else None
    if not isinstance(document, list):
        raise CollectionError("it has no list of objects", code="no table")
    return [(number, each if isinstance(each, dict) else None) for number, each in enumerate(document, start=1)]


def _from_parquet(path: Path, is_file: IsFile) -> Sheet:
    names, records, pictures = parquet.read(path)
    known = roles(names, records[: delimited.SAMPLE], is_file)
    if pictures:
        known = Roles(names.index(pictures), tuple(each for each in known.texts if names[each] != pictures))
    sheet = _sheet(path, names, known, [(number, cells, "") for number, cells in enumerate(records, start=1)])
    if not pictures:
        return sheet
    rows = [replace(row, picture=parquet.Inside(path, pictures, row.line - 1)) for row in sheet.rows]
    return replace(sheet, rows=rows)


def _nothing(_name: str) -> None:
    """JSON has no NaN and no infinity."""


def _names(cells: Sequence[str], known: Roles) -> list[str]:
    """Names for the columns, each once."""
    names: dict[str, None] = {}
    for column, cell in enumerate(cells):
        name = clean(cell) or ("file" if column == known.file else "caption" if column in known.texts else "")
        name = name or f"column {column + 1}"
        while name in names:
            name = f"{name} ({column + 1})"
        names[name] = None
    return list(names)


def _others(names: Sequence[str], known: Roles) -> list[int]:
    return [column for column in range(len(names)) if column != known.file and column not in known.texts]


def _sheet(
    path: Path,
    names: Sequence[str],
    known: Roles,
    found: Sequence[tuple[int, Sequence[Any], str]],
    values: Mapping[int, Sequence[Any]] | None = None,
) -> Sheet:
    """The sheet of these records `(line, cells, problem)`; `values` has the typed columns of delimited ones."""
    rows, whole = [], 0
    others = _others(names, known)
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
        texts = list(dict.fromkeys(text for column in known.texts for text in texts_of(cells[column])))
        told = {clean(name): value for name, value in extras.items() if value is not None}
        file = name_in(cells[known.file]) if known.file is not None else ""
        empty = frozenset(clean(name) for name, value in extras.items() if value is None)
        rows.append(Row(line, file if file.strip() else "", texts, told, empty))
    file_column = None if known.file is None else clean(names[known.file])
    return Sheet(path, [clean(name) for name in names], file_column, [clean(names[each]) for each in known.texts], rows)
