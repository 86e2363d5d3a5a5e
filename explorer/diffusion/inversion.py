"""Inversion: the noise from which a deterministic sampler makes given latents, exact up to a tolerance.

One step of a first-order sampler is x_next = a·x̂0(x_t) + s·ε̂(x_t) with (a, s) the α and σ after the step, whatever
the model predicts and however the scheduler keeps its state. Naive inversion (Song et al., 2021) gives the network
x_next instead of x_t, so its error grows with their difference. Here the step itself is solved for x_t by a fixed-point
iteration from that guess (Pan et al., AIDI, 2023; Garibi et al., ReNoise, 2024), accelerated, and its residual is kept.

A last step that ends at σ = 0 leads to x̂0 itself. It is solved like any other. But a good denoiser maps many states to
one picture, and none to a picture that it would never predict: the residual shows how far that picture is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from ..models.generator import Conditioning, Denoiser
from ..models.scheduler_facts import flows, noise_scale, prediction_kind
from ..progress import run
from .anderson import Solver, solve
from .loop import check_options, guided
from .schedule import alpha_sigma, alpha_sigma_after, noise_from, x0_from

INVERTIBLE = {
    "DDIMScheduler": ("clip_sample", "thresholding"),
    "EulerDiscreteScheduler": (),
    "FlowMatchEulerDiscreteScheduler": ("stochastic_sampling", "invert_sigmas"),
}
"""Classes of diffusers whose step depends on nothing but x_t, unless one of these settings is on."""


@dataclass(frozen=True)
class InverseStep:
    """One inverted step of the sampler, for a batch of `n` pictures.

    Attributes:
        index: of the step in the sampler's order: counts down to 0.
        t: timestep.
        x_next: `(n, *latent_shape)` state after the sampler's step, where the inverted step begins.
        x_t: state before it, where the inverted step ends.
        residual: `(n,)` |x_next - step(x_t)| / |x_next|.
        iterations: how many updates x_t took.
    """

    index: int
    t: Tensor
    x_next: Tensor
    x_t: Tensor
    residual: Tensor
    iterations: int


@dataclass(frozen=True)
class Inversion:
    """The noise of given latents, and how well each step was solved.

    Attributes:
        noise: `(n, *latent_shape)`, the start for `denoise`. It is not a draw of N(0, I): see `norms`.
        residuals: `(steps, n)` in the sampler's order, first step first.
        iterations: `(steps,)` updates of each.
        tolerance: the requested residual.
    """

    noise: Tensor
    residuals: Tensor
    iterations: Tensor
    tolerance: float

    @classmethod
    def cat(cls, several: Sequence[Inversion]) -> Inversion:
        """The inversions of several batches as one; iterations are the most of any batch."""
        return cls(
            torch.cat([each.noise for each in several]),
            torch.cat([each.residuals for each in several], dim=1),
            torch.stack([each.iterations for each in several]).amax(0),
            several[0].tolerance,
        )

    @property
    def converged(self) -> bool:
        """Whether every step of every row reached the tolerance."""
        return bool((self.residuals <= self.tolerance).all())

    @property
    def norms(self) -> Tensor:
        """`(n,)` length of the noise over √D: a draw of N(0, I) has 1 ± 1/√(2D)."""
        rows = self.noise.double().flatten(1)
        return rows.norm(dim=1) / rows.shape[1] ** 0.5


def inverting_scheduler(denoiser: Denoiser) -> str | None:
    """The name of the scheduler for inversion and for decoding again.

    None is the model's own, if its steps can be inverted; otherwise it is DDIM on the same noise schedule.

    Raises:
        ModelError: a flow-matching model whose own scheduler cannot be inverted.
    """
    own = denoiser.scheduler()
    if _why_not(own) is None:
        return None
    if flows(own):
        raise _refusal(own)
    return "ddim"


def invert(
    denoiser: Denoiser,
    conditioning: Conditioning,
    latents: Tensor,
    *,
    steps: int,
    guidance: float = 1.0,
    scheduler: Any = None,
    solver: Solver | None = None,
) -> Inversion:
    """The noise from which `denoise`, with the same options and scheduler, makes `latents`; see `inverting`."""
    return run(
        inverting(denoiser, conditioning, latents, steps=steps, guidance=guidance, scheduler=scheduler, solver=solver)
    )


@torch.inference_mode()
def inverting(
    denoiser: Denoiser,
    conditioning: Conditioning,
    latents: Tensor,
    *,
    steps: int,
    guidance: float = 1.0,
    scheduler: Any = None,
    solver: Solver | None = None,
) -> Generator[InverseStep, None, Inversion]:
    """Invert the steps of the sampler from the last to the first, yielding each; the generator returns the `Inversion`.

    Args:
        denoiser: the model.
        conditioning: what guides each row.
        latents: `(n, *latent_shape)` finished latents, float32 or float64.
        steps: how many the sampler takes.
        guidance: scale of classifier-free guidance. Above 1 a step is far from linear and may have no solution or
            several, and the noise is far from Gaussian (Mokady et al., 2023): invert at 1.
        scheduler: one of the classes in `INVERTIBLE`; by default the one that `inverting_scheduler` names.
        solver: tolerance and number of iterations; `Solver(iterations=1)` is naive inversion.

    Raises:
        ModelError: a scheduler that cannot be inverted, options out of range, rows that do not match.
    """
    check_options(steps=steps, guidance=guidance)
    if len(conditioning) != len(latents):
        raise ModelError(
            f"Got {len(latents)} latents for {len(conditioning)} conditionings, expected equal numbers.", code="rows"
        )
    sampler = denoiser.scheduler(inverting_scheduler(denoiser)) if scheduler is None else scheduler
    require_invertible(sampler)
    solver = solver or Solver()
    denoiser.set_timesteps(sampler, steps)
    predict = guided(denoiser, conditioning, guidance)
    x = latents.to(denoiser.device)
    done: list[InverseStep] = []
    for index, t in reversed(list(enumerate(sampler.timesteps))):
        step = _Step(copy(sampler), t)  # a scheduler counts its calls; the copy has had none
        start = x if flows(sampler) else x * step.growth
        found = solve(step.of(predict), start, x, gain=step.gain, solver=solver)
        done.insert(0, InverseStep(index, t, x, found.x, found.residual, found.iterations))
        yield done[0]
        x = found.x
    return Inversion(
        x / noise_scale(sampler),
        torch.stack([step.residual for step in done]),
        torch.tensor([step.iterations for step in done]),
        solver.tolerance,
    )


def require_invertible(scheduler: Any) -> None:
    """Raise ModelError unless the steps of a scheduler can be inverted."""
    if _why_not(scheduler) is not None:
        raise _refusal(scheduler)


@dataclass(frozen=True)
class _Step:
    """The step of a sampler at one timestep, as a function of the state."""

    sampler: Any
    t: Tensor

    def of(self, predict: Callable[[Any, Tensor, Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        a, s = alpha_sigma_after(self.sampler, self.t)

        def step(x: Tensor) -> Tensor:
            prediction = predict(self.sampler, x, self.t)
            x0, noise = (f(prediction, x, self.t, self.sampler) for f in (x0_from, noise_from))
            return a.to(x) * x0 + s.to(x) * noise

        return step

    @property
    def growth(self) -> float:
        """√(α²+σ²) before the step over that after it, which scales x_next to the size of x_t."""
        (alpha, sigma), (a, s) = self._numbers
        return ((alpha**2 + sigma**2) / (a**2 + s**2)) ** 0.5

    @property
    def gain(self) -> float:
        """The inverse of the step's slope if the prediction did not depend on x_t.

        It is 1 for flow, α/a for ε and (α²+σ²)/(aα+sσ) for the velocity; also for x0, whose own is infinite at the end.
        """
        (alpha, sigma), (a, s) = self._numbers
        kind = prediction_kind(self.sampler)
        if kind == "flow_prediction":
            return 1.0
        over, under = (alpha, a) if kind == "epsilon" else (alpha**2 + sigma**2, a * alpha + s * sigma)
        if over <= 0 or under <= 0:
            raise ModelError(
                f"Got a step of {kind} from α {alpha:g} to α {a:g}, which cannot be inverted; take more steps, or "
                "for epsilon a scheduler that starts above α 0.",
                code="step",
            )
        return over / under

    @property
    def _numbers(self) -> tuple[tuple[float, float], tuple[float, float]]:
        before, after = alpha_sigma(self.sampler, self.t), alpha_sigma_after(self.sampler, self.t)
        return (float(before[0]), float(before[1])), (float(after[0]), float(after[1]))


def _why_not(scheduler: Any) -> str | None:
    name = type(scheduler).__name__
    if name not in INVERTIBLE:
        return name
    lossy = [each for each in INVERTIBLE[name] if scheduler.config.get(each)]
    return f"{name} with {lossy[0]}" if lossy else None


def _refusal(scheduler: Any) -> ModelError:
    return ModelError(
        f"Got a {_why_not(scheduler)}, whose steps cannot be inverted, expected one of "
        f"{', '.join(INVERTIBLE)}, without clipping and without noise in its steps.",
        code="scheduler",
    )
