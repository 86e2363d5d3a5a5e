"""A folder with all its subfolders and archives: which files are pictures, tables and texts, and what is not read."""

from __future__ import annotations

import io
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from PIL import Image

from ...errors import reason
from ...records import archives
from ...records.pictures import FORMATS, is_readable, read_bytes
from ..folders import CARD
from . import formats
from .sheets import SUFFIXES
from .text import shown_path

SIDECARS = (".txt", ".caption", ".json", ".cls")
"""Endings of texts beside pictures, likeliest first."""

_CLUTTER = frozenset(("@eadir", "__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin"))
_NO_PICTURES = frozenset((*SUFFIXES, *SIDECARS, ".md", ".html", ".htm", ".py", ".xmp", ".xml", ".yaml", ".yml", ".log"))
_CARD_BYTES = 64 * 1024


@dataclass
class Tree:
    """What is in a folder, its subfolders and the archives there, as absolute paths.

    Attributes:
        pictures: their files, in the order of their names, each folder before its subfolders.
        tables: files that may be tables of captions.
        texts: files that may hold the text of a picture, or prompts.
        unread: files in formats that are not read, by format.
        problems: folders and archives that cannot be listed, or not to their end, and why, in a sentence.
    """

    pictures: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    unread: dict[str, list[str]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def add(self, path: str) -> None:
        """Sort a file in."""
        suffix = os.path.splitext(path)[1].lower()
        if suffix in SUFFIXES:
            self.tables.append(path)
        if suffix in SIDECARS:
            self.texts.append(path)
        elif (found := formats.unread(suffix)) is not None:
            self.unread.setdefault(found[0], []).append(path)
        elif _is_picture(path, suffix):
            self.pictures.append(path)


def walk(root: str, *, most: int | None = None) -> Tree:
    """Find the files under a folder, or in an archive, which is a folder too.

    Hidden files, the clutter that systems leave behind and other collections are passed over. Linked folders come last,
    and no folder comes twice.

    Args:
        most: stop after so many files.
    """
    tree, seen = Tree(), set[tuple[int, int]]()
    for number, path in enumerate(_files(os.path.abspath(root), tree, seen)):
        if number == most:
            break
        tree.add(path)
    return tree


def _files(root: str, tree: Tree, seen: set[tuple[int, int]]) -> Iterator[str]:
    waiting, links = [root], list[str]()
    while waiting or links:
        folder = waiting.pop() if waiting else links.pop(0)
        try:
            about = os.stat(folder)
            if (about.st_dev, about.st_ino) in seen:
                continue
            seen.add((about.st_dev, about.st_ino))
            if not stat.S_ISDIR(about.st_mode):
                yield from _packed(folder, tree)
                continue
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            tree.problems[folder] = _unlisted(folder, error)
            continue
        entries = [each for each in entries if not _is_clutter(each.name)]
        inside = [each for each in entries if _is_folder(each) or archives.is_archive(each.name)]
        yield from (each.path for each in entries if each not in inside)
        ours = [each for each in inside if not is_collection(each.path)]
        links += [each.path for each in ours if each.is_symlink()]
        waiting += [each.path for each in reversed(ours) if not each.is_symlink()]


def _packed(archive: str, tree: Tree) -> Iterator[str]:
    """The files in an archive, each of its folders before its subfolders."""
    members = archives.members(archive)
    if members.problem:
        tree.problems[archive] = f"Got {shown_path(archive)}: {members.problem}; download or pack it again."
    parted = (name.split("/") for name in members.names)
    kept = (parts for parts in parted if not any(map(_is_clutter, parts)))
    for parts in sorted(kept, key=lambda parts: [*((1, part) for part in parts[:-1]), (0, parts[-1])]):
        yield os.path.join(archive, *parts)


def _unlisted(folder: str, error: OSError) -> str:
    if archives.is_archive(folder) and not os.path.isdir(folder):
        return f"Got {shown_path(folder)}, which cannot be read ({reason(error)}); download or pack it again."
    return f"Got folder {shown_path(folder)}, which cannot be listed ({reason(error)}); check its permissions."


def _is_clutter(name: str) -> bool:
    return name[:1] in (".", "") or name.casefold() in _CLUTTER


def is_collection(folder: str) -> bool:
    """Whether a folder is a collection of ours, and not one that has a file of the same name."""
    try:
        card = json.loads(archives.contents(os.path.join(folder, CARD), _CARD_BYTES))
        return isinstance(card["format"], int) and {"name", "hash"} <= set(card["model"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _is_picture(path: str, suffix: str) -> bool:
    """Decide by the suffix; if that says nothing, by the first bytes of the file."""
    if suffix in _NO_PICTURES or is_readable(suffix):
        return suffix not in _NO_PICTURES
    try:
        start: str | io.BytesIO = path
        if not os.path.lexists(path):  # in an archive
            start = io.BytesIO(read_bytes(path))
        elif not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with Image.open(start, formats=FORMATS[:8]):
            return True
    except Exception:  # no decoder knows it, and its name does not claim to be a picture
        return False
