"""The denoising loop against a model whose answer is known in closed form: Gaussian data.

For x0 ~ N(0, s²I) the best prediction of the noise is ε* = σx_t/v_t with v_t = α²s² + σ², and the probability-flow ODE
carries x_T to x_T √(v_0/v_T) exactly.
"""

from __future__ import annotations

from itertools import pairwise

import diffusers
import numpy as np
import pytest
import torch
from diffusers.utils.torch_utils import randn_tensor

from thoughtspace.explorer.diffusion.loop import Hook, denoise, noise_for, seeded
from thoughtspace.explorer.errors import ModelError
from thoughtspace.explorer.models.generator import Conditioning
from thoughtspace.explorer.models.schedulers import scheduler_like

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2

STABLE_DIFFUSION = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SHAPE = (4, 8, 8)
DETERMINISTIC = ("ddim", "euler", "heun", "dpm++", "unipc", "deis", "lms", "pndm")


class GaussianOracle:
    """A denoiser that is right about Gaussian data; `inputs["s"]` is the data's standard deviation, a row a picture."""

    latent_shape, device, distilled = SHAPE, torch.device("cpu"), False

    def __init__(self, kind: str = "epsilon", **options):
        options = {"clip_sample": False, "timestep_spacing": "trailing", **options}
        self.own = diffusers.DDIMScheduler(**STABLE_DIFFUSION, prediction_type=kind, **options)
        bar = self.own.alphas_cumprod.double().numpy()
        self.kind, self.sigmas = kind, np.sqrt((1 - bar) / bar)

    def scheduler(self, name=None):
        return scheduler_like(self.own, name)

    def set_timesteps(self, sampler, steps):
        sampler.set_timesteps(steps)

    def alpha_sigma(self, t):
        """Of the network's input, which is variance preserving; between timesteps as diffusers interpolates."""
        ratio = np.interp(float(t), np.arange(len(self.sigmas)), self.sigmas)
        return 1 / np.sqrt(1 + ratio**2), ratio / np.sqrt(1 + ratio**2)

    def predict(self, x, t, inputs):
        alpha, sigma = self.alpha_sigma(t)
        s = inputs["s"].view(-1, 1, 1, 1).to(x)
        variance = alpha**2 * s**2 + sigma**2
        noise, x0 = sigma * x / variance, alpha * s**2 * x / variance
        return noise if self.kind == "epsilon" else alpha * noise - sigma * x0


def guided_by(*s: float, negative: float = 1.0) -> Conditioning:
    return Conditioning({"s": torch.tensor(s)}, {"s": torch.full((len(s),), negative)})


def run(oracle, *, steps, s=0.5, name=None, guidance=1.0, n=2, **options):
    noise = noise_for(range(n), SHAPE)
    scheduler = oracle.scheduler(name)
    done = list(
        denoise(oracle, guided_by(*[s] * n), noise, steps=steps, guidance=guidance, scheduler=scheduler, **options)
    )
    return noise, done, scheduler


def relative_error(oracle, *, steps, s=0.5, name=None):
    """|x - x_T √(v_0/v_T)| / |…|, with the state at both ends as the scheduler keeps it."""
    noise, done, scheduler = run(oracle, steps=steps, s=s, name=name)
    alpha, sigma = oracle.alpha_sigma(done[0].t)
    started = float(done[0].x_t.std() / noise.std()) if float(getattr(scheduler, "init_noise_sigma", 1)) != 1 else 1.0
    in_model_space = started * (alpha if started != 1 else 1.0)
    last = float(getattr(scheduler, "final_alpha_cumprod", 1.0))  # ᾱ where the sampler ends
    exact = noise * in_model_space * np.sqrt((last * s**2 + 1 - last) / (alpha**2 * s**2 + sigma**2))
    return float((done[-1].x_next - exact).norm() / exact.norm())


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_ddim_is_as_wrong_as_it_must_be(kind):
    """5.0, 2.6 and 1.3 % at 50, 100 and 200 steps of Stable Diffusion's own grid."""
    oracle = GaussianOracle(kind, timestep_spacing="leading", set_alpha_to_one=False)
    errors = [relative_error(oracle, steps=steps) for steps in (50, 100, 200)]
    assert errors == pytest.approx([0.0497, 0.0260, 0.0134], abs=1e-4)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("name", DETERMINISTIC)
def test_every_sampler_solves_the_ode(name, kind):
    coarse, fine = (relative_error(GaussianOracle(kind), steps=steps, name=name) for steps in (20, 60))
    assert fine < 0.06
    assert fine < 0.9 * coarse


def test_a_wrong_model_does_not_pass():
    """Negative control: an oracle for wider data misses the closed form by far more than any sampler does."""
    oracle = GaussianOracle()
    right = oracle.predict
    oracle.predict = lambda x, t, inputs: right(x, t, {"s": 1.2 * inputs["s"]})
    assert relative_error(oracle, steps=200) > 0.1


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("name", DETERMINISTIC)
def test_each_step_tells_the_best_guess_of_picture_and_noise(name, kind):
    """x̂0 = αs²x_t/v_t and ε̂ = σx_t/v_t at every step of every sampler, those without `pred_original_sample` too."""
    oracle, s = GaussianOracle(kind), 0.5
    _, done, scheduler = run(oracle, steps=10, s=s, name=name)
    in_sigma_space = float(getattr(scheduler, "init_noise_sigma", 1)) != 1
    for step in done:
        alpha, sigma = oracle.alpha_sigma(step.t)
        if name == "heun":  # its second evaluations see the sigma of the next timestep under the same name
            continue
        x = step.x_t * (alpha if in_sigma_space else 1)
        variance = alpha**2 * s**2 + sigma**2
        torch.testing.assert_close(step.x0, (alpha * s**2 / variance * x).float(), atol=2e-3, rtol=2e-3)
        torch.testing.assert_close(step.noise_pred, (sigma / variance * x).float(), atol=2e-3, rtol=2e-3)


def test_states_chain():
    _, done, _ = run(GaussianOracle(), steps=6)
    assert [step.index for step in done] == list(range(6))
    assert all(torch.equal(before.x_next, after.x_t) for before, after in pairwise(done))


@pytest.mark.parametrize("guidance", [0.0, 0.5, 1.0, 3.0])
def test_guidance_is_linear_in_the_predictions(guidance):
    oracle = GaussianOracle()
    noise = noise_for([0, 1], SHAPE)
    conditioning = guided_by(0.3, 0.8, negative=1.5)
    first = next(iter(denoise(oracle, conditioning, noise, steps=5, guidance=guidance)))
    towards, without = (oracle.predict(noise, first.t, side) for side in (conditioning.positive, conditioning.negative))
    torch.testing.assert_close(first.noise_pred, without + guidance * (towards - without), atol=1e-5, rtol=1e-5)


def test_guidance_one_never_asks_for_the_negative():
    oracle = GaussianOracle()
    seen = []
    right = oracle.predict
    oracle.predict = lambda x, t, inputs: seen.append(len(x)) or right(x, t, inputs)
    list(denoise(oracle, guided_by(0.5, 0.5), noise_for([0, 1], SHAPE), steps=3, guidance=1))
    list(denoise(oracle, guided_by(0.5, 0.5), noise_for([0, 1], SHAPE), steps=3, guidance=2))
    assert seen == [2] * 3 + [4] * 3


class Scaled(Hook):
    """Every prediction and every state times a number."""

    def __init__(self, *, prediction: float = 1, state: float = 1) -> None:
        self.prediction, self.state = prediction, state

    def edit(self, index, x_t, prediction):
        return self.prediction * prediction

    def after(self, step):
        return self.state * step.x_next


def test_an_edit_that_changes_nothing_changes_nothing_and_one_that_does_is_used():
    plain = run(GaussianOracle(), steps=5)[1][-1].x_next
    same = run(GaussianOracle(), steps=5, hook=Hook())[1][-1].x_next
    none = run(GaussianOracle(), steps=5, hook=Scaled(prediction=0))[1]
    assert torch.equal(plain, same)
    assert all(not step.noise_pred.any() for step in none)


def test_what_comes_after_a_step_is_gone_on_with():
    plain = run(GaussianOracle(), steps=5)[1]
    same = run(GaussianOracle(), steps=5, hook=Hook())[1]
    halved = run(GaussianOracle(), steps=5, hook=Scaled(state=0.5))[1]
    assert torch.equal(plain[-1].x_next, same[-1].x_next)
    assert torch.equal(halved[1].x_t, plain[0].x_next / 2)


def test_noise_belongs_to_its_seed_alone():
    among = noise_for([5, 6, 7], SHAPE)
    for row, seed in enumerate((5, 6, 7)):
        assert torch.equal(noise_for([seed], SHAPE)[0], among[row])
    assert torch.equal(among, randn_tensor((3, *SHAPE), generator=seeded([5, 6, 7])))
    assert not torch.equal(among[0], among[1])


def test_ancestral_noise_comes_from_each_pictures_own_generator():
    def finals(seeds, name):
        oracle, noise = GaussianOracle(), noise_for(seeds, SHAPE)
        conditioning = guided_by(*[0.5] * len(seeds))
        *_, last = denoise(
            oracle,
            conditioning,
            noise,
            steps=6,
            guidance=1,
            scheduler=oracle.scheduler(name),
            generators=seeded(seeds),
        )
        return last.x_next

    for name in ("ddpm", "euler-ancestral"):
        torch.testing.assert_close(finals([1, 2, 3], name)[1:2], finals([2], name), atol=1e-6, rtol=0)
        assert not torch.allclose(finals([1], name), finals([2], name))


def test_timesteps_and_sampler_do_not_leak_between_runs():
    oracle = GaussianOracle()
    scheduler = oracle.scheduler("dpm++")
    noise, conditioning = noise_for([0], SHAPE), guided_by(0.5)
    finals = [
        list(denoise(oracle, conditioning, noise, steps=7, guidance=1, scheduler=scheduler))[-1].x_next
        for _ in range(2)
    ]
    assert torch.equal(*finals)


@pytest.mark.parametrize(
    ("options", "code", "fact"),
    [
        ({"steps": 0}, "steps", "steps 0"),
        ({"steps": 2.5}, "steps", "steps 2.5"),
        ({"steps": True}, "steps", "steps True"),
        ({"guidance": float("nan")}, "guidance", "guidance nan"),
        ({"guidance": -1.0}, "guidance", "guidance -1.0"),
    ],
)
def test_options_out_of_range_are_refused(refused, options, code, fact):
    with refused(ModelError, code, fact):
        run(GaussianOracle(), **{"steps": 3, **options})


def test_rows_that_do_not_match_are_refused(refused):
    with refused(ModelError, "rows", "2 noises for 1 conditionings"):
        next(denoise(GaussianOracle(), guided_by(0.5), noise_for([0, 1], SHAPE), steps=3, guidance=1))


def test_an_unknown_sampler_is_refused(refused):
    with refused(ModelError, "scheduler", "'magic'", "one of ddim"):
        GaussianOracle().scheduler("magic")
