"""Stable Diffusion XL: two text encoders, a pooled vector, and sizes that the UNet is given (Podell et al., 2023)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..facts import Facts
from ..guide import Inputs
from ..prompt_tokens import read_chunks
from .stable_diffusion import StableDiffusion


class StableDiffusionXL(StableDiffusion):
    """Its prompts are states `(tokens, width)` and the pooled vector behind them, as one row."""

    facts = Facts("StableDiffusionXLPipeline", usual=(30, 5.0), joint="adapter", chunks=True)

    @property
    def _encoders(self) -> list[tuple[Any, Any]]:
        """Of each text encoder that there is, its tokenizer and itself; the refiner has the second alone."""
        parts = self.pipeline.components
        pairs = [(parts[f"tokenizer{number}"], parts[f"text_encoder{number}"]) for number in ("", "_2")]
        return [pair for pair in pairs if None not in pair]

    @property
    def _pooled_width(self) -> int:
        return int(self._encoders[-1][1].config.projection_dim)

    def _encoded(self, prompt: str) -> Tensor:
        """The pooled vector is that of the first chunk, by the first encoder that makes one."""
        states: list[Tensor] = []
        pooled: list[Tensor] = []
        for tokenizer, encoder in self._encoders:
            read = [*read_chunks(encoder, tokenizer, prompt, chunks=self.chunks, device=self.device)]
            states.append(torch.cat([answer.hidden_states[-2] for answer in read], dim=1))
            pooled += [read[0][0]] if read[0][0].dim() == 2 else []
        return self.prompt_layout.joined(torch.cat(states, dim=-1).float(), pooled[0].float())

    def _negative(self, prompt: str) -> Tensor:
        # The base model was trained with zeros for no prompt, its refiner and others with the empty prompt.
        if not prompt and self.pipeline.config.force_zeros_for_empty_prompt:
            return torch.zeros_like(self._prompt(""))
        return super()._negative(prompt)

    def _inputs(self, prompts: Tensor) -> Inputs:
        return {**super()._inputs(prompts), "sizes": self._sizes(len(prompts))}

    def _sizes(self, n: int) -> Tensor:
        """Original size, corner of the crop and target size, as the pipeline gives them for its own size."""
        side = self.latent_shape[-1] * self.downsampling
        sizes = self.pipeline._get_add_time_ids(
            (side, side), (0, 0), (side, side), dtype=self.dtype, text_encoder_projection_dim=self._pooled_width
        )
        return sizes.to(self.device).expand(n, -1)

    def _added(self, inputs: Inputs) -> dict[str, Any]:
        return {"text_embeds": inputs["pooled"], "time_ids": inputs["sizes"], **super()._added(inputs)}
