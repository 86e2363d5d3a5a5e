"""A model: its CLIP, its autoencoder and its denoiser, opened from one folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import ModelError
from .autoencoder import Autoencoder
from .clip import ClipModel
from .denoiser import Denoiser, open_denoiser
from .files import fingerprint, read_json
from .registry import resolve


@dataclass(frozen=True, eq=False)
class Model:
    """Everything that is read from disk; spaces are built on it.

    Attributes:
        name: under which it was opened.
        hash: sha256 of its weights and configurations, hexadecimal.
        folder: where it lies.
        steps: denoising steps that it decodes well with.
        guidance: scale of classifier-free guidance that it decodes well with.
    """

    name: str
    hash: str
    folder: Path
    clip: ClipModel
    autoencoder: Autoencoder
    denoiser: Denoiser
    device: torch.device
    dtype: torch.dtype
    steps: int
    guidance: float

    def __repr__(self) -> str:
        return f"Model({self.name!r}, {self.hash[:12]}, {self.device}, {str(self.dtype).removeprefix('torch.')})"


def open_model(
    name: str | Path, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
) -> Model:
    """Open a model: weights read, parts checked against each other, hash computed.

    Args:
        name: a preset (`"pocket"`), a folder that holds `clip/` and `diffusion/`, or a hub id.
        device: where it computes; a CUDA device if there is one, else the CPU.
        dtype: what it computes in; float32 by default, which replays bit for bit on a CPU.

    Raises:
        ModelError: unknown, incomplete, damaged or inconsistent; or pickled, or with code of its own.
    """
    folder = resolve(name)
    where = _device(device)
    kind = torch.float32 if dtype is None else dtype
    diffusion = folder / "diffusion"
    for part in ("clip", "diffusion"):
        if not (folder / part).is_dir():
            raise ModelError(
                f"Got model {str(name)!r} without {part}/ in {folder}, expected clip/ and diffusion/; restore it."
            )
    clip = ClipModel.open(folder / "clip", device=where, dtype=kind)
    autoencoder = Autoencoder.open(diffusion / "vae", device=where, dtype=kind)
    denoiser = open_denoiser(diffusion, device=where, dtype=kind)
    _check_fit(clip, autoencoder, denoiser)
    steps, guidance = _defaults(diffusion)
    return Model(str(name), fingerprint(folder), folder, clip, autoencoder, denoiser, where, kind, steps, guidance)


def _device(device: torch.device | str | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        where = torch.device(device)
        torch.empty(0, device=where)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(
            f"Got device {str(device)!r}, which this machine does not have; use 'cpu' or 'cuda'."
        ) from error
    return where


def _check_fit(clip: ClipModel, autoencoder: Autoencoder, denoiser: Denoiser) -> None:
    if denoiser.joint_dim is not None and denoiser.joint_dim != clip.dim:
        raise ModelError(
            f"Got a CLIP of width {clip.dim} and a denoiser for joint vectors of width {denoiser.joint_dim}, "
            "expected equal widths; export them from one training."
        )
    if denoiser.latent_shape != autoencoder.latent_shape:
        raise ModelError(
            f"Got an autoencoder of latents {autoencoder.latent_shape} and a denoiser of {denoiser.latent_shape}, "
            "expected one shape; export them from one training."
        )


def _defaults(folder: Path) -> tuple[int, float]:
    """Steps and guidance from `thoughtspace.json`; the pipeline's usual ones where there is none."""
    file = folder / "thoughtspace.json"
    options = read_json(file) if file.is_file() else {}
    steps, guidance = options.get("steps", 20), options.get("guidance", 5.0)
    for value, name, kinds in ((steps, "steps", (int,)), (guidance, "guidance", (int, float))):
        if not isinstance(value, kinds) or isinstance(value, bool) or value < 0 or (name == "steps" and value < 1):
            raise ModelError(f"Got {name} {value!r} in {file}, expected a positive number; correct it.")
    return int(steps), float(guidance)
