"""Kandinsky 2.2: a decoder that a CLIP image vector alone guides, over the latents of a MoVQ (Razzhigaev et al., 2023).

The decoder reads no text. In the pipelines a prior makes the vector of one; here points of the joint space are given
to the decoder as they are. Its negative is the vector of blank pixels, which only the CLIP can make: see `fitted`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn, Self

import torch
from torch import Tensor

from ...errors import ModelError
from ..encoder import Encoder
from ..facts import Facts
from ..guide import Inputs
from ..prompt_tokens import PromptLayout
from .family import Family

_SIDE = 512  # of pictures, where the UNet's configuration has none; the pipeline's own default


@dataclass(frozen=True, eq=False)
class Kandinsky(Family):
    """The decoder of `KandinskyV22Pipeline`, or of its combined pipeline.

    Attributes:
        nothing: `(1, d)` vector of no picture, or None where there is no CLIP to make it.
    """

    nothing: Tensor | None = None

    facts = Facts("KandinskyV22Pipeline", autoencoder="movq", usual=(50, 4.0), joint="decoder", reads_text=False)

    def __post_init__(self) -> None:
        if self.network.config.encoder_hid_dim_type != "image_proj":
            raise ModelError(
                f"Got a Kandinsky UNet guided by {self.network.config.encoder_hid_dim_type!r}, expected 'image_proj', "
                "that of 2.2; open a decoder of Kandinsky 2.2.",
                code="adapter kind",
            )

    def fitted(self, clip: Encoder) -> Self:
        return replace(self, nothing=clip.encode_nothing().to(self.device))

    @property
    def joint_dim(self) -> int | None:
        return int(self.network.config.encoder_hid_dim)

    @property
    def downsampling(self) -> int:
        return int(self.pipeline.movq_scale_factor)

    @property
    def patch(self) -> int:
        # Its UNet, unlike that of Stable Diffusion, does not bring back the place that halving an odd side leaves out.
        return 2 ** (len(self.network.config.block_out_channels) - 1)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        unsized = self.side is None and self.network.config.sample_size is None
        return self.sized(_SIDE).latent_shape if unsized else super().latent_shape

    @property
    def prompt_layout(self) -> PromptLayout:
        self._refuse("a prompt")

    def truncated(self, prompts: Sequence[str]) -> list[bool]:
        return [False] * len(prompts)

    def _encoded(self, prompt: str) -> Tensor:
        if prompt:
            self._refuse(f"the prompt {prompt[:40]!r}")
        return torch.empty(1, 0, device=self.device)

    def _refuse(self, what: str) -> NoReturn:
        raise ModelError(
            f"Got {what} for a Kandinsky decoder, which reads no text, expected a family with prompts; use points of "
            "its joint space.",
            code="no text",
        )

    def _inputs(self, prompts: Tensor) -> Inputs:
        del prompts
        return {}

    def _joint_inputs(self, joint: Tensor | None, generators: Sequence[torch.Generator]) -> tuple[Inputs, Inputs]:
        if self.nothing is None:
            raise ModelError(
                "Got a Kandinsky decoder without the CLIP whose vectors it decodes, expected both; open the combined "
                "pipeline, or a folder with the prior as clip/ and the decoder as diffusion/.",
                code="no clip",
            )
        nothing = self.nothing.to(self.dtype).expand(len(generators), -1)
        return {"vectors": nothing if joint is None else joint}, {"vectors": nothing}

    def predict(self, x: Tensor, t: Tensor, inputs: Inputs) -> Tensor:
        """The prediction of the noise, and behind it the network's own variance: twice the channels of `x`."""
        return self.network(
            x.to(self.dtype),
            t,
            encoder_hidden_states=None,
            added_cond_kwargs={"image_embeds": inputs["vectors"]},
            return_dict=False,
        )[0]
