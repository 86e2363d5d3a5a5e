"""An atlas: the thumbnails of many items as one picture, so that a screen fetches them at once."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from ..errors import CollectionError

if TYPE_CHECKING:
    from .store import Collection

MAX_SIDE = 8192
"""Longest side of an atlas in pixels: what graphics hardware takes as one texture."""


@dataclass(frozen=True)
class Atlas:
    """Square cells in reading order.

    Attributes:
        jpeg: the picture.
        cell: side of a cell in pixels.
        columns: cells in a row.
        rows: the row in `items()` of each cell; texts have none.
    """

    jpeg: bytes
    cell: int
    columns: int
    rows: tuple[int, ...]


def atlas(collection: Collection, rows: Sequence[int], *, cell: int = 64) -> Atlas:
    """The pictures among these rows of `items()`, each centred in a cell of mid grey.

    Raises:
        CollectionError: a row is out of range, or there are more than one atlas holds.
    """
    found = [(row, data) for row, data in zip(rows, collection.thumbnails(rows), strict=True) if data is not None]
    columns = max(1, math.ceil(math.sqrt(len(found))))
    if cell < 1 or columns * cell > MAX_SIDE:
        raise CollectionError(
            f"Got {len(found)} thumbnails of {cell} pixels, expected at most {(MAX_SIDE // max(1, cell)) ** 2} of "
            "them; ask for fewer, or smaller cells."
        )
    sheet = Image.new("RGB", (columns * cell, max(1, math.ceil(len(found) / columns)) * cell), (128, 128, 128))
    for place, (_, data) in enumerate(found):
        small = Image.open(io.BytesIO(data), formats=("JPEG",))
        small.draft("RGB", (cell, cell))
        small.thumbnail((cell, cell), Image.Resampling.BILINEAR)
        left, upper = place % columns * cell, place // columns * cell
        sheet.paste(small, (left + (cell - small.width) // 2, upper + (cell - small.height) // 2))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=85)
    return Atlas(buffer.getvalue(), cell, columns, tuple(row for row, _ in found))
