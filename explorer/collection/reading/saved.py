"""Folders that Hugging Face's `datasets` has saved: which files hold their rows, in which order, and of which split."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import CollectionError, reason
from ...records.archives import contents
from .text import shortened

STATE, INFO, SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"

_MAX_BYTES = 64 * 2**20  # of a file of JSON
_CACHE = "it is a cache of what a step made of the rows"
_OTHER = f"{STATE} does not name it among the files of the data set"
_INDICES = "it chooses and orders rows, which is not applied: all rows of the data set are taken"


@dataclass(frozen=True)
class Part:
    """One file with rows of a data set.

    Attributes:
        path: of the file.
        split: the split that it belongs to, where the data set has several.
    """

    path: str
    split: str | None = None


@dataclass
class Saved:
    """The data sets in a folder and its subfolders.

    Attributes:
        parts: the files that hold rows, in order.
        left_out: other files of the data sets, and why no rows come from them.
        missing: what should be there and is not, and the file that names it.
        own: all files of the data sets. None of them is a table by itself, or a text beside a picture.
    """

    parts: list[Part] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)


def saved_datasets(files: Iterable[str]) -> Saved:
    """Find the data sets among files: folders made by `save_to_disk`, and those of the cache of `load_dataset`.

    A folder is a data set if there are Arrow files beside a `state.json` or a `dataset_info.json`, or if a `state.json`
    names some.
    """
    folders: dict[str, dict[str, str]] = {}
    for path in files:
        folder, name = os.path.split(path)
        if name in (STATE, INFO, SPLITS) or _is_arrow(name):
            folders.setdefault(folder, {})[name] = path
    waiting = {folder for folder, inside in folders.items() if _is_dataset(inside)}
    saved = Saved()
    for folder in sorted(folders):
        if SPLITS in folders[folder]:
            for split in _splits(folders[folder][SPLITS], waiting, saved):
                waiting.remove(os.path.join(folder, split))
                _add(folders[os.path.join(folder, split)], split, saved)
        if folder in waiting:
            _add(folders[folder], None, saved)
    return saved


def _is_dataset(inside: Mapping[str, str]) -> bool:
    if any(map(_is_arrow, inside)):
        return STATE in inside or INFO in inside
    return STATE in inside and bool(_names(_document(inside[STATE], Saved()), "_data_files"))


def _splits(path: str, datasets: Collection[str], saved: Saved) -> list[str]:
    """The splits that are there: those that a `dataset_dict.json` lists, then others. Notes those that are missing."""
    folder = os.path.dirname(path)
    there = sorted(os.path.basename(each) for each in datasets if os.path.dirname(each) == folder)
    listed = _document(path, saved if there else Saved()).get("splits")
    listed = [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
    if there or listed:
        saved.own.add(path)
    saved.missing |= {os.path.join(folder, each): path for each in listed if each not in there}
    return [*(each for each in listed if each in there), *(each for each in there if each not in listed)]


def _add(inside: Mapping[str, str], split: str | None, saved: Saved) -> None:
    """Note the files of one data set."""
    saved.own.update(inside.values())
    arrows = {name: path for name, path in sorted(inside.items()) if _is_arrow(name)}
    state = _document(inside[STATE], saved) if STATE in inside else {}
    named, indices = _names(state, "_data_files"), _names(state, "_indices_files", "_indices_data_files")
    if named:
        for name in named:
            if name in arrows:
                saved.parts.append(Part(arrows.pop(name), split))
            else:
                saved.missing[os.path.join(os.path.dirname(inside[STATE]), name)] = inside[STATE]
        saved.left_out |= {path: _INDICES if name in indices else _OTHER for name, path in arrows.items()}
        return
    splits = _document(inside[INFO], saved).get("splits") if INFO in inside else None
    for name, path in arrows.items():
        if name.startswith("cache-"):
            saved.left_out[path] = _CACHE
        else:
            saved.parts.append(Part(path, split or _split_of(name, splits)))


def _document(path: str, saved: Saved) -> dict[str, Any]:
    """The object in a file of JSON; empty, and noted, if it cannot be read."""
    try:
        found = json.loads(contents(path, _MAX_BYTES))
        if not isinstance(found, dict):
            raise CollectionError("it is no JSON object", code="no table")
        return found
    except (OSError, ValueError, RecursionError) as error:
        saved.left_out[path] = (
            f"it cannot be read ({shortened(reason(error), 160)}); the files beside it are taken in the order of "
            "their names"
        )
        return {}


def _names(state: Mapping[str, Any], *keys: str) -> list[str]:
    """The names of files in a `state.json`."""
    listed = [each for key in keys if isinstance(found := state.get(key), list) for each in found]
    names = [each.get("filename") for each in listed if isinstance(each, dict)]
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def _split_of(name: str, splits: Any) -> str | None:
    """The split that the name of a file of the cache ends with, if there are several."""
    if not isinstance(splits, dict) or len(splits) < 2:
        return None
    found = re.search(rf"(?:^|-)({'|'.join(map(re.escape, splits))})(?:-\d+-of-\d+)?\.arrow$", name)
    return found[1] if found else None


def _is_arrow(name: str) -> bool:
    return name.lower().endswith(".arrow")
