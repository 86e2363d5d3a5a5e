"""A prior: vectors of pictures that a text could be of, drawn by denoising vectors (Ramesh et al., 2022, section 2.2).

One text stands for many pictures. The prior of a `StableUnCLIPPipeline` draws one of their vectors from noise: a small
transformer that sees the text's tokens predicts the clean vector, and a scheduler of its own goes there step by step.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from ..checks import number
from ..errors import ModelError
from .find.folder import opened, read_if_there, read_index, require_weights
from .placement import Target
from .scheduler_facts import network_input, noise_scale
from .schedulers import open_scheduler, scheduler_like

PARTS = ("prior", "prior_text_encoder", "prior_tokenizer", "prior_scheduler")
STEPS, GUIDANCE = 16, 1.5


@dataclass(frozen=True, eq=False)
class Prior:
    """The prior of a pipeline.

    Attributes:
        network: a `PriorTransformer` of diffusers.
        text_encoder: a `CLIPTextModelWithProjection` of transformers.
        tokenizer: its tokenizer.
        scheduler: whose configuration each draw begins with.
        variety: how far from its own point a sentence is drawn unless asked otherwise, `variety` in the folder's
            `thoughtspace.json`; None if sentences are their own points.
    """

    network: Any
    text_encoder: Any
    tokenizer: Any
    scheduler: Any
    variety: float | None = None

    @classmethod
    def beside(cls, folder: Path | None, target: Target) -> Self | None:
        """The prior in the folder of a pipeline, or None where its index names none.

        Raises:
            ModelError: parts that are missing or damaged.
        """
        if folder is None or not {*PARTS} <= read_index(folder).keys():
            return None
        from diffusers import PriorTransformer
        from transformers import CLIPTextModelWithProjection, CLIPTokenizer

        for part in PARTS[:2]:
            require_weights(folder / part, "config.json")
        options = {"torch_dtype": target.dtype, "use_safetensors": True}
        network, encoder, tokenizer = opened(
            "a prior",
            folder,
            lambda: (
                PriorTransformer.from_pretrained(folder / "prior", **options),
                CLIPTextModelWithProjection.from_pretrained(
                    folder / "prior_text_encoder", dtype=target.dtype, use_safetensors=True
                ),
                CLIPTokenizer.from_pretrained(folder / "prior_tokenizer"),
            ),
        )
        network, encoder = (each.to(target.device).eval().requires_grad_(False) for each in (network, encoder))
        file = folder / "thoughtspace.json"
        usual = read_if_there(file).get("variety")
        if usual is not None:
            usual = number("variety", usual, 0, 1, error=ModelError, hint=f"correct {file}")
        return cls(network, encoder, tokenizer, open_scheduler(folder / "prior_scheduler"), usual)

    @property
    def dim(self) -> int:
        """Width `d` of the vectors."""
        return int(self.network.config.embedding_dim)

    @torch.inference_mode()
    def draw(
        self, texts: Sequence[str], seeds: Sequence[int], *, steps: int = STEPS, guidance: float = GUIDANCE
    ) -> Tensor:
        """Un-normalised vectors `(n, d)` float32, one for each text and seed.

        Each is drawn by itself, so that it is the same to the last bit among any others.

        Args:
            guidance: scale of classifier-free guidance: more is truer to the text and less varied.

        Raises:
            ModelError: unequal numbers of texts and seeds.
        """
        if len(texts) != len(seeds):
            raise ModelError(f"Got {len(texts)} texts and {len(seeds)} seeds, expected equal numbers.", code="seeds")
        nothing, known = self._encoded(""), {text: self._encoded(text) for text in dict.fromkeys(texts)}
        pairs = zip(texts, seeds, strict=True)
        rows = [self._drawn(known[text], nothing, seed, steps, guidance) for text, seed in pairs]
        return torch.cat(rows).float() if rows else torch.empty(0, self.dim, device=self.network.device)

    def _encoded(self, text: str) -> tuple[Tensor, Tensor, Tensor]:
        """The vector `(1, d)`, the states `(1, context, width)` and the mask `(1, context)` of a text."""
        length = self.network.config.num_embeddings
        tokens = self.tokenizer(text, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
        found = self.text_encoder(tokens.input_ids.to(self.text_encoder.device))
        return found.text_embeds, found.last_hidden_state, tokens.attention_mask.bool().to(found.text_embeds.device)

    def _drawn(self, text: tuple[Tensor, ...], nothing: tuple[Tensor, ...], seed: int, steps: int, g: float) -> Tensor:
        network, sampler = self.network, scheduler_like(self.scheduler)
        sampler.set_timesteps(steps)
        sides = [text] if g == 1 else [nothing, text]
        vector, states, mask = (torch.cat(parts) for parts in zip(*sides, strict=True))
        generator = torch.Generator().manual_seed(int(seed))
        draws = "generator" in inspect.signature(sampler.step).parameters
        options = {"generator": generator} if draws else {}
        x = torch.randn(1, self.dim, generator=generator).to(vector) * noise_scale(sampler)
        for t in sampler.timesteps:
            given = network_input(sampler, torch.cat([x] * len(sides)), t)
            answer = network(given, t, vector, states, mask).predicted_image_embedding
            if len(sides) == 2:
                without, towards = answer.chunk(2)
                answer = without + g * (towards - without)
            x = sampler.step(answer, t, x, return_dict=False, **options)[0]
        return network.post_process_latents(x)
