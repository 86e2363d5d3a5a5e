"""Each family of text-to-image models: latents come back from their noise, by flow matching too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from thoughtspace.explorer.diffusion.anderson import Solver
from thoughtspace.explorer.diffusion.loop import noise_for
from thoughtspace.explorer.explorer import Explorer
from thoughtspace.explorer.spaces.round_trip import redecoded, relative_error

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2

STEPS = 10


@pytest.fixture
def gentle(family: Explorer) -> Iterator[Explorer]:
    """The model with a smaller last layer: an untrained one bends so much that large steps have no inverse."""
    denoiser = family.model.denoiser
    layer = denoiser.network.conv_out if denoiser.unet is not None else denoiser.network.proj_out
    whole = {name: weight.clone() for name, weight in layer.state_dict().items()}
    layer.load_state_dict({name: 0.3 * weight for name, weight in whole.items()})
    yield family
    layer.load_state_dict(whole)


def test_latents_come_back_from_their_noise(gentle: Explorer):
    noise = gentle.noise
    latents = noise_for([1], noise.shape)  # an untrained autoencoder's own are a fraction of the usual size
    errors = []
    for solver in (Solver(tolerance=1e-6), Solver(iterations=1)):
        found = noise.inversion(latents, prompt="a red fox", steps=STEPS, solver=solver)
        again = redecoded(noise, found.noise, prompt="a red fox", steps=STEPS)
        errors.append(float(relative_error(again, latents).max()))
    assert errors[0] < 1e-4
    assert errors[1] > 5 * errors[0]
    other = redecoded(noise, found.noise, prompt="a blue cat", steps=STEPS)
    assert float(relative_error(other, again).min()) > 1e-4  # the prompt matters
