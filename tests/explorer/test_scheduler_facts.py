"""What is declared of diffusers' schedulers agrees with what they do."""

from __future__ import annotations

import diffusers
import pytest
import torch
from diffusers.utils import is_torchsde_available

from thoughtspace.explorer.diffusion.schedule import alpha_sigma
from thoughtspace.explorer.errors import ModelError
from thoughtspace.explorer.models.scheduler_facts import (
    STATES,
    State,
    flows,
    network_input,
    noise_scale,
    prediction_kind,
    state_of,
)

HERE = [
    name
    for name in STATES
    if is_torchsde_available() or name not in ("DPMSolverSDEScheduler", "CosineDPMSolverMultistepScheduler")
]
SHAPE = (1, 2, 4, 4)

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2


def made(name: str, **options):
    scheduler = getattr(diffusers, name)(**options)
    scheduler.set_timesteps(6)
    return scheduler


@pytest.mark.parametrize("name", HERE)
def test_the_first_state_is_noise_at_the_declared_scale(name):
    """α of the first step is small beside σ, and σ is about the scale of the noise there."""
    scheduler = made(name)
    alpha, sigma = alpha_sigma(scheduler, scheduler.timesteps[0])
    assert float(sigma / noise_scale(scheduler)) == pytest.approx(1, abs=0.01)
    assert (float(alpha) == 1) == (state_of(scheduler) in (State.OVER_ALPHA, State.PRECONDITIONED))


@pytest.mark.parametrize("name", HERE)
def test_the_input_of_the_network_is_what_the_library_gives_it(name):
    scheduler, x = made(name), torch.ones(SHAPE)
    ours = network_input(scheduler, x, scheduler.timesteps[0])
    if state_of(scheduler) is State.FLOW:
        assert "scale_model_input" not in dir(scheduler)
        assert torch.equal(ours, x)
    else:
        assert torch.equal(ours, made(name).scale_model_input(x, scheduler.timesteps[0]))


def test_a_setting_puts_a_solver_on_a_flow():
    solver = made("UniPCMultistepScheduler", use_flow_sigmas=True, prediction_type="flow_prediction")
    assert flows(solver)
    assert prediction_kind(solver) == "flow_prediction"
    assert not flows(made("UniPCMultistepScheduler"))


def test_a_scheduler_of_another_kind_is_refused(refused):
    with refused(ModelError, "scheduler", "ScoreSdeVeScheduler", "DDIMScheduler"):
        state_of(diffusers.ScoreSdeVeScheduler())
