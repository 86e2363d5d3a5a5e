"""Which column of a table names the picture and which are its texts: by the words of its header, else by its cells."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .values import text_of

FILE_WORDS = (
    *("filename", "file", "filepath", "path", "image", "img", "picture", "photo", "pic", "fname", "url"),
    *("datei", "bild", "fichier", "archivo", "imagen"),
)
"""Words of which one is in the name of a column of files, likeliest first."""

TEXT_WORDS = (
    *("caption", "text", "prompt", "description", "sentence", "alt", "title"),
    *("beschreibung", "legende", "texte", "descripcion", "texto"),
)
"""Words of which one is in the name of a column of texts, likeliest first."""

DOWNLOADED = frozenset(("key", "url", "status"))
"""Columns of a table of img2dataset: `key` names the picture, if `status` is `success`."""

IsFile = Callable[[str], bool]
"""Whether a cell names a file that is there."""

_BESIDE_FILE = ("name", "names", "s", "id", "the", "local", "full", "relative", "rel", "de", "link", "src")
_BESIDE_TEXT = ("image", "img", "picture", "photo", "s", "full", "positive", "raw", "en", "original", "of", "the")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ENDING = re.compile(r".\.\w{1,5}\s*")
_MOST_CELLS = 20_000  # that are looked up as files
_LONGEST_NAME = 40  # letters of a name that is made of the words; the matching of a longer one could take forever
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
    texts = {column: rank for column, name in enumerate(header) if (rank := _text_rank(name)) is not None}
    texts.pop(-1 if file is None else file, None)
    if not texts and file is not None:
        return Roles(file, _prose(header, sample, file, sure=sure))
    first = min(texts, key=lambda column: texts[column], default=None)
    same = _unnumbered(header[first]) if first is not None else ""
    return Roles(file, tuple(column for column in texts if _unnumbered(header[column]) == same))


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
    if not any(_ENDING.search(cell) and is_file(cell) for cell in first):
        named = roles(first, records[1:], is_file)
        by_word = any(file_rank(name) is not None or _text_rank(name) is not None for name in first)
        if by_word or named.file is None or not is_file(first[named.file]):
            return named
    blank = [""] * max(map(len, records))
    bare = roles(blank, records, is_file)
    return Roles(bare.file, bare.texts, header=False)


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
        counts = [len(text_of(record[column]).split()) for record in sample if column < len(record)]
        if counts and sorted(counts)[len(counts) // 2] >= _PROSE:
            found.append(column)
    return tuple(found) if len(found) == 1 else ()


def _letters(name: str) -> str:
    """A name without case, accents, spaces and marks: `Légende (EN)` -> `legendeen`."""
    parted = unicodedata.normalize("NFKD", _CAMEL.sub(" ", str(name)))
    return re.sub(r"[\W_]+", "", "".join(each for each in parted if not unicodedata.combining(each)).casefold())


def _unnumbered(name: str) -> str:
    return _letters(name).rstrip("0123456789")


def _rank(name: str, words: Sequence[str], beside: Sequence[str]) -> int | None:
    """The place in `words` of the first word in a name that is made of these words and numbers; else None."""
    letters = _unnumbered(name)
    if len(letters) > _LONGEST_NAME or not re.fullmatch("|".join((*words, *beside)).join(("(?:", ")+")), letters):
        return None
    return next((rank for rank, word in enumerate(words) if word in letters), None)


def file_rank(name: str) -> int | None:
    """The place in `FILE_WORDS` of the word in the name of a column of files; None for other names."""
    return _rank(name, FILE_WORDS, _BESIDE_FILE)


def _text_rank(name: str) -> int | None:
    return _rank(name, TEXT_WORDS, _BESIDE_TEXT)
