"""A model: its CLIP, its autoencoder and its denoiser, or what it has of them, opened from one folder."""

from __future__ import annotations

import hashlib
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import torch

from ..errors import ModelError
from .adapting import adapted
from .autoencoder import Autoencoder, autoencoder_of
from .denoiser import Denoiser, open_denoiser
from .encoder import Encoder, Fits, open_encoder
from .files import fingerprint, read_json
from .layout import Layout, layout
from .reference import Reference, checked, picture_norm
from .registry import resolve


@dataclass(frozen=True, eq=False)
class Model:
    """Everything that is read from disk; spaces are built on it.

    Attributes:
        name: under which it was opened.
        hash: sha256 of its weights and configurations, hexadecimal.
        folder: where it lies.
        parts: where its parts lie; asking for one that it has not is a `ModelError`.
        steps: denoising steps that it decodes well with.
        guidance: scale of classifier-free guidance that it decodes well with.
    """

    name: str
    hash: str
    folder: Path
    parts: Layout
    device: torch.device
    dtype: torch.dtype
    steps: int
    guidance: float
    opened_clip: Encoder | None
    opened_autoencoder: Autoencoder | None
    opened_denoiser: Denoiser | None

    @property
    def clip(self) -> Encoder:
        """What encodes pictures and texts into the joint space."""
        return self.opened_clip or self._lacks("CLIP", "joint vectors")

    @property
    def autoencoder(self) -> Autoencoder:
        """What encodes pictures into latents, and decodes them."""
        return self.opened_autoencoder or self._lacks("autoencoder", "latents")

    @property
    def denoiser(self) -> Denoiser:
        """What makes latents from noise."""
        return self.opened_denoiser or self._lacks("denoiser", "prompts and noise")

    def with_reference(self, reference: Reference) -> Model:
        """The same model with other means and norm of its joint vectors, and so with another hash.

        Raises:
            ModelError: a reference of another width, or a model without an encoder.
        """
        clip = copy(self.clip)
        clip.reference = checked(reference, clip.dim, self.folder).to(self.device)
        mixed = hashlib.sha256(f"{self.hash}\0{reference.digest}".encode())
        return replace(self, hash=mixed.hexdigest(), opened_clip=clip)

    def _lacks(self, part: str, what: str) -> NoReturn:
        raise ModelError(f"Got model {self.name!r} without {part}, expected one for {what}; open a model that has it.")

    def __repr__(self) -> str:
        return f"Model({self.name!r}, {self.hash[:12]}, {self.device}, {str(self.dtype).removeprefix('torch.')})"


def open_model(
    name: str | Path, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
) -> Model:
    """Open a model: weights read, parts checked against each other, hash computed.

    Args:
        name: a preset (`"pocket"`), a folder that `layout` knows, or a hub id.
        device: where it computes; a CUDA device if there is one, else the CPU.
        dtype: what it computes in; float32 by default, which replays bit for bit on a CPU.

    Raises:
        ModelError: unknown, incomplete, damaged or inconsistent; or pickled, or with code of its own.
    """
    folder = resolve(name)
    parts = layout(folder)
    where = _device(device)
    kind = torch.float32 if dtype is None else dtype
    clip = open_encoder(parts.clip, device=where, dtype=kind) if parts.clip else None
    denoiser = open_denoiser(parts.diffusion, device=where, dtype=kind) if parts.diffusion else None
    if parts.adapter is not None:
        denoiser, own = adapted(denoiser, parts.adapter, device=where, dtype=kind, encoder=clip is None)
        clip = clip or own
    autoencoder = _autoencoder(parts, denoiser, where, kind)
    _check_fit(clip, autoencoder, denoiser)
    if clip is not None and isinstance(denoiser, Fits):
        denoiser = denoiser.fitted(clip)
    if clip is not None and clip.reference is None and denoiser is not None and denoiser.joint_dim is not None:
        # Nobody measured means: a length is enough to decode, and the gap stays open.
        norm = getattr(denoiser, "typical_norm", None) or picture_norm(clip)
        clip.reference = Reference.uncentred(clip.dim, norm, where)
    steps, guidance = _defaults(parts.diffusion, denoiser)
    return Model(
        name=str(name),
        hash=fingerprint(folder),
        folder=folder,
        parts=parts,
        device=where,
        dtype=kind,
        steps=steps,
        guidance=guidance,
        opened_clip=clip,
        opened_autoencoder=autoencoder,
        opened_denoiser=denoiser,
    )


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


def _autoencoder(
    parts: Layout, denoiser: Denoiser | None, device: torch.device, dtype: torch.dtype
) -> Autoencoder | None:
    if denoiser is not None and denoiser.vae is not None:
        opened = autoencoder_of(denoiser.vae)
    elif parts.autoencoder is not None:
        opened = Autoencoder.open(parts.autoencoder, device=device, dtype=dtype)
    else:
        return None
    return opened if denoiser is None else opened.sized(denoiser.latent_shape)


def _check_fit(clip: Encoder | None, autoencoder: Autoencoder | None, denoiser: Denoiser | None) -> None:
    if denoiser is None:
        return
    if clip is not None and denoiser.joint_dim is not None and denoiser.joint_dim != clip.dim:
        raise ModelError(
            f"Got a CLIP of width {clip.dim} and a denoiser for joint vectors of width {denoiser.joint_dim}, "
            "expected equal widths; export them from one training."
        )
    if autoencoder is not None and denoiser.latent_shape != autoencoder.latent_shape:
        raise ModelError(
            f"Got an autoencoder of latents {autoencoder.latent_shape} and a denoiser of {denoiser.latent_shape}, "
            "expected one shape; export them from one training."
        )


def _defaults(folder: Path | None, denoiser: Denoiser | None) -> tuple[int, float]:
    """Steps and guidance from `thoughtspace.json`; the family's usual ones where there is none."""
    file = folder / "thoughtspace.json" if folder else None
    options = read_json(file) if file and file.is_file() else {}
    usual = denoiser.usual if denoiser else (1, 1.0)
    steps, guidance = options.get("steps", usual[0]), options.get("guidance", usual[1])
    for value, name, kinds in ((steps, "steps", (int,)), (guidance, "guidance", (int, float))):
        if not isinstance(value, kinds) or isinstance(value, bool) or value < 0 or (name == "steps" and value < 1):
            raise ModelError(f"Got {name} {value!r} in {file}, expected a positive number; correct it.")
    return int(steps), float(guidance)
