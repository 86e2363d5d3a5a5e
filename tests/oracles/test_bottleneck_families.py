"""The bottleneck of each family: a UNet's is moved, and a transformer, which has none, says so."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from thoughtspace.explorer.diffusion.bottleneck import reading
from thoughtspace.explorer.errors import ModelError, SpaceError
from thoughtspace.explorer.explorer import Explorer


@pytest.fixture(scope="module")
def explorer(family: Explorer) -> Explorer:
    return family


def test_a_unet_is_moved_and_a_transformer_says_that_it_cannot_be(refused, explorer):
    if explorer.model.denoiser.unet is None:
        assert "bottleneck" not in explorer.spaces
        with refused(ModelError, "no bottleneck", type(explorer.model.denoiser).__name__):
            _ = explorer.bottleneck
        with refused(SpaceError, "no such space", "'bottleneck'", "transformer", *explorer.spaces):
            explorer.decode("a fox", space="bottleneck")
        return
    space, prompt = explorer.bottleneck, explorer.prompt
    options = {"seed": 3, "steps": 2, "guidance": 3.0}
    zero = space.points(torch.zeros(1, *space.shape))
    plain = prompt.decode(prompt.text("a red fox"), scheduler="ddim", **options)
    assert (np.asarray(space.decode(zero, prompt="a red fox", **options)[0]) == np.asarray(plain[0])).all()
    elsewhere = space.points(30 * torch.randn(1, *space.shape, generator=torch.Generator().manual_seed(0)))
    moved = space.decode(elsewhere, prompt="a red fox", **options)
    assert (np.asarray(moved[0]) != np.asarray(plain[0])).any()
    assert len(explorer.model.denoiser.unet.mid_block._forward_hooks) == 0


def test_the_shape_is_that_of_the_network(explorer):
    denoiser = explorer.model.denoiser
    if "bottleneck" not in explorer.spaces:
        assert explorer.model.denoiser.unet is None
        return
    channels = denoiser.unet.config.block_out_channels[-1]
    assert explorer.bottleneck.shape[0] == channels
    latents = explorer.latent.decode(explorer.latent.points(torch.zeros(1, *denoiser.latent_shape)))
    with reading(denoiser.unet) as seen:
        point = explorer.bottleneck.image(latents[0], n_seeds=1, steps=1)
    assert {tuple(h.shape[1:]) for h in seen} <= {explorer.bottleneck.shape}
    assert point.values.shape == (1, *explorer.bottleneck.shape)
