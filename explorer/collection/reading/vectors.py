"""Vectors that were made elsewhere: numpy arrays on disk, and the folders of clip-retrieval."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import CollectionError, reason
from ...records.archives import regular
from ...records.pictures import printable
from ..items import Kind
from .text import shown_path

SUFFIX = ".npy"
FOLDERS: Mapping[Kind, str] = {"image": "img_emb", "text": "text_emb"}
"""Where clip-retrieval keeps the vectors of pictures and of texts: `img_emb/img_emb_0.npy`."""

_MAGIC = b"\x93NUMPY"
_METADATA = "metadata"
_NUMBER = re.compile(r"_(\d+)\.npy")

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Shard:
    """Vectors of which row i of each belongs to row i of a table.

    Attributes:
        files: those with the vectors of pictures and of their texts, at least one.
        table: the table, or None.
    """

    files: Mapping[Kind, Path]
    table: Path | None


def is_clip_retrieval(folder: Path) -> bool:
    """Whether a folder has vectors as clip-retrieval writes them."""
    return any(any((folder / name).glob(f"{name}_*{SUFFIX}")) for name in FOLDERS.values())


def shards(folder: Path) -> Iterator[Shard]:
    """The parts of a folder of clip-retrieval, in the order of their numbers."""
    found: dict[str, dict[Kind, Path]] = {}
    for kind, name in FOLDERS.items():
        for path in (folder / name).glob(f"{name}_*{SUFFIX}"):
            if (matched := _NUMBER.search(path.name)) is not None:
                found.setdefault(matched[1], {})[kind] = path
    for number in sorted(found, key=lambda each: (int(each), each)):
        table = folder / _METADATA / f"{_METADATA}_{number}.parquet"
        yield Shard(found[number], table if table.is_file() else None)


def read_vectors(path: Path) -> Array:
    """The vectors `(n, …)` in a file, mapped into memory.

    Raises:
        CollectionError: it cannot be read, or has no rows of floats.
    """
    try:
        regular(path)
        with open(path, "rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise OSError("it does not begin as one")
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a header is read as a program's text, which raises many kinds of errors
        why = reason(error) if isinstance(error, OSError) else "its header is damaged, or not that of numbers"
        message = f"Got {shown_path(str(path))}, which cannot be read as an array of numpy ({why})."
        raise CollectionError(message, code="cannot read") from error
    return rows_of_vectors(array, printable(path.name))


def rows_of_vectors(array: Any, name: str) -> Array:
    """An array if it has vectors `(n, …)` of floats; `name` is its name in the CollectionError otherwise."""
    found = np.asarray(array)
    if found.ndim < 2 or not found.size or not np.issubdtype(found.dtype, np.floating):
        raise CollectionError(
            f"Got {name} of shape {found.shape} and type {found.dtype}, expected vectors (n, d) of floats.",
            code="vectors",
        )
    return found
