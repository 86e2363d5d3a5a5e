"""Images: decoded pictures, each with the record from which it can be decoded again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL.Image import Image
from torch import Tensor

from ..errors import ModelError, PictureError
from .atomic import writing_to
from .provenance import Provenance, write_png

MOST_PIXELS = 512 << 20
"""Bytes of unrounded pixels that `Images` keep: about 680 pictures of 256 px, or 170 of 512."""

GAP = 2
"""White pixels between the pictures of a contact sheet."""

_NO_RECORDS = frozenset((".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"))


@dataclass(frozen=True, eq=False, repr=False)
class Images(Sequence[Image]):
    """`n` PIL pictures of one size with their provenance, which is also in `picture.info["provenance"]`.

    As an array, `np.asarray(images)`, they are `(n, h, w, 3)` uint8.

    Attributes:
        pictures: RGB.
        provenances: one per picture.
    """

    pictures: tuple[Image, ...]
    provenances: tuple[Provenance, ...]
    unrounded: tuple[Tensor, ...] | None = field(default=None, kw_only=True)

    @classmethod
    def of(cls, pictures: Sequence[Image], provenances: Sequence[Provenance], pixels: Sequence[Tensor]) -> Images:
        """Pictures with their pixels before rounding, `(3, h, w)` each; these are kept up to `MOST_PIXELS` bytes."""
        size = sum(each.numel() * each.element_size() for each in pixels)
        kept = tuple(pixels) if size <= MOST_PIXELS else None
        return Images(tuple(pictures), tuple(provenances), unrounded=kept)

    @property
    def pixels(self) -> Tensor:
        """The pictures before they were rounded: `(n, 3, h, w)` float32 in [0, 1], on the CPU.

        Raises:
            PictureError: pictures that were not decoded, or too many to keep.
        """
        if self.unrounded is None:
            raise PictureError(
                f"Got {len(self)} pictures without unrounded pixels, which are kept of decoded ones of at most "
                f"{MOST_PIXELS >> 20} MiB; decode fewer at once, or use numpy() for pictures that were found.",
                code="pixels",
            )
        return torch.stack(self.unrounded) if self.unrounded else torch.empty(0, 3, 0, 0)

    @property
    def shape(self) -> tuple[int, ...]:
        """`(n, h, w, 3)`."""
        return (len(self), *((self.pictures[0].height, self.pictures[0].width) if self.pictures else (0, 0)), 3)

    def numpy(self) -> NDArray[np.uint8]:
        """The pictures as `(n, h, w, 3)` uint8."""
        arrays = [np.asarray(picture, dtype=np.uint8) for picture in self.pictures]
        return np.stack(arrays) if arrays else np.empty(self.shape, dtype=np.uint8)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("pictures cannot become an array without a copy")
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __post_init__(self) -> None:
        if len(self.pictures) != len(self.provenances):
            message = f"Got {len(self.pictures)} pictures and {len(self.provenances)} records, expected equal numbers."
            raise PictureError(message, code="records")
        for picture, provenance in zip(self.pictures, self.provenances, strict=True):
            picture.info["provenance"] = provenance

    @overload
    def __getitem__(self, rows: int) -> Image: ...
    @overload
    def __getitem__(self, rows: slice) -> Images: ...
    def __getitem__(self, rows: int | slice) -> Image | Images:
        """A plain PIL picture by index, whose own `save` writes no record; or `Images` by slice."""
        if isinstance(rows, slice):
            unrounded = None if self.unrounded is None else self.unrounded[rows]
            return Images(self.pictures[rows], self.provenances[rows], unrounded=unrounded)
        return self.pictures[rows]

    def __len__(self) -> int:
        return len(self.pictures)

    def __repr__(self) -> str:
        size = "×".join(map(str, self.pictures[0].size)) if self.pictures else "none"
        return f"{type(self).__name__}({len(self)} of {size})"

    def save(self, target: str | Path) -> list[Path]:
        """Write stamped PNG files and return their paths.

        Args:
            target: a name ending in `.png` for a single picture, else a folder for `0000.png`, `0001.png`, ...,
                which is created if missing.

        Raises:
            PictureError: several pictures for one name, another kind of picture, or a place that cannot be written to.
        """
        place, kind = Path(target), Path(target).suffix.lower()
        if kind in _NO_RECORDS:
            raise PictureError(
                f"Got {str(target)!r}, a kind of file that cannot keep the record, expected a name ending in .png, "
                "or a folder.",
                code="file name",
            )
        if kind == ".png" and len(self) != 1:
            message = f"Got {len(self)} pictures for the file {str(target)!r}, expected one; name a folder."
            raise PictureError(message, code="several pictures")
        if kind != ".png":
            with writing_to(target, PictureError):
                place.mkdir(parents=True, exist_ok=True)
        paths = [place] if kind == ".png" else [place / f"{row:04d}.png" for row in range(len(self))]
        for path, picture, provenance in zip(paths, self.pictures, self.provenances, strict=True):
            write_png(path, picture, provenance)
        return paths


@dataclass(frozen=True, eq=False, repr=False)
class Blend(Images):
    """A grid of pictures between a few corners, row by row.

    Attributes:
        columns: pictures in a row.
        provenance: the record of the blend.
    """

    columns: int
    provenance: Provenance

    def sheet(self) -> Image:
        """All pictures on one white contact sheet, row by row."""
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
    """Pictures of one size in rows of `columns`, with white gaps of `GAP` pixels."""
    width, height = pictures[0].size
    rows = -(-len(pictures) // columns)
    sheet = Pillow.new("RGB", (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP), "white")
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        sheet.paste(picture, (column * (width + GAP), row * (height + GAP)))
    return sheet


def unit_pixels(pixels: Tensor) -> Tensor:
    """Convert `(3, h, w)` in about [-1, 1] to float32 in [0, 1] on the CPU, clipped; a ModelError if not finite."""
    if not bool(torch.isfinite(pixels).all()):
        raise ModelError(
            "Got a picture with values that are not finite: the network overflows; take a point nearer to the "
            "others, less guidance, or a wider dtype.",
            code="not finite",
        )
    return (pixels / 2 + 0.5).clamp(0, 1).float().cpu()


def picture_of(pixels: Tensor) -> Image:
    """An RGB picture from `(3, h, w)` in [0, 1], rounded as diffusers rounds."""
    return Pillow.fromarray((pixels.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))
