"""A model: its CLIP, its autoencoder and its denoiser, or what it has of them, opened from one folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import torch

from ..errors import ModelError
from .adapting import adapted
from .autoencoder import Autoencoder, open_preview
from .batch_limit import Batch
from .encoder import Encoder, Fits, open_encoder
from .find.folder import read_json
from .find.hub import revision_of
from .find.parts import Layout
from .find.presets import Preset
from .find.sources import source
from .generator import Denoiser, Generator
from .memory import require_memory, working_bytes
from .needs import side_of, weights_needed
from .opening import open_denoiser
from .own_loop import RunsItself
from .placement import Placement, choose_device, choose_dtype
from .reference import Reference, checked, picture_norm

CONSISTENT_STEPS = 4
"""Of UNets that guidance was distilled into (latent consistency models), which are trained for a few."""

_LONGEST_NAME, _LARGEST = 4096, 16384


@dataclass(frozen=True, eq=False)
class Model:
    """Everything that is read from disk; spaces are built on it.

    Attributes:
        name: under which it was opened.
        hash: sha256 of its weights and configurations, hexadecimal.
        revision: the commit of a model from the hub, or None.
        parts: where its parts lie; asking for one that it has not is a `ModelError`.
        placement: how it was made to fit.
        size: side of its pictures in pixels where it is not the model's own.
        steps: denoising steps that it decodes well with.
        guidance: scale of classifier-free guidance that it decodes well with.
        preview: a tiny autoencoder for quick looks, or None.
        batch: how many pictures it decodes at once.
        revisions: the commits of parts from other repositories of the hub, by the names of `Layout.parts`.
    """

    name: str
    hash: str
    revision: str | None
    parts: Layout
    device: torch.device
    dtype: torch.dtype
    placement: Placement
    size: int | None
    steps: int
    guidance: float
    opened_clip: Encoder | None
    opened_autoencoder: Autoencoder | None
    opened_generator: Generator | None
    preview: Autoencoder | None = None
    batch: Batch = field(default_factory=Batch)
    revisions: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.parts.folder

    @property
    def clip(self) -> Encoder:
        """What encodes pictures and texts into the joint space."""
        return self.opened_clip or self._lacks("CLIP", "joint vectors")

    @property
    def autoencoder(self) -> Autoencoder:
        """What encodes pictures into latents, and decodes them."""
        return self.opened_autoencoder or self._lacks("autoencoder", "latents")

    @property
    def generator(self) -> Generator:
        """What makes pictures of prompts, vectors and noise."""
        return self.opened_generator or self._lacks("generator", "prompts and noise")

    @property
    def denoiser(self) -> Denoiser:
        """The generator as one whose network can be asked for single steps.

        Raises:
            ModelError: there is none, or it runs its own loop.
        """
        return self.generator.denoiser

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
    name: str | Path,
    *,
    size: int | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    placement: Placement | None = None,
) -> Model:
    """Open a model: room made sure of, weights read, parts checked against each other, hash computed.

    Args:
        name: a preset (`"pocket"`), a folder that `layout` knows, a hub id, one part alone (`clip:...`, `vae:...`), or
            a generator with parts added (`sd15+ip:h94/IP-Adapter`); see `registry.source`.
        size: side in pixels of its pictures, the model's own by default.
        device: where it computes; CUDA if there is one, else Apple's, else the CPU.
        dtype: what it computes in; by default float32 on a CPU, which replays bit for bit, and for small models, and
            half precision elsewhere.
        placement: how it is made to fit.

    Raises:
        ModelError: unknown, incomplete, damaged, inconsistent or too large; or pickled, or with code of its own.
    """
    _check_arguments(name, size, placement)
    found = source(name)
    parts, placement = found.layout, placement or Placement()
    where = choose_device(device)
    weights = weights_needed(parts)
    kind = choose_dtype(where, weights.parameters, dtype)
    if parts.diffusion is None and parts.autoencoder is None and (size is not None or placement != Placement()):
        raise ModelError(f"Got a size or a placement for {str(name)!r}, which makes no pictures; open it without.")
    vae = parts.autoencoder if parts.diffusion or not parts.clip else None
    side = size or (found.preset.side if found.preset else 0) or side_of(parts)
    working = working_bytes(vae, side, kind)
    require_memory(str(name), weights, working, device=where, dtype=kind, offload=placement.offload)
    clip, denoiser = _guided(parts, where, kind, placement, size)
    autoencoder = _autoencoder(parts, denoiser, where, kind, placement, size)
    _check_fit(clip, autoencoder, denoiser)
    clip, denoiser = _fitted(clip, denoiser, where)
    steps, guidance = _defaults(parts.diffusion, denoiser, found.preset)
    return Model(
        name=str(name),
        hash=parts.fingerprint(),
        revision=revision_of(parts.folder),
        parts=parts,
        device=where,
        dtype=kind,
        placement=placement,
        size=size,
        steps=steps,
        guidance=guidance,
        opened_clip=clip,
        opened_autoencoder=autoencoder,
        opened_generator=denoiser,
        preview=open_preview(parts.preview, like=autoencoder, device=where, dtype=kind)
        if parts.preview and autoencoder
        else None,
        batch=Batch.for_side(autoencoder.image_size if autoencoder else side),
        revisions=parts.revisions(),
    )


def _check_arguments(name: Any, size: Any, placement: Any) -> None:
    if not isinstance(name, str | Path) or not 0 < len(str(name)) < _LONGEST_NAME:
        raise ModelError(f"Got {str(name)[:40]!r} as a model, expected a name, a folder or a hub id; name one.")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or not 0 < size <= _LARGEST):
        raise ModelError(f"Got size {size!r}, expected a whole number of pixels up to {_LARGEST}; choose one.")
    if placement is not None and not isinstance(placement, Placement):
        raise ModelError(f"Got {placement!r} as a placement, expected Placement(...); make one.")


def _guided(
    parts: Layout, device: torch.device, dtype: torch.dtype, placement: Placement, size: int | None
) -> tuple[Encoder | None, Denoiser | None]:
    """The encoder of joint vectors and the denoiser, with an adapter between them if there is one."""
    clip = open_encoder(parts.clip, device=device, dtype=dtype) if parts.clip else None
    if parts.diffusion is None:
        return clip, None
    denoiser = open_denoiser(parts.diffusion, device=device, dtype=dtype, placement=placement, unet=parts.unet)
    if size is not None:
        denoiser = denoiser.sized(size)
    if parts.adapter is not None:
        denoiser, own = adapted(denoiser, parts.adapter, device=device, dtype=dtype, encoder=clip is None)
        clip = clip or own
    return clip, denoiser


def _fitted(
    clip: Encoder | None, denoiser: Denoiser | None, device: torch.device
) -> tuple[Encoder | None, Denoiser | None]:
    """Both, once each knows what it needs of the other."""
    if clip is None:
        return clip, denoiser
    if isinstance(denoiser, Fits):
        denoiser = denoiser.fitted(clip)
    if clip.reference is None:
        # Nobody measured means: a length is enough to decode, and the gap stays open.
        norm = getattr(denoiser, "typical_norm", None) or picture_norm(clip)
        clip.reference = Reference.uncentred(clip.dim, norm, device)
    return clip, denoiser


def _autoencoder(
    parts: Layout,
    denoiser: Denoiser | None,
    device: torch.device,
    dtype: torch.dtype,
    placement: Placement,
    size: int | None,
) -> Autoencoder | None:
    if isinstance(denoiser, RunsItself):
        return denoiser.autoencoder()
    own = denoiser is not None and denoiser.vae is not None
    if own and parts.diffusion and parts.autoencoder and parts.autoencoder.is_relative_to(parts.diffusion):
        opened = Autoencoder(denoiser.vae, device=device)  # type: ignore[union-attr]  # own
    elif parts.autoencoder is not None:
        options = {"tiling": placement.tiling, "slicing": placement.slicing}
        opened = Autoencoder.open(parts.autoencoder, device=device, dtype=dtype, image_size=size, **options)
    else:
        return None
    if own:
        opened.save_memory(tiling=placement.tiling, slicing=placement.slicing)
    return opened if denoiser is None else opened.sized(denoiser.latent_shape)


def _check_fit(clip: Encoder | None, autoencoder: Autoencoder | None, denoiser: Denoiser | None) -> None:
    if denoiser is None:
        return
    if clip is not None and denoiser.joint_dim is not None and denoiser.joint_dim != clip.dim:
        raise ModelError(
            f"Got a CLIP of width {clip.dim} and a denoiser for joint vectors of width {denoiser.joint_dim}, "
            "expected equal widths; export them from one training."
        )
    # A pipeline that decodes its own latents lays them out in its own way.
    own = isinstance(denoiser, RunsItself)
    if autoencoder is not None and not own and denoiser.latent_shape != autoencoder.latent_shape:
        raise ModelError(
            f"Got an autoencoder of latents {autoencoder.latent_shape} and a denoiser of {denoiser.latent_shape}, "
            "expected one shape; export them from one training."
        )


def _defaults(folder: Path | None, denoiser: Denoiser | None, preset: Preset | None) -> tuple[int, float]:
    """Steps and guidance from `thoughtspace.json`, else of the preset, else what is usual in the family."""
    file = folder / "thoughtspace.json" if folder else None
    options = read_json(file) if file and file.is_file() else {}
    steps, guidance = denoiser.usual if denoiser else (1, 1.0)
    if denoiser is not None and denoiser.unet is not None and denoiser.distilled:
        steps = CONSISTENT_STEPS
    if preset is not None:
        steps = steps if preset.steps is None else preset.steps
        guidance = guidance if preset.guidance is None else preset.guidance
    steps, guidance = options.get("steps", steps), options.get("guidance", guidance)
    for value, name, kinds in ((steps, "steps", (int,)), (guidance, "guidance", (int, float))):
        if not isinstance(value, kinds) or isinstance(value, bool) or value < 0 or (name == "steps" and value < 1):
            raise ModelError(f"Got {name} {value!r} in {file}, expected a positive number; correct it.")
    return int(steps), float(guidance)
