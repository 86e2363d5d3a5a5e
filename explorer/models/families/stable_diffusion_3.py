"""Stable Diffusion 3 and 3.5: a transformer on flow matching, two CLIPs and a T5 (Esser et al., 2024)."""

from __future__ import annotations

from typing import Any, Self

from torch import Tensor

from ...errors import ModelError
from ..facts import Facts
from ..guide import Inputs
from ..prompt_tokens import PromptLayout, Reading
from ..schedulers import dynamic_shift
from .family import Family

T5_TOKENS = 256
"""As many as the pipeline reads by default."""


class StableDiffusion3(Family):
    """Its prompts are states `(tokens, width)` of all encoders and the pooled vectors behind them, as one row."""

    facts = Facts(
        "StableDiffusion3Pipeline", network="transformer", usual=(28, 7.0), joint_attention=("transformer_blocks",)
    )

    @property
    def prompt_layout(self) -> PromptLayout:
        pipeline, config = self.pipeline, self.network.config
        clip_rows, width = int(pipeline.tokenizer_max_length), int(config.joint_attention_dim)
        middle = int(pipeline.text_encoder.config.hidden_size)
        right = middle + int(pipeline.text_encoder_2.config.hidden_size)
        readings = [
            Reading(pipeline.tokenizer, clip_rows, (0, middle)),
            Reading(pipeline.tokenizer_2, clip_rows, (middle, right)),
        ]
        if pipeline.text_encoder_3 is not None:
            readings.append(Reading(pipeline.tokenizer_3, T5_TOKENS, (0, width), first=clip_rows))
        return PromptLayout(clip_rows + T5_TOKENS, width, int(config.pooled_projection_dim), tuple(readings))

    def _encoded(self, prompt: str) -> Tensor:
        states, _, pooled, _ = self.pipeline.encode_prompt(
            [prompt], None, None, device=self.device, do_classifier_free_guidance=False, max_sequence_length=T5_TOKENS
        )
        return self.prompt_layout.joined(states.float(), pooled.float())

    @property
    def patch(self) -> int:
        return int(self.network.config.patch_size)

    def sized(self, side: int) -> Self:
        most = self.network.config.pos_embed_max_size * self.patch * self.downsampling
        if side > most:
            raise ModelError(
                f"Got size {side}, expected at most {most}, as far as this model knows places; choose less.",
                code="size",
            )
        return super().sized(side)

    def configuration(self, shape: tuple[int, ...]) -> dict[str, Any]:
        places = max(self.network.config.pos_embed_max_size, shape[-1] // self.patch)
        return {**super().configuration(shape), "pos_embed_max_size": places}

    def set_timesteps(self, sampler: Any, steps: int) -> None:
        from diffusers.pipelines.stable_diffusion_3.pipeline_stable_diffusion_3 import calculate_shift

        side = self.latent_shape[-1] // self.patch
        sampler.set_timesteps(steps, device=self.device, **dynamic_shift(sampler, side * side, calculate_shift, 1.16))

    def predict(self, x: Tensor, t: Tensor, inputs: Inputs) -> Tensor:
        return self.network(
            hidden_states=x.to(self.dtype),
            timestep=t.expand(len(x)),
            encoder_hidden_states=inputs["states"],
            pooled_projections=inputs["pooled"],
            return_dict=False,
        )[0]
