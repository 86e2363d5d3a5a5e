"""A model: its CLIP, its autoencoder and its denoiser, or what it has of them, opened from one folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import torch

from ..checks import number, whole
from ..errors import ModelError
from ..options import MAX_GUIDANCE, MAX_STEPS, Gap
from .autoencoder import Autoencoder, open_preview
from .batch_limit import Batch
from .encoder import Encoder, picture_norm
from .find.folder import opened, read_if_there
from .find.hub import revision_of
from .find.parts import Parts
from .find.presets import Preset
from .find.sources import source
from .generator import Denoiser, Generator
from .memory import require_memory, side_of, weights_to_load, working_bytes
from .opening import AdapterFiles, adapter_in, open_encoder, open_generator
from .placement import MAX_SIDE, Placement, Target, choose_device, choose_dtype
from .prior import Prior
from .reference import Reference, checked, closing

_LONGEST_NAME = 4096


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
        revisions: the commits of parts from other repositories of the hub, by the names of `Parts`.
        gap: how texts enter the joint space, or None for the reference's own way; see `reference.closing`.
        prior: what draws vectors of pictures that a text could be of, or None.
    """

    name: str
    hash: str
    revision: str | None
    parts: Parts
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
    gap: Gap | None = None
    prior: Prior | None = None

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
        """The same model with another reference of its joint vectors; with another hash if means or norm differ.

        The hash stays where only the map of texts is another: the points of pictures are the same.

        Raises:
            ModelError: a reference of another width, or a model without an encoder.
        """
        clip, before = copy(self.clip), self.clip.reference
        clip.reference = checked(reference, clip.dim, self.folder).to(self.device)
        same = before is not None and before.digest == reference.digest
        mixed = hashlib.sha256(f"{self.hash}\0{reference.digest}".encode()).hexdigest()
        return replace(self, hash=self.hash if same else mixed, opened_clip=clip)

    def with_gap(self, gap: Gap | None) -> Model:
        """The same model, whose texts enter the joint space in another way.

        Raises:
            SpaceError: an unknown way.
            ModelError: a map that its reference does not have, or a model without an encoder.
        """
        if gap is not None and self.clip.reference is not None:
            closing(gap, self.clip.reference, self.name)
        return replace(self, gap=gap)

    @property
    def closes(self) -> Gap:
        """How the gap of its joint space is closed."""
        reference = self.opened_clip.reference if self.opened_clip else None
        return "mean" if reference is None else closing(self.gap, reference, self.name)

    def _lacks(self, part: str, what: str) -> NoReturn:
        raise ModelError(
            f"Got model {self.name!r} without {part}, expected one for {what}; open a model that has it.",
            code="no part",
        )

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
    """Open a model: check that it fits the memory, read its weights, check its parts against each other, hash it.

    Args:
        name: a preset (`"pocket"`), a folder of a kind in `find.parts`, a hub id, one part alone (`clip:...`,
            `vae:...`), or a generator with parts added (`sd15+ip:h94/IP-Adapter`); see `find.sources.source`.
        size: side in pixels of its pictures, the model's own by default.
        device: where it computes; CUDA if there is one, else Apple's, else the CPU.
        dtype: what it computes in; by default float32 on a CPU, which replays bit for bit, and for small models, and
            half precision elsewhere.
        placement: how it is made to fit.

    Raises:
        ModelError: unknown, incomplete, damaged, inconsistent or too large; or pickled, or with code of its own.
    """
    placement = Placement() if placement is None else placement
    _check_arguments(name, size, placement)
    found = source(name)
    parts, preset = found.parts, found.preset
    if parts.diffusion is None and parts.autoencoder is None and (size is not None or placement != Placement()):
        raise ModelError(
            f"Got a size or a placement for {str(name)!r}, which makes no pictures; open it without.",
            code="makes no pictures",
        )
    adapter = adapter_in(parts)
    weights = weights_to_load(parts, adapter)
    where = choose_device(device)
    target = Target(where, choose_dtype(where, weights.parameters, dtype), size, placement)
    side = size or (preset.side if preset else 0) or side_of(parts)
    working = working_bytes(parts.autoencoder if parts.diffusion or not parts.clip else None, side, target.dtype)
    require_memory(str(name), weights, working, target)
    clip, autoencoder, generator = _opened(parts, target, adapter)
    steps, guidance = _defaults(parts.diffusion, generator, preset)
    return Model(
        name=str(name),
        hash=parts.fingerprint(),
        revision=revision_of(parts.folder),
        parts=parts,
        device=where,
        dtype=target.dtype,
        placement=placement,
        size=size,
        steps=steps,
        guidance=guidance,
        opened_clip=clip,
        opened_autoencoder=autoencoder,
        opened_generator=generator,
        preview=open_preview(parts.preview, target, like=autoencoder) if parts.preview and autoencoder else None,
        batch=Batch.for_side(autoencoder.image_size if autoencoder else side),
        revisions=parts.revisions(),
        prior=_prior(parts, target, clip),
    )


def _check_arguments(name: Any, size: Any, placement: Any) -> None:
    if not isinstance(name, str | Path) or not 0 < len(str(name)) < _LONGEST_NAME:
        raise ModelError(
            f"Got {str(name)[:40]!r} as a model, expected a name, a folder or a hub id; name one.", code="model name"
        )
    if size is not None:
        whole("size", size, 1, MAX_SIDE, error=ModelError, hint="choose a side in pixels")
    if not isinstance(placement, Placement):
        raise ModelError(f"Got {placement!r} as a placement, expected Placement(...); make one.", code="placement")


def _opened(
    parts: Parts, target: Target, adapter: AdapterFiles | None
) -> tuple[Encoder | None, Autoencoder | None, Generator | None]:
    """The parts of a model, which know of each other what they have to, checked to fit."""
    generator = open_generator(parts, target, adapter)
    clip = open_encoder(parts, target, adapter)
    autoencoder = _autoencoder(parts, generator, target)
    _check_fit(clip, autoencoder, generator)
    if clip is not None and clip.reference is None:
        # Nobody measured means: a length is enough to decode, and the gap stays open.
        norm = generator.typical_norm if generator is not None else None
        clip.reference = Reference.uncentred(clip.dim, norm or picture_norm(clip), target.device)
    if clip is not None and generator is not None:
        generator = generator.fitted(clip)
    return clip, autoencoder, generator


def _autoencoder(parts: Parts, generator: Generator | None, target: Target) -> Autoencoder | None:
    if generator is None or not (parts.own_autoencoder or generator.facts.own_loop):
        found = None if parts.autoencoder is None else Autoencoder.open(parts.autoencoder, target)
        return found if found is None or generator is None else found.sized(generator.latent_shape)
    found = opened("an autoencoder", parts.folder, lambda: generator.autoencoder)
    if found is not None:
        found.save_memory(target.placement)
    elif target.placement.tiling or target.placement.slicing:
        raise ModelError(
            f"Got tiling or slicing for a {generator.facts.pipeline}, whose autoencoder is not known to have them, "
            "expected none; leave them out.",
            code="tiling",
        )
    return found


def _prior(parts: Parts, target: Target, clip: Encoder | None) -> Prior | None:
    found = None if clip is None else Prior.beside(parts.diffusion, target)
    if clip is not None and found is not None and found.dim != clip.dim:
        raise ModelError(
            f"Got a prior of vectors of width {found.dim} and a CLIP of width {clip.dim}, expected equal widths; "
            "export them from one training.",
            code="width",
        )
    return found


def _check_fit(clip: Encoder | None, autoencoder: Autoencoder | None, generator: Generator | None) -> None:
    if generator is None:
        return
    if clip is not None and generator.joint_dim not in (None, clip.dim):
        raise ModelError(
            f"Got a CLIP of width {clip.dim} and a denoiser for joint vectors of width {generator.joint_dim}, "
            "expected equal widths; export them from one training.",
            code="width",
        )
    # A pipeline that decodes its own latents lays them out in its own way.
    own = generator.facts.own_loop is not None
    if autoencoder is not None and not own and generator.latent_shape != autoencoder.latent_shape:
        raise ModelError(
            f"Got an autoencoder of latents {autoencoder.latent_shape} and a denoiser of {generator.latent_shape}, "
            "expected one shape; export them from one training.",
            code="other latents",
        )


def _defaults(folder: Path | None, generator: Generator | None, preset: Preset | None) -> tuple[int, float]:
    """Steps and guidance from `thoughtspace.json`, else of the preset, else what is usual in the family."""
    file = folder / "thoughtspace.json" if folder else None
    options = read_if_there(file) if file else {}
    steps, guidance = generator.usual if generator else (1, 1.0)
    if preset is not None:
        steps = steps if preset.steps is None else preset.steps
        guidance = guidance if preset.guidance is None else preset.guidance
    where = f"correct {file}"
    return (
        whole("steps", options.get("steps", steps), 1, MAX_STEPS, error=ModelError, hint=where),
        number("guidance", options.get("guidance", guidance), 0, MAX_GUIDANCE, error=ModelError, hint=where),
    )
