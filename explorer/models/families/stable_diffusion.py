"""Stable Diffusion 1.x and 2.x: a UNet guided by the states of one CLIP text encoder (Rombach et al., 2022)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..facts import Facts
from ..guide import Inputs
from ..prompt_tokens import PromptLayout, Reading, read_chunks
from .family import Family

CONSISTENT_STEPS = 4
"""Of UNets that guidance was distilled into (latent consistency models), which are trained for a few."""


class StableDiffusion(Family):
    """Its prompts are `(tokens, width)`."""

    facts = Facts("StableDiffusionPipeline", usual=(25, 7.5), joint="adapter", chunks=True)

    @property
    def distilled(self) -> bool:
        return self.network.config.time_cond_proj_dim is not None

    @property
    def usual(self) -> tuple[int, float]:
        steps, guidance = self.facts.usual
        return CONSISTENT_STEPS if self.distilled else steps, guidance

    @property
    def prompt_layout(self) -> PromptLayout:
        readings, left = [], 0
        for tokenizer, encoder in self._encoders:
            limit, right = int(tokenizer.model_max_length), left + int(encoder.config.hidden_size)
            readings.append(Reading(tokenizer, limit, (left, right), chunks=self.chunks))
            left = right
        return PromptLayout(readings[0].limit * self.chunks, left, self._pooled_width, tuple(readings))

    @property
    def _encoders(self) -> list[tuple[Any, Any]]:
        """Of each text encoder, its tokenizer and itself."""
        return [(self.pipeline.tokenizer, self.pipeline.text_encoder)]

    @property
    def _pooled_width(self) -> int:
        return 0

    def _encoded(self, prompt: str) -> Tensor:
        ((tokenizer, encoder),) = self._encoders
        masked = bool(encoder.config.to_dict().get("use_attention_mask"))  # as the pipeline asks
        read = read_chunks(encoder, tokenizer, prompt, chunks=self.chunks, device=self.device, masked=masked)
        return torch.cat([answer[0] for answer in read], dim=1).float()

    def predict(self, x: Tensor, t: Tensor, inputs: Inputs) -> Tensor:
        return self.network(
            x.to(self.dtype),
            t,
            class_labels=inputs.get("labels"),
            timestep_cond=self._guidance_embedding(inputs),
            encoder_hidden_states=inputs["states"],
            added_cond_kwargs=self._added(inputs) or None,
            return_dict=False,
        )[0]

    def _added(self, inputs: Inputs) -> dict[str, Any]:
        """What the UNet is given beside the states of the prompt."""
        return {} if self.adapter is None else self.adapter.added(inputs, like=inputs["states"])

    def _guidance_embedding(self, inputs: Inputs) -> Tensor | None:
        """Sinusoids of g - 1, `(n, d)`, for UNets that guidance was distilled into; None for others.

        Meng et al., "On Distillation of Guided Diffusion Models" (2023), as diffusers' pipelines embed it.
        """
        if not self.distilled:
            return None
        # Made on the CPU, as the pipelines do, and so to the same bits.
        scale, width = inputs["guidance"].cpu() - 1, self.network.config.time_cond_proj_dim
        return self.pipeline.get_guidance_scale_embedding(scale, embedding_dim=width).to(self.device, self.dtype)
