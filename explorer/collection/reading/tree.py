"""A folder with all its subfolders: which files are pictures, tables and texts, and what is not read."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from PIL import Image

from ...records.pictures import FORMATS, is_readable
from ..folders import CARD
from . import formats
from .sheets import SUFFIXES

SIDECARS = (".txt", ".caption", ".json")
"""Endings of texts beside pictures, likeliest first."""

_CLUTTER = frozenset(("@eadir", "__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin"))
_NO_PICTURES = frozenset((*SUFFIXES, *SIDECARS, ".md", ".html", ".htm", ".py", ".xmp", ".xml", ".yaml", ".yml", ".log"))
_CARD_BYTES = 64 * 1024


@dataclass
class Tree:
    """What is in a folder and its subfolders, as absolute paths.

    Attributes:
        pictures: their files, in the order of their names, each folder before its subfolders.
        tables: files that may be tables of captions.
        texts: files that may hold the text of a picture, or prompts.
        unread: files in formats that are not read, by format.
        problems: folders that cannot be listed, and why.
    """

    pictures: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    unread: dict[str, list[str]] = field(default_factory=dict)
    problems: list[tuple[str, OSError]] = field(default_factory=list)

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
    """Find the files under a folder.

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
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            tree.problems.append((folder, error))
            continue
        entries = [each for each in entries if each.name[0] != "." and each.name.casefold() not in _CLUTTER]
        inside = [each for each in entries if _is_folder(each)]
        yield from (each.path for each in entries if each not in inside)
        ours = [each for each in inside if not is_collection(each.path)]
        links += [each.path for each in ours if each.is_symlink()]
        waiting += [each.path for each in reversed(ours) if not each.is_symlink()]


def is_collection(folder: str) -> bool:
    """Whether a folder is a collection of ours, and not one that has a file of the same name."""
    try:
        with open(os.path.join(folder, CARD), "rb") as file:
            card = json.loads(file.read(_CARD_BYTES))
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
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with Image.open(path, formats=FORMATS[:8]):
            return True
    except Exception:  # no decoder knows it, and its name does not claim to be a picture
        return False
