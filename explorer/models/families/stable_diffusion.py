"""Stable Diffusion 1.x and 2.x: a UNet guided by the states of one CLIP text encoder (Rombach et al., 2022)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ..generator import Inputs
from ..prompt_layout import PromptLayout, Reading
from .clip_chunks import read_chunks
from .family import TextToImage
from .shared import added_picture, told_guidance


class StableDiffusion(TextToImage):
    """Its prompts are `(tokens, width)`."""

    name: ClassVar[str] = "StableDiffusionPipeline"
    usual: ClassVar[tuple[int, float]] = (25, 7.5)
    reads_chunks: ClassVar[bool] = True

    @property
    def distilled(self) -> bool:
        return self.network.config.time_cond_proj_dim is not None  # as latent consistency models are

    @property
    def prompt_layout(self) -> PromptLayout:
        ((tokenizer, limit),), width = self._readers(), self.prompt_shape[-1]
        reading = Reading(tokenizer, limit, (0, width), chunks=self.chunks)
        return PromptLayout(limit * self.chunks, width, 0, (reading,))

    def _encoded(self, prompts: list[str]) -> Tensor:
        if self.chunks > 1:
            return torch.cat([self._states_in_chunks(prompt) for prompt in prompts])
        states, _ = self.pipeline.encode_prompt(prompts, self.device, 1, False)
        return states.float()

    def _states_in_chunks(self, prompt: str) -> Tensor:
        encoder, tokenizer = self.pipeline.text_encoder, self.pipeline.tokenizer
        masked = bool(getattr(encoder.config, "use_attention_mask", False))  # as the pipeline asks
        read = read_chunks(encoder, tokenizer, prompt, chunks=self.chunks, device=self.device, masked=masked)
        return torch.cat([answer[0] for answer in read], dim=1).float()

    def _inputs(self, prompts: Tensor) -> Inputs:
        return {"states": prompts}

    def predict(self, x: Tensor, t: Tensor, inputs: Inputs) -> Tensor:
        return self.network(
            x.to(self.dtype),
            t,
            timestep_cond=told_guidance(self, inputs),
            encoder_hidden_states=inputs["states"],
            added_cond_kwargs=added_picture(inputs) or None,
            return_dict=False,
        )[0]
