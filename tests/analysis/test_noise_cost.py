"""The cost of a step: operations by hand, memory of known tensors, and a network that differs at its two ends alone."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from thoughtspace.analysis.noise.cost import step_costs
from thoughtspace.analysis.noise.counting import counted
from thoughtspace.explorer.errors import AnalysisError, ModelError
from thoughtspace.explorer.explorer import Explorer


def test_operations_are_those_counted_by_hand():
    """2 · in · out · k² · h · w of a convolution, 4 · n² · d of attention."""
    layer, x = nn.Conv2d(3, 8, 3, padding=1), torch.zeros(1, 3, 16, 20)
    flops, memory = counted(lambda: layer(x), layer)
    assert flops == 2 * 3 * 8 * 9 * 16 * 20
    assert memory == 4 * 8 * 16 * 20
    q = torch.zeros(1, 2, 30, 8)
    assert counted(lambda: nn.functional.scaled_dot_product_attention(q, q, q), layer)[0] == 2 * 4 * 30**2 * 8


def test_memory_is_that_of_what_is_alive_at_once():
    def freed() -> None:
        x = torch.zeros(1000)
        for _ in range(10):
            x = x + 1  # the old one goes when the new one is there

    def kept() -> list[torch.Tensor]:
        return [torch.zeros(1000) for _ in range(10)]

    none = nn.Identity()
    assert counted(freed, none)[1] == 2 * 4000
    assert counted(kept, none)[1] == 10 * 4000
    with FakeTensorMode():
        assert counted(kept, none)[1] == 10 * 4000


def test_weights_and_views_of_them_are_not_counted():
    layer, x = nn.Linear(64, 32), torch.zeros(2, 64)
    assert counted(lambda: layer(x), layer)[1] == 4 * 2 * 32


@pytest.fixture(scope="module")
def costs(tiny_explorer):
    return step_costs(tiny_explorer, repeats=1)


def test_both_networks_differ_in_their_first_and_last_layer_alone(costs, tiny_explorer):
    config = tiny_explorer.model.denoiser.unet.config
    channels, width, k = config.in_channels, config.block_out_channels[0], config.conv_in_kernel
    ends = (3 - channels) * (width * k**2 + width * config.conv_out_kernel**2 + 1)
    assert costs.pixels.parameters - costs.latent.parameters == ends
    assert costs.pixels.shape == (3, *[tiny_explorer.model.autoencoder.image_size] * 2)


def test_pixels_cost_at_least_as_many_times_more_as_there_are_more_places(costs, tiny_explorer):
    """Convolutions grow with the places, attention with their square; what depends on the timestep alone stays."""
    more = (costs.pixels.shape[1] / costs.latent.shape[1]) ** 2
    assert more >= 4
    assert costs.pixels.flops > 0.9 * more * costs.latent.flops
    assert costs.pixels.memory > 0.9 * more * costs.latent.memory
    json.dumps(costs.to_json(), allow_nan=False)
    assert costs.steps_repaid > 0
    assert [len(each.seconds) for each in (costs.latent, costs.pixels, costs.decoding)] == [1, 1, 1]


def test_counting_without_numbers_is_counting(costs, tiny_explorer):
    again = step_costs(tiny_explorer, repeats=1, most_flops=0)
    assert (again.pixels.flops, again.pixels.memory) == (costs.pixels.flops, costs.pixels.memory)
    assert again.pixels.seconds == ()
    assert again.to_json()["parts"][1]["seconds"] is None
    assert len(again.plot().data) == 3


def test_the_model_is_as_it_was(tiny_explorer):
    denoiser = tiny_explorer.model.denoiser
    before = denoiser.unet
    step_costs(tiny_explorer, repeats=1, most_flops=0)
    assert denoiser.unet is before
    assert before.config.in_channels == denoiser.latent_shape[0]


def test_what_has_no_such_cost_is_refused(tiny_explorer, tiny_model, refused):
    with refused(AnalysisError, "repeats"):
        step_costs(tiny_explorer, repeats=0)
    with refused(ModelError, "no part", "generator"):
        step_costs(Explorer.open(f"clip:{tiny_model / 'clip'}", device="cpu"))
