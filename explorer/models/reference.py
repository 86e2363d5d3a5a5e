"""What is typical of an encoder's joint vectors: the means and the map that close the modality gap, and a length.

A point of the joint space is a direction, and a denoiser wants the un-normalised vector: its length comes from here.
A reference is measured once on many pictures and captions, and kept as `reference.safetensors` beside the encoder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
import torch
from torch import Tensor

from ..checks import choice
from ..errors import ModelError, SpaceError
from .find.folder import opened
from .text_map import TextMap

FILE = "reference.safetensors"

Gap = Literal["open", "mean", "linear"]
"""How the gap between texts and pictures is closed: not at all, by the means of both, or by a map to pictures."""
GAPS: tuple[Gap, ...] = get_args(Gap)


@dataclass(frozen=True)
class Reference:
    """What is typical of a CLIP's vectors, measured once on many pictures and captions and kept with its weights.

    Attributes:
        mean_image: `(d,)` mean of the unit vectors of pictures.
        mean_text: `(d,)` mean of the unit vectors of captions.
        norm: mean length of the un-normalised vectors of pictures.
        text_map: from the unit vectors of captions to those of their pictures, or None where no pairs were measured.
    """

    mean_image: Tensor
    mean_text: Tensor
    norm: float
    text_map: TextMap | None = None

    @classmethod
    def uncentred(cls, dim: int, norm: float, device: torch.device | str = "cpu") -> Reference:
        """A length alone, where no means were measured: nothing is centred and a modality gap stays open.

        >>> Reference.uncentred(2, 5.0)
        Reference(mean_image=tensor([0., 0.]), mean_text=tensor([0., 0.]), norm=5.0, text_map=None)
        """
        return cls(torch.zeros(dim, device=device), torch.zeros(dim, device=device), norm)

    @property
    def digest(self) -> str:
        """sha256 of means and norm, hexadecimal: what tells the points of one reference from those of another.

        The map of texts has no part in it: it changes which point a text is, and no picture of any point.
        """
        total = hashlib.sha256()
        for tensor in (self.mean_image, self.mean_text, torch.tensor([self.norm])):
            total.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
        return total.hexdigest()

    def to(self, device: torch.device | str) -> Reference:
        """The same numbers elsewhere."""
        text_map = None if self.text_map is None else self.text_map.to(device)
        return Reference(self.mean_image.to(device), self.mean_text.to(device), self.norm, text_map)

    def save(self, file: str | Path) -> Path:
        """Write it as safetensors, to be read again by `load`, or by itself beside an encoder's weights."""
        from safetensors.torch import save_file

        tensors = {"mean_image": self.mean_image, "mean_text": self.mean_text, "norm": torch.tensor([self.norm])}
        tensors |= {} if self.text_map is None else self.text_map.tensors()
        try:
            save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, str(file))
        except Exception as error:  # of the library's own kind, which is no OSError
            raise ModelError(
                f"Got {str(file)!r}, which cannot be written ({error}); choose another place.", code="cannot write"
            ) from error
        return Path(file)

    @classmethod
    def load(cls, file: str | Path, device: torch.device | str = "cpu") -> Reference:
        """The reference in a safetensors file.

        Raises:
            ModelError: no such file, damage, or a part that is missing.
        """
        from safetensors.torch import load_file

        tensors: dict[str, Tensor] = opened("a reference", Path(file), lambda: load_file(str(file)))
        missing = {"mean_image", "mean_text", "norm"} - set(tensors)
        if missing:
            raise ModelError(
                f"Got {file} without {', '.join(sorted(missing))}; measure the reference again.", code="incomplete"
            )
        mean_image, mean_text = (tensors[name].float().flatten() for name in ("mean_image", "mean_text"))
        norm = float(tensors["norm"].float().mean())
        return cls(mean_image, mean_text, norm, TextMap.of_tensors(tensors)).to(device)


def closing(gap: Gap | None, reference: Reference, name: str) -> Gap:
    """How a model closes its gap, by default with the map of its reference where that has one.

    Raises:
        SpaceError: an unknown way.
        ModelError: a map that the reference does not have.
    """
    if gap is None:
        return "mean" if reference.text_map is None else "linear"
    choice("gap", gap, GAPS, error=SpaceError)
    if gap == "linear" and reference.text_map is None:
        raise ModelError(
            f"Got gap 'linear' for model {name!r}, whose reference has no map from texts to pictures, expected 'mean' "
            "or 'open'; measure one with measure_reference(pictures, captions, paired=True).",
            code="no text map",
        )
    return gap


class Encodes(Protocol):
    """As much of an encoder as measuring needs."""

    dim: int
    reads_texts: bool

    def encode_images(self, images: Sequence[Any]) -> Tensor:
        """`n` pictures -> `(n, d)` un-normalised vectors."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """`n` texts -> `(n, d)` un-normalised vectors."""
        ...


def measure(encoder: Encodes, pictures: Sequence[Any], texts: Sequence[str] = (), *, paired: bool = False) -> Reference:
    """The reference of an encoder over PIL pictures and captions; a few hundred of each settle the means.

    Args:
        texts: captions, of those pictures or of others; for an encoder of pictures alone, none.
        paired: each text is the caption of the picture in its place: fit the linear map from texts to pictures too,
            for which it takes at least 2.5 pairs for each number of a vector.

    Raises:
        ModelError: fewer than two of a kind, since the mean of one would take its own direction away; or too few pairs.
    """
    if len(pictures) < 2 or (encoder.reads_texts and len(texts) < 2):
        raise ModelError(
            f"Got {len(pictures)} pictures and {len(texts)} texts to measure a reference on, expected many of each; "
            "give some hundreds.",
            code="too few",
        )
    images = encoder.encode_images(pictures).double()
    captions = encoder.encode_texts(texts).double() if encoder.reads_texts else images.new_zeros(1, encoder.dim)
    seen, said = (torch.nn.functional.normalize(each, dim=-1) for each in (images, captions))
    text_map = TextMap.fit(said, seen).to(images.device) if paired else None
    return Reference(seen.mean(0).float(), said.mean(0).float(), float(images.norm(dim=-1).mean()), text_map)


def beside(folder: Path, device: torch.device) -> Reference | None:
    """The reference in an encoder's folder, or None where it has none."""
    return Reference.load(folder / FILE, device) if (folder / FILE).is_file() else None


def checked(reference: Reference, dim: int, where: str | Path) -> Reference:
    """The reference, checked to fit an encoder of width `dim`.

    Raises:
        ModelError: another width.
    """
    widths = {len(reference.mean_image), len(reference.mean_text)}
    if reference.text_map is not None:
        widths |= {*reference.text_map.weight.shape, len(reference.text_map.offset)}
    if widths != {dim}:
        raise ModelError(
            f"Got a reference of width {max(widths - {dim})} for a CLIP of width {dim} in {where}; measure it again.",
            code="width",
        )
    return reference


def trained_norm(mean: Tensor, std: Tensor) -> float | None:
    """√E|x|² = √(Σ mean² + std²) of vectors whose statistics a model keeps; None where they were never filled in.

    >>> trained_norm(torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0]))
    5.0
    """
    norm = (mean.detach().double() ** 2 + std.detach().double() ** 2).sum().sqrt()
    return _rounded(norm) if bool(norm > 0) else None


def picture_norm(encoder: Encodes, n: int = 16, side: int = 256) -> float:
    """The mean length of the vectors of soft clouds of colour, always the same, where nothing better is known."""
    from PIL import Image

    cells = np.random.default_rng(0).integers(0, 256, size=(n, 8, 8, 3), dtype=np.uint8)
    clouds = [Image.fromarray(each).resize((side, side), Image.Resampling.BICUBIC) for each in cells]
    return _rounded(encoder.encode_images(clouds).norm(dim=-1).mean())


def _rounded(norm: Tensor) -> float:
    # Four figures: the last bits depend on how many threads share a sum, and a picture must come back exactly.
    return float(f"{float(norm):.4g}")
