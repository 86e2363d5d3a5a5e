"""StableUnCLIP: a UNet guided by prompt tokens and by a CLIP image vector.

The arithmetic is that of diffusers' `StableUnCLIPImg2ImgPipeline`, step for step: the joint vector is scaled, noised
at level 0, unscaled and joined by the sinusoid of that level to one class label of width `2D`; its negative is zeros
over the whole `2D`, sinusoid included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from ...errors import ModelError
from ..chunks import excess
from ..find.folder import opened, require_weights
from ..generator import Conditioning, Inputs
from ..placement import Placement, place_network
from ..prompt_layout import PromptLayout, Reading
from ..reference import trained_norm
from ..schedulers import read_scheduler, scheduler_like
from .clip_chunks import read_chunks
from .family import check_side, token_names
from .our_loop import OurLoop
from .shared import read_prompts_once

_DOWNSAMPLING = 8  # of the autoencoder that all of them have
_NOISE_LEVEL = 0  # the pipeline's default: the least noise that the noising schedule knows, which is not none


@dataclass(frozen=True, eq=False)
class StableUnCLIP(OurLoop):
    """The adapter of one StableUnCLIP folder; see `Denoiser` for what its methods promise."""

    unet: Any
    text_encoder: Any
    tokenizer: Any
    normalizer: Any
    noising: Any
    own_scheduler: Any
    side: int | None = None
    chunks: int = 1
    _empty: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        width, states = self.unet.config.projection_class_embeddings_input_dim, self.text_encoder.config.hidden_size
        if self.unet.config.class_embed_type != "projection" or width != 2 * self._vector_width:
            raise ModelError(
                f"Got a UNet with class embedding {self.unet.config.class_embed_type!r} of width {width} for joint "
                f"vectors of width {self._vector_width}, expected 'projection' of twice that; export both together."
            )
        if self.unet.config.cross_attention_dim != states:
            raise ModelError(
                f"Got a UNet that attends to width {self.unet.config.cross_attention_dim} and a text encoder of width "
                f"{states}, expected equal widths; export the parts together."
            )

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        placement: Placement | None = None,
    ) -> StableUnCLIP:
        """The denoiser of a folder that `StableUnCLIPImg2ImgPipeline.save_pretrained` wrote.

        Of a `StableUnCLIPPipeline`, which makes the vector from a text by a prior, the decoder alone is opened: both
        pipelines share it.

        Raises:
            ModelError: a part is missing, pickled, damaged, or does not fit the others.
        """
        for part in ("unet", "image_normalizer"):
            require_weights(folder / part, "diffusion_pytorch_model.safetensors")
        require_weights(folder / "text_encoder", "model.safetensors")
        require_weights(folder / "image_noising_scheduler", "scheduler_config.json")
        require_weights(folder / "scheduler", "scheduler_config.json")
        require_weights(folder / "tokenizer", "tokenizer.json", "vocab.json")

        def load() -> StableUnCLIP:
            from diffusers import UNet2DConditionModel
            from diffusers.pipelines.stable_diffusion import StableUnCLIPImageNormalizer
            from transformers import CLIPTextModel, CLIPTokenizer

            def weights(kind: Any, part: str, **options: Any) -> Any:
                module = kind.from_pretrained(folder / part, use_safetensors=True, local_files_only=True, **options)
                return module.eval().requires_grad_(False).to(device)

            # Read at once: the sparing way needs `accelerate`, and diffusers says so at length where it is missing.
            at_once = {"dtype": dtype, "low_cpu_mem_usage": False}

            unet = weights(UNet2DConditionModel, "unet", **at_once)
            read_prompts_once(unet)
            place_network(unet, placement or Placement())
            return cls(
                unet=unet,
                text_encoder=weights(CLIPTextModel, "text_encoder", dtype=dtype),
                tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True),
                normalizer=weights(StableUnCLIPImageNormalizer, "image_normalizer", **at_once),
                noising=read_scheduler(folder / "image_noising_scheduler"),
                own_scheduler=read_scheduler(folder / "scheduler"),
            )

        return opened("a StableUnCLIP", folder, load)

    @property
    def usual(self) -> tuple[int, float]:
        return 20, 5.0

    @property
    def typical_norm(self) -> float | None:
        """The usual length of the vectors that it was trained on, from the statistics that it scales them by."""
        return trained_norm(self.normalizer.mean, self.normalizer.std)

    @property
    def distilled(self) -> bool:
        return False

    @property
    def vae(self) -> Any:
        return None

    def sized(self, side: int) -> Self:
        check_side(side, _DOWNSAMPLING)
        return replace(self, side=side)

    def chunked(self, chunks: int) -> Self:
        return replace(self, chunks=chunks, _empty={})

    def respaced(self, spacing: str) -> None:
        self.own_scheduler.register_to_config(timestep_spacing=spacing)

    def set_timesteps(self, sampler: Any, steps: int) -> None:
        sampler.set_timesteps(steps, device=self.device)

    @property
    def _vector_width(self) -> int:
        return int(self.normalizer.mean.shape[-1])

    @property
    def joint_dim(self) -> int | None:
        return self._vector_width

    @property
    def latent_shape(self) -> tuple[int, ...]:
        size = self.unet.config.sample_size if self.side is None else self.side // _DOWNSAMPLING
        return (int(self.unet.config.in_channels), *((size, size) if isinstance(size, int) else tuple(size)))

    @property
    def prompt_shape(self) -> tuple[int, ...]:
        return (self.chunks * int(self.tokenizer.model_max_length), int(self.text_encoder.config.hidden_size))

    @property
    def prompt_layout(self) -> PromptLayout:
        tokens, width = self.prompt_shape
        reading = Reading(self.tokenizer, int(self.tokenizer.model_max_length), (0, width), chunks=self.chunks)
        return PromptLayout(tokens, width, 0, (reading,))

    @property
    def device(self) -> torch.device:
        return self.unet.device

    @property
    def dtype(self) -> torch.dtype:
        """What the networks compute in."""
        return self.unet.dtype

    def scheduler(self, name: str | None = None) -> Any:
        return scheduler_like(self.own_scheduler, name)

    @torch.inference_mode()
    def encode_prompts(self, prompts: Sequence[str]) -> Tensor:
        if not prompts:
            return torch.empty(0, *self.prompt_shape, device=self.device)
        if self.chunks > 1:
            return torch.cat([self._in_chunks(prompt) for prompt in prompts])
        ids = self.tokenizer(
            list(prompts),
            padding="max_length",
            max_length=self.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).input_ids
        # No attention mask: the pipeline gives none, and the network was trained so.
        return self.text_encoder(ids.to(self.device))[0].float()

    def truncated(self, prompts: Sequence[str]) -> list[bool]:
        limit = int(self.tokenizer.model_max_length)
        return [excess(self.tokenizer, limit, prompt, self.chunks) > 0 for prompt in prompts]

    def _in_chunks(self, prompt: str) -> Tensor:
        read = read_chunks(self.text_encoder, self.tokenizer, prompt, chunks=self.chunks, device=self.device)
        return torch.cat([answer[0] for answer in read], dim=1).float()

    def tokens(self, prompt: str) -> list[str]:
        return token_names((self.tokenizer, self.tokenizer.model_max_length), prompt)

    @torch.inference_mode()
    def conditioning(
        self,
        generators: Sequence[torch.Generator],
        *,
        prompts: Tensor | None = None,
        joint: Tensor | None = None,
        negative: str = "",
    ) -> Conditioning:
        n = len(generators)
        states = self._fixed("").expand(n, -1, -1) if prompts is None else prompts.to(self.device, self.dtype)
        vectors = torch.zeros(n, self._vector_width) if joint is None else joint
        if tuple(vectors.shape) != (n, self._vector_width):
            raise ModelError(
                f"Got joint vectors of shape {tuple(vectors.shape)}, expected {(n, self._vector_width)}; "
                "encode them with this model's CLIP."
            )
        labels = self._noised(vectors.to(self.device, self.dtype), generators)
        return Conditioning(
            positive={"states": states, "labels": labels},
            negative={"states": self._fixed(negative).expand(n, -1, -1), "labels": torch.zeros_like(labels)},
        )

    @torch.inference_mode()
    def predict(self, x: Tensor, t: Tensor, inputs: Inputs) -> Tensor:
        return self.unet(
            x.to(self.dtype),
            t,
            encoder_hidden_states=inputs["states"],
            class_labels=inputs["labels"],
            return_dict=False,
        )[0]

    def _fixed(self, prompt: str) -> Tensor:
        # Encoded alone and kept, so that the same bits come back whatever the batch.
        if prompt not in self._empty:
            self._empty[prompt] = self.encode_prompts([prompt]).to(self.dtype)
        return self._empty[prompt]

    def _noised(self, vectors: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        from diffusers.models.embeddings import get_timestep_embedding

        n, width = vectors.shape
        noise = [torch.randn((1, width), generator=generator, dtype=self.dtype) for generator in generators]
        levels = torch.full((n,), _NOISE_LEVEL, device=self.device)
        scaled = self.normalizer.scale(vectors)
        noised = self.noising.add_noise(scaled, timesteps=levels, noise=torch.cat(noise).to(self.device))
        sinusoid = get_timestep_embedding(levels, width, flip_sin_to_cos=True, downscale_freq_shift=0)
        return torch.cat([self.normalizer.unscale(noised), sinusoid.to(vectors.dtype)], dim=1)
