"""A convolutional start for a vision transformer, which otherwise spends most of a short training finding it.

Random attention sees a bag of patches; every form has to wait until the heads have learned where patches lie. Here
the positions are written as waves in dimensions of their own, and each head begins by looking at one neighbour of its
patch, as one tap of a 3 x 3 kernel does (Zheng et al., 2024, "Structured initialization for attention in vision
transformers"). Nothing is fixed: all of it learns on.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

FOCUS = 4.0
"""Logit of one matching coordinate: a patch that lies where its head looks gets most of the attention."""
AMPLITUDE = 1.5
"""Of the waves, where the contents of a patch have unit variance."""
QUIET = 0.1
"""Size of what the heads see of contents at first, beside the usual start."""
TAPS = tuple((dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1))


@torch.no_grad()
def look_at_neighbours(visual: Any, generator: np.random.Generator) -> None:
    """Start the image tower of an open_clip ViT as a stack of convolutions, in place.

    Args:
        visual: a `VisionTransformer` of square pictures. Heads of at least `4 * grid` dimensions look at one patch
            each; narrower ones keep the lower waves and look less sharply.
        generator: chooses which neighbours the heads of a layer look at.
    """
    grid, attention = visual.grid_size[0], visual.transformer.resblocks[0].attn
    waves = min(grid, attention.embed_dim // attention.num_heads // 4)
    taken = 4 * waves
    visual.positional_embedding.zero_()
    visual.positional_embedding[1:, :taken] = AMPLITUDE * positions(grid, waves)
    visual.class_embedding[:taken] = 0
    nn.init.normal_(visual.conv1.weight, std=2 / math.sqrt(visual.conv1.weight[0].numel()))
    visual.conv1.weight[:taken] = 0
    for block in visual.transformer.resblocks:
        _aim(block.attn, grid, waves, [TAPS[tap] for tap in generator.permutation(len(TAPS))])


def positions(grid: int, waves: int) -> Tensor:
    """`(grid², 4 waves)`, row by row: sine and cosine of each frequency, for the column and for the row.

    With all `grid` frequencies π(k+½)/grid, Σ_k cos(ω_k Δ) = sin(πΔ) / 2sin(πΔ/2grid), so that the product of two
    places is `grid` for each coordinate they share and 0 for any other.

    >>> products = positions(4, 4) @ positions(4, 4).T
    >>> [round(float(products[0, place]), 4) + 0 for place in (0, 1, 4, 5)]
    [8.0, 4.0, 4.0, 0.0]
    """
    angles = torch.arange(grid)[:, None] * _frequencies(grid, waves)
    wave = torch.cat([angles.sin(), angles.cos()], dim=1)
    rows, columns = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    return torch.cat([wave[columns.flatten()], wave[rows.flatten()]], dim=1)


def _frequencies(grid: int, waves: int) -> Tensor:
    return math.pi * (torch.arange(waves) + 0.5) / grid


def _aim(attention: Any, grid: int, waves: int, taps: list[tuple[int, int]]) -> None:
    width, heads = attention.embed_dim, attention.num_heads
    taken = 4 * waves
    gain = math.sqrt(FOCUS * math.sqrt(width // heads) / (waves * AMPLITUDE**2))
    query, key, _ = attention.in_proj_weight.chunk(3)
    for matrix in (query, key):
        nn.init.normal_(matrix, std=QUIET / math.sqrt(width))
    for head in range(heads):
        first = head * (width // heads)
        rows = slice(first, first + taken)
        query[rows, :taken] += gain * _shift(*taps[head % len(taps)], _frequencies(grid, waves))
        key[rows, :taken] += gain * torch.eye(taken)


def _shift(dx: int, dy: int, frequencies: Tensor) -> Tensor:
    """The rotation of the waves that moves a place by `(dx, dy)`."""
    turns = []
    for angle in (dx * frequencies, dy * frequencies):
        cos, sin = torch.diag(angle.cos()), torch.diag(angle.sin())
        turns.append(torch.cat([torch.cat([cos, sin], 1), torch.cat([-sin, cos], 1)]))
    return torch.block_diag(*turns)
