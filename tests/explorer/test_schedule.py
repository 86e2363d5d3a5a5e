"""α, σ and what a prediction amounts to: closed forms, and the schedulers' own noising as oracle."""

from __future__ import annotations

import diffusers
import numpy as np
import pytest
import torch

from thoughtspace.explorer.diffusion.schedule import alpha_sigma, noise_from, signal_to_noise, x0_from
from thoughtspace.explorer.errors import ModelError
from thoughtspace.explorer.models.schedulers import CLASSES, scheduler_like

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2

STABLE_DIFFUSION = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
KINDS = ("epsilon", "v_prediction", "sample")


def make(name: str = "ddim", kind: str = "epsilon", steps: int = 20, **options):
    own = diffusers.DDIMScheduler(**STABLE_DIFFUSION, prediction_type=kind, clip_sample=False, **options)
    scheduler = scheduler_like(own, name)
    scheduler.set_timesteps(steps)
    return scheduler


def prediction_of(kind: str, x0, noise, alpha, sigma):
    """What a perfect network answers; a velocity is that of the variance-preserving state."""
    scale = (alpha**2 + sigma**2).sqrt()
    return {"epsilon": noise, "v_prediction": (alpha * noise - sigma * x0) / scale, "sample": x0}[kind]


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, 4, 8, 8, generator=generator)


def test_the_numbers_of_stable_diffusion():
    scheduler = make()
    alpha, _ = alpha_sigma(scheduler, 999)
    snr = [float(signal_to_noise(scheduler, t)) for t in range(1000)]
    assert float(alpha) == pytest.approx(0.0683, abs=5e-5)
    assert snr[0] == pytest.approx(1175, rel=1e-3)
    assert np.argmin(np.abs(np.log(snr))) == 354


@pytest.mark.parametrize("name", CLASSES)
def test_the_state_is_alpha_x0_plus_sigma_noise(name, pair):
    """Oracle: each scheduler's own `add_noise` at its own timesteps."""
    x0, noise = pair
    scheduler = make(name)
    for t in scheduler.timesteps[::7]:
        alpha, sigma = alpha_sigma(scheduler, t)
        noised = scheduler.add_noise(x0, noise, t.expand(len(x0)))
        torch.testing.assert_close(alpha * x0 + sigma * noise, noised, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_perfect_prediction_gives_back_picture_and_noise(name, kind, pair):
    x0, noise = (each.double() for each in pair)
    scheduler = make(name, kind)
    for t in scheduler.timesteps[::5]:
        alpha, sigma = (value.double() for value in alpha_sigma(scheduler, t))
        x_t = alpha * x0 + sigma * noise
        prediction = prediction_of(kind, x0, noise, alpha, sigma)
        torch.testing.assert_close(x0_from(prediction, x_t, t, scheduler), x0, atol=1e-5, rtol=0)
        torch.testing.assert_close(noise_from(prediction, x_t, t, scheduler), noise, atol=1e-5, rtol=0)


def test_velocity_is_what_diffusers_calls_so(pair):
    x0, noise = pair
    scheduler = make(kind="v_prediction")
    for t in (1, 300, 900):
        alpha, sigma = alpha_sigma(scheduler, t)
        expected = scheduler.get_velocity(x0, noise, torch.full((2,), t))
        torch.testing.assert_close(prediction_of("v_prediction", x0, noise, alpha, sigma), expected)


@pytest.mark.parametrize("name", ["ddim", "euler", "euler-ancestral"])
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_x0_is_what_schedulers_that_tell_it_tell(name, kind, pair):
    """Oracle: `pred_original_sample`, which only some of them have."""
    x_t, prediction = pair
    scheduler = make(name, kind)
    for t in scheduler.timesteps:
        scheduler.scale_model_input(x_t, t)
        ours = x0_from(prediction, x_t, t, scheduler)
        theirs = scheduler.step(prediction, t, x_t).pred_original_sample
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_flow_matching(pair):
    x0, noise = pair
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(10)
    for t in scheduler.timesteps:
        alpha, sigma = alpha_sigma(scheduler, t)
        x_t, velocity = (1 - sigma) * x0 + sigma * noise, noise - x0
        assert float(alpha + sigma) == 1
        torch.testing.assert_close(x0_from(velocity, x_t, t, scheduler), x0, atol=1e-5, rtol=0)
        torch.testing.assert_close(noise_from(velocity, x_t, t, scheduler), noise, atol=1e-5, rtol=0)


def test_noise_prediction_error_of_the_gaussian_oracle():
    """E|ε - ε*|²/D = α²s²/v_t for x0 ~ N(0, s²I), v_t = α²s² + σ²: the table of the methods page."""
    scheduler, s = make(), 0.5
    generator = torch.Generator().manual_seed(1)
    x0, noise = s * torch.randn(200_000, generator=generator), torch.randn(200_000, generator=generator)
    for t, expected in ((10, 0.963), (250, 0.341), (500, 0.0871), (999, 0.00117)):
        alpha, sigma = alpha_sigma(scheduler, t)
        variance = alpha**2 * s**2 + sigma**2
        best = sigma * (alpha * x0 + sigma * noise) / variance
        assert float(alpha**2 * s**2 / variance) == pytest.approx(expected, rel=5e-3)
        assert float(((noise - best) ** 2).mean()) == pytest.approx(expected, rel=2e-2)


def test_a_velocity_read_as_noise_is_wrong(pair):
    """Negative control."""
    x0, noise = pair
    scheduler = make(kind="v_prediction")
    alpha, sigma = alpha_sigma(scheduler, 500)
    x_t, velocity = alpha * x0 + sigma * noise, alpha * noise - sigma * x0
    assert (x0_from(velocity, x_t, 500, make(kind="epsilon")) - x0).abs().mean() > 0.1


def test_an_unknown_prediction_type_is_refused(refused, pair):
    scheduler = make()
    scheduler.register_to_config(prediction_type="colour")
    with refused(ModelError, "prediction type", "'colour'"):
        x0_from(*pair, 10, scheduler)


def test_ddim_in_place_of_another_sampler_does_not_clip_latents():
    pndm = diffusers.PNDMScheduler()
    assert "clip_sample" not in pndm.config
    assert not scheduler_like(pndm, "ddim").config.clip_sample
    assert scheduler_like(diffusers.DDIMScheduler(clip_sample=True), "ddim").config.clip_sample  # as it was saved


def steps_of(scheduler, steps: int) -> list[torch.Tensor]:
    scheduler.set_timesteps(steps)
    x = torch.ones(1, 4, 8, 8, dtype=torch.float64)
    for t in scheduler.timesteps:
        x = scheduler.step(0.1 * x, t, x, return_dict=False)[0]
    return [x]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_pndm_takes_few_steps(steps):
    """By default PNDM begins with Runge-Kutta steps, of which it needs four."""
    own = diffusers.DDIMScheduler(**STABLE_DIFFUSION, clip_sample=False)
    (x,) = steps_of(scheduler_like(own, "pndm"), steps)
    assert bool(torch.isfinite(x).all())
    with pytest.raises((IndexError, ValueError)):  # negative control
        steps_of(diffusers.PNDMScheduler(**STABLE_DIFFUSION), steps)
    assert not scheduler_like(diffusers.PNDMScheduler(skip_prk_steps=False), "pndm").config.skip_prk_steps  # as saved


def test_a_schedule_that_no_other_sampler_has_is_refused(refused):
    own = diffusers.SCMScheduler()
    assert type(scheduler_like(own)) is diffusers.SCMScheduler
    with refused(ModelError, "own schedule", "'ddim'", "SCMScheduler"):
        scheduler_like(own, "ddim")


def test_another_class_of_scheduler_is_made_without_a_word(caplog):
    from diffusers.utils import logging

    own = scheduler_like(diffusers.DDIMScheduler(**STABLE_DIFFUSION), "heun")
    own.register_to_config(colour="red")  # as files of later days have what this one does not know
    level = logging.get_verbosity()
    logging.set_verbosity_warning()
    logging.enable_propagation()
    try:
        for name in (None, "euler"):
            scheduler_like(own, name)
        assert not caplog.records
        assert logging.get_verbosity() == logging.WARNING
        diffusers.HeunDiscreteScheduler.from_config(own.config)
        assert "will be ignored" in caplog.text  # negative control
    finally:
        logging.disable_propagation()
        logging.set_verbosity(level)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_what_is_preconditioned_is_read_as_the_library_does(kind, pair):
    """EDM, as Playground 2.5's: oracle, the scheduler's own `pred_original_sample`."""
    x_t, prediction = pair
    scheduler = diffusers.EDMEulerScheduler(prediction_type=kind)
    scheduler.set_timesteps(10)
    for t in scheduler.timesteps:
        scheduler.scale_model_input(x_t, t)
        ours, noise = x0_from(prediction, x_t, t, scheduler), noise_from(prediction, x_t, t, scheduler)
        sigma = alpha_sigma(scheduler, t)[1]
        torch.testing.assert_close(ours + sigma * noise, x_t, atol=1e-3, rtol=1e-3)
        theirs = scheduler.step(prediction, t, x_t).pred_original_sample
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_no_other_sampler_works_on_an_edm_schedule(refused):
    own = diffusers.EDMDPMSolverMultistepScheduler()
    assert type(scheduler_like(own)) is type(own)
    with refused(ModelError, "own schedule", "'ddim'", "EDMDPMSolverMultistepScheduler"):
        scheduler_like(own, "ddim")
