"""Every scheduler of the registry, and flow matching, against Gaussian data in float64: x̂0, the path, and the way back.

For x0 ~ N(0, s²I) and x_t = αx0 + σε with v = α²s² + σ², the best guesses are x̂0 = αs²x_t/v and ε̂ = σx_t/v, and the
probability-flow ODE keeps x_t/√v. Rows of a batch have an s each, so a row that was mixed up would be found out.
"""

from __future__ import annotations

from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from thoughtspace.explorer.diffusion.anderson import Solver
from thoughtspace.explorer.diffusion.inversion import INVERTIBLE, invert, inverting_scheduler
from thoughtspace.explorer.diffusion.loop import denoise, noise_for, seeded
from thoughtspace.explorer.diffusion.schedule import alpha_sigma
from thoughtspace.explorer.errors import ModelError
from thoughtspace.explorer.models.generator import Conditioning
from thoughtspace.explorer.models.schedulers import CLASSES, scheduler_like

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2

STABLE_DIFFUSION = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SHAPE, S = (4, 8, 8), (0.4, 0.5, 0.8)
EXACT = Solver(tolerance=1e-12)
NAIVE = Solver(iterations=1)
STOCHASTIC = ("ddpm", "euler-ancestral")
FLOWS = {
    "flow": lambda: diffusers.FlowMatchEulerDiscreteScheduler(),
    "flow-shifted": lambda: diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    "flow-dpm++": lambda: diffusers.DPMSolverMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
    ),
    "flow-unipc": lambda: diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
    ),
}


class Oracle:
    """A denoiser that is right about Gaussian data, of any kind of prediction, on a scheduler of its own."""

    latent_shape, device, distilled = SHAPE, torch.device("cpu"), False

    def __init__(self, own: Any) -> None:
        self.own = own
        self.kind = getattr(own.config, "prediction_type", None) or "flow_prediction"
        if self.kind != "flow_prediction":
            bar = own.alphas_cumprod.double().numpy()
            self.ratios = np.sqrt((1 - bar) / np.maximum(bar, 1e-12))

    def scheduler(self, name: str | None = None) -> Any:
        return scheduler_like(self.own, name)

    def set_timesteps(self, sampler: Any, steps: int) -> None:
        sampler.set_timesteps(steps)

    def alpha_sigma(self, t: Any) -> tuple[float, float]:
        """Of the network's input; between timesteps as diffusers interpolates."""
        if self.kind == "flow_prediction":
            sigma = float(t) / 1000
            return 1 - sigma, sigma
        ratio = np.interp(float(t), np.arange(len(self.ratios)), self.ratios)
        return float(1 / np.sqrt(1 + ratio**2)), float(ratio / np.sqrt(1 + ratio**2))

    def predict(self, x: torch.Tensor, t: Any, inputs: Any) -> torch.Tensor:
        alpha, sigma = self.alpha_sigma(t)
        s = inputs["s"].view(-1, 1, 1, 1)
        variance = alpha**2 * s**2 + sigma**2
        noise, x0 = sigma * x / variance, alpha * s**2 * x / variance
        return {
            "epsilon": noise,
            "sample": x0,
            "v_prediction": alpha * noise - sigma * x0,
            "flow_prediction": noise - x0,
        }[self.kind]


def conditioning(s: tuple[float, ...] = S) -> Conditioning:
    rows = {"s": torch.tensor(s, dtype=torch.float64)}
    return Conditioning(rows, rows)


def diffusion(kind: str = "epsilon", **options: Any) -> Oracle:
    options = {"timestep_spacing": "trailing", "clip_sample": False, **options}
    return Oracle(diffusers.DDIMScheduler(**STABLE_DIFFUSION, prediction_type=kind, **options))


def of(name: str, kind: str = "epsilon") -> tuple[Oracle, Any]:
    """An oracle and the scheduler of that name."""
    oracle = Oracle(FLOWS[name]()) if name in FLOWS else diffusion(kind)
    return oracle, oracle.scheduler(None if name in FLOWS else name)


def denoised(oracle: Oracle, noise: torch.Tensor, steps: int, scheduler: Any) -> list[Any]:
    generators = seeded(range(len(noise)))
    return list(
        denoise(oracle, conditioning(), noise, steps=steps, guidance=1.0, scheduler=scheduler, generators=generators)
    )


def relative(x: torch.Tensor, y: torch.Tensor) -> float:
    return float(((x - y).flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1)).max())


def latents() -> torch.Tensor:
    """A draw of the data: `(3, *SHAPE)` float64."""
    return noise_for(range(len(S)), SHAPE).double() * torch.tensor(S, dtype=torch.float64).view(-1, 1, 1, 1)


def there_and_back(oracle: Oracle, scheduler: Any, steps: int, solver: Solver) -> tuple[float, Any]:
    found = invert(oracle, conditioning(), latents(), steps=steps, scheduler=scheduler, solver=solver)
    return relative(denoised(oracle, found.noise, steps, scheduler)[-1].x_next, latents()), found


# --- forwards


EVERY = [*CLASSES, *FLOWS]


@pytest.mark.parametrize("name", EVERY)
def test_each_step_tells_the_best_guess_of_picture_and_noise(name):
    oracle, scheduler = of(name)
    in_sigma_space = name not in FLOWS and float(getattr(scheduler, "init_noise_sigma", 1)) != 1
    s = torch.tensor(S, dtype=torch.float64).view(-1, 1, 1, 1)
    seen = set()
    for step in denoised(oracle, noise_for(range(len(S)), SHAPE).double(), 10, scheduler):
        if float(step.t) in seen or (name == "heun" and step.index % 2):
            continue  # a second look at one timestep (Heun, PNDM) is at a sigma of its own
        seen.add(float(step.t))
        alpha, sigma = oracle.alpha_sigma(step.t)
        x = step.x_t * (alpha if in_sigma_space else 1)
        variance = alpha**2 * s**2 + sigma**2
        # Some schedulers round their timesteps, and so does the oracle's answer with them.
        torch.testing.assert_close(step.x0, alpha * s**2 / variance * x, atol=5e-3, rtol=4e-3)
        torch.testing.assert_close(step.noise_pred, sigma / variance * x, atol=5e-3, rtol=4e-3)


def off_the_path(name: str, steps: int) -> float:
    """|x_0 - x_T √(v_0/v_T)| / |…|."""
    oracle, scheduler = of(name)
    done = denoised(oracle, noise_for(range(len(S)), SHAPE).double(), steps, scheduler)
    alpha, sigma = oracle.alpha_sigma(done[0].t)
    scale = alpha if name not in FLOWS and float(getattr(scheduler, "init_noise_sigma", 1)) != 1 else 1.0
    last = float(getattr(scheduler, "final_alpha_cumprod", 1.0)) if name not in FLOWS else 1.0
    s2 = torch.tensor(S, dtype=torch.float64).view(-1, 1, 1, 1) ** 2
    exact = done[0].x_t * scale * ((last * s2 + 1 - last) / (alpha**2 * s2 + sigma**2)).sqrt()
    return relative(done[-1].x_next, exact)


@pytest.mark.parametrize("name", [name for name in EVERY if name not in STOCHASTIC])
def test_deterministic_samplers_follow_the_path(name):
    coarse, fine = off_the_path(name, 20), off_the_path(name, 60)
    assert fine < 0.08
    assert fine < 0.9 * coarse


@pytest.mark.parametrize("name", STOCHASTIC)
def test_stochastic_samplers_end_in_the_distribution(name):
    oracle, scheduler = of(name)
    ends = denoised(oracle, noise_for(range(len(S)), SHAPE).double(), 200, scheduler)[-1].x_next
    assert ends.flatten(1).std(dim=1).tolist() == pytest.approx(list(S), rel=0.15)  # 256 numbers: ± 4.4 %
    assert off_the_path(name, 200) > 0.5  # by another way: their noise is their own


# --- backwards


SETTINGS = {
    "trailing": {},
    "leading": {"timestep_spacing": "leading"},
    "leading, to ᾱ₀": {"timestep_spacing": "leading", "set_alpha_to_one": False},
    "no signal at first": {"rescale_betas_zero_snr": True},
}
CASES = [
    (name, kind, setting)
    for name in ("ddim", "euler")
    for kind in ("epsilon", "v_prediction", "sample")
    for setting in SETTINGS
    if (kind, setting) != ("epsilon", "no signal at first")
]


@pytest.mark.parametrize(("name", "kind", "setting"), CASES)
def test_inversion_is_exact_and_naive_inversion_is_not(name, kind, setting):
    oracle = diffusion(kind, **SETTINGS[setting])
    error, found = there_and_back(oracle, oracle.scheduler(name), 50, EXACT)
    assert found.converged
    assert error < 1e-6  # the libraries' schedulers keep α and σ, and some the state, in float32
    naive, _ = there_and_back(oracle, oracle.scheduler(name), 50, NAIVE)
    assert naive > 0.01


@pytest.mark.parametrize("name", ["flow", "flow-shifted"])
def test_flow_matching_too(name):
    oracle, scheduler = of(name)
    error, found = there_and_back(oracle, scheduler, 50, EXACT)
    assert found.converged
    assert error < 1e-6
    assert there_and_back(oracle, scheduler, 50, NAIVE)[0] > 0.01


def test_naive_inversion_is_as_wrong_as_it_must_be():
    """A first-order error: 20, 7.7, 3.7, 1.8 and 0.9 % at 10 to 200 steps of Stable Diffusion's own grid."""
    oracle = diffusion(timestep_spacing="leading", set_alpha_to_one=False)
    errors = []
    for steps in (10, 25, 50, 100, 200):
        found = invert(oracle, conditioning(), latents(), steps=steps, solver=NAIVE)
        again = denoised(oracle, found.noise, steps, oracle.scheduler())[-1].x_next
        errors.append(relative(again[1:2], latents()[1:2]))  # s = 0.5
    assert errors == pytest.approx([0.2018, 0.0774, 0.0374, 0.0183, 0.0090], abs=1e-4)


@pytest.mark.parametrize("name", ["ddim", "euler", "flow", "flow-shifted"])
def test_the_noise_tends_to_that_of_the_path(name):
    """x_T = x_0 √(v_T/v_0), of unit variance where the data are Gaussian and the oracle knows them."""
    errors = []
    for steps in (25, 100):
        oracle, scheduler = of(name)
        found = invert(oracle, conditioning(), latents(), steps=steps, scheduler=scheduler, solver=EXACT)
        alpha, sigma = oracle.alpha_sigma(scheduler.timesteps[0])
        s = torch.tensor(S, dtype=torch.float64).view(-1, 1, 1, 1)
        exact = latents() / s * (alpha**2 * s**2 + sigma**2).sqrt()
        if name == "euler":  # its state is divided by α, and its noise by σ_max
            exact = exact / alpha / float(scheduler.init_noise_sigma)
        errors.append(relative(found.noise, exact))
        torch.testing.assert_close(found.norms, exact.flatten(1).norm(dim=1) / 16, atol=0, rtol=2 * errors[-1])
    assert errors[1] < 0.06
    assert errors[1] < 0.35 * errors[0]


def test_the_formula_is_the_librarys_step():
    for oracle in (diffusion("epsilon"), diffusion("v_prediction"), diffusion("sample"), of("flow-shifted")[0]):
        found = invert(oracle, conditioning(), latents(), steps=7, solver=EXACT)
        for step in denoised(oracle, found.noise, 7, oracle.scheduler()):
            left = (step.x_next - step.x_t).norm() / step.x_t.norm()
            assert left > 1e-3
        assert relative(step.x_next, latents()) < 1e-6


def test_a_row_depends_on_no_other():
    oracle = diffusion()
    together = invert(oracle, conditioning(), latents(), steps=10, solver=EXACT)
    alone = invert(oracle, conditioning(S[1:2]), latents()[1:2], steps=10, solver=EXACT)
    assert relative(together.noise[1:2], alone.noise) < 1e-12


@pytest.mark.parametrize("name", [name for name in EVERY if name not in ("ddim", "euler", "flow", "flow-shifted")])
def test_what_cannot_be_gone_back_says_what_can(refused, name):
    oracle, scheduler = of(name)
    with refused(ModelError, "scheduler", f"{type(scheduler).__name__},", ", ".join(INVERTIBLE)):
        invert(oracle, conditioning(), latents(), steps=5, scheduler=scheduler)


def test_a_sampler_that_loses_or_adds_something_is_refused(refused):
    clipping = diffusers.DDIMScheduler(**STABLE_DIFFUSION)
    noisy = diffusers.FlowMatchEulerDiscreteScheduler(stochastic_sampling=True)
    for own, option in ((clipping, "clip_sample"), (noisy, "stochastic_sampling")):
        with refused(ModelError, "scheduler", type(own).__name__, option):
            invert(Oracle(own), conditioning(), latents(), steps=5, scheduler=own)


def test_noise_predicted_where_there_is_no_signal_is_refused(refused):
    oracle = diffusion("epsilon", rescale_betas_zero_snr=True)
    with refused(ModelError, "step", "epsilon from α 0 "):
        invert(oracle, conditioning(), latents(), steps=5)


def test_models_of_another_sampler_are_inverted_by_ddim_and_flow_by_its_own(refused):
    config = {**STABLE_DIFFUSION, "prediction_type": "v_prediction"}
    assert inverting_scheduler(Oracle(diffusers.UniPCMultistepScheduler(**config))) == "ddim"
    assert inverting_scheduler(Oracle(diffusers.PNDMScheduler(**STABLE_DIFFUSION))) == "ddim"
    for own in (diffusers.EulerDiscreteScheduler(**config), FLOWS["flow"]()):
        assert inverting_scheduler(Oracle(own)) is None
    with refused(ModelError, "scheduler", "UniPCMultistepScheduler"):
        inverting_scheduler(Oracle(FLOWS["flow-unipc"]()))
    own = Oracle(diffusers.UniPCMultistepScheduler(**config))
    found = invert(own, conditioning(), latents(), steps=20, solver=EXACT)
    assert relative(denoised(own, found.noise, 20, own.scheduler("ddim"))[-1].x_next, latents()) < 1e-6
    assert relative(denoised(own, found.noise, 20, own.scheduler())[-1].x_next, latents()) > 1e-3  # another sampler


def test_only_these_classes_are_gone_back():
    assert all(hasattr(diffusers, name) for name in INVERTIBLE)
    assert alpha_sigma(FLOWS["flow"](), 1000.0)[0] == 0
