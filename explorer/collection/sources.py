"""Find the sources of a collection: pictures and prompts in a folder, a table or a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

from ..errors import CollectionError, reason
from ..records.pictures import MAX_BYTES, printable
from .captions import PROMPT_TABLES, USUAL, Captions
from .reading import formats
from .reading.beside import Sidecars, read_beside
from .reading.frames import FRAME
from .reading.names import Names, stored
from .reading.saved import saved_datasets
from .reading.sheets import SUFFIXES
from .reading.text import clean, decode, lines
from .reading.tree import Tree, walk
from .scanned import Scanned, UnreadFormat
from .source import Source

if TYPE_CHECKING:
    import pandas as pd

Given: TypeAlias = Union[str, os.PathLike[str], "pd.DataFrame"]
"""What can be given as a source or as captions."""

PROMPT_SUFFIXES = (".txt", ".prompts")
PROMPTS_NAME = "prompts.txt"

_MOST_FILES = 100_000  # that are looked through for the pictures of a table


def scan(source: Given, captions: Given | None = None, *, scanned: Scanned | None = None) -> Iterator[Source]:
    """Every source under `source`, in the order of their names. Nothing is decoded yet.

    - A folder: its pictures, without hidden files and other collections. A caption comes from the table `captions`,
      else from a table in the folder of the picture or above it whose columns fit, else from a file beside the picture
      (`fox.txt` for `fox.png`). The lines of a `prompts.txt` are prompts. A data set that `datasets` has saved there
      gives a picture or prompt per row.
    - A text file: one prompt per line. As `captions`, it adds its lines as prompts.
    - A table (CSV, TSV, JSON, JSON lines, Parquet, Arrow, Feather): one picture or prompt per row.
    - A `pandas.DataFrame`: as a table in the working directory. Its cells may hold pictures, as the bytes of a file, as
      structs `{"bytes": …, "path": …}` or as PIL pictures.
    - A picture: itself.

    Args:
        scanned: gathers what is seen besides: how tables were read, formats that are not read.

    Raises:
        CollectionError: `source` is of another kind, does not exist, or has no picture or prompt.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "prompts.txt").write_text("a red fox\\n\\na snowy mountain")
    ...     [source.caption for source in scan(folder)]
    ['a red fox', 'a snowy mountain']
    """
    root = _given(source, "a source")
    if isinstance(root, Path) and not os.path.lexists(root):
        raise _nothing(root, "which does not exist", "no such file")
    table = _given(captions, "captions") if captions is not None else None
    scan = _Scan(scanned if scanned is not None else Scanned())
    found = False
    for each in scan.sources(root, table):
        found = True
        yield each
    if not found:
        raise _nothing(root, f"without a picture or prompt in it{scan.unread_in_words()}", "no sources")


@dataclass
class _Scan:
    """One scan, and what it gathers besides the sources."""

    scanned: Scanned
    sidecars: Sidecars = field(default_factory=lambda: Sidecars(()))

    def sources(self, root: Path | pd.DataFrame, captions: Path | pd.DataFrame | None) -> Iterator[Source]:
        if isinstance(captions, Path) and captions.suffix.lower() in PROMPT_SUFFIXES:
            yield from self.sources(root, None)
            yield from self.prompts(captions)
        elif isinstance(root, Path) and root.is_dir():
            yield from self.folder(root, captions)
        elif captions is not None and not _is_picture(root):
            raise CollectionError(
                f"Got captions in {in_words(captions)} for {in_words(root)}, which has its own texts; "
                "leave one of the two out.",
                code="own texts",
            )
        elif not isinstance(root, Path):
            yield from self.frame(root)
        elif root.suffix.lower() in PROMPT_SUFFIXES:
            yield from self.prompts(root)
        elif root.suffix.lower() in SUFFIXES:
            yield from self.table(root)
        else:
            yield from self.picture(root, captions)

    def folder(self, root: Path, captions: Path | pd.DataFrame | None) -> Iterator[Source]:
        tree = walk(str(root))
        problems = dict(tree.problems)
        if (error := problems.pop(os.path.abspath(root), None)) is not None:
            raise _nothing(root, f"which cannot be listed ({reason(error)})", "cannot read")
        self.count_unread(tree)
        saved = saved_datasets(tree.tables)
        self.sidecars = Sidecars(path for path in tree.texts if path not in saved.own)
        beside = {found for path in tree.pictures if (found := self.sidecars.of(path)) is not None}
        table = Captions(Names(tree.pictures), self.scanned)
        tables = sorted((path for path in tree.tables if path not in beside | saved.own), key=_nearest_first)
        if captions is not None:
            self.captions(captions, root, table)
            others = [*tables, *(part.path for part in saved.parts)]
            table.pass_over(dict.fromkeys(others, "another table was given"))
        else:
            for each in tables:
                table.add(Path(each), Path(each).parent, given=False)
            table.add_saved(saved)
        for path in tree.pictures:
            yield from self.with_text(path, table)
        yield from table.left_over()
        yield from (_unlisted(folder, error) for folder, error in problems.items())
        for path in tree.texts:
            if os.path.basename(path).lower() == PROMPTS_NAME and path not in beside:
                yield from self.prompts(Path(path), given=False)

    def table(self, path: Path) -> Iterator[Source]:
        tree = walk(str(path.parent), most=_MOST_FILES)
        rows = Captions(Names(tree.pictures), self.scanned)
        rows.add(path, path.parent, given=True)
        yield from rows.left_over()

    def frame(self, frame: pd.DataFrame) -> Iterator[Source]:
        here = Path.cwd()
        rows = Captions(Names(()), self.scanned)
        rows.add_frame(frame, here, search=lambda: Names(walk(str(here), most=_MOST_FILES).pictures))
        yield from rows.left_over()

    def captions(self, captions: Path | pd.DataFrame, folder: Path, table: Captions) -> None:
        """Read the captions that were given for the pictures in a folder."""
        if isinstance(captions, Path):
            table.add(captions, folder, given=True)
        else:
            table.add_frame(captions, folder)

    def picture(self, path: Path, captions: Path | pd.DataFrame | None) -> Iterator[Source]:
        if (unread := formats.unread(path.suffix.lower())) is not None:
            what = f"a file in the format {unread[0]}, which is not read ({unread[1]})"
            raise _nothing(path, what, "format")
        tree, absolute = Tree(), os.path.abspath(path)
        with os.scandir(path.parent) as listed:
            for entry in listed:
                if entry.name.startswith(path.stem):
                    tree.add(entry.path)
        self.sidecars = Sidecars(os.path.abspath(each) for each in tree.texts)
        table = Captions(Names([absolute]), self.scanned)
        if captions is not None:
            self.captions(captions, path.parent, table)
        for each in self.with_text(absolute, table):
            yield replace(each, path=path)

    def prompts(self, path: Path, *, given: bool = True) -> Iterator[Source]:
        """One prompt for each line that is not blank; a file that cannot be read is an error if it was `given`."""
        source = stored(path)
        try:
            if os.stat(path).st_size > MAX_BYTES:
                raise ValueError(f"more than {MAX_BYTES} bytes")
            text = decode(path.read_bytes())
        except (OSError, ValueError) as error:
            why = f"Got {printable(str(path))}, which cannot be read ({reason(error)}), expected UTF-8 text."
            if given:
                raise CollectionError(why, code="cannot read") from error
            yield Source(origin=source, problem=why)
            return
        self.was_read(source, text.encoding, text.guessed)
        for number, line in enumerate(lines(text.text), start=1):
            if prompt := clean(line):
                yield Source(caption=prompt, origin=f"{source}:{number}")

    def with_text(self, path: str, table: Captions) -> Iterator[Source]:
        """A picture with its captions: those of its rows, else that beside it. Values come from both."""
        rows = table.take(path)
        first = replace(rows[0], path=Path(path)) if rows else Source(Path(path))
        beside = self.sidecars.of(path)
        if first.caption or beside is None:
            # Without a text so far, that inside the picture is asked for when its bytes are read: see loading.load.
            yield from (first, *rows[1:])
            return
        found = read_beside(beside)
        if found.problem:
            problem = f"Got {printable(beside)}, a text beside a picture that cannot be read ({found.problem})"
            yield Source(origin=stored(beside), problem=f"{problem}; save it as UTF-8.")
            yield first
            return
        self.was_read(stored(found.origin), found.encoding, found.guessed)
        caption, *further = found.texts or (None,)
        origin = stored(found.origin) if caption else first.origin
        yield replace(first, caption=caption, origin=origin, extras={**found.extras, **first.extras})
        yield from (Source(Path(path), text, origin) for text in further)

    def was_read(self, source: str, encoding: str, guessed: bool) -> None:
        self.scanned.read.add(source)
        if guessed:
            self.scanned.guessed[source] = encoding

    def count_unread(self, tree: Tree) -> None:
        for name, paths in tree.unread.items():
            remedy = (formats.unread(os.path.splitext(paths[0])[1].lower()) or ("", ""))[1]
            self.scanned.unread.append(UnreadFormat(name, len(paths), stored(paths[0]), remedy))

    def unread_in_words(self) -> str:
        """What was there in formats that are not read, and tables that were not used, for an error."""
        told = [f"{each.count} {each.format}: {each.remedy}" for each in self.scanned.unread]
        told += [f"{each.source}: {each.why}" for each in self.scanned.tables if not each.used][:1]
        return f" ({'; '.join(told)})" if told else ""


def _nearest_first(table: str) -> tuple[int, int, str]:
    """Tables in deeper folders come first, then those with usual names."""
    stem = os.path.splitext(os.path.basename(table))[0].lower()
    usual = (*USUAL, *PROMPT_TABLES)
    return -table.count(os.sep), usual.index(stem) if stem in usual else len(usual), table


def _unlisted(folder: str, error: OSError) -> Source:
    what = f"Got folder {printable(folder)}, which cannot be listed ({reason(error)})"
    return Source(Path(folder), problem=f"{what}; check its permissions.")


def _given(given: Given, what: str) -> Path | pd.DataFrame:
    """A path in which `~` is the home folder, or a data frame."""
    if isinstance(given, str | os.PathLike):
        return Path(os.path.expanduser(given))
    import pandas as pd

    if isinstance(given, pd.DataFrame):
        return given
    raise CollectionError(
        f"Got a {type(given).__name__} as {what}, expected a path or a pandas.DataFrame; pandas.DataFrame makes one of "
        "a list or a dict.",
        code="source",
    )


def _is_picture(root: Path | pd.DataFrame) -> bool:
    """Whether it is a file with neither rows nor lines of its own."""
    return isinstance(root, Path) and root.suffix.lower() not in (*PROMPT_SUFFIXES, *SUFFIXES)


def in_words(given: Given) -> str:
    """What was given, for a message."""
    return printable(str(Path(given))) if isinstance(given, str | os.PathLike) else FRAME


def _nothing(root: Path | pd.DataFrame, what: str, code: str) -> CollectionError:
    return CollectionError(
        f"Got {in_words(root)}, {what}, expected a folder of pictures, a picture, a table or a .txt of prompts.",
        code=code,
    )
