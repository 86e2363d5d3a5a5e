"""The convolutional start: what its heads look at before they have learned anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from thoughtspace.explorer.training import clip
from thoughtspace.explorer.training.recipe import Recipe
from thoughtspace.explorer.training.start import TAPS, _frequencies, _shift, look_at_neighbours, positions

GRID = 8
RECIPE = replace(Recipe(), size=64, patch=8, image_layers=2, text_layers=1)


def tower(recipe: Recipe = RECIPE) -> torch.nn.Module:
    torch.manual_seed(0)
    return clip.build(recipe, vocabulary=600).visual.eval()


@torch.inference_mode()
def attention(visual: torch.nn.Module, x: Tensor) -> Tensor:
    """`(heads, tokens, tokens)` of the first layer, for one picture."""
    caught = []
    block = visual.transformer.resblocks[0]
    block.attn.register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
    visual(x)
    tokens = caught[0]
    return block.attn(tokens, tokens, tokens, average_attn_weights=False)[1][0]


def neighbour(place: int, tap: tuple[int, int]) -> int:
    return place + tap[0] + GRID * tap[1]


def share_where_heads_look(visual: torch.nn.Module) -> Tensor:
    """Of the attention of patches inside the picture, the share that each head gives to its best neighbour."""
    weights = attention(visual, torch.rand(1, 3, 64, 64) * 2 - 1)[:, 1:, 1:]
    inside = [row * GRID + column for row in range(1, GRID - 1) for column in range(1, GRID - 1)]
    shares = [weights[:, inside, [neighbour(place, tap) for place in inside]].mean(1) for tap in TAPS]
    return torch.stack(shares).max(0).values


def test_each_head_looks_at_one_neighbour() -> None:
    assert (share_where_heads_look(tower()) > 0.5).all()


def test_an_ordinary_start_looks_everywhere() -> None:
    """Negative control: the measure tells the two starts apart."""
    from open_clip.model import CLIP

    torch.manual_seed(0)
    sizes = clip.config(RECIPE, 600)
    text = {name: value for name, value in sizes["text_cfg"].items() if name != "hf_tokenizer_name"}
    ordinary = CLIP(sizes["embed_dim"], sizes["vision_cfg"], text).visual.eval()
    assert (share_where_heads_look(ordinary) < 0.1).all()


@pytest.mark.parametrize("tap", TAPS)
def test_the_shift_moves_every_place_by_its_tap(tap: tuple[int, int]) -> None:
    places = positions(GRID, GRID)
    moved = places @ _shift(*tap, _frequencies(GRID, GRID)).T
    for place in (9, 27, 36, 54):
        torch.testing.assert_close(moved[place], places[neighbour(place, tap)], rtol=0, atol=1e-5)


def test_narrow_heads_look_near_their_neighbour() -> None:
    narrow = tower(replace(RECIPE, head_width=16))
    assert (share_where_heads_look(narrow) > 0.25).all()


def test_the_heads_of_a_layer_look_at_different_neighbours() -> None:
    visual = tower()
    look_at_neighbours(visual, np.random.default_rng(1))
    weights = attention(visual, torch.zeros(1, 3, 64, 64))[:, 1:, 1:]
    centre = 27
    looked_at = {int(head[centre].argmax()) for head in weights}
    assert len(looked_at) == len(weights)
