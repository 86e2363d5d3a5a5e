"""Data frames as tables of captions: their cells as plain values, and the pictures that are in them."""

from __future__ import annotations

import io
import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ...errors import CollectionError
from ...records.picture_colours import upright
from ...records.pictures import open_picture
from .cells import Inside
from .columns import IsFile, Roles
from .rows import FRAME, Sheet, sheet_of_records, unique_names
from .schema import PICTURE_NAMES, Records, likeliest

if TYPE_CHECKING:
    import pandas as pd

_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


@dataclass(frozen=True, eq=False)
class InFrame(Inside):
    """The place of a picture in a data frame.

    Attributes:
        value: the picture: the bytes of its file, or a PIL picture; None where it is missing.
    """

    value: bytes | bytearray | memoryview | Image.Image | None

    def cell(self) -> Any:
        return as_png(self.value) if isinstance(self.value, Image.Image) else self.value


def read_frame(frame: pd.DataFrame, is_file: IsFile) -> Sheet:
    """Read a data frame as a table, its rows numbered from 1. An index that has a name is one more column.

    Raises:
        CollectionError: it has no rows.
    """
    if not len(frame):
        raise CollectionError("Got a DataFrame without rows, expected one for each picture or prompt.", code="no rows")
    columns: list[tuple[Hashable, Iterable[Any]]]
    columns = [(name, frame.iloc[:, at]) for at, name in enumerate(frame.columns)]
    levels = enumerate(frame.index.names)
    columns += [(name, frame.index.get_level_values(at)) for at, name in levels if name is not None]
    names = unique_names([_name(name) for name, _ in columns], Roles(None, ()))
    given = {name: list(values) for name, (_, values) in zip(names, columns, strict=True)}
    pictures = likeliest(name for name, values in given.items() if _holds_pictures(name, values))
    cells = {name: [_plain(value) for value in values] for name, values in given.items()}
    places: dict[int, Inside] = {}
    if pictures is not None:
        for row, value in enumerate(given[pictures]):
            held = _picture(value)
            if held is not None or not cells[pictures][row]:
                places[row] = InFrame(Path(FRAME), pictures, row, held)
    rows = [list(row) for row in zip(*cells.values(), strict=True)]
    return sheet_of_records(Path(FRAME), Records(names, rows, pictures, places), is_file)


def as_png(picture: Image.Image) -> bytes:
    """A picture as the bytes of a PNG that gives the same point: in its own mode, or in RGB if PNG lacks its mode.

    Raises:
        PictureError: as `open_picture`.
    """
    srgb = open_picture(picture)
    own = picture.mode in _PNG_MODES and srgb is not picture
    buffer = io.BytesIO()
    (upright(picture) if own else srgb).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _name(name: Any) -> str:
    """The name of a column; that of several levels in one."""
    return " ".join(map(str, name)) if isinstance(name, tuple) else str(name)


def _picture(value: Any) -> bytes | bytearray | memoryview | Image.Image | None:
    """The picture in a cell, if there is one."""
    held = value.get("bytes") if isinstance(value, Mapping) else value
    return held if isinstance(held, bytes | bytearray | memoryview | Image.Image) else None


def _holds_pictures(name: str, values: Sequence[Any]) -> bool:
    """As of other tables: bytes alone are pictures only under a name that says so."""
    found = (value for value in values if _picture(value) is not None)
    return any(isinstance(value, Image.Image | Mapping) or name.lower() in PICTURE_NAMES for value in found)


def _plain(value: Any) -> Any:
    """A cell as JSON and Parquet have it; None for missing values, whatever stands for them, and for pictures."""
    import pandas as pd

    if isinstance(value, Mapping):
        if "bytes" in value:
            value = value.get("path")
            return os.fsdecode(value) if isinstance(value, str | os.PathLike) else None
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if _picture(value) is not None or pd.isna(value):
        return None
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, np.floating):
        return float(value)
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        return value.item()  # those two would become numbers; as text they are ISO 8601
    return value
