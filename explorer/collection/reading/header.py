"""Where a delimited table begins: below titles and comments, with or without a header."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from .columns import IsFile, Roles, roles_of_records
from .delimited import Record, trimmed
from .names import looks_like_picture
from .values import text_of, typed
from .words import file_rank, text_rank

MOST_ABOVE = 32
"""Most records above the header of a table."""

_MARKS = ("#", "//", "%", "--")  # with which comments begin
_MOST_CELLS = 20_000  # that are looked up as files
_WIDEST = 500  # cells of a record that are looked at: where a table begins shows in the first ones


def records_above(records: Sequence[Record], is_file: IsFile) -> int:
    """The number of records above the header, or above the first row if there is none: titles, comments, empty ones.

    Such a record is not as wide as the table or begins as a comment, and it names no picture. Or it is as wide as the
    table, but the words of a header stand below it, above the names of pictures which are there.

    Args:
        records: the first ones.
        is_file: whether a cell names a file that is there.
    """
    is_file = cache(is_file)  # the same cells are asked for several times
    widest = min(_WIDEST, max((len(record.cells) for record in records), default=1))
    cells = [trimmed(record.cells)[:_WIDEST] for record in records[: _MOST_CELLS // widest]]
    rows = [len(row) for row in cells if len(row) > 1 and any(_names_picture(cell, is_file) for cell in row)]
    usual, inside = _usual(rows or [len(row) for row in cells if row]), bool(rows)
    start = 0
    while start < min(len(cells) - 1, MOST_ABOVE) and _is_above(cells[start], usual, is_file, inside):
        start += 1
    limit = min(len(cells), MOST_ABOVE)
    header = next((at for at in range(start, limit) if _is_header(cells[at:], usual, is_file)), start)
    if any(looks_like_picture(cell) or _names_picture(cell, is_file) for row in cells[start:header] for cell in row):
        header = start
    return header if header == 0 or _is_table(cells[header:], is_file) else 0


def prompts_alone(cells: Sequence[Sequence[str]]) -> Roles:
    """The roles of a table without any known word: its texts are the only column with other than numbers.

    Its first record is a header only if a number stands in that column, or words stand above numbers.
    """
    width = max(map(len, cells), default=0)
    columns = [[row[at] if at < len(row) else "" for row in cells] for at in range(width)]
    told = [at for at, column in enumerate(columns) if not _is_numeric(column[1:] or column)]
    if len(told) != 1 or not any(each.strip() for each in columns[told[0]]):
        return Roles(None, ())
    first, others = columns[told[0]][0], [column for at, column in enumerate(columns) if at != told[0]]
    above = any(column[0].strip() and not _is_numeric(column[:1]) for column in others)
    return Roles(None, (told[0],), header=above or (_is_numeric([first]) and len(cells) > 1))


def is_word(cell: str) -> bool:
    """Whether a cell is a word for files or texts."""
    return file_rank(cell) is not None or text_rank(cell) is not None


def _usual(widths: Sequence[int]) -> int:
    """The width that most records have; of equally many, the larger one."""
    return max(set(widths), key=lambda width: (widths.count(width), width), default=0)


def _is_above(cells: Sequence[str], usual: int, is_file: IsFile, inside: bool) -> bool:
    """Whether a record is no part of a table of the `usual` width, some of whose cells name pictures if `inside`."""
    if not cells:
        return True
    if usual < 2 or any(looks_like_picture(cell) or _names_picture(cell, is_file) for cell in cells):
        return False
    word = any(is_word(cell) for cell in cells)
    if cells[0].lstrip().startswith(_MARKS):
        return len(cells) == 1 or not word
    return len(cells) != usual and (not word or (inside and len(cells) == 1))


def _is_header(cells: Sequence[Sequence[str]], usual: int, is_file: IsFile) -> bool:
    """Whether the first record has the word for a column of files, and pictures are named below it; or it has the word
    for a column of texts and the usual width, and the next record names a picture."""
    header, *rows = cells
    columns = [at for at, cell in enumerate(header) if file_rank(cell) is not None and not is_file(cell)]
    if any(_names_picture(row[at], is_file) for at in columns for row in rows if at < len(row)):
        return True
    texts = len(header) == usual > 1 and any(text_rank(cell) is not None for cell in header)
    return texts and bool(rows) and any(_names_picture(cell, is_file) for cell in rows[0])


def _is_table(cells: Sequence[Sequence[str]], is_file: IsFile) -> bool:
    """Whether pictures are named from here on, or the first record has a word for texts."""
    known = roles_of_records(cells, is_file)
    if known.file is not None and any(
        is_file(row[known.file]) for row in cells if known.file < len(row) and row[known.file]
    ):
        return True
    return any(text_rank(cell) is not None for cell in cells[0])


def _names_picture(cell: str, is_file: IsFile) -> bool:
    return bool(cell.strip()) and is_file(cell)


def _is_numeric(cells: Sequence[str]) -> bool:
    """Whether cells are numbers, or empty."""
    values: list[Any] = typed(map(text_of, cells))
    return not any(isinstance(value, str) for value in values)
