"""What a scan saw besides the sources: tables and how they were read, texts in guessed encodings, unread formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .reading.rows import Sheet


@dataclass(frozen=True)
class TableReport:
    """How a table was read.

    Attributes:
        source: its path, or `DataFrame`.
        used: whether its rows were taken.
        why: why it was not used, or what was done to its rows; else empty.
        columns: the names of its columns.
        file, texts: the columns that name the pictures, and those of their texts.
        rows: the number of its rows.
        matched: rows whose picture was found.
        encoding, guessed: what its text was decoded from, and whether that is a guess.
        separator: between its cells, in a word.
        header: whether its first record names the columns.
    """

    source: str
    used: bool = False
    why: str = ""
    columns: Sequence[str] = ()
    file: str | None = None
    texts: Sequence[str] = ()
    rows: int = 0
    matched: int = 0
    encoding: str = ""
    guessed: bool = False
    separator: str = ""
    header: bool = True

    @classmethod
    def of(cls, sheet: Sheet, source: str, *, used: bool, why: str = "", matched: int = 0) -> TableReport:
        """The report of a table that was read."""
        if used:
            why = "; ".join(_notes(sheet))
        return cls(
            source,
            used,
            why,
            list(sheet.columns),
            sheet.file,
            list(sheet.texts),
            len(sheet.rows),
            matched,
            sheet.encoding,
            sheet.guessed,
            sheet.separator,
            sheet.header,
        )


def _notes(sheet: Sheet) -> list[str]:
    """What was done to the rows of a table, and what is left out."""
    notes = []
    if sheet.above:
        more = f" and {len(sheet.above) - 1} more lines" if len(sheet.above) > 1 else ""
        notes.append(f"left out above it: {sheet.above[0]!r}{more}")
    if sheet.joined:
        notes.append(f"{sheet.joined} rows have the separator in their text without quotation marks; they were joined")
    if sheet.lists:
        notes.append("its texts are lists, of which each is a text of its own")
    if sheet.unread:
        notes.append(f"the pictures in {', '.join(map(repr, sheet.unread))} are not read")
    if sheet.gaps:
        notes.append("parts of it cannot be read")
    elif not sheet.whole:
        notes.append("the rest of it cannot be read")
    return notes


@dataclass(frozen=True)
class UnreadFormat:
    """Files in a format that is not read.

    Attributes:
        format: its name.
        count: number of files.
        example: the path of one.
        remedy: how to convert them.
    """

    format: str
    count: int
    example: str
    remedy: str


@dataclass(frozen=True)
class GivenReport:
    """Vectors that were made elsewhere and are taken as they are.

    Attributes:
        kind: `"image"` or `"text"`.
        count: number of them.
        space: where they are.
        compared: how many were compared with those that the model makes of the same pictures or texts.
        cosine: the median cosine of these; None if there were none.
    """

    kind: str
    count: int
    space: str
    compared: int
    cosine: float | None


@dataclass
class Scanned:
    """Gathers what a scan saw besides the sources.

    Attributes:
        tables: those that were found.
        unread: formats that are not read.
        guessed: texts whose encoding is a guess: path -> encoding.
        read: the paths of the tables and texts that were read whole; `DataFrame` if one was given.
        given: vectors that are taken as they are.
        beside: the number of texts beside pictures that were read.
    """

    tables: list[TableReport] = field(default_factory=list)
    unread: list[UnreadFormat] = field(default_factory=list)
    guessed: dict[str, str] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    given: list[GivenReport] = field(default_factory=list)
    beside: int = 0

    def count_unread(self, format: str, path: str, remedy: str, *, count: int = 1) -> None:
        """Count files of a format that is not read; `path` is one of them, and the first is the example."""
        for at, each in enumerate(self.unread):
            if each.format == format:
                self.unread[at] = replace(each, count=each.count + count)
                return
        self.unread.append(UnreadFormat(format, count, path, remedy))

    def to_json(self) -> Mapping[str, Any]:
        """What was seen, as JSON values."""
        return {
            "tables": [asdict(each) for each in self.tables],
            "unread": [asdict(each) for each in self.unread],
            "beside": self.beside,
            "given": [asdict(each) for each in self.given],
            "guessed": [{"source": path, "encoding": encoding} for path, encoding in self.guessed.items()],
        }
