"""Each family of text-to-image models: a picture comes back from its noise, by flow matching too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from thoughtspace.explorer.diffusion.anderson import Solver
from thoughtspace.explorer.explorer import Explorer
from thoughtspace.explorer.spaces.round_trip import round_trip

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2


@pytest.fixture(scope="module")
def explorer(family_folder: Path) -> Explorer:
    return Explorer.open(family_folder, device="cpu")


def test_pictures_come_back_from_their_noise(explorer, pictures):
    solved, naive = (
        round_trip(explorer.noise, pictures[:2], prompt="a red fox", edit="a blue cat", steps=5, solver=solver)
        for solver in (Solver(tolerance=1e-6), Solver(iterations=1))
    )
    assert float(solved.inversion_error.max()) < 1e-4
    assert float(naive.inversion_error.max()) > 3 * float(solved.inversion_error.max())
    assert float(solved.edit_error.max()) > 0


def test_they_are_decoded_so_by_default(explorer, pictures):
    latent, noise = explorer.latent, explorer.noise
    made = noise.decode(noise.image(*pictures[:2], steps=4), steps=4)
    expected = latent.decode(latent.image(*pictures[:2]))
    for one, other in zip(made, expected, strict=True):
        assert np.abs(np.asarray(one, int) - np.asarray(other, int)).max() <= 1
