"""Flux: a transformer on flow matching over latents packed in patches of 2 x 2, with guidance as an input.

The noise and the state of the loop stay `(16, h, w)` as they are; they are packed at the network's door, which
changes nothing, since a scheduler's step works on each number alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..facts import Facts
from ..guide import Inputs
from ..prompt_tokens import PromptLayout, Reading
from ..schedulers import dynamic_shift
from .family import Family

T5_TOKENS = 512
"""As many as the pipeline reads by default."""

_SIDE = 1024  # of pictures, where nothing says it; the pipeline's own default


class Flux(Family):
    """Its prompts are the T5's states `(512, width)` and CLIP's pooled vector behind them, as one row.

    [schnell] has no input for guidance, and is asked once a step all the same.
    """

    facts = Facts(
        "FluxPipeline",
        network="transformer",
        usual=(28, 3.5),
        distilled=True,
        joint_attention=("transformer_blocks", "single_transformer_blocks"),
    )

    @property
    def latent_shape(self) -> tuple[int, ...]:
        # What the pipeline takes for granted, 128, follows from the pictures of its autoencoder.
        side = (self.side or self.pipeline.vae.config.sample_size or _SIDE) // self.downsampling // 2 * 2
        return (int(self.network.config.in_channels) // 4, side, side)

    @property
    def patch(self) -> int:
        return 2

    def configuration(self, shape: tuple[int, ...]) -> dict[str, Any]:
        packed = shape[0] * self.patch**2
        return {**self.network.config, "in_channels": packed, "out_channels": packed}

    @property
    def prompt_layout(self) -> PromptLayout:
        config = self.network.config
        width = int(config.joint_attention_dim)
        reading = Reading(self.pipeline.tokenizer_2, T5_TOKENS, (0, width))
        return PromptLayout(T5_TOKENS, width, int(config.pooled_projection_dim), (reading,))

    def _encoded(self, prompt: str) -> Tensor:
        states, pooled, _ = self.pipeline.encode_prompt(
            [prompt], None, device=self.device, max_sequence_length=T5_TOKENS
        )
        return self.prompt_layout.joined(states.float(), pooled.float())

    def set_timesteps(self, sampler: Any, steps: int) -> None:
        from diffusers.pipelines.flux.pipeline_flux import calculate_shift

        _, height, width = self.latent_shape
        shift = dynamic_shift(sampler, (height // 2) * (width // 2), calculate_shift, 1.15)
        sigmas = None if sampler.config.get("use_flow_sigmas", False) else np.linspace(1.0, 1 / steps, steps)
        spacing: dict[str, Any] = {"num_inference_steps": steps} if sigmas is None else {"sigmas": sigmas}
        sampler.set_timesteps(device=self.device, **spacing, **shift)

    def predict(self, x: Tensor, t: Tensor, inputs: Inputs) -> Tensor:
        n, channels, height, width = x.shape
        places = self.pipeline._prepare_latent_image_ids(n, height // 2, width // 2, self.device, self.dtype)
        given = {"guidance": inputs["guidance"]} if self.network.config.guidance_embeds else {}
        patches = self.network(
            hidden_states=self.pipeline._pack_latents(x.to(self.dtype), n, channels, height, width),
            timestep=t.expand(n).to(self.dtype) / 1000,
            pooled_projections=inputs["pooled"],
            encoder_hidden_states=inputs["states"],
            txt_ids=torch.zeros(inputs["states"].shape[1], 3, device=self.device, dtype=self.dtype),
            img_ids=places,
            return_dict=False,
            **given,
        )[0]
        factor = self.downsampling
        return self.pipeline._unpack_latents(patches, height * factor, width * factor, factor)
