"""Which column of a table names the picture and which are its texts: by the words of its header, else by its cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .names import looks_like_picture
from .values import text_of, typed
from .words import class_rank, file_rank, text_rank, text_rank_within, unnumbered, words_in

DOWNLOADED = frozenset(("key", "url", "status"))
"""Columns of a table of img2dataset: `key` names the picture, if `status` is `success`."""

IsFile = Callable[[str], bool]
"""Whether a cell names a file that is there."""

_ENDING = re.compile(r".\.\w{1,5}\s*")
_MOST_CELLS = 20_000  # that are looked up as files
_PROSE = 3  # words of a cell that reads like a caption


@dataclass(frozen=True)
class Roles:
    """What the columns of a table are.

    Attributes:
        file: the place of the column that names the pictures, or None.
        texts: the places of the columns of their texts: one, or several numbered ones such as `caption_1`.
        header: whether the first record has the names of the columns.
    """

    file: int | None
    texts: tuple[int, ...]
    header: bool = True

    @property
    def known(self) -> int:
        """How many of the two are known."""
        return (self.file is not None) + bool(self.texts)


def roles(header: Sequence[str], sample: Sequence[Sequence[Any]], is_file: IsFile) -> Roles:
    """The roles of named columns.

    A column that names files is preferred to one that is only called so. Without a word for a text, a column of prose
    is the text, if there is only one.

    Args:
        header: the names of the columns.
        sample: some records.
        is_file: whether a cell names a file that is there.
    """
    file, sure = _file_column(header, sample, is_file)
    texts = _text_columns(header, sample, file)
    return Roles(file, _prose(header, sample, file, sure=sure) if not texts and file is not None else texts)


def _text_columns(header: Sequence[str], sample: Sequence[Sequence[Any]], file: int | None) -> tuple[int, ...]:
    """The columns whose names say that they have texts: made of such words, else with one within if only one has it,
    else those of titles or classes whose cells are different texts."""
    others = [column for column in range(len(header)) if column != file and _has_letters(sample, column)]
    for of_name in (text_rank, text_rank_within, class_rank):
        if of_name is not text_rank:
            others = [column for column in others if not _is_numeric(sample, column)]
        ranks = {column: rank for column in others if (rank := of_name(header[column])) is not None}
        if of_name is class_rank:
            ranks = {column: rank for column, rank in ranks.items() if _is_told(sample, column)}
        best = [column for column in ranks if ranks[column] == min(ranks.values())]
        names = {unnumbered(header[column]) for column in best}
        if best and (len(names) == 1 or of_name is text_rank):
            return tuple(column for column in ranks if unnumbered(header[column]) == unnumbered(header[best[0]]))
    return ()


def _cells(sample: Sequence[Sequence[Any]], column: int) -> list[Any]:
    found = (record[column] for record in sample if column < len(record))
    return [cell for cell in found if cell is not None and cell != ""]


def _has_letters(sample: Sequence[Sequence[Any]], column: int) -> bool:
    """Whether a column has something else than numbers, of those cells that are not empty."""
    cells = _cells(sample, column)
    return not cells or not all(isinstance(cell, int | float) for cell in cells)


def _is_numeric(sample: Sequence[Sequence[Any]], column: int) -> bool:
    told = [value for value in typed(map(text_of, _cells(sample, column))) if value is not None]
    return bool(told) and not any(isinstance(value, str) for value in told)


def _is_told(sample: Sequence[Sequence[Any]], column: int) -> bool:
    """Whether the cells are texts of several words and mostly differ, as those of classes do not."""
    cells = [text_of(cell) for cell in _cells(sample, column)]
    words = sorted(map(words_in, cells))
    return bool(words) and words[len(words) // 2] >= 2 and 2 * len(set(cells)) > len(cells)


def _file_column(header: Sequence[str], sample: Sequence[Sequence[Any]], is_file: IsFile) -> tuple[int | None, bool]:
    """The column that names the pictures, and whether its cells say so alone, without a word."""
    sample = sample[: max(1, _MOST_CELLS // max(len(header), 1))]
    if set(header) >= DOWNLOADED:
        return list(header).index("key"), False
    called = {column: rank for column, name in enumerate(header) if (rank := file_rank(name)) is not None}
    share = {column: _share(sample, column, is_file) for column in range(len(header))}
    file = min(called, key=lambda column: (-share[column], called[column]), default=None)
    if file is None or not share[file]:
        best = max(share, key=lambda column: share[column], default=None)
        if best is not None and share[best] >= 0.5:
            file = best
    return file, file not in called


def roles_of_records(records: Sequence[Sequence[str]], is_file: IsFile) -> Roles:
    """The roles of the columns of records of which the first may be a header."""
    if not records:
        return Roles(None, ())
    first = records[0]
    if not any(_ENDING.search(cell) and is_file(cell) for cell in first) and not _lists_pictures(records):
        named = roles(first, records[1:], is_file)
        by_word = any(file_rank(name) is not None or text_rank(name) is not None for name in first)
        if by_word or named.file is None or not is_file(first[named.file]):
            return named
    blank = [""] * max(map(len, records))
    bare = roles(blank, records, is_file)
    return Roles(bare.file, bare.texts, header=False)


def _lists_pictures(records: Sequence[Sequence[str]]) -> bool:
    """Whether the first record names a picture, there or not, where one of the next records does so too."""
    columns = [at for at, cell in enumerate(records[0]) if looks_like_picture(cell)]
    return any(looks_like_picture(record[at]) for at in columns for record in records[1:] if at < len(record))


def _share(sample: Sequence[Sequence[Any]], column: int, is_file: IsFile) -> float:
    """The share of cells of a column that name files, of those that are not empty."""
    cells = [cell for record in sample if column < len(record) and (cell := name_in(record[column])).strip()]
    return sum(map(is_file, cells)) / len(cells) if cells else 0.0


def name_in(cell: Any) -> str:
    """The name of a file in a cell: a text, or the `path` of a picture as Hugging Face stores it."""
    if isinstance(cell, dict):
        cell = cell.get("path")
    return cell if isinstance(cell, str) else text_of(cell)


def _prose(header: Sequence[str], sample: Sequence[Sequence[Any]], file: int, *, sure: bool) -> tuple[int, ...]:
    """The one column of texts among those without a known name; `sure` if nothing else is known of the table."""
    others = [column for column in range(len(header)) if column != file]
    if sure and len(others) == 1:
        return (others[0],)
    found = []
    for column in others:
        counts = [words_in(text_of(record[column])) for record in sample if column < len(record)]
        if counts and sorted(counts)[len(counts) // 2] >= _PROSE:
            found.append(column)
    return tuple(found) if len(found) == 1 else ()
