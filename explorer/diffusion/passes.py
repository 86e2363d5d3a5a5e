"""Show a network a picture that it did not make: noised to the level of each step, one evaluation a level."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from copy import copy

from torch import Tensor

from ..models.generator import Denoiser
from ..options import Settled
from .loop import guided, noise_for, seeded
from .schedule import alpha_sigma


def passes(
    denoiser: Denoiser, prompts: Tensor, latents: Tensor, seeds: Sequence[int], how: Settled
) -> Generator[Tensor, None, None]:
    """Evaluate the side of the prompt at x_t = αz + σε for each step of the sampler, with one ε a seed; yields each.

    Args:
        prompts: `(n, *prompt_shape)`.
        latents: `(n, *latent_shape)` of pictures, z.
    """
    generators, sampler = seeded(seeds), denoiser.scheduler(how.scheduler)
    conditioning = denoiser.conditioning(generators, prompts=prompts)
    z, noise = latents.to(denoiser.device), noise_for(generators, denoiser.latent_shape).to(denoiser.device)
    predict = guided(denoiser, conditioning, how.guidance if denoiser.distilled else 1.0)
    denoiser.set_timesteps(sampler, how.steps)
    for t in sampler.timesteps:
        fresh = copy(sampler)  # a scheduler counts its calls; the copy has had none
        alpha, sigma = (value.to(z) for value in alpha_sigma(fresh, t))
        yield predict(fresh, alpha * z + sigma * noise, t)
