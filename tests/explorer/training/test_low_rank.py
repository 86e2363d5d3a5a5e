"""A LoRA of a lower rank is the nearest one, layer by layer, and what has a lower rank already is left alone."""

from __future__ import annotations

import torch

from thoughtspace.explorer.training.low_rank import shortened


def lora(*, out: int, inside: tuple[int, ...], rank: int, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(rank, *inside, generator=generator), torch.randn(out, rank, generator=generator)
    tail = (1, 1) if len(inside) == 3 else ()
    return {"layer.lora_A.weight": a, "layer.lora_B.weight": b.view(out, rank, *tail)}


def product(weights: dict[str, torch.Tensor]) -> torch.Tensor:
    return weights["layer.lora_B.weight"].flatten(1) @ weights["layer.lora_A.weight"].flatten(1)


def test_it_is_the_nearest_of_its_rank():
    """The error is that of the singular values left out, in closed form (Eckart & Young, 1936)."""
    for inside in ((20,), (6, 3, 3)):
        whole = lora(out=14, inside=inside, rank=8)
        short = shortened(whole, 5)
        assert short["layer.lora_A.weight"].shape == (5, *inside)
        assert short["layer.lora_B.weight"].shape[1] == 5
        left = torch.linalg.svdvals(product(whole))[5:]
        torch.testing.assert_close((product(short) - product(whole)).norm(), left.norm())


def test_a_lower_rank_is_left_alone():
    whole = lora(out=7, inside=(9,), rank=4)
    assert all(torch.equal(short, whole[name]) for name, short in shortened(whole, 4).items())
