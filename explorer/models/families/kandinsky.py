"""Kandinsky 2.2: a decoder that a CLIP image vector alone guides, over the latents of a MoVQ (Razzhigaev et al., 2023).

The decoder reads no text. In the pipelines a prior makes the vector of one; here points of the joint space are given
to the decoder as they are. Its negative is the vector of blank pixels, which only the CLIP can tell: see `fitted`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import ModelError
from ..encoder import Encoder
from ..find.folder import opened, refuse_pickles, require_weights
from ..generator import Conditioning, Inputs
from ..placement import Placement, place_network
from ..prompt_layout import PromptLayout
from ..schedulers import read_scheduler, scheduler_like
from .family import check_side
from .our_loop import OurLoop

_DOWNSAMPLING = 8  # of the MoVQ that all of them have
_WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.safetensors.index.json")


@dataclass(frozen=True, eq=False)
class Kandinsky(OurLoop):
    """The decoder of a Kandinsky 2.2 folder; see `Denoiser` for what its methods promise.

    Attributes:
        nothing: `(1, d)` vector of no picture, once a CLIP has told it.
        side: of its pictures in pixels; its own where None.
    """

    unet: Any
    movq: Any
    own_scheduler: Any
    nothing: Tensor | None = None
    side: int | None = None

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        placement: Placement | None = None,
    ) -> Kandinsky:
        """The decoder of a folder that `KandinskyV22Pipeline` or its combined pipeline wrote with `save_pretrained`.

        Raises:
            ModelError: a part is missing, pickled, damaged, or of another kind.
        """
        for part in ("unet", "movq"):
            require_weights(folder / part, *_WEIGHTS)
            refuse_pickles(folder / part)

        def load() -> Kandinsky:
            from diffusers import UNet2DConditionModel, VQModel

            def weights(kind: Any, part: str) -> Any:
                module = kind.from_pretrained(
                    folder / part, dtype=dtype, use_safetensors=True, local_files_only=True, low_cpu_mem_usage=False
                )
                return module.eval().requires_grad_(False).to(device)

            return cls(
                unet=weights(UNet2DConditionModel, "unet"),
                movq=weights(VQModel, "movq"),
                own_scheduler=read_scheduler(folder / "scheduler"),
            )

        made = opened("a Kandinsky decoder", folder, load)
        place_network(made.unet, placement or Placement())
        if made.unet.config.encoder_hid_dim_type != "image_proj":
            raise ModelError(
                f"Got a Kandinsky UNet guided by {made.unet.config.encoder_hid_dim_type!r} in {folder}, expected "
                "'image_proj', that of 2.2; open a decoder of Kandinsky 2.2."
            )
        return made

    def fitted(self, clip: Encoder) -> Kandinsky:
        """The same decoder, once it knows what its CLIP makes of no picture."""
        return replace(self, nothing=clip.encode_nothing().to(self.device))

    @property
    def usual(self) -> tuple[int, float]:
        return 50, 4.0

    @property
    def distilled(self) -> bool:
        return False

    @property
    def vae(self) -> Any:
        return self.movq

    @property
    def joint_dim(self) -> int | None:
        return int(self.unet.config.encoder_hid_dim)

    def sized(self, side: int) -> Kandinsky:
        # Its UNet, unlike that of Stable Diffusion, does not bring back the place that halving an odd side leaves out.
        check_side(side, _DOWNSAMPLING * 2 ** (len(self.unet.config.block_out_channels) - 1))
        return replace(self, side=side)

    def chunked(self, chunks: int) -> Kandinsky:
        raise ModelError(
            f"Got {chunks} chunks of a prompt for a Kandinsky decoder, which reads no text; use its joint space."
        )

    def respaced(self, spacing: str) -> None:
        self.own_scheduler.register_to_config(timestep_spacing=spacing)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        size = self.unet.config.sample_size if self.side is None else self.side // _DOWNSAMPLING
        return (int(self.unet.config.in_channels), *((size, size) if isinstance(size, int) else tuple(size)))

    @property
    def prompt_shape(self) -> tuple[int, ...]:
        return (0,)  # it reads none

    @property
    def prompt_layout(self) -> PromptLayout:
        raise ModelError(
            "Got a Kandinsky decoder, which reads no text, expected a family with prompts; use its joint space."
        )

    @property
    def device(self) -> torch.device:
        return self.unet.device

    @property
    def dtype(self) -> torch.dtype:
        """What the network computes in."""
        return self.unet.dtype

    def set_timesteps(self, sampler: Any, steps: int) -> None:
        sampler.set_timesteps(steps, device=self.device)

    def scheduler(self, name: str | None = None) -> Any:
        return scheduler_like(self.own_scheduler, name)

    def encode_prompts(self, prompts: Sequence[str]) -> Tensor:
        for prompt in prompts:
            self._refuse(prompt)
        return torch.empty(len(prompts), 0, device=self.device)

    def truncated(self, prompts: Sequence[str]) -> list[bool]:
        return [False] * len(prompts)

    def tokens(self, prompt: str) -> list[str]:
        self._refuse(prompt)
        return []

    def _refuse(self, text: str) -> None:
        if text:
            raise ModelError(
                f"Got the prompt {text[:40]!r} for a Kandinsky decoder, which reads no text, expected none; "
                "make it a point of the joint space."
            )

    @torch.inference_mode()
    def conditioning(
        self,
        generators: Sequence[torch.Generator],
        *,
        prompts: Tensor | None = None,
        joint: Tensor | None = None,
        negative: str = "",
    ) -> Conditioning:
        self._refuse(negative)
        n, width = len(generators), int(self.joint_dim or 0)
        if self.nothing is None:
            raise ModelError(
                "Got a Kandinsky decoder without the CLIP whose vectors it decodes, expected both; open the combined "
                "pipeline, or a folder with the prior as clip/ and the decoder as diffusion/."
            )
        nothing = self.nothing.to(self.dtype).expand(n, -1)
        if joint is not None and tuple(joint.shape) != (n, width):
            raise ModelError(
                f"Got joint vectors of shape {tuple(joint.shape)}, expected {(n, width)}; "
                "encode them with this model's CLIP."
            )
        vectors = nothing if joint is None else joint.to(self.device, self.dtype)
        return Conditioning(positive={"vectors": vectors}, negative={"vectors": nothing})

    @torch.inference_mode()
    def predict(self, x: Tensor, t: Tensor, inputs: Inputs) -> Tensor:
        """The prediction of the noise, and behind it the network's own variance: twice the channels of `x`."""
        return self.unet(
            x.to(self.dtype),
            t,
            encoder_hidden_states=None,
            added_cond_kwargs={"image_embeds": inputs["vectors"]},
            return_dict=False,
        )[0]
