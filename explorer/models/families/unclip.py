"""StableUnCLIP: a UNet guided by prompt tokens and by a CLIP image vector.

The arithmetic is that of diffusers' `StableUnCLIPImg2ImgPipeline`, step for step: the joint vector is scaled, noised
at level 0, unscaled and joined by the sinusoid of that level to one class label of width `2D`; its negative is zeros
over the whole `2D`, sinusoid included.

`StableUnCLIPPipeline`, which makes the vector of a text by a prior, has the same decoder, which alone is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import ModelError
from ..facts import Facts
from ..guide import Inputs
from ..reference import trained_norm
from ..shared_rows import read_prompts_once
from .stable_diffusion import StableDiffusion

_NOISE_LEVEL = 0  # the pipeline's default: the least noise that the noising schedule knows, which is not none


@dataclass(frozen=True, eq=False)
class StableUnCLIP(StableDiffusion):
    """A Stable Diffusion with class labels; its prompts are `(tokens, width)`."""

    facts = Facts("StableUnCLIPImg2ImgPipeline", usual=(20, 5.0), joint="decoder", chunks=True)
    prepare = staticmethod(read_prompts_once)

    def __post_init__(self) -> None:
        config, states = self.network.config, self.pipeline.text_encoder.config.hidden_size
        width = config.projection_class_embeddings_input_dim
        if config.class_embed_type != "projection" or width != 2 * self.joint_dim:
            raise ModelError(
                f"Got a UNet with class embedding {config.class_embed_type!r} of width {width} for joint vectors of "
                f"width {self.joint_dim}, expected 'projection' of twice that; export both together.",
                code="width",
            )
        if config.cross_attention_dim != states:
            raise ModelError(
                f"Got a UNet that attends to width {config.cross_attention_dim} and a text encoder of width {states}, "
                "expected equal widths; export the parts together.",
                code="width",
            )

    @property
    def typical_norm(self) -> float | None:
        """From the statistics that it scales the vectors by."""
        normalizer = self.pipeline.image_normalizer
        return trained_norm(normalizer.mean, normalizer.std)

    @property
    def joint_dim(self) -> int:
        return int(self.pipeline.image_normalizer.mean.shape[-1])

    def _joint_inputs(self, joint: Tensor | None, generators: Sequence[torch.Generator]) -> tuple[Inputs, Inputs]:
        if joint is None:
            joint = torch.zeros(len(generators), self.joint_dim, device=self.device, dtype=self.dtype)
        labels = self._noised(joint, generators)
        return {"labels": labels}, {"labels": torch.zeros_like(labels)}

    def _noised(self, vectors: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        from diffusers.models.embeddings import get_timestep_embedding

        n, width = vectors.shape
        normalizer, noising = self.pipeline.image_normalizer, self.pipeline.image_noising_scheduler
        noise = [torch.randn((1, width), generator=generator, dtype=self.dtype) for generator in generators]
        levels = torch.full((n,), _NOISE_LEVEL, device=self.device)
        scaled = normalizer.scale(vectors)
        noised = noising.add_noise(scaled, timesteps=levels, noise=torch.cat(noise).to(self.device))
        sinusoid = get_timestep_embedding(levels, width, flip_sin_to_cos=True, downscale_freq_shift=0)
        return torch.cat([normalizer.unscale(noised), sinusoid.to(vectors.dtype)], dim=1)
