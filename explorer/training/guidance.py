"""What guides the denoiser in training: texts, joint vectors, both or neither, as `StableUnCLIPImg2ImgPipeline` does.

A text guides by its tokens through cross-attention; a joint vector by the class embedding, noised to a level that is
given beside it (Ramesh et al., 2022, section 2.1). Not all vectors are those of the picture. Some are a caption's,
brought among the pictures by a linear map, so that the denoiser knows them when somebody decodes the vector of a
sentence. And some are sums: another picture's vector, less a word of that picture and more the word that changes it
into this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from thoughtspace.datasets import captions, world

from ..models.text_map import TextMap
from .clip import encode_text
from .examples import SAID, WORDS, say
from .fit import normal
from .pool import Pool
from .words import encode

TEXT, VECTOR, BOTH = 0.4, 0.4, 0.12
"""Shares of a batch guided by one, the other and both; what remains is guided by nothing, as guidance needs."""
SPOKEN = 0.3
"""Share of guiding vectors that are the caption's, through the linear map, instead of the picture's."""
SUMMED = 0.8
"""Share of the other vectors of scenes with a change that are sums."""
NOISED = 0.4
"""Share of vectors that are noised: what people sum is among no pictures, and this makes room for it."""
HIGHEST_LEVEL = 400
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
    """Draws what guides each picture of a batch, on the device of the joint space's encoder.

    Attributes:
        nothing: text states `(1, context, width)` of the empty text.
    """

    def __init__(self, joint: Joint) -> None:
        from diffusers import DDPMScheduler

        device = joint.clip.positional_embedding.device
        self._joint, self._device = joint, device
        self._schedule = DDPMScheduler(**SCHEDULE)
        self._mean, self._std, self._centre = (each.to(device) for each in (joint.mean, joint.std, joint.mean_image))
        self._text_map = joint.text_map.to(device)
        self.nothing = text_features(joint.clip, joint.tokenizer, [""], context=joint.context)[0]
        words = [captions.word(*word) for word in WORDS]
        pooled = text_features(joint.clip, joint.tokenizer, words, context=joint.context)[1]
        self._words = self._point(self._text_map(F.normalize(pooled, dim=-1)).float())

    def draw(self, pool: Pool, rows: NDArray[np.int64], generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Text states `(n, context, width)` and class labels `(n, 2d)` for rows of a pool."""
        return self.draw_marked(pool, rows, generator)[:2]

    def draw_marked(
        self, pool: Pool, rows: NDArray[np.int64], generator: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `draw`, and which rows a text or a vector guides: `(n,)` bool."""
        n = len(rows)
        mode = generator.choice(4, size=n, p=[TEXT, VECTOR, BOTH, 1 - TEXT - VECTOR - BOTH])
        by_text, by_vector = (mode == 0) | (mode == 2), (mode == 1) | (mode == 2)
        alone = by_vector & ~by_text
        spoken = alone & (generator.random(n) < SPOKEN)
        summed = torch.from_numpy(alone & ~spoken & (generator.random(n) < SUMMED)).to(self._device)
        states = self.nothing.repeat(n, 1, 1)
        vectors = self._summed(pool, rows, summed)
        heard = np.flatnonzero(by_text | spoken)
        if len(heard):
            said = pool.rows("tokens", rows[heard])
            which = torch.from_numpy(generator.integers(SAID, size=len(heard)))
            hidden, pooled = states_of(self._joint.clip, said[torch.arange(len(heard)), which])
            texts, speaks = (self._places(each[heard]) for each in (by_text, spoken))
            states[self._places(by_text)] = hidden[texts]
            vectors[self._places(spoken)] = self.as_picture(pooled[speaks])
        return states, self._classes(vectors, by_vector, generator), torch.from_numpy(by_text | by_vector)

    def as_picture(self, texts: Tensor) -> Tensor:
        """The vectors `(n, d)` that a linear gap makes of those of texts, as long as a picture's."""
        return self._joint.norm * self._text_map(F.normalize(texts, dim=-1)).float()

    def _places(self, chosen: NDArray[np.bool_]) -> Tensor:
        return torch.from_numpy(np.flatnonzero(chosen)).to(self._device)

    def _summed(self, pool: Pool, rows: NDArray[np.int64], summed: Tensor) -> Tensor:
        """The vectors of pictures; where `summed` and there is a change, those of `before - its word + this word`.

        As in `JointSpace`: the sum is one of centred unit vectors, and is brought back to the sphere of pictures.
        """
        vectors, change = pool.rows("vectors", rows), pool.rows("change", rows)
        words = self._words[change]  # without a change any word serves: it is not used
        point = self._point(F.normalize(pool.rows("before", rows), dim=-1)) - words[:, 0] + words[:, 1]
        direction = F.normalize(point, dim=-1)
        across = (direction * self._centre).sum(-1)  # no matrix product, which would be one of half precision
        along = (across.square() + 1 - self._centre.square().sum()).sqrt() - across
        made = self._joint.norm * (along[:, None] * direction + self._centre)
        return torch.where((summed & (change[:, 0] >= 0))[:, None], made, vectors)

    def _point(self, unit: Tensor) -> Tensor:
        return F.normalize(unit - self._centre, dim=-1)

    def _classes(self, vectors: Tensor, by_vector: NDArray[np.bool_], generator: np.random.Generator) -> Tensor:
        """The vector, noised, beside its level. Where none guides: zeros noised at level 0, or all zeros.

        The pipeline gives the first for a zero vector and the second as the negative of guidance; both must mean
        nothing.
        """
        from diffusers.models.embeddings import get_timestep_embedding

        n, d = vectors.shape
        drawn = np.where(generator.random(n) < NOISED, generator.integers(HIGHEST_LEVEL, size=n), 0)
        level, guided, blank = (
            torch.from_numpy(each).to(self._device)
            for each in (np.where(by_vector, drawn, 0), by_vector, ~by_vector & (generator.random(n) < 0.5))
        )
        clean = torch.where(guided[:, None], vectors, 0.0)
        noise = normal(generator, (n, d), self._device)
        noised = self._schedule.add_noise((clean - self._mean) / self._std, noise, level) * self._std + self._mean
        levels = get_timestep_embedding(level, d, flip_sin_to_cos=True, downscale_freq_shift=0)
        return torch.cat([noised, levels], dim=1).masked_fill(blank[:, None], 0.0)


def text_features(clip: Any, tokenizer: Any, texts: list[str], *, context: int) -> tuple[Tensor, Tensor]:
    """What `CLIPTextModel` gives as `last_hidden_state`, `(n, context, width)`, and the joint vectors `(n, d)`."""
    tokens = encode(tokenizer, texts, context=context)
    tokens = F.pad(tokens, (0, context - tokens.shape[1])).to(clip.positional_embedding.device)
    return states_of(clip, tokens)


@torch.inference_mode()
def states_of(clip: Any, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """The same of `(n, context)` tokens."""
    states, pooled = encode_text(clip, tokens)
    return states.float().clone(), pooled.float().clone()
