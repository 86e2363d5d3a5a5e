"""The base of all families: an unmodified pipeline of diffusers whose network our own loop runs, a step at a time.

The pipeline does what is its own: it encodes prompts, it says its sizes, it keeps its scheduler. A family says how it
packs an encoded prompt into one row, and what its network is given.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from ...diffusion.loop import noise_for, seeded
from ...diffusion.sampling import sampled
from ...errors import ModelError
from ...options import Settled
from ..autoencoder import Autoencoder
from ..encoder import Encoder
from ..facts import Facts
from ..generator import Conditioning, Guide, Inputs, Run, See
from ..loading import load_pipeline
from ..placement import Target, check_side
from ..prompt_tokens import PromptLayout, excess, token_names
from ..schedulers import scheduler_like
from .ip_adapter import Adapter, AdapterFiles, with_adapter


@dataclass(frozen=True, eq=False)
class Family(ABC):
    """A pipeline as a `Denoiser`; see there for what its methods promise.

    Attributes:
        pipeline: of diffusers, unmodified.
        device: where it computes, wherever its weights wait.
        side: of its pictures in pixels; its own where None.
        chunks: how many times as much of a prompt it reads as its text encoders read at once.
        adapter: the IP-Adapter in its UNet, or None.
    """

    pipeline: Any
    device: torch.device
    side: int | None = None
    chunks: int = 1
    adapter: Adapter | None = None
    _kept: dict[str, Tensor] = field(default_factory=dict, repr=False)

    facts: ClassVar[Facts]

    @classmethod
    def open(cls, folder: Path, target: Target) -> Self:
        """The family of a folder that its pipeline's `save_pretrained` wrote.

        Raises:
            ModelError: a part is missing, pickled, damaged, or does not fit the others.
        """
        return cls(load_pipeline(folder, cls.facts, target, cls.prepare), target.device)

    @classmethod
    def prepare(cls, pipeline: Any) -> None:
        """Change a pipeline before it is placed; here nothing is to be changed."""
        del pipeline

    @property
    def network(self) -> Any:
        """The UNet or the transformer."""
        return self.pipeline.components[self.facts.network]

    @property
    def unet(self) -> Any:
        return self.network if self.facts.network == "unet" else None

    @property
    def dtype(self) -> torch.dtype:
        """What the network computes in."""
        return self.network.dtype

    @property
    def denoiser(self) -> Self:
        return self

    @property
    def usual(self) -> tuple[int, float]:
        return self.facts.usual

    @property
    def distilled(self) -> bool:
        return self.facts.distilled

    @property
    def typical_norm(self) -> float | None:
        return None

    @property
    def joint_dim(self) -> int | None:
        return None if self.adapter is None else self.adapter.width

    @property
    def adapter_scale(self) -> float | None:
        return None if self.adapter is None else self.adapter.scale

    @cached_property
    def autoencoder(self) -> Autoencoder | None:
        network = self.pipeline.components[self.facts.autoencoder]
        return Autoencoder(network, device=self.device).sized(self.latent_shape)

    # --- other models of the same weights

    def fitted(self, clip: Encoder) -> Self:
        del clip
        return self

    def sized(self, side: int) -> Self:
        check_side(side, self.downsampling * self.patch, f"a {self.facts.pipeline}")
        return replace(self, side=side)

    def chunked(self, chunks: int) -> Self:
        if not self.facts.chunks:
            raise ModelError(
                f"Got {chunks} chunks of a prompt for a {self.facts.pipeline}, which does not read several, expected a "
                "UNet guided by CLIP (Stable Diffusion, SDXL, StableUnCLIP); shorten the prompt.",
                code="chunks",
            )
        return replace(self, chunks=chunks, _kept={})

    def adapted(self, files: AdapterFiles) -> Self:
        """The same model with an IP-Adapter in its UNet, which is changed in place.

        Raises:
            ModelError: a family that takes none, or an adapter for another UNet.
        """
        if self.facts.joint != "adapter":
            raise ModelError(
                f"Got an IP-Adapter for a {self.facts.pipeline}, expected Stable Diffusion or SDXL; open it without.",
                code="adapter family",
            )
        return replace(self, adapter=with_adapter(self.pipeline, files))

    def scaled(self, scale: float) -> Self:
        if self.adapter is None:
            raise ModelError(
                f"Got adapter scale {scale} for a model without an IP-Adapter; leave it out.", code="no adapter"
            )
        return replace(self, adapter=self.adapter.scaled(scale))

    # --- sizes and samplers

    @property
    def downsampling(self) -> int:
        """Pixels of a latent's side."""
        return int(self.pipeline.vae_scale_factor)

    @property
    def patch(self) -> int:
        """Side, in latents, of what the network sees as one place."""
        return 1

    @property
    def latent_shape(self) -> tuple[int, ...]:
        config = self.network.config
        size = config.sample_size if self.side is None else self.side // self.downsampling
        if size is None:
            raise ModelError(
                f"Got a {self.facts.pipeline} whose {self.facts.network} has no sample_size in its config.json, "
                "expected one; restore it, or open the model with a size.",
                code="size",
            )
        return (int(config.in_channels), *((size, size) if isinstance(size, int) else tuple(size)))

    def respaced(self, spacing: str) -> None:
        self.pipeline.scheduler.register_to_config(timestep_spacing=spacing)

    def scheduler(self, name: str | None = None) -> Any:
        return scheduler_like(self.pipeline.scheduler, name)

    def set_timesteps(self, sampler: Any, steps: int) -> None:
        sampler.set_timesteps(steps, device=self.device)

    # --- prompts

    @property
    def prompt_shape(self) -> tuple[int, ...]:
        return tuple(self._prompt("").shape[1:])

    @property
    @abstractmethod
    def prompt_layout(self) -> PromptLayout:
        """Where states, pooled vectors and words are in a prompt's row."""

    @torch.inference_mode()
    def encode_prompts(self, prompts: Sequence[str]) -> Tensor:
        rows = [torch.empty(0, *self.prompt_shape, device=self.device), *(self._encoded(each) for each in prompts)]
        return torch.cat(rows)

    def truncated(self, prompts: Sequence[str]) -> list[bool]:
        """By the text encoder that reads furthest: what one leaves out another may still read."""
        readers = self._readers()
        return [all(excess(*reader, prompt, self.chunks) > 0 for reader in readers) for prompt in prompts]

    def tokens(self, prompt: str) -> list[str]:
        return token_names(*self._readers()[0], prompt)

    def _prompt(self, prompt: str) -> Tensor:
        # Encoded alone and kept, so that the same bits come back whatever the batch.
        if prompt not in self._kept:
            self._kept[prompt] = self._encoded(prompt)
        return self._kept[prompt]

    def _negative(self, prompt: str) -> Tensor:
        return self._prompt(prompt)

    def _readers(self) -> list[tuple[Any, int]]:
        """Tokenizers, and how many tokens of each are read."""
        parts = self.pipeline.components
        tokenizers = (parts.get(name) for name in ("tokenizer", "tokenizer_2"))
        return [(each, int(each.model_max_length)) for each in tokenizers if each is not None]

    @abstractmethod
    def _encoded(self, prompt: str) -> Tensor:
        """`(1, *prompt_shape)` float32 of a prompt."""

    # --- guidance and denoising

    @torch.inference_mode()
    def conditioning(
        self,
        generators: Sequence[torch.Generator],
        *,
        prompts: Tensor | None = None,
        joint: Tensor | None = None,
        negative: str = "",
    ) -> Conditioning:
        if joint is not None:
            self._check_joint(joint, len(generators))
            joint = joint.to(self.device, self.dtype)
        given = self._repeated(self._prompt(""), len(generators)) if prompts is None else prompts
        towards = self._inputs(given.to(self.device, self.dtype))
        away = self._inputs(self._repeated(self._negative(negative), len(generators)))
        seen, unseen = self._joint_inputs(joint, generators)
        return Conditioning({**towards, **seen}, {**away, **unseen})

    def _repeated(self, prompt: Tensor, n: int) -> Tensor:
        return prompt.to(self.dtype).expand(n, *prompt.shape[1:])

    def _check_joint(self, joint: Tensor, n: int) -> None:
        if self.joint_dim is None:
            raise ModelError(
                f"Got joint vectors for a {self.facts.pipeline}, which is guided by prompts alone; decode them with a "
                "model that has a joint space, or show the nearest items.",
                code="joint vectors",
            )
        if tuple(joint.shape) != (n, self.joint_dim):
            raise ModelError(
                f"Got joint vectors of shape {tuple(joint.shape)}, expected {(n, self.joint_dim)}; "
                "encode them with this model's CLIP.",
                code="shape",
            )

    @abstractmethod
    def _inputs(self, prompts: Tensor) -> Inputs:
        """What the network is given of encoded prompts, a row for each."""

    def _joint_inputs(self, joint: Tensor | None, generators: Sequence[torch.Generator]) -> tuple[Inputs, Inputs]:
        """What the network is given of joint vectors `(n, d)` or of none, and what guidance leads away from."""
        del generators
        return ({}, {}) if self.adapter is None or joint is None else self.adapter.inputs(joint)

    @abstractmethod
    def predict(self, x: Tensor, t: Tensor, inputs: Inputs) -> Tensor:
        """The network's prediction."""

    def draw(self, seeds: Sequence[int]) -> Tensor:
        return noise_for(seeds, self.latent_shape)

    def start(self, seeds: Sequence[int]) -> Tensor:
        generators = seeded(seeds)
        if generators:
            self.conditioning(generators)  # for what it draws
        return noise_for(generators, self.latent_shape)

    def run(self, guide: Guide, seeds: Sequence[int], how: Settled, see: See) -> Run:
        latents = yield from sampled(self, guide, seeds, how)
        return see(latents)


def packed(*tensors: Tensor) -> Tensor:
    """`(n, ...)` tensors as one row each: `(n, d)`."""
    return torch.cat([tensor.float().flatten(1) for tensor in tensors], dim=1)


def states_and_pooled(rows: Tensor, *, width: int, pooled: int) -> dict[str, Tensor]:
    """What `packed` packed of states `(n, tokens, width)` and pooled vectors `(n, pooled)`."""
    states, vectors = rows.split([rows.shape[1] - pooled, pooled], dim=1)
    return {"states": states.unflatten(1, (-1, width)), "pooled": vectors}
