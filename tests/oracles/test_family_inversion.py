"""Each family of text-to-image models: latents come back from their noise, by flow matching too."""

from __future__ import annotations

import pytest

from thoughtspace.explorer.diffusion.anderson import Solver
from thoughtspace.explorer.diffusion.loop import noise_for
from thoughtspace.explorer.explorer import Explorer
from thoughtspace.explorer.spaces.round_trip import redecoded, relative_error

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2

STEPS = 25  # an untrained network bends more than a trained one: its larger steps have no inverse


def test_latents_come_back_from_their_noise(family: Explorer):
    noise = family.noise
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
