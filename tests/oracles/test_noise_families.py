"""Noise measured on each family of models: errors, paths, guidance and cost, or one line that says why not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from thoughtspace.analysis.noise.cost import step_costs
from thoughtspace.analysis.noise.guidance import measure_guidance
from thoughtspace.analysis.noise.of_model import measure_noise
from thoughtspace.analysis.noise.trajectory import decode_trajectories
from thoughtspace.explorer.diffusion.loop import noise_for
from thoughtspace.explorer.errors import AnalysisError, ModelError, SpaceError
from thoughtspace.explorer.explorer import Explorer

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning"),  # of diffusers, under NumPy 2
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

TEXTS = ["a red fox", "a blue cat", "a king"]


def test_every_family_has_errors_of_noise_and_of_the_pictures_that_follow_from_it(family: Explorer):
    latents = family.latent.points(noise_for([1, 2, 3], family.latent.shape))
    found = measure_noise(family, latents, TEXTS, levels=3)
    table = found.table()
    assert list(found.noise) == ["right", "wrong", "none"]
    alpha, sigma = np.array([[each.alpha, each.sigma] for each in found.levels]).T
    for guide, errors in found.noise.items():
        np.testing.assert_allclose(
            alpha[:, None] ** 2 * found.picture[guide], sigma[:, None] ** 2 * errors, rtol=2e-2, atol=1e-5
        )
    assert (np.diff(table[table["guide"] == "right"]["snr"]) > 0).all()
    assert not np.allclose(found.noise["right"], found.noise["wrong"])


def test_the_cost_is_counted_for_unets_and_transformers(family: Explorer):
    found = step_costs(family, repeats=1, most_flops=0)
    # Texts are as long in pixels, and of so small a transformer they are most of the work.
    times = 2 if family.model.denoiser.unet is None else 10
    assert found.pixels.flops > times * found.latent.flops
    assert found.pixels.memory > times * found.latent.memory


def test_a_vector_guided_family_has_errors_by_its_vectors(families, opened):
    for name in ("unclip", "kandinsky"):
        explorer = opened(families(name))
        latents = explorer.latent.points(noise_for([1, 2, 3], explorer.latent.shape))
        vectors = torch.randn(3, explorer.model.denoiser.joint_dim, generator=torch.Generator().manual_seed(0))
        joint = explorer.joint.points(vectors)
        found = measure_noise(explorer, latents, joint, levels=2)
        assert not np.allclose(found.noise["right"], found.noise["wrong"]), name
        assert step_costs(explorer, repeats=1, most_flops=0).pixels.flops > 0


def test_guidance_without_an_effect_is_said_to_have_none(families, opened, tiny_explorer, refused):
    """Flux [schnell] has no input for guidance, and no negative side."""
    with refused(AnalysisError, "no guidance", "does nothing"):
        measure_guidance(opened(families("schnell")), TEXTS, [1, 4], seeds=2, reader=tiny_explorer, space="prompt")
    found = measure_guidance(opened(families("flux")), TEXTS, [1, 9], seeds=2, reader=tiny_explorer, space="prompt")
    assert not np.array_equal(found.images[0].numpy(), found.images[1].numpy())


def test_models_that_lack_a_part_are_refused_in_one_line(families, opened, pictures, refused):
    flux = opened(families("flux"))
    with refused(SpaceError, "no such space", "'joint'"):
        decode_trajectories(flux, TEXTS)
    with refused(SpaceError, "no such space", "'joint'"):
        measure_guidance(flux, TEXTS)
    own = opened(families("pixart"))
    for measure in (lambda: measure_noise(own, pictures), lambda: decode_trajectories(own, TEXTS)):
        with refused(ModelError, "own loop"):
            measure()
