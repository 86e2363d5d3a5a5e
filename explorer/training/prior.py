"""The prior: from a text to vectors of pictures that it could be of, by denoising vectors (Ramesh et al., 2022, 2.2).

It is diffusers' `PriorTransformer` on the text tower's own states, and learns to predict the clean vector. The text's
tokens attend to nothing behind them, so in training one pass over a text serves several noised vectors: each of them is
a block of four tokens behind the text that sees the text and itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import text_tower
from .fit import Loss, Step
from .guidance import SCHEDULE, text_features
from .pictures import Pictures
from .recipe import Recipe
from .words import encode

DRAWS = 8
"""Noised vectors for each text of a batch."""
UNHEARD = 0.1
"""Share of texts that are left empty, as guidance needs."""
OUT = -10_000.0
"""What is added to the scores of keys that a token must not see, as `PriorTransformer` does."""


def build(recipe: Recipe, *, mean: Tensor, std: Tensor) -> Any:
    """An untrained `PriorTransformer` as wide as the text tower, whose states it takes as they are.

    Args:
        mean, std: `(d,)` of the un-normalised vectors of pictures.
    """
    from diffusers import PriorTransformer

    prior = PriorTransformer(
        num_attention_heads=recipe.width // recipe.head_width,
        attention_head_dim=recipe.head_width,
        num_layers=recipe.prior_layers,
        embedding_dim=recipe.embedding,
        num_embeddings=recipe.context,
        additional_embeddings=4,
        encoder_hid_proj_type=None,
    )
    prior.clip_mean.data[0], prior.clip_std.data[0] = mean, std
    prior.clip_mean.requires_grad_(False)
    prior.clip_std.requires_grad_(False)
    nn.init.normal_(prior.positional_embedding, std=0.02)
    nn.init.normal_(prior.prd_embedding, std=0.02)
    return prior


def loss(prior: Any, clip: Any, tokenizer: Any, pictures: Pictures, vectors: Tensor, *, batch: int) -> Loss:
    """Mean square error of the predicted clean vectors, in units of the vectors' own spread.

    Args:
        vectors: `(n, d)` un-normalised vectors of the pictures, on the prior's device.
        batch: texts; each comes with `DRAWS` noised vectors.
    """
    from diffusers import DDPMScheduler

    schedule, context = DDPMScheduler(**SCHEDULE), prior.config.num_embeddings
    standard = (vectors - prior.clip_mean) / prior.clip_std

    def draw(step: Step) -> tuple[Tensor, dict[str, float]]:
        generator = step.generator
        rows = generator.integers(len(pictures.scenes), size=batch)
        said = [text_tower.say(pictures.scenes[row], generator).text for row in rows]
        said = ["" if generator.random() < UNHEARD else text for text in said]
        # Copies, since tensors of inference mode cannot be kept for gradients.
        states, pooled = (each.clone() for each in text_features(clip, tokenizer, said, context=context))
        tokens = encode(tokenizer, said, context=context)
        mask = (torch.arange(tokens.shape[1]) <= tokens.argmax(1, keepdim=True)).to(states.device)
        clean = standard[torch.from_numpy(rows).to(standard.device)]
        shape = (batch, DRAWS, clean.shape[1])
        noise = torch.from_numpy(generator.standard_normal(shape, dtype=np.float32)).to(clean)
        t = torch.from_numpy(generator.integers(schedule.config.num_train_timesteps, size=shape[:2]))
        repeated = clean[:, None].expand(shape).flatten(0, 1)
        noised = schedule.add_noise(repeated, noise.flatten(0, 1), t.flatten().to(clean.device)).view(shape)
        answer = predict(prior, noised, t.to(clean.device), states=states, pooled=pooled, mask=mask)
        error = F.mse_loss(answer.float(), clean[:, None].expand(shape))
        return error, {"error": float(error.detach())}

    return draw


def predict(prior: Any, x_t: Tensor, t: Tensor, *, states: Tensor, pooled: Tensor, mask: Tensor) -> Tensor:
    """The predictions `(n, m, d)` for `m` noised vectors of each of `n` texts, as `m` calls of `prior` give them.

    Args:
        x_t: `(n, m, d)`.
        t: `(n, m)` timesteps.
        states: `(n, context, width)` of the text tower.
        pooled: `(n, d)` vectors of the texts.
        mask: `(n, length)`: which tokens belong to the text; those from `length` on do not.
    """
    (n, m, _), length = x_t.shape, mask.shape[1]
    time = prior.time_embedding(prior.time_proj(t.flatten()).to(x_t.dtype)).view(n, m, -1)
    parts = (prior.embedding_proj(pooled)[:, None].expand_as(time), time, prior.proj_in(x_t))
    blocks = torch.stack([*parts, prior.prd_embedding.expand_as(time)], dim=2)
    places = prior.positional_embedding
    tokens = torch.cat([states[:, :length] + places[:, :length], (blocks + places[:, None, -4:]).flatten(1, 2)], dim=1)
    seen = _seen(length, m).to(tokens.device)
    hidden = F.pad(mask, (0, 4 * m), value=True)[:, None] & seen
    scores = torch.where(hidden, 0.0, OUT).repeat_interleave(prior.config.num_attention_heads, dim=0)
    for block in prior.transformer_blocks:
        tokens = block(tokens, attention_mask=scores)
    return prior.proj_to_clip_embeddings(prior.norm_out(tokens)[:, length:].unflatten(1, (m, 4))[:, :, -1])


def _seen(length: int, m: int) -> Tensor:
    """Which token sees which: `(length + 4m, length + 4m)`. Nobody looks ahead, and no block sees another."""
    seen = torch.ones(length + 4 * m, length + 4 * m, dtype=torch.bool).tril()
    own = torch.block_diag(*[torch.ones(4, 4)] * m).bool()
    seen[length:, length:] &= own
    return seen
