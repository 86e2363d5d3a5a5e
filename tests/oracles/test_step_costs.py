"""The cost of a step of each family: networks for pixels differ in what they read and write alone."""

from __future__ import annotations

import pytest

from thoughtspace.analysis.noise.cost import step_costs
from thoughtspace.analysis.noise.counting import counted


@pytest.mark.parametrize("name", ["stable_diffusion_35", "flux", "schnell", "kandinsky"])
def test_a_step_is_counted_in_the_latent_and_in_pixels(name, families, opened):
    explorer = opened(families(name))
    denoiser, side = explorer.model.denoiser, explorer.model.autoencoder.image_size
    found, config = step_costs(explorer, repeats=1, most_flops=1e12), denoiser.network.config
    assert found.latent.shape == denoiser.latent_shape
    assert found.pixels.shape == (3, side, side)
    assert all(len(each.seconds) == 1 for each in (found.latent, found.pixels, found.decoding))
    more = (side / denoiser.latent_shape[-1]) ** 2
    assert found.pixels.memory > found.latent.memory
    assert found.pixels.flops > found.latent.flops
    ends, patch = 3 - denoiser.latent_shape[0], denoiser.patch**2
    if name == "kandinsky":  # its convolutions of 3 x 3; what it writes is twice as much, with the variance
        width = config.block_out_channels[0]
        changed = ends * (9 * width + 2 * (9 * width + 1))
    else:
        width = config.num_attention_heads * config.attention_head_dim
        changed = ends * patch * (width + width + 1)
    assert found.pixels.parameters - found.latent.parameters == changed
    # What depends on the places grows with them, and pairs of places with their square; prompts stay as they are.
    assert found.pixels.flops < more**2 * found.latent.flops


def test_the_operations_of_a_transformer_are_those_of_its_pipeline(families, opened):
    """Overheard while diffusers' own pipeline takes one step."""
    from .conftest import unmodified

    folder = families("flux")
    pipeline, steps = unmodified(folder), []
    plain = pipeline.transformer.forward

    def heard(**given):
        out = []
        steps.append(counted(lambda: out.append(plain(**given)), pipeline.transformer)[0])
        return out[0]

    pipeline.transformer.forward = heard
    side = opened(folder).model.autoencoder.image_size
    pipeline("", height=side, width=side, num_inference_steps=1, output_type="latent")
    assert steps == [step_costs(opened(folder), repeats=1, most_flops=0).latent.flops]
