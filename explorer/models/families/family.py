"""The base of all families: an unmodified pipeline of diffusers whose network our own loop runs, a step at a time.

The pipeline does what is its own: it says its sizes, keeps its scheduler and has the text encoders. A family says how
it packs an encoded prompt into one row, and what its network is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from ...checks import number
from ...diffusion.loop import noise_for, seeded
from ...diffusion.sampling import sampled
from ...errors import ModelError
from ...options import MAX_SCALE, Settled
from ..autoencoder import Autoencoder
from ..few_steps import FewSteps
from ..generator import Denoiser, Run, See
from ..guide import Conditioning, Guide, Inputs
from ..loading import load_pipeline
from ..placement import Target, check_side
from .ip_adapter import Adapter, AdapterFiles, with_adapter


@dataclass(frozen=True, eq=False)
class Family(Denoiser):
    """A pipeline as a `Denoiser`; see there for what its methods promise.

    Attributes:
        side: of its pictures in pixels; its own where None.
        chunks: how many times as much of a prompt it reads as its text encoders read at once.
        adapter: the IP-Adapter in its UNet, or None.
        few_step_weights: beside its own, or None.
        in_few_steps: whether its network has those.
    """

    pipeline: Any
    device: torch.device
    side: int | None = None
    chunks: int = 1
    adapter: Adapter | None = None
    few_step_weights: FewSteps | None = None
    in_few_steps: bool = False
    _kept: dict[str, Tensor] = field(default_factory=dict, repr=False)

    @staticmethod
    def prepare(pipeline: Any) -> None:
        """Change a pipeline before it is placed; most need no change."""

    @classmethod
    def open(cls, folder: Path, target: Target) -> Self:
        """The family of a folder that its pipeline's `save_pretrained` wrote.

        Raises:
            ModelError: a part is missing, pickled, damaged, or does not fit the others.
        """
        return cls(load_pipeline(folder, cls.facts, target, cls.prepare), target.device)

    @property
    def network(self) -> Any:
        few = self.few_step_weights if self.in_few_steps else None
        return super().network if few is None else few.network

    @property
    def unet(self) -> Any:
        return self.network if self.facts.network == "unet" else None

    @property
    def dtype(self) -> torch.dtype:
        """What the network computes in."""
        return self.network.dtype

    @property
    def joint_dim(self) -> int | None:
        return None if self.adapter is None else self.adapter.width

    @property
    def adapter_scale(self) -> float | None:
        return None if self.adapter is None else self.adapter.scale

    @property
    def few_steps(self) -> tuple[int, float] | None:
        few = self.few_step_weights
        return None if few is None else (few.steps, few.guidance)

    @cached_property
    def autoencoder(self) -> Autoencoder | None:
        network = self.pipeline.components[self.facts.autoencoder]
        return Autoencoder(network, device=self.device).sized(self.latent_shape)

    # --- other models of the same weights

    def sized(self, side: int) -> Self:
        check_side(side, self.downsampling * self.patch, f"a {self.facts.pipeline}")
        return replace(self, side=side)

    def chunked(self, chunks: int) -> Self:
        if not self.facts.chunks:
            raise ModelError(
                f"Got {chunks} chunks of a prompt for a {self.facts.pipeline}, which does not read several, expected a "
                "UNet guided by CLIP (Stable Diffusion, SDXL, StableUnCLIP); shorten the prompt.",
                code="chunks",
            )
        return replace(self, chunks=chunks, _kept={})

    def adapted(self, files: AdapterFiles) -> Self:
        """The same model with an IP-Adapter in its UNet, which is changed in place.

        Raises:
            ModelError: a family that takes none, or an adapter for another UNet.
        """
        if self.facts.joint != "adapter":
            raise ModelError(
                f"Got an IP-Adapter for a {self.facts.pipeline}, expected Stable Diffusion or SDXL; open it without.",
                code="adapter family",
            )
        return replace(self, adapter=with_adapter(self.pipeline, files))

    def scaled(self, scale: float) -> Self:
        if self.adapter is None:
            raise ModelError(
                f"Got adapter scale {scale} for a model without an IP-Adapter; leave it out.", code="no adapter"
            )
        scale = number("adapter scale", scale, 0, MAX_SCALE, error=ModelError, hint="1 is usual")
        return replace(self, adapter=replace(self.adapter, scale=scale))

    def with_few_steps(self) -> Self:
        if self.few_step_weights is None:
            raise ModelError(
                f"Got few_steps=True for a {self.facts.pipeline} without few-step weights; leave it out.",
                code="few_steps",
            )
        return replace(self, in_few_steps=True)

    # --- sizes

    @property
    def downsampling(self) -> int:
        """Pixels of a latent's side."""
        return int(self.pipeline.vae_scale_factor)

    @property
    def patch(self) -> int:
        """Side, in latents, of what the network sees as one place."""
        return 1

    @property
    def latent_shape(self) -> tuple[int, ...]:
        config = self.network.config
        size = config.sample_size if self.side is None else self.side // self.downsampling
        if size is None:
            raise ModelError(
                f"Got a {self.facts.pipeline} whose {self.facts.network} has no sample_size in its config.json, "
                "expected one; restore it, or open the model with a size.",
                code="size",
            )
        return (int(config.in_channels), *((size, size) if isinstance(size, int) else tuple(size)))

    def configuration(self, shape: tuple[int, ...]) -> dict[str, Any]:
        config = self.network.config
        wider = config.out_channels // self.latent_shape[0]  # twice as many where the variance is learned
        sizes = {"in_channels": shape[0], "out_channels": wider * shape[0], "sample_size": shape[-1]}
        return {**config, **sizes}

    # --- guidance and denoising

    @torch.inference_mode()
    def conditioning(
        self,
        generators: Sequence[torch.Generator],
        *,
        prompts: Tensor | None = None,
        joint: Tensor | None = None,
        negative: str = "",
    ) -> Conditioning:
        if joint is not None:
            self._check_joint(joint, len(generators))
            joint = joint.to(self.device, self.dtype)
        if negative and self.distilled:
            raise ModelError(
                f"Got a negative prompt for a {self.facts.pipeline} whose guidance is an input of the network, which "
                "leads away from nothing, expected none; leave it out.",
                code="negative prompt",
            )
        given = self._repeated(self._prompt(""), len(generators)) if prompts is None else prompts
        towards = self._inputs(given.to(self.device, self.dtype))
        away = self._inputs(self._repeated(self._negative(negative), len(generators)))
        seen, unseen = self._joint_inputs(joint, generators)
        return Conditioning({**towards, **seen}, {**away, **unseen})

    def _repeated(self, prompt: Tensor, n: int) -> Tensor:
        return prompt.to(self.dtype).expand(n, *prompt.shape[1:])

    def _check_joint(self, joint: Tensor, n: int) -> None:
        if self.joint_dim is None:
            raise ModelError(
                f"Got joint vectors for a {self.facts.pipeline}, which is guided by prompts alone; decode them with a "
                "model that has a joint space, or show the nearest items.",
                code="joint vectors",
            )
        if tuple(joint.shape) != (n, self.joint_dim):
            raise ModelError(
                f"Got joint vectors of shape {tuple(joint.shape)}, expected {(n, self.joint_dim)}; "
                "encode them with this model's CLIP.",
                code="shape",
            )

    def _negative(self, prompt: str) -> Tensor:
        return self._prompt(prompt)

    def _inputs(self, prompts: Tensor) -> Inputs:
        """What the network is given of encoded prompts, a row for each."""
        layout = self.prompt_layout
        pooled = layout.pooled_of(prompts)
        return {"states": layout.states(prompts), **({} if pooled is None else {"pooled": pooled})}

    def _joint_inputs(self, joint: Tensor | None, generators: Sequence[torch.Generator]) -> tuple[Inputs, Inputs]:
        """What the network is given of joint vectors `(n, d)` or of none, and what guidance leads away from."""
        del generators
        return ({}, {}) if self.adapter is None or joint is None else self.adapter.inputs(joint)

    def draw(self, seeds: Sequence[int]) -> Tensor:
        return noise_for(seeds, self.latent_shape)

    def start(self, seeds: Sequence[int]) -> Tensor:
        generators = seeded(seeds)
        if generators:
            self.conditioning(generators)  # for what it draws
        return noise_for(generators, self.latent_shape)

    def run(self, guide: Guide, seeds: Sequence[int], how: Settled, see: See) -> Run:
        latents = yield from sampled(self, guide, seeds, how)
        return see(latents)
