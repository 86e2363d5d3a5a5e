"""Stable Diffusion 1.x and 2.x: a UNet guided by the states of one CLIP text encoder (Rombach et al., 2022)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from ..facts import Facts
from ..generator import Inputs
from ..prompt_tokens import PromptLayout, Reading, read_chunks
from .family import Family

CONSISTENT_STEPS = 4
"""Of UNets that guidance was distilled into (latent consistency models), which are trained for a few."""


class StableDiffusion(Family):
    """Its prompts are `(tokens, width)`."""

    facts: ClassVar[Facts] = Facts("StableDiffusionPipeline", usual=(25, 7.5), joint="adapter", chunks=True)

    @property
    def distilled(self) -> bool:
        return self.network.config.time_cond_proj_dim is not None

    @property
    def usual(self) -> tuple[int, float]:
        steps, guidance = self.facts.usual
        return CONSISTENT_STEPS if self.distilled else steps, guidance

    @property
    def prompt_layout(self) -> PromptLayout:
        ((tokenizer, limit),), width = self._readers(), self.prompt_shape[-1]
        reading = Reading(tokenizer, limit, (0, width), chunks=self.chunks)
        return PromptLayout(limit * self.chunks, width, 0, (reading,))

    def _encoded(self, prompt: str) -> Tensor:
        if self.chunks > 1:
            return self._in_chunks(prompt)
        states, _ = self.pipeline.encode_prompt([prompt], self.device, 1, False)
        return states.float()

    def _in_chunks(self, prompt: str) -> Tensor:
        encoder, tokenizer = self.pipeline.text_encoder, self.pipeline.tokenizer
        masked = bool(encoder.config.to_dict().get("use_attention_mask"))  # as the pipeline asks
        read = read_chunks(encoder, tokenizer, prompt, chunks=self.chunks, device=self.device, masked=masked)
        return torch.cat([answer[0] for answer in read], dim=1).float()

    def _inputs(self, prompts: Tensor) -> Inputs:
        return {"states": prompts}

    def predict(self, x: Tensor, t: Tensor, inputs: Inputs) -> Tensor:
        return self.network(
            x.to(self.dtype),
            t,
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
        width = self.network.config.time_cond_proj_dim
        if width is None:
            return None
        # Made on the CPU, as the pipelines do, and so to the same bits.
        scale = inputs["guidance"].cpu() - 1
        return self.pipeline.get_guidance_scale_embedding(scale, embedding_dim=width).to(self.device, self.dtype)
