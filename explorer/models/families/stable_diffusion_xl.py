"""Stable Diffusion XL: two text encoders, a pooled vector, and sizes that the UNet is given (Podell et al., 2023)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from ..facts import Facts
from ..generator import Inputs
from ..prompt_tokens import PromptLayout, Reading, read_chunks
from .family import packed, states_and_pooled
from .stable_diffusion import StableDiffusion


class StableDiffusionXL(StableDiffusion):
    """Its prompts are states `(tokens, width)` and the pooled vector behind them, as one row."""

    facts: ClassVar[Facts] = Facts("StableDiffusionXLPipeline", usual=(30, 5.0), joint="adapter", chunks=True)

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
        """Of each text encoder that there is, its tokenizer and itself; the refiner has the second alone."""
        parts = self.pipeline.components
        pairs = [(parts[f"tokenizer{number}"], parts[f"text_encoder{number}"]) for number in ("", "_2")]
        return [pair for pair in pairs if None not in pair]

    def _encoded(self, prompt: str) -> Tensor:
        if self.chunks > 1:
            return self._in_chunks(prompt)
        states, _, pooled, _ = self.pipeline.encode_prompt(
            [prompt], device=self.device, do_classifier_free_guidance=False
        )
        return packed(states, pooled)

    def _in_chunks(self, prompt: str) -> Tensor:
        """The pooled vector is that of the first chunk."""
        states: list[Tensor] = []
        pooled: list[Tensor] = []
        for tokenizer, encoder in self._encoders:
            read = [*read_chunks(encoder, tokenizer, prompt, chunks=self.chunks, device=self.device)]
            states.append(torch.cat([answer.hidden_states[-2] for answer in read], dim=1))
            pooled += [read[0][0]] if read[0][0].dim() == 2 else []
        return packed(torch.cat(states, dim=-1), pooled[0])

    def _negative(self, prompt: str) -> Tensor:
        # The base model was trained with zeros for no prompt, its refiner and others with the empty prompt.
        if not prompt and self.pipeline.config.force_zeros_for_empty_prompt:
            return torch.zeros_like(self._prompt(""))
        return super()._negative(prompt)

    def _inputs(self, prompts: Tensor) -> Inputs:
        width, pooled = self.network.config.cross_attention_dim, self._pooled_width
        return {**states_and_pooled(prompts, width=width, pooled=pooled), "sizes": self._sizes(len(prompts))}

    @property
    def _pooled_width(self) -> int:
        second = self.pipeline.text_encoder_2
        return int((second or self.pipeline.text_encoder).config.projection_dim)

    def _sizes(self, n: int) -> Tensor:
        """Original size, corner of the crop and target size, as the pipeline gives them for its own size."""
        side = self.latent_shape[-1] * self.downsampling
        sizes = self.pipeline._get_add_time_ids(
            (side, side), (0, 0), (side, side), dtype=self.dtype, text_encoder_projection_dim=self._pooled_width
        )
        return sizes.to(self.device).expand(n, -1)

    def _added(self, inputs: Inputs) -> dict[str, Any]:
        return {"text_embeds": inputs["pooled"], "time_ids": inputs["sizes"], **super()._added(inputs)}
