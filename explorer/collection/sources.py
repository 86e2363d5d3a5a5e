"""Find the sources of a collection: pictures and prompts in a folder, a table or a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CollectionError, reason
from ..records.archives import contents, exists, is_archive, members, split
from ..records.pictures import MAX_BYTES, printable
from . import given
from .captions import PROMPT_TABLES, USUAL, Captions
from .inputs import Rows, in_words, path_or_frame
from .reading import formats, vectors
from .reading.beside import Sidecars, read_beside
from .reading.listed import is_prompts, table_in_text
from .reading.names import Names, stored
from .reading.rows import ARRAY
from .reading.saved import saved_datasets
from .reading.sheets import SUFFIXES, TEXTS
from .reading.text import clean, decode, lines
from .reading.tree import Tree, walk
from .reading.vectors import Array
from .scanned import Scanned
from .source import Source

if TYPE_CHECKING:
    import pandas as pd

_REMEDY_OF_TEXTS = "call each like its picture, call a list of prompts prompts.txt, or give the file as the source"
_REMEDY_OF_LABELS = "write captions in a table, or in a .caption beside each picture"
_MOST_FILES = 100_000  # that are looked through for the pictures of a table


def scan(source: Rows | Array, captions: Rows | None = None, *, scanned: Scanned | None = None) -> Iterator[Source]:
    """Every source under `source`, in the order of their names. Nothing is decoded yet.

    - A folder or an archive (zip, tar): its pictures, without hidden files and other collections; archives in a folder
      are folders too. A caption comes from the table `captions`, else from a table in the folder of the picture or
      above it whose columns fit (also in a text file), else from a file beside the picture (`fox.txt` for `fox.png`).
      The lines of a `prompts.txt` are prompts. A data set that `datasets` saved there has a picture or prompt per row.
    - A text file: one prompt per line, as `captions` too, unless its lines name pictures that are there.
    - A table (CSV, TSV, JSON, JSON lines, Parquet, Arrow, Feather): one picture or prompt per row.
    - A `pandas.DataFrame`: as a table in the working directory. Its cells may hold pictures, as the bytes of a file, as
      structs `{"bytes": …, "path": …}` or as PIL pictures.
    - A picture: itself.
    - Vectors, as an array `(n, …)` or a `.npy`: row i belongs to row i of the table `captions`. They are those of
      pictures if the table has a column that names some or if there is none, else those of its texts. A folder of
      clip-retrieval has vectors and their tables.

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
    table = path_or_frame(captions, "captions") if captions is not None else None
    scan = _Scan(scanned if scanned is not None else Scanned())
    if isinstance(source, np.ndarray):
        yield from given.of_array(vectors.rows_of_vectors(source, "an array"), ARRAY, table, scan.scanned)
        return
    root = path_or_frame(source, "a source")
    if isinstance(root, Path) and not exists(str(root)):
        raise _nothing(root, "which does not exist", "no such file")
    found = False
    for each in scan.sources(root, table):
        found = True
        yield each
    if not found:
        raise _nothing(root, f"without a picture or prompt in it{scan.unread_in_words()}", "no sources")


@dataclass
class _Scan:
    """One scan, and what it gathers besides the sources. `given` has the paths of captions that the user named."""

    scanned: Scanned
    sidecars: Sidecars = field(default_factory=lambda: Sidecars(()))
    given: set[str] = field(default_factory=set)

    def sources(self, root: Path | pd.DataFrame, captions: Path | pd.DataFrame | None) -> Iterator[Source]:
        self.given |= {os.path.abspath(captions)} if isinstance(captions, Path) else set()
        suffix = root.suffix.lower() if isinstance(root, Path) else None
        if isinstance(root, Path) and suffix == vectors.SUFFIX:
            yield from given.of_file(root, captions, self.scanned)
        elif isinstance(captions, Path) and _is_text(captions) and not _is_table(captions, root):
            yield from self.sources(root, None)
            yield from self.prompts(captions)
        elif captions is not None and _has_texts(root):
            raise CollectionError(
                f"Got captions in {in_words(captions)} for {in_words(root)}, which has its own texts; "
                "leave one of the two out.",
                code="own texts",
            )
        elif not isinstance(root, Path):
            yield from self.frame(root)
        elif vectors.is_clip_retrieval(root):
            yield from given.of_folder(root, self.scanned)
        elif root.is_dir() or is_archive(root.name):
            yield from self.folder(root, captions)
        elif suffix in TEXTS and not _is_table(root, root.parent):
            yield from self.prompts(root)
        elif suffix in (*SUFFIXES, *TEXTS):
            yield from self.table(root)
        else:
            yield from self.picture(root, captions)

    def folder(self, root: Path, captions: Path | pd.DataFrame | None) -> Iterator[Source]:
        tree = walk(str(root))
        if tree.problems.keys() == {os.path.abspath(root)} and not (tree.pictures or tree.tables or tree.texts):
            raise CollectionError(*tree.problems.values(), code="cannot read")
        self.count_unread(tree)
        saved = saved_datasets(tree.tables)
        self.sidecars = Sidecars(path for path in tree.texts if path not in saved.own)
        beside = {found for path in tree.pictures for found in self.sidecars.of(path)}
        table = Captions(Names(tree.pictures), self.scanned)
        known = beside | saved.own | self.given
        tables = [path for path in tree.tables if path not in known]
        alone = [path for path in tree.texts if path not in known and _is_text(path) and not is_prompts(path)]
        if captions is not None:
            _add_given(captions, root, table)
            others = [*sorted(tables, key=_nearest_first), *(part.path for part in saved.parts)]
            table.pass_over(dict.fromkeys(others, "another table was given"))
            self.count_texts(alone)
        else:
            used = {path for path in sorted([*tables, *alone], key=_nearest_first) if table.add_found(Path(path))}
            self.count_texts([path for path in alone if path not in used])
            table.add_saved(saved)
        for path in tree.pictures:
            yield from self.with_text(path, table)
        yield from table.left_over()
        yield from (Source(Path(each), problem=problem) for each, problem in tree.problems.items())
        for path in tree.texts:
            if is_prompts(path) and path not in known:
                yield from self.prompts(Path(path), given=False)

    def table(self, path: Path) -> Iterator[Source]:
        tree = walk(str(path.parent), most=_MOST_FILES)
        rows = Captions(Names(tree.pictures), self.scanned)
        rows.add(path)
        yield from rows.left_over()

    def frame(self, frame: pd.DataFrame) -> Iterator[Source]:
        here = Path.cwd()
        rows = Captions(Names(()), self.scanned)
        rows.add_frame(frame, [here], search=lambda: Names(walk(str(here), most=_MOST_FILES).pictures))
        yield from rows.left_over()

    def picture(self, path: Path, captions: Path | pd.DataFrame | None) -> Iterator[Source]:
        if (unread := formats.unread(path.suffix.lower())) is not None:
            what = f"a file in the format {unread[0]}, which is not read ({unread[1]})"
            raise _nothing(path, what, "format")
        tree, absolute = Tree(), os.path.abspath(path)
        for near in _neighbours(absolute):
            tree.add(near)
        self.sidecars = Sidecars(tree.texts)
        table = Captions(Names([absolute]), self.scanned)
        if captions is not None:
            _add_given(captions, path.parent, table)
        for each in self.with_text(absolute, table):
            yield replace(each, path=path)

    def prompts(self, path: Path, *, given: bool = True) -> Iterator[Source]:
        """One prompt for each line that is not blank; a file that cannot be read is an error if it was `given`."""
        source = stored(path)
        try:
            text = decode(contents(path, MAX_BYTES))
        except (OSError, ValueError) as error:
            why = f"Got {printable(str(path))}, which cannot be read ({reason(error)})."
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
        first, *further = table.take(path) or [Source(Path(path))]
        first = replace(first, path=Path(path))
        # Without a text so far, that inside the picture is asked for when its bytes are read: see loading.load.
        for beside in self.sidecars.of(path):
            found = read_beside(beside)
            if found.problem:
                problem = f"Got {printable(beside)}, a text beside a picture that cannot be read ({found.problem})."
                yield Source(origin=stored(beside), problem=problem)
                continue
            self.was_read(stored(found.origin), found.encoding, found.guessed)
            if found.labels:
                self.scanned.count_unread("text of numbers beside a picture", stored(beside), _REMEDY_OF_LABELS)
                continue
            self.scanned.beside += 1
            extras = {**found.extras, **first.extras}
            first = replace(first, extras=extras, empty=(first.empty | found.empty) - extras.keys())
            if found.texts and not first.caption:
                origin = stored(found.origin)
                first = replace(first, caption=found.texts[0], origin=origin)
                further += [Source(Path(path), text, origin) for text in found.texts[1:]]
        yield from (first, *further)

    def was_read(self, source: str, encoding: str, guessed: bool) -> None:
        self.scanned.read.add(source)
        if guessed:
            self.scanned.guessed[source] = encoding

    def count_unread(self, tree: Tree) -> None:
        for name, paths in tree.unread.items():
            remedy = (formats.unread(os.path.splitext(paths[0])[1].lower()) or ("", ""))[1]
            self.scanned.count_unread(name, stored(paths[0]), remedy, count=len(paths))

    def count_texts(self, paths: Sequence[str]) -> None:
        """Count texts that belong to no picture, by their endings."""
        for suffix in TEXTS:
            if found := [path for path in paths if path.lower().endswith(suffix)]:
                name = f"{suffix} beside no picture"
                self.scanned.count_unread(name, stored(found[0]), _REMEDY_OF_TEXTS, count=len(found))

    def unread_in_words(self) -> str:
        """What was there in formats that are not read, and tables that were not used, for an error."""
        told = [f"{each.count} {each.format}: {each.remedy}" for each in self.scanned.unread]
        told += [f"{each.source}: {each.why}" for each in self.scanned.tables if not each.used][:1]
        return f" ({'; '.join(told)})" if told else ""


def _add_given(captions: Path | pd.DataFrame, folder: Path, table: Captions) -> None:
    """Read the captions that were given for the pictures of a folder."""
    if isinstance(captions, Path):
        table.add(captions, [folder])
    else:
        table.add_frame(captions, [folder, Path.cwd()])


def _is_text(path: str | Path) -> bool:
    return os.path.splitext(path)[1].lower() in TEXTS


def _is_table(text: Path, root: Path | pd.DataFrame) -> bool:
    """Whether the lines of a text file name pictures of a folder, or a picture."""
    if not isinstance(root, Path) or not exists(str(text)):
        return False
    pictures = walk(str(root), most=_MOST_FILES).pictures if root.is_dir() or is_archive(root.name) else [str(root)]
    names, folder = Names([os.path.abspath(path) for path in pictures]), root if root.is_dir() else root.parent
    return table_in_text(text, lambda name: names.find(name, folder) is not None) is not None


def _has_texts(root: Path | pd.DataFrame) -> bool:
    """Whether a source has rows or lines of its own, so that captions cannot be given."""
    if not isinstance(root, Path):
        return True
    return root.suffix.lower() in (*TEXTS, *SUFFIXES) or vectors.is_clip_retrieval(root)


def _nearest_first(table: str) -> tuple[int, int, str]:
    """Tables in deeper folders come first, then those with usual names."""
    stem = os.path.splitext(os.path.basename(table))[0].lower()
    usual = (*USUAL, *PROMPT_TABLES)
    return -table.count(os.sep), usual.index(stem) if stem in usual else len(usual), table


def _neighbours(picture: str) -> list[str]:
    """The files beside a picture whose names begin like its own."""
    folder, name = os.path.split(picture)
    start = name.partition(".")[0]
    inside = split(picture)
    if inside is None:
        with os.scandir(folder) as listed:
            return [entry.path for entry in listed if entry.name.startswith(start)]
    found = (os.path.join(inside[0], each) for each in members(inside[0]).names)
    return [each for each in found if os.path.dirname(each) == folder and os.path.basename(each).startswith(start)]


def _nothing(root: Path | pd.DataFrame, what: str, code: str) -> CollectionError:
    return CollectionError(
        f"Got {in_words(root)}, {what}, expected a folder of pictures, a picture, a table or a .txt of prompts.",
        code=code,
    )
