"""Samplers on flow matching: those that reach the picture of a Gaussian, and one line for those that do not."""

from __future__ import annotations

import diffusers
import numpy as np
import pytest
import torch

from thoughtspace.explorer.diffusion.inversion import invert
from thoughtspace.explorer.diffusion.loop import noise_for
from thoughtspace.explorer.errors import ModelError
from thoughtspace.explorer.explorer import Explorer
from thoughtspace.explorer.models.schedulers import CLASSES, ON_FLOWS, scheduler_like

from .test_gaussian_inversion import SHAPE, Oracle, S, conditioning, denoised, latents, relative

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2

OWN = {
    "straight": {},
    "shifted": {"shift": 3.0},
    "karras": {"use_karras_sigmas": True},
    "exponential": {"shift": 3.0, "use_exponential_sigmas": True},
}
DYNAMIC = {"use_dynamic_shifting": True, "shift": 1.0}


def flow(**options) -> diffusers.FlowMatchEulerDiscreteScheduler:
    return diffusers.FlowMatchEulerDiscreteScheduler(**options)


def off_the_end(name: str | None, steps: int, **own) -> float:
    """|x_0 - s ε| / |…|: the flow of N(0, s²I) leads from the noise ε to s ε."""
    oracle, noise = Oracle(flow(**own)), noise_for(range(len(S)), SHAPE).double()
    done = denoised(oracle, noise, steps, oracle.scheduler(name))
    return relative(done[-1].x_next, noise * torch.tensor(S, dtype=torch.float64).view(-1, 1, 1, 1))


@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize("name", ON_FLOWS)
def test_they_end_where_the_flow_ends_and_nearer_than_eulers_method(name, own):
    assert off_the_end(name, 30, **OWN[own]) < 0.05
    assert off_the_end(name, 30, **OWN[own]) < off_the_end(None, 30, shift=OWN[own].get("shift", 1.0))


@pytest.mark.parametrize("name", ON_FLOWS)
def test_the_shift_is_the_models_own(name):
    own = scheduler_like(diffusers.DPMSolverMultistepScheduler(use_flow_sigmas=True, flow_shift=5.0), name)
    assert (own.config.flow_shift, own.config.prediction_type) == (5.0, "flow_prediction")
    assert scheduler_like(flow(shift=3.0), name).config.flow_shift == 3.0
    made = scheduler_like(flow(**DYNAMIC), name)
    made.set_timesteps(10, mu=1.1)
    straight = scheduler_like(flow(), name)
    straight.set_timesteps(10)
    shift, sigmas = torch.tensor(1.1).exp(), straight.sigmas[1:-1]
    torch.testing.assert_close(made.sigmas[1:-1], shift * sigmas / (1 + (shift - 1) * sigmas), atol=2e-3, rtol=0)


@pytest.mark.parametrize("name", [name for name in CLASSES if name not in ON_FLOWS])
def test_the_others_are_refused_in_one_line(refused, name):
    with refused(ModelError, "scheduler", repr(name), " or ".join(ON_FLOWS)):
        scheduler_like(flow(), name)


def test_a_shift_that_one_of_them_does_not_know_is_refused(refused):
    own = flow(**DYNAMIC, time_shift_type="linear")
    with refused(ModelError, "scheduler", "'dpm++'", "expected unipc;"):
        scheduler_like(own, "dpm++")
    scheduler_like(own, "unipc").set_timesteps(5, mu=1.1)


def test_why_they_are_refused():
    """Negative control: a schedule of diffusion takes the velocity for noise, and DEIS leaves some noise."""
    oracle, noise = Oracle(flow()), noise_for(range(len(S)), SHAPE).double()
    wrong = diffusers.DDIMScheduler.from_config(oracle.own.config, clip_sample=False)
    assert relative(denoised(oracle, noise, 30, wrong)[-1].x_next, noise) > 1
    deis = diffusers.DEISMultistepScheduler.from_config(
        oracle.own.config, use_flow_sigmas=True, prediction_type="flow_prediction"
    )
    deis.set_timesteps(20)
    assert deis.sigmas[-1] > 0.04
    ours = oracle.scheduler("unipc")
    ours.set_timesteps(20)
    assert ours.sigmas[-1] == 0


@pytest.mark.parametrize("name", ON_FLOWS)
def test_inversion_says_that_their_steps_cannot_be_gone_back(refused, name):
    oracle = Oracle(flow(shift=3.0))
    sampler = oracle.scheduler(name)
    with refused(ModelError, "scheduler", type(sampler).__name__):
        invert(oracle, conditioning(), latents(), steps=5, scheduler=sampler)
    assert invert(oracle, conditioning(), latents(), steps=5).noise.shape == latents().shape


def test_a_flow_model_decodes_with_them(refused, flow_folder):
    """Each of them makes a picture near that of the model's own sampler, and not the same one."""
    explorer = Explorer.open(flow_folder, device="cpu")
    own, other = (_pixels(explorer, None, seed) for seed in (0, 1))
    for name in ON_FLOWS:
        near = _pixels(explorer, name, 0)
        assert 0 < np.abs(near - own).mean() < np.abs(other - own).mean() / 4
    for name in ("ddim", "euler", "deis"):
        with refused(ModelError, "scheduler", repr(name), *ON_FLOWS):
            explorer.decode("a red fox", steps=2, scheduler=name)


def _pixels(explorer: Explorer, scheduler: str | None, seed: int) -> np.ndarray:
    (made,) = explorer.decode("a red fox", steps=20, scheduler=scheduler, seed=seed, guidance=1.0)
    return np.asarray(made, dtype=float)


@pytest.fixture(scope="module", params=["stable_diffusion_3", "stable_diffusion_35", "flux", "schnell"])
def flow_folder(request, tiny_model, tmp_path_factory):
    import transformers

    from .conftest import FAMILIES

    folder = tmp_path_factory.mktemp("flows") / request.param
    tokenizer = transformers.CLIPTokenizer.from_pretrained(tiny_model / "clip")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        FAMILIES[request.param](tokenizer).save_pretrained(folder)
    return folder
