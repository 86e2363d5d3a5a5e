"""Tables of captions and the pictures that their rows name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CollectionError
from ..records.archives import SUFFIXES as SUFFIXES_OF_ARCHIVES
from ..records.archives import contents, exists, split
from ..records.pictures import MAX_BYTES, printable
from .reading.columns import DOWNLOADED, IsFile
from .reading.documents import mentions_files
from .reading.frames import read_frame
from .reading.listed import table_in_text
from .reading.names import Names, stored
from .reading.rows import Row, Sheet
from .reading.saved import Part, Saved
from .reading.sheets import TEXTS, read_sheet
from .reading.text import decode, shortened
from .scanned import Scanned, TableReport
from .source import Source

if TYPE_CHECKING:
    import pandas as pd

USUAL = ("captions", "caption", "metadata")
"""Names of tables, without their ending, whose rows are always taken; those of others only if they name pictures."""

PROMPT_TABLES = ("prompts", "prompt")
"""Names of tables, without their ending, in which each row is a prompt."""

_NO_NAME = re.compile(r"(data:[\w/;,-]+)?[A-Za-z0-9+/=\s]+")  # base64
_HINTS = 20  # rows of a table for which the nearest name is searched, which takes time


class Captions:
    """The rows of tables, looked up by the picture that they name. Of several rows, that of the first table counts.

    Args:
        names: the pictures that are there.
        scanned: is told how each table was read.
    """

    def __init__(self, names: Names, scanned: Scanned) -> None:
        self._names, self._scanned = names, scanned
        self._rows: dict[str, list[Source]] = {}
        self._others: list[Source] = []
        self._hints = _HINTS

    def add(self, table: Path, folders: Sequence[Path] | None = None) -> None:
        """Read a table that the user gave.

        Args:
            folders: where its relative paths may start, likeliest first; by default beside it.

        Raises:
            CollectionError: it cannot be read, or it has neither files nor texts.
        """
        folders = _folders(table) if folders is None else folders
        self._add(read_sheet(table, self._is_file(folders)), folders, given=True)

    def add_found(self, table: Path) -> bool:
        """Read a table that was found, which is used only if it fits; or a text file, if it is a table.

        Returns:
            whether it is a table.
        """
        folders = _folders(table)
        if table.suffix.lower() in TEXTS:
            listed = table_in_text(table, self._is_file(folders))
            if listed is not None:
                self._add(listed, folders, given=True)
            return listed is not None
        try:
            self._add(read_sheet(table, self._is_file(folders)), folders, given=False)
        except CollectionError as error:
            self._unreadable(table, str(error), self._is_file(folders))
        return True

    def add_frame(
        self, frame: pd.DataFrame, folders: Sequence[Path], *, search: Callable[[], Names] | None = None
    ) -> None:
        """Read a data frame, as a table that was given.

        Args:
            folders: where its relative paths may start, likeliest first.
            search: gives the pictures that are there, if they are not known yet. It takes time, so it is called only if
                a file is not found as it is written.

        Raises:
            CollectionError: it has no rows, or neither files nor texts.
        """
        is_file = self._is_file(folders)
        sheet = read_frame(frame, is_file)
        if search is not None and not _all_found(sheet, is_file):
            self._names = search()
            sheet = read_frame(frame, is_file)
        self._add(sheet, folders, given=True)

    def add_saved(self, saved: Saved) -> None:
        """Read data sets that were saved, of which all rows are taken; what cannot be read is listed."""
        for part in saved.parts:
            self._add_part(part)
        self.pass_over(saved.left_out)
        for path, by in saved.missing.items():
            what = f"Got {printable(by)}, which names {printable(path)}, but there is no such file or folder"
            self._others.append(Source(origin=stored(path), problem=f"{what}; save the data set again."))

    def pass_over(self, tables: Mapping[str, str]) -> None:
        """List tables that are not used, with the reason."""
        self._scanned.tables += [TableReport(stored(path), why=why) for path, why in tables.items()]

    def take(self, path: str) -> list[Source]:
        """The rows of a picture: the first has the further columns of all, the others are further captions."""
        rows = self._rows.pop(path, [])
        if not rows:
            return []
        captioned = {row.caption: row for row in reversed(rows) if row.caption}
        ordered = [row for row in rows if row.caption and captioned[row.caption] is row]
        extras = {name: value for row in reversed(rows) for name, value in row.extras.items()}
        empty = frozenset(name for row in rows for name in row.empty) - set(extras)
        first, *further = ordered or rows[:1]
        return [replace(first, extras=extras, empty=empty), *(replace(row, extras={}) for row in further)]

    def left_over(self) -> Iterator[Source]:
        """The rows of no picture that was taken: prompts, pictures elsewhere or inside, and rows with problems."""
        for path in list(self._rows):
            yield from self.take(path)
        yield from self._others

    def _is_file(self, folders: Sequence[Path]) -> IsFile:
        return lambda name: self._file(name, folders) is not None

    def _add_part(self, part: Part) -> None:
        path = Path(part.path)
        folders = [path.parent]
        try:
            sheet = read_sheet(path, self._is_file(folders))
        except CollectionError as error:
            self.pass_over({part.path: str(error)})
            self._others.append(Source(origin=stored(path), problem=str(error)))
            return
        if part.split is not None and "split" not in sheet.columns:
            rows = [replace(row, extras={**row.extras, "split": part.split}) for row in sheet.rows]
            sheet = replace(sheet, rows=rows)
        self._add(sheet, folders, given=False, sure=True)

    def _add(self, sheet: Sheet, folders: Sequence[Path], *, given: bool, sure: bool = False) -> None:
        """Take the rows of a table, if it fits or is `sure` to be one of captions or prompts."""
        files = {row.line: self._file(row.file, folders) for row in sheet.rows if row.file and row.picture is None}
        matched = sum(file is not None for file in files.values())
        why = _unfit(sheet, matched, sure=given or sure)
        if why and given:
            raise _no_columns(sheet)
        found = matched + sum(row.picture is not None for row in sheet.rows)
        report = TableReport.of(sheet, sheet.source, used=not why, why=why, matched=found)
        if not why and not sheet.texts and len(sheet.columns) > 1 and sheet.whole and not sheet.unread:
            others = shortened(", ".join(repr(name) for name in sheet.columns if name != sheet.file), 120)
            missing = f"of its columns {others} none is called as one of texts; call it 'caption'"
            report = replace(report, why="; ".join(filter(None, (report.why, missing))))
        absent = {row.line for row in sheet.rows if files.get(row.line) is None} & _not_downloaded(sheet)
        if absent and not why:
            report = replace(report, why=f"{len(absent)} rows whose picture was not downloaded are left out")
        self._scanned.tables.append(report)
        if why:
            return
        if sheet.whole:
            self._scanned.read.add(sheet.source)
        self._hints = _HINTS
        for row in sheet.rows:
            if row.line not in absent:
                self._add_row(row, sheet.source, files.get(row.line))

    def _add_row(self, row: Row, source: str, file: str | None) -> None:
        origin = f"{source}:{row.line}"
        if row.problem:
            self._others.append(Source(origin=origin, problem=f"Got {row.problem} in {_shown(origin)}; correct it."))
            return
        first = Source(None, None, origin, row.extras, row.empty)
        several = [replace(first, caption=text, extras={} if at else row.extras) for at, text in enumerate(row.texts)]
        if row.picture is not None:
            self._others += [replace(each, inside=row.picture) for each in several or [first]]
        elif not row.file:
            self._others += several
        elif file is None:
            self._others += [replace(each, problem=self._missing(row, origin)) for each in several or [first]]
        else:
            self._rows.setdefault(file, []).extend(replace(each, path=Path(file)) for each in several or [first])

    def _file(self, name: str, folders: Sequence[Path]) -> str | None:
        """The file that a name means: one of the pictures, or a file elsewhere."""
        found = next((found for each in folders if (found := self._names.find(name, each)) is not None), None)
        if found is not None or "\0" in name:
            return found
        path = os.path.abspath(os.path.join(folders[0], os.path.expanduser(name)))
        if os.path.isfile(path):  # which is false of a name that no system takes
            return path
        return path if split(path) is not None and exists(path) else None

    def _missing(self, row: Row, origin: str) -> str:
        what = f"Got {shortened(row.file)!r} in {_shown(origin)}"
        if "://" in row.file[:12]:
            return f"{what}, which is an address, expected a file; download the picture and name its file."
        if len(row.file) > 255 and (_NO_NAME.fullmatch(row.file) or max(map(len, row.file.split("/"))) > 255):
            return f"{what}, which is no name of a file ({len(row.file)} characters); name the file, or leave it out."
        fits = self._names.fits(row.file)
        if len(fits) > 1:
            top = os.path.commonpath(fits)
            first, second = (shortened(os.path.relpath(each, top)) for each in fits[:2])
            several = "two files fit" if len(fits) == 2 else f"{len(fits)} files fit, such as these"
            return f"{what}; {several}: {first!r} and {second!r}; write its folder too."
        nearest = None
        if self._hints:
            self._hints -= 1
            nearest = self._names.nearest(row.file)
        hint = f"did you mean {shortened(nearest)!r}?" if nearest else "correct the row or add it."
        return f"{what}, but there is no such file; {hint}"

    def _unreadable(self, table: Path, why: str, is_file: IsFile) -> None:
        """List a table that cannot be read, unless it only looks like one: a JSON file that names no picture."""
        usual = table.stem.lower() in (*USUAL, *PROMPT_TABLES)
        if table.suffix.lower() == ".json" and not usual and not _mentions_files(table, is_file):
            return
        self.pass_over({str(table): why})
        if usual:
            self._others.append(Source(origin=stored(table), problem=why))


def _mentions_files(table: Path, is_file: IsFile) -> bool:
    try:
        return mentions_files(decode(contents(table, MAX_BYTES)).text, is_file)
    except (OSError, CollectionError):
        return False


def _folders(table: Path) -> list[Path]:
    """Where the relative paths of a table start: its own folder, or an archive of the same name beside it."""
    beside = (table.with_name(table.stem + suffix) for suffix in SUFFIXES_OF_ARCHIVES)
    return [table.parent, *(each for each in beside if os.path.isfile(each))]


def _not_downloaded(sheet: Sheet) -> set[int]:
    """The rows of a table of img2dataset whose picture could not be downloaded."""
    if not set(sheet.columns) >= DOWNLOADED:
        return set()
    return {row.line for row in sheet.rows if row.extras.get("status") not in (None, "success")}


def _all_found(sheet: Sheet, is_file: IsFile) -> bool:
    names = (row.file for row in sheet.rows if row.file and row.picture is None)
    return bool(sheet.file or sheet.texts) and all(map(is_file, names))


def _unfit(sheet: Sheet, matched: int, *, sure: bool) -> str:
    """Why a table is not used; empty if it is."""
    stem, inside = sheet.path.stem.lower(), any(row.picture is not None for row in sheet.rows)
    if sheet.file is None and not sheet.texts:
        return "no column names files or texts; call them 'file' and 'caption'"
    if sheet.file is None and not sure and stem not in PROMPT_TABLES:
        return "no column names files; call it 'file', or give the table as a source of prompts"
    if sheet.file is not None and not matched and not inside and not sure and stem not in USUAL:
        return f"none of its {len(sheet.rows)} rows names a picture that is there"
    return ""


def _no_columns(sheet: Sheet) -> CollectionError:
    columns = shortened(", ".join(map(str, sheet.columns)), 200)
    return CollectionError(
        f"Got {printable(str(sheet.path))} with columns {columns}, expected one of files and one of texts; call them "
        "'file' and 'caption'.",
        code="columns",
    )


def _shown(origin: str) -> str:
    return printable(origin)
