"""IP-Adapter: a text-to-image model that is guided by a picture's CLIP vector as well (Ye et al., 2023).

The vector becomes four tokens beside the prompt's, with keys and values of their own. The pipeline's own
`load_ip_adapter` puts them into the UNet; their negative is the vector of zeros, as the pipeline's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...errors import ModelError
from ..find.folder import opened
from ..generator import Conditioning, Inputs
from ..prompt_layout import PromptLayout
from .adapter_files import AdapterFiles
from .our_loop import OurLoop
from .shared import PICTURE
from .stable_diffusion import StableDiffusion
from .stable_diffusion_xl import StableDiffusionXL

_MOST = 10.0


@dataclass(frozen=True, eq=False)
class IPAdapter(OurLoop):
    """A `Denoiser` with an adapter; without a picture it is the model that it was before, to the bit.

    Attributes:
        base: the adapter of the model's family, whose UNet now holds the IP-Adapter.
        joint_dim: width of the picture vectors.
        processors: of the attention that looks at pictures.
        scale: how strongly pictures guide; 0 not at all.
    """

    base: StableDiffusion | StableDiffusionXL
    joint_dim: int | None
    processors: tuple[Any, ...]
    scale: float = 1.0

    @property
    def adapter_scale(self) -> float | None:
        return self.scale

    def scaled(self, scale: float) -> IPAdapter:
        """The same with another scale.

        Raises:
            ModelError: no number from 0 to 10.
        """
        if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 <= scale <= _MOST:
            raise ModelError(f"Got adapter scale {scale!r}, expected a number from 0 to {_MOST:g}; 1 is usual.")
        return replace(self, scale=float(scale))

    @torch.inference_mode()
    def conditioning(
        self,
        generators: Sequence[torch.Generator],
        *,
        prompts: Tensor | None = None,
        joint: Tensor | None = None,
        negative: str = "",
    ) -> Conditioning:
        guided = self.base.conditioning(generators, prompts=prompts, negative=negative)
        if joint is None:
            return guided
        if tuple(joint.shape) != (len(generators), self.joint_dim):
            raise ModelError(
                f"Got joint vectors of shape {tuple(joint.shape)}, expected {(len(generators), self.joint_dim)}; "
                "encode them with this model's CLIP."
            )
        pictures = joint.to(self.base.device, self.base.dtype)[:, None]
        return Conditioning(
            positive={**guided.positive, PICTURE: pictures},
            negative={**guided.negative, PICTURE: torch.zeros_like(pictures)},
        )

    @torch.inference_mode()
    def predict(self, x: Tensor, t: Tensor, inputs: Inputs) -> Tensor:
        seen = PICTURE in inputs
        for processor in self.processors:  # themselves: another may stand around one while it is watched
            processor.scale = [self.scale if seen else 0.0]
        if not seen:  # at scale 0 they are not looked at, but the UNet wants some
            nothing = torch.zeros(len(x), 1, int(self.joint_dim or 0), device=self.base.device, dtype=self.base.dtype)
            inputs = {**inputs, PICTURE: nothing}
        return self.base.predict(x, t, inputs)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return self.base.latent_shape

    @property
    def prompt_shape(self) -> tuple[int, ...]:
        return self.base.prompt_shape

    @property
    def prompt_layout(self) -> PromptLayout:
        return self.base.prompt_layout

    @property
    def usual(self) -> tuple[int, float]:
        return self.base.usual

    @property
    def distilled(self) -> bool:
        return self.base.distilled

    @property
    def vae(self) -> Any:
        return self.base.vae

    @property
    def unet(self) -> Any:
        return self.base.unet

    @property
    def device(self) -> torch.device:
        return self.base.device

    def sized(self, side: int) -> IPAdapter:
        return replace(self, base=self.base.sized(side))

    def chunked(self, chunks: int) -> IPAdapter:
        return replace(self, base=self.base.chunked(chunks))

    def respaced(self, spacing: str) -> None:
        self.base.respaced(spacing)

    def set_timesteps(self, sampler: Any, steps: int) -> None:
        self.base.set_timesteps(sampler, steps)

    def scheduler(self, name: str | None = None) -> Any:
        return self.base.scheduler(name)

    def encode_prompts(self, prompts: Sequence[str]) -> Tensor:
        return self.base.encode_prompts(prompts)

    def truncated(self, prompts: Sequence[str]) -> list[bool]:
        return self.base.truncated(prompts)

    def tokens(self, prompt: str) -> list[str]:
        return self.base.tokens(prompt)


def with_adapter(denoiser: Any, files: AdapterFiles, *, scale: float = 1.0) -> IPAdapter:
    """A Stable Diffusion or SDXL that is guided by pictures as well; its UNet is changed in place.

    Raises:
        ModelError: another family, or an adapter for another UNet.
    """
    if not isinstance(denoiser, StableDiffusion | StableDiffusionXL):
        raise ModelError(
            f"Got an IP-Adapter for a {type(denoiser).__name__}, expected Stable Diffusion or SDXL; open it without."
        )
    attends = int(denoiser.network.config.cross_attention_dim)
    if files.attends != attends:
        raise ModelError(
            f"Got an IP-Adapter {files.weights.name} for a UNet that attends to width {files.attends} and one of "
            f"width {attends}, expected equal widths; take the adapter of this family (models/ or sdxl_models/)."
        )

    if any(each.is_meta for each in denoiser.network.parameters()):
        raise ModelError(
            f"Got an IP-Adapter {files.weights.name} for a UNet that is offloaded layer by layer, expected one whose "
            "weights are there; open it with offload='model'."
        )

    def load() -> IPAdapter:
        denoiser.pipeline.load_ip_adapter(
            str(files.weights.parent),
            subfolder="",
            weight_name=files.weights.name,
            image_encoder_folder=None,  # opened apart: the pipeline would take a pickled one
            local_files_only=True,
            low_cpu_mem_usage=False,
        )
        denoiser.network.eval().requires_grad_(False)
        looking = tuple(each for each in denoiser.network.attn_processors.values() if hasattr(each, "to_k_ip"))
        return IPAdapter(denoiser, files.width, looking).scaled(scale)

    return opened("an IP-Adapter", files.weights, load)
