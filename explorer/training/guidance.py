"""What guides the denoiser in training: texts, joint vectors, both or neither, as `StableUnCLIPImg2ImgPipeline` does.

A text guides by its tokens through cross-attention; a joint vector by the class embedding, noised to a level that is
given beside it (Ramesh et al., 2022, section 2.1). Some of the vectors are those of captions, brought among the
vectors of pictures by a linear map, so that the denoiser knows them when somebody decodes the vector of a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from thoughtspace.datasets import captions, plain, world

from ..models.text_map import TextMap
from .clip import encode_text
from .words import encode

TEXT, VECTOR, BOTH = 0.4, 0.4, 0.12
"""Shares of a batch guided by one, the other and both; what remains is guided by nothing, as guidance needs."""
SPOKEN = 0.3
"""Share of guiding vectors that are the caption's, through the linear map, instead of the picture's."""
NOISED = 0.4
"""Share of vectors that are noised: arithmetic makes vectors that no picture has, and this makes room for them."""
HIGHEST_LEVEL = 400
PLAIN = 0.25
"""Share of captions in plain words, outside the grammar."""
FULL = 0.8
"""Share of the others that name every factor; what remains leaves some, or most, to chance."""
SCHEDULE = {"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 1000}


@dataclass(frozen=True)
class Joint:
    """What is known of the joint space before the denoiser learns.

    Attributes:
        mean: `(d,)` of the un-normalised vectors of pictures.
        std: `(d,)` of the same.
        norm: their mean length.
        mean_image: `(d,)` of the unit vectors of pictures.
        mean_text: `(d,)` of the unit vectors of captions.
        text_map: from unit vectors of captions to unit vectors of their pictures.
    """

    clip: Any
    tokenizer: Any
    context: int
    mean: Tensor
    std: Tensor
    norm: float
    mean_image: Tensor
    mean_text: Tensor
    text_map: TextMap


def measure(clip: Any, tokenizer: Any, *, context: int, scenes: list[world.Scene], vectors: Tensor, seed: int) -> Joint:
    """Means, lengths and the map from texts to pictures, over scenes and the `(n, d)` vectors of their pictures."""
    generator = np.random.default_rng(seed)
    said = [say(scene, generator) for scene in scenes]
    parts = [said[start : start + 256] for start in range(0, len(said), 256)]
    pooled = torch.cat([text_features(clip, tokenizer, part, context=context)[1].cpu() for part in parts])
    texts, pictures = F.normalize(pooled, dim=-1), F.normalize(vectors, dim=-1)
    return Joint(
        clip,
        tokenizer,
        context,
        mean=vectors.mean(0),
        std=vectors.std(0),
        norm=float(vectors.norm(dim=-1).mean()),
        mean_image=pictures.mean(0),
        mean_text=texts.mean(0),
        text_map=TextMap.fit(texts, pictures),
    )


class Guidance:
    """Draws what guides each picture of a batch.

    Attributes:
        nothing: text states `(1, context, width)` of the empty text.
    """

    def __init__(self, joint: Joint) -> None:
        from diffusers import DDPMScheduler

        self._joint = joint
        self._schedule = DDPMScheduler(**SCHEDULE)
        self.nothing = text_features(joint.clip, joint.tokenizer, [""], context=joint.context)[0]

    def draw(self, scenes: list[world.Scene], vectors: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Text states `(n, context, width)` and class labels `(n, 2d)` for pictures of scenes and their vectors."""
        return self.draw_marked(scenes, vectors, generator)[:2]

    def draw_marked(
        self, scenes: list[world.Scene], vectors: Tensor, generator: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `draw`, and which rows a text or a vector guides: `(n,)` bool."""
        n, joint = len(scenes), self._joint
        mode = generator.choice(4, size=n, p=[TEXT, VECTOR, BOTH, 1 - TEXT - VECTOR - BOTH])
        by_text, by_vector = (mode == 0) | (mode == 2), (mode == 1) | (mode == 2)
        spoken = by_vector & ~by_text & (generator.random(n) < SPOKEN)
        states, vectors = self.nothing.repeat(n, 1, 1), vectors.clone()
        heard = np.flatnonzero(by_text | spoken)
        if len(heard):
            said = [say(scenes[row], generator) for row in heard]
            tokens, pooled = text_features(joint.clip, joint.tokenizer, said, context=joint.context)
            texted = torch.from_numpy(by_text[heard])
            states[heard[by_text[heard]]] = tokens[texted]
            vectors[heard[spoken[heard]]] = self._as_picture(pooled[~texted].cpu())
        return states, self._classes(vectors, by_vector, generator), torch.from_numpy(by_text | by_vector)

    def _as_picture(self, texts: Tensor) -> Tensor:
        return self._joint.norm * self._joint.text_map(F.normalize(texts, dim=-1)).float()

    def _classes(self, vectors: Tensor, guided: NDArray[np.bool_], generator: np.random.Generator) -> Tensor:
        """The vector, noised, beside its level. Where none guides: zeros noised at level 0, or all zeros.

        The pipeline gives the first for a zero vector and the second as the negative of guidance; both must mean
        nothing.
        """
        from diffusers.models.embeddings import get_timestep_embedding

        n, d = vectors.shape
        mean, std = self._joint.mean, self._joint.std
        drawn = np.where(generator.random(n) < NOISED, generator.integers(HIGHEST_LEVEL, size=n), 0)
        level = torch.from_numpy(np.where(guided, drawn, 0))
        clean = torch.where(torch.from_numpy(guided)[:, None], vectors, torch.zeros(()))
        noise = torch.from_numpy(generator.standard_normal((n, d), dtype=np.float32))
        noised = self._schedule.add_noise((clean - mean) / std, noise, level) * std + mean
        levels = get_timestep_embedding(level, d, flip_sin_to_cos=True, downscale_freq_shift=0)
        blank = torch.from_numpy(~guided & (generator.random(n) < 0.5))
        return torch.cat([noised, levels], dim=1).masked_fill(blank[:, None], 0.0)


def say(scene: world.Scene, generator: np.random.Generator) -> str:
    """A caption to learn from: most name everything, for what is left unsaid teaches nothing of how to draw it."""
    if generator.random() < PLAIN:
        return plain.plain_caption(scene, generator).text
    make = captions.full_caption if generator.random() < FULL else captions.caption
    return make(scene, generator).text


@torch.inference_mode()
def text_features(clip: Any, tokenizer: Any, texts: list[str], *, context: int) -> tuple[Tensor, Tensor]:
    """What `CLIPTextModel` gives as `last_hidden_state`, `(n, context, width)`, and the joint vectors `(n, d)`."""
    tokens = encode(tokenizer, texts, context=context)
    tokens = F.pad(tokens, (0, context - tokens.shape[1])).to(clip.positional_embedding.device)
    states, pooled = encode_text(clip, tokens)
    return states.float().clone(), pooled.float().clone()
