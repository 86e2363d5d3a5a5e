"""The text tower of a finished CLIP learns on by itself: more words, more layers, while the vectors of pictures stay.

Stored vectors of pictures keep their meaning, and no picture goes through a tower: they were all encoded once (Zhai et
al., 2022, "LiT"). The tower begins as the older one. A token that the older vocabulary spells in pieces begins as the
mean of their vectors, and a further layer as one that adds nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from thoughtspace.datasets import captions, plain, world

from . import clip

PLAIN = 0.6
"""Share of captions in plain words."""
BATCH = 256


def begin_from(model: Any, tokenizer: Any, older: Any, older_tokenizer: Any) -> None:
    """Fill an untrained CLIP with what an older one knows; only its text tower learns, and may be larger.

    Args:
        model: its image tower and widths are those of `older`, but for patches that may be larger; its text tower has
            as many layers or more.
    """
    with torch.no_grad():
        seen = older.visual.state_dict()
        times = model.visual.conv1.kernel_size[0] // older.visual.conv1.kernel_size[0]
        model.visual.load_state_dict(seen | {"conv1.weight": _enlarged(seen["conv1.weight"], times)})
        for name in ("positional_embedding", "text_projection", "logit_scale"):
            getattr(model, name).copy_(getattr(older, name))
        model.ln_final.load_state_dict(older.ln_final.state_dict())
        blocks, known = model.transformer.resblocks, older.transformer.resblocks
        for block, like in zip(blocks, known, strict=False):
            block.load_state_dict(like.state_dict())
        for block in blocks[len(known) :]:
            for last in (block.attn.out_proj, block.mlp.c_proj):
                last.weight.zero_()
                last.bias.zero_()
        model.token_embedding.weight.copy_(_embeddings(tokenizer, older.token_embedding.weight, older_tokenizer))


def _enlarged(kernel: Tensor, times: int) -> Tensor:
    """The kernel that sees in a picture `times` as large what `kernel` sees in the same picture averaged down."""
    return kernel.repeat_interleave(times, 2).repeat_interleave(times, 3) / times**2


def _embeddings(tokenizer: Any, older: Tensor, older_tokenizer: Any) -> Tensor:
    """`(tokens, width)` for the new vocabulary."""
    known = older_tokenizer.get_vocab()
    rows = []
    for token in sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__):
        ids = [known[token]] if token in known else older_tokenizer(token.removesuffix("</w>")).input_ids[1:-1]
        rows.append(older[ids].mean(0))
    return torch.stack(rows)


@torch.no_grad()
def encoded(look: clip.Look, n: int) -> Tensor:
    """The vectors `(n, d)` of all of `n` pictures."""
    return torch.cat([look(rows) for rows in np.array_split(np.arange(n), -(-n // BATCH))])


def remembered(look: clip.Look, n: int) -> clip.Look:
    """Look at all of `n` pictures once, and give their vectors from memory."""
    vectors = encoded(look, n)
    return lambda rows: vectors[torch.from_numpy(rows).to(vectors.device)]


def say(scene: world.Scene, generator: np.random.Generator) -> captions.Caption:
    """A caption to learn from, in plain words or of the grammar."""
    return (plain.plain_caption if generator.random() < PLAIN else captions.caption)(scene, generator)
