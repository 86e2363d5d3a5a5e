r"""The noise schedule: α and σ at a timestep, and the picture and the noise that a prediction amounts to.

For the state of every diffusers scheduler x_t = αx0 + σε holds with one pair (α, σ):

- variance preserving (DDIM, DDPM, PNDM, DPM-Solver++, UniPC, DEIS): α = √ᾱ_t, σ = √(1-ᾱ_t);
- σ-space (Euler, Heun, LMS): the same divided by α, so α = 1;
- EDM (Karras et al., 2022), whose network is scaled as well: α = 1;
- flow matching: α = 1-σ.

A velocity is defined on the variance-preserving state, v = αε - σx0, which for the σ-space gives the factors below.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..models.scheduler_facts import State, prediction_kind, state_of


def alpha_sigma(scheduler: Any, t: Tensor | float) -> tuple[Tensor, Tensor]:
    """α and σ of a scheduler's state at timestep `t`, as float32 tensors without dimensions.

    Args:
        scheduler: one of diffusers; those that work on σ need `set_timesteps` first.
        t: one of its timesteps (for DDIM and its like, any whole timestep of training).
    """
    state = state_of(scheduler)
    if state is State.BY_TIMESTEP:
        return _variance_preserving(scheduler.alphas_cumprod[int(t)])
    return _pair(state, scheduler.sigmas[_index(scheduler, t)])


def alpha_sigma_after(scheduler: Any, t: Tensor | float) -> tuple[Tensor, Tensor]:
    """α and σ of the state after the step at timestep `t`, for DDIM and for the first-order σ methods.

    DDIM steps by a fixed number of training timesteps and not to the next of its timesteps; the last step leads to
    `final_alpha_cumprod`.

    Args:
        scheduler: one of diffusers, after `set_timesteps`.
        t: one of its timesteps.
    """
    state = state_of(scheduler)
    if state is not State.BY_TIMESTEP:
        return _pair(state, scheduler.sigmas[_index(scheduler, t) + 1])
    after = int(t) - scheduler.config.num_train_timesteps // scheduler.num_inference_steps
    return _variance_preserving(scheduler.alphas_cumprod[after] if after >= 0 else scheduler.final_alpha_cumprod)


def _variance_preserving(bar: Tensor) -> tuple[Tensor, Tensor]:
    bar = bar.float()
    return bar.sqrt(), (1 - bar).sqrt()


def _square(alpha: Tensor, sigma: Tensor) -> Tensor:
    # α²+σ² of rounded α and σ differs from 1 a little in every step of a sampler, and the differences add up.
    return torch.where(alpha == 1, 1 + sigma**2, torch.ones_like(alpha))


def _pair(state: State, sigma: Tensor) -> tuple[Tensor, Tensor]:
    sigma = sigma.float()
    if state is State.FLOW:
        return 1 - sigma, sigma
    if state is State.BY_RATIO:
        alpha = 1 / (1 + sigma**2).sqrt()
        return alpha, sigma * alpha
    return torch.ones_like(sigma), sigma


def x0_from(prediction: Tensor, x_t: Tensor, t: Tensor | float, scheduler: Any) -> Tensor:
    """The predicted picture x̂0 of a prediction at `x_t`.

    ε: (x - σε)/α; v: (αx - σv√(α²+σ²))/(α²+σ²), which is αx - σv where α²+σ² = 1; flow: x - σv.

    Args:
        prediction: the network's output, of the kind in `scheduler.config.prediction_type`.
        x_t: the state as the scheduler keeps it, *not* scaled for the network.

    Raises:
        ModelError: an unknown prediction type.
    """
    alpha, sigma = (value.to(x_t) for value in alpha_sigma(scheduler, t))
    if state_of(scheduler) is State.PRECONDITIONED:  # x0 = c_skip x + c_out F: Karras et al., 2022, eq. 7
        return scheduler.precondition_outputs(x_t, prediction, sigma)
    kind = prediction_kind(scheduler)
    if kind == "epsilon":
        return (x_t - sigma * prediction) / alpha
    if kind == "v_prediction":
        square = _square(alpha, sigma)
        return (alpha * x_t - sigma * prediction * square.sqrt()) / square
    if kind == "flow_prediction":
        return x_t - sigma * prediction
    return prediction


def noise_from(prediction: Tensor, x_t: Tensor, t: Tensor | float, scheduler: Any) -> Tensor:
    """The predicted noise of a prediction at `x_t`, ε̂ = (x_t - αx̂0)/σ, without the division where possible.

    >>> from diffusers import DDIMScheduler
    >>> toy = DDIMScheduler(1, trained_betas=[0.36], prediction_type="v_prediction")
    >>> x0, noise = torch.tensor([3.0]), torch.tensor([-1.0])
    >>> x_t, velocity = 0.8 * x0 + 0.6 * noise, 0.8 * noise - 0.6 * x0
    >>> [round(float(f(velocity, x_t, 0, toy)), 5) for f in (x0_from, noise_from)]
    [3.0, -1.0]
    """
    alpha, sigma = (value.to(x_t) for value in alpha_sigma(scheduler, t))
    if state_of(scheduler) is State.PRECONDITIONED:
        return (x_t - alpha * scheduler.precondition_outputs(x_t, prediction, sigma)) / sigma
    kind = prediction_kind(scheduler)
    if kind == "epsilon":
        return prediction
    if kind == "v_prediction":
        square = _square(alpha, sigma)
        return (sigma * x_t + alpha * prediction * square.sqrt()) / square
    if kind == "flow_prediction":
        return x_t + (1 - sigma) * prediction
    return (x_t - alpha * prediction) / sigma


def signal_to_noise(scheduler: Any, t: Tensor | float) -> Tensor:
    """SNR = α²/σ² at timestep `t`."""
    alpha, sigma = alpha_sigma(scheduler, t)
    return (alpha / sigma) ** 2


def _index(scheduler: Any, t: Tensor | float) -> int:
    # Two-stage methods (Heun) visit a timestep twice with two sigmas: only the running index tells them apart.
    running = scheduler.step_index
    if running is not None and running < len(scheduler.timesteps) and float(scheduler.timesteps[running]) == float(t):
        return int(running)
    return int(scheduler.index_for_timestep(t))
