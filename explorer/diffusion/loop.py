"""The denoising loop that every space decodes with; it yields each step."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from ..models.generator import Conditioning, Denoiser
from ..models.scheduler_facts import network_input, noise_scale, uses_learned_variance
from ..options import Decoding
from .schedule import noise_from, x0_from


@dataclass(frozen=True)
class Step:
    """One step of the loop, for a batch of `n` pictures.

    Attributes:
        index: 0, 1, ...; two-stage samplers count each evaluation.
        t: timestep.
        x_t: `(n, *latent_shape)` state before the step, as the scheduler keeps it.
        x0: the predicted picture x̂0 of the guided prediction.
        noise_pred: its predicted noise ε̂.
        x_next: state after the step; after the last step, the finished latents.
    """

    index: int
    t: Tensor
    x_t: Tensor
    x0: Tensor
    noise_pred: Tensor
    x_next: Tensor


class Hook:
    """Changes the steps of the loop; this one changes nothing."""

    def edit(self, index: int, x_t: Tensor, prediction: Tensor) -> Tensor:
        """The prediction to use instead of the guided one at `x_t`."""
        return prediction

    def after(self, step: Step) -> Tensor:
        """The state to go on with after a finished step."""
        return step.x_next


NO_HOOK = Hook()

Predictor = Callable[[Any, Tensor, Tensor], Tensor]
"""`(scheduler, x_t, t) -> prediction` of a batch, guidance included.

For samplers with a learned variance, the variance of the conditional side follows as further channels.
"""


def seeded(seeds: Sequence[int]) -> list[torch.Generator]:
    """One CPU generator per picture, so that no picture depends on the others in its batch."""
    return [torch.Generator().manual_seed(int(seed)) for seed in seeds]


def noise_for(generators: Sequence[torch.Generator] | Sequence[int], shape: Sequence[int]) -> Tensor:
    """`(n, *shape)` standard normal noise, row by row from each generator (or seed), float32 on the CPU.

    The same numbers as diffusers' `randn_tensor` draws from a list of generators.

    >>> alone, among = noise_for([7], (4, 8, 8)), noise_for([3, 7], (4, 8, 8))
    >>> bool((alone[0] == among[1]).all())
    True
    """
    rows = [each if isinstance(each, torch.Generator) else seeded([each])[0] for each in generators]
    drawn = [torch.randn((1, *shape), generator=generator) for generator in rows]
    return torch.cat(drawn) if drawn else torch.empty(0, *shape)


@torch.inference_mode()
def denoise(
    denoiser: Denoiser,
    conditioning: Conditioning,
    noise: Tensor,
    *,
    steps: int,
    guidance: float,
    scheduler: Any = None,
    generators: Sequence[torch.Generator] | None = None,
    hook: Hook = NO_HOOK,
) -> Iterator[Step]:
    """Denoise a batch with classifier-free guidance (Ho & Salimans, 2022), yielding every step.

    The prediction is ε_u + g(ε_c - ε_u): g = 1 is the conditional model and g = 0 the unconditional one, each
    evaluated alone. For g > 1 and for g = 1 the latents equal those of diffusers' pipeline.

    Args:
        denoiser: the model.
        conditioning: what guides each row.
        noise: `(n, *latent_shape)` standard normal.
        steps: how many; two-stage samplers evaluate twice in each.
        guidance: g.
        scheduler: a diffusers scheduler, by default the model's; its state is overwritten.
        generators: for samplers that draw noise in each step.
        hook: changes the guided prediction before it is used, and the state after a step.

    Raises:
        ModelError: steps or guidance out of range, rows that do not match.
    """
    check_options(steps=steps, guidance=guidance)
    if len(conditioning) != len(noise):
        raise ModelError(
            f"Got {len(noise)} noises for {len(conditioning)} conditionings, expected equal numbers.", code="rows"
        )
    sampler = denoiser.scheduler() if scheduler is None else scheduler
    denoiser.set_timesteps(sampler, steps)
    draws = "generator" in inspect.signature(sampler.step).parameters
    options = {"generator": list(generators)} if draws and generators is not None else {}
    predict = guided(denoiser, conditioning, guidance)
    x_t = noise.to(denoiser.device) * noise_scale(sampler)
    for index, t in enumerate(sampler.timesteps):
        prediction, variance = _split_variance(predict(sampler, x_t, t), x_t)
        prediction = hook.edit(index, x_t, prediction)
        x0, noise_pred = (f(prediction, x_t, t, sampler) for f in (x0_from, noise_from))
        x_next = sampler.step(torch.cat([prediction, variance], dim=1), t, x_t, return_dict=False, **options)[0]
        step = Step(index, t, x_t, x0, noise_pred, x_next)
        yield (step := replace(step, x_next=hook.after(step)))
        x_t = step.x_next


def check_options(*, steps: int, guidance: float) -> None:
    """Raise ModelError where steps or guidance are out of range."""
    Decoding(steps=steps, guidance=guidance)


def guided(denoiser: Denoiser, conditioning: Conditioning, guidance: float) -> Predictor:
    """The guided prediction ε_u + g(ε_c - ε_u) of a batch, or one side alone for g of 0 and 1; see `denoise`."""
    if denoiser.distilled:
        scale = torch.full((len(conditioning),), float(guidance), device=denoiser.device)
        inputs = {**conditioning.positive, "guidance": scale}
        return lambda sampler, x_t, t: denoiser.predict(network_input(sampler, x_t, t), t, inputs).to(x_t)
    if guidance in (0, 1):
        side = conditioning.positive if guidance == 1 else conditioning.negative
        return lambda sampler, x_t, t: _without_variance(
            denoiser.predict(network_input(sampler, x_t, t), t, side).to(x_t), x_t, sampler
        )
    both = conditioning.both

    def predict(sampler: Any, x_t: Tensor, t: Tensor) -> Tensor:
        # Stacked and scaled as the pipeline does it, negative rows first: kernels round by the shape of a batch.
        stacked = denoiser.predict(network_input(sampler, torch.cat([x_t] * 2), t), t, both)
        without, towards = _without_variance(stacked.to(x_t), x_t, sampler).chunk(2)
        (without, _), (towards, variance) = _split_variance(without, x_t), _split_variance(towards, x_t)
        return torch.cat([without + guidance * (towards - without), variance], dim=1)

    return predict


def _without_variance(output: Tensor, x: Tensor, sampler: Any) -> Tensor:
    """The network's output without its learned variance, unless the sampler uses that."""
    return output if uses_learned_variance(sampler) else output[:, : x.shape[1]]


def _split_variance(output: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Split an output into the prediction and the learned variance, which may have no channels."""
    return output[:, : x.shape[1]], output[:, x.shape[1] :]
