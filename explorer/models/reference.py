"""What is typical of an encoder's joint vectors: the means that close the modality gap, and a length.

A point of the joint space is a direction, and a denoiser wants the un-normalised vector: its length comes from here.
A reference is measured once on many pictures and captions, and kept as `reference.safetensors` beside the encoder.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..errors import ModelError
from .find.folder import opened

FILE = "reference.safetensors"


@dataclass(frozen=True)
class Reference:
    """What is typical of an encoder's vectors.

    Attributes:
        mean_image: `(d,)` mean of the unit vectors of pictures.
        mean_text: `(d,)` mean of the unit vectors of captions.
        norm: mean length of the un-normalised vectors of pictures.
    """

    mean_image: Tensor
    mean_text: Tensor
    norm: float

    @classmethod
    def uncentred(cls, dim: int, norm: float, device: torch.device | str = "cpu") -> Reference:
        """A length alone, where no means were measured: nothing is centred and a modality gap stays open.

        >>> Reference.uncentred(2, 5.0)
        Reference(mean_image=tensor([0., 0.]), mean_text=tensor([0., 0.]), norm=5.0)
        """
        return cls(torch.zeros(dim, device=device), torch.zeros(dim, device=device), norm)

    @property
    def digest(self) -> str:
        """sha256 of the numbers, hexadecimal: what tells the points of one reference from those of another."""
        numbers = (each.float().numpy().tobytes() for each in self._tensors().values())
        return hashlib.sha256(b"".join(numbers)).hexdigest()

    def _tensors(self) -> dict[str, Tensor]:
        kept = {"mean_image": self.mean_image, "mean_text": self.mean_text, "norm": torch.tensor([self.norm])}
        return {name: tensor.detach().cpu().contiguous() for name, tensor in kept.items()}

    def to(self, device: torch.device | str) -> Reference:
        """The same numbers elsewhere."""
        return Reference(self.mean_image.to(device), self.mean_text.to(device), self.norm)

    def save(self, file: str | Path) -> Path:
        """Write it as safetensors, to be read again by `load`, or by itself beside an encoder's weights."""
        from safetensors.torch import save_file

        try:
            save_file(self._tensors(), str(file))
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

        raw: dict[str, Tensor] = opened("a reference", Path(file), lambda: load_file(str(file)))
        tensors = {name: tensor.float() for name, tensor in raw.items()}
        missing = {"mean_image", "mean_text", "norm"} - set(tensors)
        if missing:
            raise ModelError(
                f"Got {file} without {', '.join(sorted(missing))}; measure the reference again.", code="incomplete"
            )
        mean_image, mean_text = (tensors[name].flatten().to(device) for name in ("mean_image", "mean_text"))
        return cls(mean_image, mean_text, float(tensors["norm"].mean()))


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
    if widths != {dim}:
        raise ModelError(
            f"Got reference means of width {max(widths)} for a CLIP of width {dim} in {where}; measure them again.",
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
