"""A picture that is given to a network is noised as the pipeline's own scheduler noises it, step by step."""

from __future__ import annotations

import pytest
import torch

from thoughtspace.explorer.diffusion.loop import noise_for

from .conftest import unmodified

STEPS, SEED = 3, 7

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2


def packed(pipeline, x):
    """As the network is given it: Flux's in patches."""
    return pipeline._pack_latents(x, *x.shape) if type(pipeline).__name__ == "FluxPipeline" else x


def test_each_evaluation_sees_what_the_scheduler_makes(family, family_folder, pictures):
    seen, denoiser, pipeline = [], family.model.denoiser, unmodified(family_folder)

    def look(_, args, kwargs):
        seen.append((args[0] if args else kwargs["hidden_states"]).clone())

    hook = denoiser.network.register_forward_pre_hook(look, with_kwargs=True)
    try:
        family.heat_maps("a red fox", picture=pictures[0], steps=STEPS, seed=SEED)
    finally:
        hook.remove()
    z, noise = family.latent.image(pictures[0]).values, noise_for([SEED], denoiser.latent_shape)
    sampler = pipeline.scheduler
    denoiser.set_timesteps(sampler, STEPS)
    assert len(seen) == len(sampler.timesteps)
    for found, t in zip(seen, sampler.timesteps, strict=True):
        if hasattr(sampler, "scale_noise"):
            expected = sampler.scale_noise(z, t[None], noise)
        else:
            expected = sampler.scale_model_input(sampler.add_noise(z, noise, t[None]), t)
            if hasattr(sampler, "_step_index"):
                sampler._step_index = None
        torch.testing.assert_close(found, packed(pipeline, expected), atol=1e-4, rtol=1e-4)
