"""Stable Diffusion 1.x and 2.x: a UNet guided by the states of one CLIP text encoder (Rombach et al., 2022)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ..denoiser import Inputs
from .shared import added_picture
from .text_to_image import TextToImage


class StableDiffusion(TextToImage):
    """Its prompts are `(tokens, width)`."""

    name: ClassVar[str] = "StableDiffusionPipeline"
    usual: ClassVar[tuple[int, float]] = (25, 7.5)

    def _encoded(self, prompts: list[str]) -> Tensor:
        states, _ = self.pipeline.encode_prompt(prompts, self.device, 1, False)
        return states.float()

    def _inputs(self, prompts: Tensor) -> Inputs:
        return {"states": prompts}

    def predict(self, x: Tensor, t: Tensor, inputs: Inputs) -> Tensor:
        return self.network(
            x.to(self.dtype),
            t,
            encoder_hidden_states=inputs["states"],
            added_cond_kwargs=added_picture(inputs) or None,
            return_dict=False,
        )[0]
