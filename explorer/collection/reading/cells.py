"""Pictures in the cells of a table: where each one is, and its bytes when they are asked for."""

from __future__ import annotations

import mmap
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from ...errors import PictureError, reason
from ...records.archives import contents, regular, split
from ...records.pictures import MAX_BYTES, printable

if TYPE_CHECKING:
    import pyarrow as pa

_READING = Lock()  # threads that read neighbouring rows share one part of the file


@dataclass(frozen=True)
class Inside(ABC):
    """The place of a picture in a table.

    Attributes:
        path: of the table.
        column: of the pictures: bytes, or structs with the bytes in `bytes`.
        row: from 0.
    """

    path: Path
    column: str
    row: int

    @abstractmethod
    def cell(self) -> Any:
        """The cell: bytes, a dict with the bytes in `bytes`, or None. It may raise any error."""

    def read(self) -> bytes:
        """The bytes of the picture's file.

        Raises:
            PictureError: the table cannot be read, or has no picture in this row.
        """
        name = f"{printable(self.path.name)}:{self.row + 1}"
        try:
            with _READING:
                cell = self.cell()
        except PictureError:
            raise
        except Exception as error:  # pyarrow and Pillow have errors of their own
            message = f"Got {name}, which cannot be read ({reason(error)}); download or save the table again."
            raise PictureError(message, code="cannot read") from error
        data = cell.get("bytes") if isinstance(cell, dict) else cell
        if not data:
            message = f"Got {name} without the bytes of a picture; add them, or leave the row out."
            raise PictureError(message, code="empty")
        return bytes(data)


Version = tuple[str, int, int, int]
"""A file as it is now: its path, inode, time of change and size. What is kept of a file is kept by this."""


def version(path: Path) -> Version:
    """The version of a file, or of the archive that it is in, so that a table that was saved again is read again."""
    inside = None if os.path.exists(path) else split(os.fspath(path))
    about = os.stat(path if inside is None else inside[0])
    return os.fspath(path), about.st_ino, about.st_mtime_ns, about.st_size


@lru_cache(maxsize=2)
def buffer(file: Version) -> pa.Buffer:
    """The bytes of a file, mapped into memory; or, of one in an archive, read into it."""
    import pyarrow as pa

    if not os.path.exists(file[0]):
        return pa.py_buffer(contents(file[0], MAX_BYTES))
    regular(file[0])
    with open(file[0], "rb") as opened:
        return pa.py_buffer(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
