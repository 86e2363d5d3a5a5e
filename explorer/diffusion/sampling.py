"""From a guide to finished latents in our own loop, for any combination of prompt, vector, noise and offset."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch
from torch import Tensor

from ..models.generator import Denoiser, Guide
from ..options import Settled
from .bottleneck import AsymmetricStep
from .loop import NO_HOOK, Step, denoise, noise_for, seeded


def sampled(denoiser: Denoiser, guide: Guide, seeds: Sequence[int], how: Settled) -> Generator[Step, None, Tensor]:
    """Denoise a full batch; yields each step and returns the latents, `(n, *latent_shape)`.

    Args:
        guide: `n` rows; a `shift` is added by Asyrp's step, in the first share `how.until` of the steps.
        seeds: one per row.
        how: the options.

    Raises:
        ModelError: an option or a part of the guide that the family cannot take.
    """
    generators, denoiser = seeded(seeds), denoiser.decoding(how)
    if how.adapter_scale is not None and guide.joint is not None:
        denoiser = denoiser.scaled(how.adapter_scale)
    prompts = guide.prompts
    if prompts is None:
        prompts = denoiser.encode_prompts([how.prompt]).expand(len(seeds), *denoiser.prompt_shape)
    conditioning = denoiser.conditioning(generators, prompts=prompts, joint=guide.joint, negative=how.negative)
    latents = _start(denoiser, guide, generators)
    sampler, hook = denoiser.scheduler(how.scheduler), NO_HOOK
    if guide.shift is not None:
        moved = round((1.0 if how.until is None else how.until) * how.steps)
        hook = AsymmetricStep(denoiser, conditioning, guide.shift, sampler=sampler, guidance=how.guidance, steps=moved)
    for step in denoise(
        denoiser,
        conditioning,
        latents,
        steps=how.steps,
        guidance=how.guidance,
        scheduler=sampler,
        generators=generators,
        hook=hook,
    ):
        latents = step.x_next
        yield step
    return latents


def _start(denoiser: Denoiser, guide: Guide, generators: Sequence[torch.Generator]) -> Tensor:
    # Noise alone replaces the seed's. With another part the seed's noise is drawn as well, so that the later draws of
    # the sampler are the same as for that part alone.
    if guide.noise is not None and guide.prompts is None and guide.joint is None:
        return guide.noise
    drawn = noise_for(generators, denoiser.latent_shape)
    return drawn if guide.noise is None else guide.noise
