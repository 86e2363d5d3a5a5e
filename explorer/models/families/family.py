"""What the adapters of text-to-image families share: an unmodified pipeline of diffusers, opened safely.

The pipeline does what is its own: it encodes prompts, it says its sizes, it keeps its scheduler. The loop is ours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from ...errors import ModelError
from ..chunks import excess
from ..find.folder import opened, read_json, refuse_pickles, require_weights
from ..generator import Conditioning, Inputs
from ..placement import Placement, has_accelerate, place
from ..prompt_layout import PromptLayout
from ..schedulers import scheduler_like
from .our_loop import OurLoop


@dataclass(frozen=True, eq=False)
class TextToImage(OurLoop, ABC):
    """A pipeline as a `Denoiser`; a family says how it encodes a prompt and what its network is given.

    Attributes:
        pipeline: of diffusers, unmodified.
        device: where it computes, wherever its weights wait.
        side: of its pictures in pixels; its own where None.
        chunks: how many times as much of a prompt it reads as its text encoders read at once.
    """

    pipeline: Any
    device: torch.device
    side: int | None = None
    chunks: int = 1
    _fixed: dict[str, Tensor] = field(default_factory=dict, repr=False)

    name: ClassVar[str]
    """Of the pipeline's class."""
    network_part: ClassVar[str] = "unet"
    usual: ClassVar[tuple[int, float]] = (25, 5.0)
    leave_out: ClassVar[tuple[str, ...]] = ("safety_checker", "feature_extractor", "image_encoder")
    """Parts that decoding points does not need, where the pipeline can do without."""
    reads_chunks: ClassVar[bool] = False
    """Whether its network takes prompts of several chunks."""

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        placement: Placement | None = None,
    ) -> Self:
        """The denoiser of a folder that the pipeline's `save_pretrained` wrote.

        Raises:
            ModelError: a part is missing, pickled, damaged, or does not fit the others.
        """
        require_weights(
            folder / cls.network_part,
            "diffusion_pytorch_model.safetensors",
            "diffusion_pytorch_model.safetensors.index.json",
        )

        require_parts(folder, cls.leave_out)
        for part in folder.iterdir():
            if part.is_dir():
                refuse_pickles(part)

        def load() -> Any:
            import diffusers

            kind = getattr(diffusers, cls.name)
            pipeline = kind.from_pretrained(
                folder,
                dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
                low_cpu_mem_usage=has_accelerate(),  # half the memory while opening, where it can be had
                **dict.fromkeys(_without(folder, kind, cls.leave_out)),
            )
            for part in pipeline.components.values():
                if isinstance(part, torch.nn.Module):
                    part.eval().requires_grad_(False)
                    if getattr(part, "dtype", dtype) != dtype:  # some classes are read as float32 whatever is asked
                        part.to(dtype)
            place(pipeline, cls.network_part, device=device, placement=placement or Placement())
            return cls(pipeline, device)

        return opened(f"a {cls.name}", folder, load)

    @property
    def vae(self) -> Any:
        """The pipeline's autoencoder, which a model shares."""
        return self.pipeline.vae

    @property
    def network(self) -> Any:
        """The UNet or the transformer."""
        return getattr(self.pipeline, self.network_part)

    @property
    def unet(self) -> Any:
        return self.network if self.network_part == "unet" else None

    @property
    def joint_dim(self) -> int | None:
        return None

    @property
    def distilled(self) -> bool:
        """Whether guidance is an input of the network, which is then asked once a step."""
        return False

    @property
    def latent_shape(self) -> tuple[int, ...]:
        config = self.network.config
        size = config.sample_size if self.side is None else self.side // self.pipeline.vae_scale_factor
        return (int(config.in_channels), *((size, size) if isinstance(size, int) else tuple(size)))

    def sized(self, side: int) -> Self:
        check_side(side, self.pipeline.vae_scale_factor * self.patch)
        return replace(self, side=side)

    def chunked(self, chunks: int) -> Self:
        if not self.reads_chunks:
            raise ModelError(
                f"Got {chunks} chunks of a prompt for a {self.name}, which reads one, expected a UNet guided by CLIP "
                "(Stable Diffusion, SDXL, StableUnCLIP); shorten the prompt."
            )
        return replace(self, chunks=chunks, _fixed={})

    @property
    def prompt_layout(self) -> PromptLayout:
        raise ModelError(
            f"Got a {self.name}, whose prompts have parts of its own, expected a family with an adapter for states and "
            "words; mix whole prompts, or choose another model."
        )

    def respaced(self, spacing: str) -> None:
        self.pipeline.scheduler.register_to_config(timestep_spacing=spacing)

    @property
    def patch(self) -> int:
        """Side, in latents, of what the network sees as one place."""
        return 1

    @property
    def dtype(self) -> torch.dtype:
        """What the network computes in."""
        return self.network.dtype

    @property
    def prompt_shape(self) -> tuple[int, ...]:
        return tuple(self._prompt("").shape[1:])

    def scheduler(self, name: str | None = None) -> Any:
        return scheduler_like(self.pipeline.scheduler, name)

    def set_timesteps(self, sampler: Any, steps: int) -> None:
        sampler.set_timesteps(steps, device=self.device)

    @torch.inference_mode()
    def encode_prompts(self, prompts: Sequence[str]) -> Tensor:
        rows = [torch.empty(0, *self.prompt_shape, device=self.device), *(self._encoded([each]) for each in prompts)]
        return torch.cat(rows)

    def truncated(self, prompts: Sequence[str]) -> list[bool]:
        """By the text encoder that reads furthest: what one leaves out another may still read."""
        readers = self._readers()
        return [
            all(excess(tokenizer, limit, prompt, self.chunks) > 0 for tokenizer, limit in readers) for prompt in prompts
        ]

    def tokens(self, prompt: str) -> list[str]:
        return token_names(self._readers()[0], prompt)

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
            raise ModelError(
                f"Got joint vectors for a {self.name}, which is guided by prompts alone; decode them with a model that "
                "has a joint space, or show the nearest items."
            )
        n = len(generators)
        given = self._prompt("").expand(n, *self.prompt_shape) if prompts is None else prompts.to(self.device)
        return Conditioning(
            positive=self._inputs(given.to(self.dtype)),
            negative=self._inputs(self._negative(negative).to(self.dtype).expand(n, *self.prompt_shape)),
        )

    def _prompt(self, prompt: str) -> Tensor:
        # Encoded alone and kept, so that the same bits come back whatever the batch.
        if prompt not in self._fixed:
            self._fixed[prompt] = self._encoded([prompt])
        return self._fixed[prompt]

    def _negative(self, prompt: str) -> Tensor:
        return self._prompt(prompt)

    def _readers(self) -> list[tuple[Any, int]]:
        """Tokenizers and how many tokens of each are read."""
        tokenizers = (getattr(self.pipeline, name, None) for name in ("tokenizer", "tokenizer_2"))
        return [(each, int(each.model_max_length)) for each in tokenizers if each is not None]

    @abstractmethod
    def _encoded(self, prompts: list[str]) -> Tensor:
        """`(n, *prompt_shape)` float32 of some prompts."""

    @abstractmethod
    def _inputs(self, prompts: Tensor) -> Inputs:
        """What the network is given of encoded prompts, a row each."""

    @abstractmethod
    def predict(self, x: Tensor, t: Tensor, inputs: Inputs) -> Tensor:
        """The network's prediction."""


def _without(folder: Path, kind: Any, leave_out: Sequence[str]) -> set[str]:
    """Parts that a pipeline is opened without: what is not needed, and what it was saved without, such as SD3's T5."""
    named = read_json(folder / "model_index.json").items()
    saved = {part for part, origin in named if isinstance(origin, list) and origin[:1] == [None]}
    return saved | {part for part in leave_out if part in kind._optional_components}


def require_parts(folder: Path, leave_out: Sequence[str] = ()) -> None:
    """Raises ModelError where a pipeline's folder lacks a part that its index names.

    A library may make one from nothing: of a tokenizer that is missing, an empty one.
    """
    for part, origin in read_json(folder / "model_index.json").items():
        named = isinstance(origin, list) and origin[0] is not None and part not in leave_out
        if named and not any((folder / part).glob("*")):
            raise ModelError(
                f"Got a model without {part}/ in {folder}, expected all that model_index.json names; restore it."
            )


def check_side(side: Any, multiple: int) -> None:
    """Raises ModelError where a network cannot make pictures of a side."""
    if isinstance(side, bool) or not isinstance(side, int) or side < multiple or side % multiple:
        raise ModelError(
            f"Got size {side!r}, expected a side in pixels that is a multiple of {multiple}; choose one, such as "
            f"{max(1, round(side / multiple)) * multiple if isinstance(side, int) else 8 * multiple}."
        )


def token_names(reader: tuple[Any, int], prompt: str) -> list[str]:
    """The tokens of a prompt as a tokenizer names them, filled up to as many as are read."""
    tokenizer, limit = reader
    ids = tokenizer(prompt, padding="max_length", max_length=limit, truncation=True).input_ids
    return [str(name) for name in tokenizer.convert_ids_to_tokens(ids)]


def packed(*tensors: Tensor) -> Tensor:
    """`(n, ...)` tensors as one row each: `(n, d)`."""
    return torch.cat([tensor.float().flatten(1) for tensor in tensors], dim=1)


def states_and_pooled(rows: Tensor, *, width: int, pooled: int) -> dict[str, Tensor]:
    """What `packed` packed of states `(n, tokens, width)` and pooled vectors `(n, pooled)`."""
    states, vectors = rows.split([rows.shape[1] - pooled, pooled], dim=1)
    return {"states": states.unflatten(1, (-1, width)), "pooled": vectors}
