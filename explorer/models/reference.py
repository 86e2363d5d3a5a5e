"""What is typical of an encoder's joint vectors: the means and the map that close the modality gap, and a length.

A point of the joint space is a direction, and a denoiser wants the un-normalised vector: its length comes from here.
A reference is measured once on many pictures and captions, and kept as `reference.safetensors` beside the encoder.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..checks import choice
from ..errors import ModelError, SpaceError
from ..options import GAPS, Gap
from .find.folder import opened
from .text_map import TextMap

FILE = "reference.safetensors"


@dataclass(frozen=True)
class Reference:
    """What is typical of an encoder's vectors.

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
        numbers = (each.float().numpy().tobytes() for each in self._measured().values())
        return hashlib.sha256(b"".join(numbers)).hexdigest()

    def _measured(self) -> dict[str, Tensor]:
        kept = {"mean_image": self.mean_image, "mean_text": self.mean_text, "norm": torch.tensor([self.norm])}
        return {name: tensor.detach().cpu().contiguous() for name, tensor in kept.items()}

    def to(self, device: torch.device | str) -> Reference:
        """The same numbers elsewhere."""
        text_map = None if self.text_map is None else self.text_map.to(device)
        return Reference(self.mean_image.to(device), self.mean_text.to(device), self.norm, text_map)

    def save(self, file: str | Path) -> Path:
        """Write it as safetensors, to be read again by `load`, or by itself beside an encoder's weights."""
        from safetensors.torch import save_file

        tensors = self._measured() | ({} if self.text_map is None else self.text_map.tensors())
        try:
            save_file(tensors, str(file))
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


def beside(folder: Path, dim: int, device: torch.device) -> Reference | None:
    """The reference in the folder of an encoder of width `dim`, or None where it has none.

    Raises:
        ModelError: a reference of another width, or one that is damaged.
    """
    file = folder / FILE
    return checked(Reference.load(file, device), dim, folder) if file.is_file() else None


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
    return four_figures(norm) if bool(norm > 0) else None


def four_figures(norm: Tensor) -> float:
    """A length as it is kept: its last bits depend on how many threads share a sum, and pictures must come back."""
    return float(f"{float(norm):.4g}")
