"""Errors of predicted noise against Gaussian data, where the best prediction and its error are known in closed form.

For x0 ~ N(0, s²I), x_t = αx0 + σε and v = α²s² + σ² the best guess is ε̂ = σx_t/v, with E|ε - ε̂|²/D = α²s²/v, whatever
the network is said to predict.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from thoughtspace.analysis.noise.errors import NoiseErrors, noise_errors
from thoughtspace.analysis.noise.predicting import Sampler
from thoughtspace.explorer.models.generator import Conditioning
from thoughtspace.explorer.models.schedulers import scheduler_like

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2

STABLE_DIFFUSION = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
N, SHAPE, S = 64, (4, 16, 16), 0.5


class Best:
    """A denoiser that knows that pictures are N(0, s²I); another kind of prediction is made of the same knowledge."""

    device, distilled = torch.device("cpu"), False

    def __init__(self, own: Any, kind: str) -> None:
        self.own, self.kind = own, kind
        if kind != "flow_prediction":
            self.bars = own.alphas_cumprod.double()

    def scheduler(self, name: str | None = None) -> Any:
        return scheduler_like(self.own, name)

    def set_timesteps(self, sampler: Any, steps: int) -> None:
        sampler.set_timesteps(steps)

    def predict(self, x: torch.Tensor, t: Any, inputs: Any) -> torch.Tensor:
        if self.kind == "flow_prediction":
            sigma = float(t) / 1000
            alpha = 1 - sigma
        else:
            alpha, sigma = float(self.bars[int(t)].sqrt()), float((1 - self.bars[int(t)]).sqrt())
        s2 = inputs["s"].view(-1, 1, 1, 1) ** 2
        variance = alpha**2 * s2 + sigma**2
        noise, x0 = sigma * x / variance, alpha * s2 * x / variance
        return {
            "epsilon": noise,
            "sample": x0,
            "v_prediction": alpha * noise - sigma * x0,
            "flow_prediction": noise - x0,
        }[self.kind]


def ddim(kind: str, **options: Any) -> Any:
    options = {"timestep_spacing": "trailing", "clip_sample": False, **options}
    return diffusers.DDIMScheduler(**STABLE_DIFFUSION, prediction_type=kind, **options)


def euler(kind: str) -> Any:
    return diffusers.EulerDiscreteScheduler(**STABLE_DIFFUSION, prediction_type=kind, timestep_spacing="trailing")


def dpm(kind: str) -> Any:
    return diffusers.DPMSolverMultistepScheduler(**STABLE_DIFFUSION, prediction_type=kind)


OWN: dict[str, tuple[str, Callable[[], Any]]] = {
    **{kind: (kind, lambda kind=kind: ddim(kind)) for kind in ("epsilon", "v_prediction", "sample")},
    "euler epsilon": ("epsilon", lambda: euler("epsilon")),
    "euler v": ("v_prediction", lambda: euler("v_prediction")),
    "heun": ("epsilon", lambda: diffusers.HeunDiscreteScheduler(**STABLE_DIFFUSION)),
    "pndm": ("epsilon", lambda: diffusers.PNDMScheduler(**STABLE_DIFFUSION, skip_prk_steps=True)),
    "dpm++": ("v_prediction", lambda: dpm("v_prediction")),
    "flow": ("flow_prediction", lambda: diffusers.FlowMatchEulerDiscreteScheduler()),
    "shifted flow": ("flow_prediction", lambda: diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)),
}


def sampler_of(name: str, levels: int = 10) -> Sampler:
    kind, made = OWN[name]
    return Sampler.of(Best(made(), kind), levels)


def measured(sampler: Sampler, *, s: float = S, **knows: float) -> NoiseErrors:
    """Of draws of N(0, s²I); `knows` names predictors by the scale that they believe in."""
    generator = torch.Generator().manual_seed(0)
    x0, noise = (torch.randn(N, *SHAPE, generator=generator, dtype=torch.float64).numpy() for _ in range(2))
    predict = {}
    for name, scale in (knows or {"right": s}).items():
        rows = {"s": torch.full((N // 2,), scale, dtype=torch.float64)}
        predict[name] = sampler.predict([Conditioning(rows, rows)] * 2, guidance=1.0)
    return noise_errors(s * x0, noise, sampler.levels, predict)


@pytest.mark.parametrize("name", OWN)
def test_the_error_by_timestep_is_the_closed_form_for_every_kind_of_prediction(name):
    sampler = sampler_of(name)
    table = measured(sampler).table()
    alpha, sigma = np.array([[each.alpha, each.sigma] for each in sampler.levels]).T
    expected = alpha**2 * S**2 / (alpha**2 * S**2 + sigma**2)
    np.testing.assert_allclose(table["error"], expected, rtol=0.03, atol=1e-5)
    np.testing.assert_allclose(table["gaussian"], expected, rtol=0.03)
    # The x̂0-error is σ²/α² times the ε-error; a flow begins at α = 0, where it is E|x0|² alone.
    np.testing.assert_allclose(alpha**2 * table["picture_error"], sigma**2 * table["error"], rtol=2e-3, atol=1e-6)
    np.testing.assert_allclose(table["picture_error"], sigma**2 * S**2 / (alpha**2 * S**2 + sigma**2), rtol=0.03)
    np.testing.assert_allclose(table["snr"], (alpha / sigma) ** 2, rtol=1e-6)
    # ε' is independent of ε̂, so its error is 1 + E ε̂² = 1 + σ²/v.
    np.testing.assert_allclose(table["shuffled"], 2 - expected, rtol=0.03)
    inside = (table["low"] <= expected) & (expected <= table["high"])
    assert inside.sum() >= 0.6 * len(table)  # one noise for all levels: they are right or wrong together
    assert (table["se"][alpha > 0] > 0).all()


def test_stable_diffusions_schedule_has_the_numbers_of_the_oracle():
    sampler = sampler_of("epsilon", 1000)
    some = tuple(level for level in sampler.levels if level.t in (10, 250, 354, 500, 999))
    table = measured(replace(sampler, levels=some)).table().set_index("t")
    for t, error in {10: 0.963, 250: 0.341, 500: 0.0871, 999: 0.00117}.items():
        assert table.loc[t, "error"] == pytest.approx(error, rel=0.03), t
    assert table.loc[354, "snr"] == pytest.approx(1, rel=0.02)


def test_a_schedule_that_ends_without_signal_has_an_error_of_the_picture_there():
    """At α = 0 the noise is known exactly, and of the picture nothing but its variance."""
    own = ddim("v_prediction", rescale_betas_zero_snr=True)
    first = measured(Sampler.of(Best(own, "v_prediction"), 4)).table().iloc[0]
    assert first["snr"] == pytest.approx(0, abs=1e-6)
    assert first["error"] == pytest.approx(0, abs=1e-6)
    assert first["picture_error"] == pytest.approx(S**2, rel=0.03)


def test_a_wrong_belief_costs_what_the_closed_form_says():
    """A guess for s' instead of s has the error α²s²/v + (σ/v' - σ/v)² v."""
    sampler = sampler_of("v_prediction")
    found = measured(sampler, right=S, wrong=2 * S)
    alpha, sigma = np.array([[each.alpha, each.sigma] for each in sampler.levels]).T
    right, wrong = (alpha**2 * s**2 + sigma**2 for s in (S, 2 * S))
    expected = (sigma / wrong - sigma / right) ** 2 * right
    differences = found.differences()
    np.testing.assert_allclose(differences["difference"], expected, atol=0.01)
    effect = found.effects()["wrong"]
    assert effect.value == pytest.approx(expected.mean(), rel=0.15)
    assert effect.interval[0] > 0
    assert effect.p_value < 0.01


def test_a_scheduler_that_is_used_twice_without_a_copy_would_be_found_out():
    """Negative control: Euler scales the network's input by the level that it believes to be at."""
    sampler = sampler_of("euler epsilon")
    assert sampler.scheduler.step_index is None
    last = sampler.levels[-1].t
    sampler.scheduler.scale_model_input(torch.zeros(1), sampler.scheduler.timesteps[0])  # now it counts
    wrong = measured(sampler).table().set_index("t").loc[last]
    assert wrong["error"] > 1.2 * wrong["gaussian"]
