"""Tables of captions: a file of any kind to rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import CollectionError, reason
from ...records.archives import contents
from ...records.pictures import MAX_BYTES
from . import arrow, delimited, documents, parquet
from .columns import IsFile, Roles, roles, roles_of_records
from .header import is_word, prompts_alone, records_above
from .kinds import is_json, typed_kind
from .rows import MOST_COLUMNS, Sheet, check_width, further, sheet_of, sheet_of_records, unique_names
from .schema import Records
from .text import decode, lines, shortened, shown_path
from .values import typed

DELIMITED = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".psv": "|"}
"""Delimited tables and their usual separator; another one is recognised."""

_TYPED: Mapping[str, Callable[[Path], Records]] = {
    ".parquet": parquet.read,
    ".arrow": arrow.read,
    ".feather": arrow.read,
}
"""Tables whose columns have types, and what reads them."""

TEXTS = (".txt", ".text", ".prompts")
"""File endings of texts, lower case: each line is a prompt, or the record of a table."""

_OBJECTS = (".jsonl", ".ndjson", ".json")
SUFFIXES = (*DELIMITED, *_OBJECTS, *_TYPED)
"""File endings of tables, lower case."""

_SEPARATOR_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}


def read_sheet(path: Path, is_file: IsFile) -> Sheet:
    """Read a table; each row that cannot be read has a `problem`.

    Args:
        is_file: whether a name in the table is that of a file.

    Raises:
        CollectionError: the file cannot be read, or is no table.
    """
    suffix = path.suffix.lower()
    if suffix not in (*SUFFIXES, *TEXTS):
        raise CollectionError(
            f"Got captions in {shown_path(str(path))}, expected {', '.join(SUFFIXES)} or a .txt of prompts; "
            "convert it.",
            code="no table",
        )
    try:
        if (kind := typed_kind(path, suffix)) in _TYPED:
            return sheet_of_records(path, _TYPED[kind](path), is_file)
        text = decode(contents(path, MAX_BYTES))
        sheet = _from_text(path, text.text, suffix, is_file)
    except Exception as error:  # pyarrow and the codecs have errors of their own
        why = shortened(reason(error), 160)
        message = f"Got {shown_path(str(path))}, which cannot be read as a table of files and captions ({why})."
        raise CollectionError(message, code="cannot read") from error
    return replace(sheet, encoding=text.encoding, guessed=text.guessed)


def _from_text(path: Path, text: str, suffix: str, is_file: IsFile) -> Sheet:
    """A table in a text, which may be of another kind than its name says."""
    usual, objects = DELIMITED.get(suffix, ","), suffix in _OBJECTS
    if suffix in TEXTS or not (objects or is_json(text)):
        return _from_delimited(path, text, usual, is_file)
    first = [line for line in lines(text)[: delimited.SAMPLE] if line.strip()]
    if first and not any(line.lstrip().startswith(("{", "[")) for line in first):
        sheet = _from_delimited(path, "\n".join(first), usual, is_file)
        if any(is_file(row.file) for row in sheet.rows if row.file):
            return _from_delimited(path, text, usual, is_file)
    whole = suffix == ".json" or (not objects and text.lstrip().startswith("["))
    return _from_objects(path, text, is_file, whole=whole)


def _from_delimited(path: Path, text: str, usual: str, is_file: IsFile) -> Sheet:
    given = lines(text)
    start = 1 if given and len(given[0].strip()) == 5 and given[0].lower().startswith("sep=") else 0  # as Excel writes
    choices = delimited.separators(given, usual)
    body = ["", *given[1:]] if start else given
    separator = max(choices, key=lambda each: _fit(body, each, is_file)) if len(choices) > 1 else choices[0]
    found = list(delimited.records(body, separator))
    if not found:
        raise CollectionError("it is empty", code="empty")
    above = records_above(found[: delimited.SAMPLE], is_file)
    lines_above = [shortened(given[record.line - 1]) for record in found[:above]]
    found = found[above:]
    check_width(len(found[0].cells))
    known = roles_of_records(_sample(found), is_file)
    if not known.known:
        separator, found, known = _prompts(body, choices) or (separator, found, known)
    names = unique_names(found[0].cells if known.header else [""] * len(found[0].cells), known)
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
    word = "" if separator == delimited.ONE_COLUMN else _SEPARATOR_NAMES.get(separator, repr(separator))
    whole = [cells for _, cells, problem in rows if not problem]
    values = {column: typed(cells[column] for cells in whole) for column in further(names, known)}
    sheet = sheet_of(path, names, known, rows, values)
    return replace(sheet, separator=word, header=known.header, joined=joined, above=lines_above)


def _prompts(given: Sequence[str], choices: Sequence[str]) -> tuple[str, list[delimited.Record], Roles] | None:
    """The separator, the records and the roles of a table that has prompts and no words for them, or None.

    Lines that are separated into equal numbers of cells are prompts only if a space follows each separator.
    """
    for separator in dict.fromkeys((*choices, delimited.ONE_COLUMN)):
        found = list(delimited.records(given, separator))
        sample = found[: delimited.SAMPLE]
        if delimited.agreement(sample) < 1:
            continue
        known = prompts_alone(_sample(sample))
        if known.known:
            return separator, found, known
        told = given[: delimited.SAMPLE]
        if len(sample[0].cells) > 1 and any(line.count(separator) > line.count(separator + " ") for line in told):
            return None
    return None


def _fit(given: Sequence[str], separator: str, is_file: IsFile) -> tuple[int, bool, float, int]:
    """How well a separator fits: the columns that it shows, whether a word names one, and the share of records that are
    as wide as the header."""
    sample = []
    for record in delimited.records(given[: 4 * delimited.SAMPLE], separator):
        sample.append(record)
        if len(sample) == delimited.SAMPLE:
            break
    table = sample[records_above(sample, is_file) :]
    known = roles_of_records(_sample(table), is_file)
    agreement = delimited.agreement(table) * len(table) / max(len(sample), 1)
    header = table[0].cells[:MOST_COLUMNS] if table else []
    named = agreement >= 0.5 and any(map(is_word, header))
    return known.known, named, agreement, len(header)


def _sample(found: Sequence[delimited.Record]) -> list[list[str]]:
    """The cells of the first records, of which one that is too wide is cut."""
    return [each.cells[:MOST_COLUMNS] for each in found[: delimited.SAMPLE]]


def _usual_width(found: Sequence[delimited.Record]) -> int:
    widths = [len(delimited.trimmed(each.cells)) for each in found]
    return max(set(widths), key=widths.count)


def _from_objects(path: Path, text: str, is_file: IsFile, *, whole: bool) -> Sheet:
    """JSON lines, or a `whole` JSON document."""
    found = documents.records(text, is_file, whole=whole)
    names = list(dict.fromkeys(str(name) for _, each in found if isinstance(each, dict) for name in each))
    check_width(len(names))
    rows = []
    for line, each in found:
        if isinstance(each, dict):
            rows.append((line, [each.get(name) for name in names], ""))
        else:
            rows.append((line, [], each if isinstance(each, str) else "a value that is no object"))
    known = roles(names, [cells for _, cells, problem in rows[: delimited.SAMPLE] if not problem], is_file)
    return sheet_of(path, names, known, rows)
