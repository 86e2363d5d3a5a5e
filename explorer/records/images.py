"""Images: decoded pictures, each with the record it can be made from again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
import torch
from torch import Tensor

from ..errors import ModelError, PictureError
from .provenance import Provenance, write_png

if TYPE_CHECKING:
    from PIL.Image import Image

GAP = 2
"""White pixels between the pictures of a sheet."""

_NO_RECORDS = frozenset((".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"))


@dataclass(frozen=True, eq=False, repr=False)
class Images(Sequence["Image"]):
    """`n` PIL pictures of one size with their provenance, which `picture.info["provenance"]` holds too.

    Attributes:
        pictures: RGB.
        provenances: one a picture.
    """

    pictures: tuple[Image, ...]
    provenances: tuple[Provenance, ...]

    def __post_init__(self) -> None:
        if len(self.pictures) != len(self.provenances):
            raise PictureError(
                f"Got {len(self.pictures)} pictures and {len(self.provenances)} records, expected one each; match them."
            )
        for picture, provenance in zip(self.pictures, self.provenances, strict=True):
            picture.info["provenance"] = provenance

    @overload
    def __getitem__(self, rows: int) -> Image: ...
    @overload
    def __getitem__(self, rows: slice) -> Images: ...
    def __getitem__(self, rows: int | slice) -> Image | Images:
        """A picture by its index, plain PIL, whose own `save` writes no record; some, as `Images`, by a slice."""
        if isinstance(rows, slice):
            return Images(self.pictures[rows], self.provenances[rows])
        return self.pictures[rows]

    def __len__(self) -> int:
        return len(self.pictures)

    def __iter__(self) -> Iterator[Image]:
        return iter(self.pictures)

    def __repr__(self) -> str:
        size = "×".join(map(str, self.pictures[0].size)) if self.pictures else "none"
        return f"{type(self).__name__}({len(self)} of {size})"

    def save(self, target: str | Path) -> list[Path]:
        """Write stamped PNG files and return their paths.

        Args:
            target: a name ending in `.png` for a single picture, else a folder, made if it is missing, for
                `0000.png`, `0001.png`, ...

        Raises:
            PictureError: several pictures for one name, a name of another kind of picture, or a place that cannot be
                written.
        """
        place = Path(target)
        if place.suffix.lower() in _NO_RECORDS:
            raise PictureError(
                f"Got {str(target)!r}, a kind of file that would not keep the record, expected a name ending in .png, "
                "or a folder; change the name."
            )
        if place.suffix.lower() == ".png":
            if len(self) != 1:
                raise PictureError(f"Got {len(self)} pictures for one file {str(target)!r}; name a folder.")
            paths = [place]
        else:
            try:
                place.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise PictureError(
                    f"Got {str(target)!r}, which cannot be made a folder ({error.strerror or error}); "
                    "choose another place."
                ) from error
            paths = [place / f"{row:04d}.png" for row in range(len(self))]
        for path, picture, provenance in zip(paths, self.pictures, self.provenances, strict=True):
            write_png(path, picture, provenance)
        return paths


@dataclass(frozen=True, eq=False, repr=False)
class Blend(Images):
    """A grid of pictures between a few corners, row by row.

    Attributes:
        columns: pictures in a row.
        provenance: the record of the whole.
    """

    columns: int
    provenance: Provenance

    def sheet(self) -> Image:
        """All of them on one white sheet, row by row."""
        sheet = contact_sheet(self.pictures, self.columns)
        sheet.info["provenance"] = self.provenance
        return sheet

    def save(self, target: str | Path) -> list[Path]:
        """Write the sheet as one stamped PNG when `target` ends in `.png`, else the pictures into a folder."""
        if Path(target).suffix.lower() != ".png":
            return super().save(target)
        write_png(target, self.sheet(), self.provenance)
        return [Path(target)]


def contact_sheet(pictures: Sequence[Image], columns: int) -> Image:
    """Pictures of one size side by side, row by row, a little apart on white."""
    from PIL import Image as Pillow

    width, height = pictures[0].size
    rows = -(-len(pictures) // columns)
    sheet = Pillow.new("RGB", (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP), "white")
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        sheet.paste(picture, (column * (width + GAP), row * (height + GAP)))
    return sheet


def picture_of(pixels: Tensor) -> Image:
    """`(3, h, w)` in [-1, 1], clipped -> an RGB picture, rounded as diffusers rounds."""
    from PIL import Image as Pillow

    if not bool(torch.isfinite(pixels).all()):
        raise ModelError(
            "Got a picture that is not finite: the numbers overflow within the network; take a point nearer to the "
            "others, less guidance, or a wider precision."
        )
    array = (pixels / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    return Pillow.fromarray((array * 255).round().astype(np.uint8))
