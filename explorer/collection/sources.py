"""Find the sources of a collection: pictures and prompts in a folder, a table or a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from PIL import Image

from ..errors import CollectionError
from ..records.pictures import FORMATS, SUFFIXES, printable
from .captions import TABLE_SUFFIXES, Captions, Source, plain_text
from .folders import CARD
from .inside import described
from .prompts.find import settings_in_text

PROMPT_SUFFIXES = (".txt", ".prompts")
PROMPTS_NAME = "prompts.txt"
SIDECAR_SUFFIXES = (".txt", ".caption")
TABLE_NAMES = tuple(f"{stem}{suffix}" for stem in ("captions", "metadata") for suffix in TABLE_SUFFIXES)
"""Tables of captions at the top of a folder that are read without being named."""

_NO_PICTURES = {*TABLE_SUFFIXES, *SIDECAR_SUFFIXES, ".json", ".md", ".html", ".py", ".xmp", ".xml", ".yaml", ".zip"}
_MAX_TEXT = 64 * 1024  # bytes read of a sidecar


def scan(source: str | os.PathLike[str], captions: str | os.PathLike[str] | None = None) -> Iterator[Source]:
    """Every source under `source`, in the order of their names. Nothing is decoded yet.

    - A folder: its pictures, without hidden files and other collections. A caption comes from the table `captions`,
      else from `captions.csv` or `metadata.csv` at the top of the folder, else from a text file beside the picture
      (`fox.txt` for `fox.png`), or the prompt in that text if a generator wrote it. What the picture itself carries is
      read later, see `inside`. The lines of a `prompts.txt` at the top are prompts.
    - A text file: one prompt per line. As `captions`, it adds its lines as prompts.
    - A table (CSV, TSV, JSON lines, Parquet): one picture or prompt per row.
    - A picture: itself.

    Raises:
        CollectionError: `source` does not exist, or has no picture or prompt.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "prompts.txt").write_text("a red fox\\n\\na snowy mountain")
    ...     [source.caption for source in scan(folder)]
    ['a red fox', 'a snowy mountain']
    """
    root = Path(source)
    if not os.path.lexists(root):
        raise _nothing(root, "which does not exist", "no such file")
    found = False
    for each in _scan(root, Path(captions) if captions is not None else None):
        found = True
        yield each
    if not found:
        raise _nothing(root, "without a picture or prompt in it", "no sources")


def _scan(root: Path, captions: Path | None) -> Iterator[Source]:
    suffix = root.suffix.lower()
    if captions is not None and captions.suffix.lower() in PROMPT_SUFFIXES:
        yield from _scan(root, None)
        yield from prompts(captions)
    elif root.is_dir():
        yield from _pictures(root, _table(root, captions))
        if (root / PROMPTS_NAME).is_file():
            yield from prompts(root / PROMPTS_NAME)
    elif captions is not None and suffix in (*PROMPT_SUFFIXES, *TABLE_SUFFIXES):
        raise CollectionError(
            f"Got captions in {printable(str(captions))} for {printable(str(root))}, which has its own texts; "
            "leave one of the two out.",
            code="own texts",
        )
    elif suffix in PROMPT_SUFFIXES:
        yield from prompts(root)
    elif suffix in TABLE_SUFFIXES:
        yield from Captions.read(root, root=root.parent).left_over()
    else:
        yield _with_text(root, _table(root.parent, captions) if captions is not None else Captions(root=root.parent))


def _table(folder: Path, captions: Path | None) -> Captions:
    if captions is not None:
        return Captions.read(captions, root=folder)
    beside = next((folder / name for name in TABLE_NAMES if (folder / name).is_file()), None)
    return Captions.read(beside, root=folder, optional=True) if beside is not None else Captions(root=folder)


def prompts(path: Path) -> Iterator[Source]:
    """One prompt for each line that is not blank; a CollectionError unless it is a readable UTF-8 file."""
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise CollectionError(
            f"Got {printable(str(path))}, which cannot be read ({reason}), expected UTF-8 text.", code="cannot read"
        ) from error
    for number, line in enumerate(lines, start=1):
        if text := plain_text(line):
            yield Source(caption=text, origin=f"{printable(os.path.abspath(path))}:{number}")


def _pictures(root: Path, table: Captions) -> Iterator[Source]:
    problems: list[OSError] = []
    for folder, folders, files in os.walk(root, onerror=problems.append):
        shown = (name for name in folders if not name.startswith("."))
        folders[:] = sorted(name for name in shown if not Path(folder, name, CARD).exists())  # no collections
        for name in sorted(files):
            path = Path(folder, name)
            if not name.startswith(".") and _is_picture(path):
                yield _with_text(path, table)
    if problems and Path(os.fsdecode(problems[0].filename)) == root:
        raise _nothing(root, f"which cannot be listed ({problems[0].strerror})", "cannot read")
    for error in problems:
        folder = os.fsdecode(error.filename)
        reason = f"Got folder {printable(folder)}, which cannot be listed ({error.strerror}); check its permissions."
        yield Source(Path(folder), problem=reason)
    yield from table.left_over()


def _is_picture(path: Path) -> bool:
    """Decide by the suffix; if that says nothing, by the first bytes of the file."""
    suffix = path.suffix.lower()
    if suffix in SUFFIXES or suffix in _NO_PICTURES:
        return suffix in SUFFIXES
    if not path.is_file():
        return False
    try:
        with Image.open(path, formats=FORMATS[:8]):
            return True
    except Exception:  # no decoder knows it, and its name does not claim to be a picture
        return False


def _with_text(path: Path, table: Captions) -> Source:
    row = table.take(path)
    if row is not None and row.caption:
        return replace(row, path=path)
    text, origin = _sidecar(path)
    source = Source(path, extras=row.extras if row is not None else {})
    settings = settings_in_text(text)
    if settings is not None:
        return described(source, settings, origin=origin)
    return replace(source, caption=plain_text(text) or None, origin=origin)


def _sidecar(path: Path) -> tuple[str, str]:
    for suffix in SIDECAR_SUFFIXES:
        for candidate in (path.with_suffix(suffix), path.with_name(path.name + suffix)):
            if candidate.is_file() and candidate != path:
                try:
                    with candidate.open("rb") as file:
                        text = file.read(_MAX_TEXT).decode("utf-8-sig", "replace")
                except OSError:
                    continue  # keep the picture although its caption cannot be read
                return text, printable(os.path.abspath(candidate))
    return "", ""


def _nothing(root: Path, what: str, code: str) -> CollectionError:
    return CollectionError(
        f"Got {printable(str(root))}, {what}, expected a folder of pictures, a picture, a table or a .txt of prompts.",
        code=code,
    )
