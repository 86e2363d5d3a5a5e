"""An atlas: the thumbnails of many items in one picture, so that a page fetches them together."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from ..errors import CollectionError
from .store import Collection

MAX_SIDE = 8192
"""Longest side of an atlas in pixels: the largest texture that all graphics hardware takes."""


@dataclass(frozen=True)
class Atlas:
    """Square cells in reading order.

    Attributes:
        jpeg: the picture.
        cell: side of a cell in pixels.
        columns: number of cells in one row of the picture.
        rows: the row in `items()` of each cell; texts have no cell.
    """

    jpeg: bytes
    cell: int
    columns: int
    rows: tuple[int, ...]


def atlas(collection: Collection, rows: Sequence[int], *, cell: int = 64) -> Atlas:
    """Draw the pictures among these rows of `items()`, each centred in a mid-grey cell.

    Raises:
        CollectionError: a row out of range, or too many pictures for one atlas.
    """
    found = [(row, data) for row, data in zip(rows, collection.thumbnails(rows), strict=True) if data is not None]
    columns = max(1, math.ceil(math.sqrt(len(found))))
    if cell < 1 or columns * cell > MAX_SIDE:
        raise CollectionError(
            f"Got {len(found)} thumbnails of {cell} pixels, expected at most {(MAX_SIDE // max(1, cell)) ** 2}; "
            "ask for fewer or smaller ones.",
            code="too many pictures",
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
