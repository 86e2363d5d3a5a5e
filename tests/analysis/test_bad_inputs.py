"""Bad inputs that are not tried beside their methods: each is refused in one line, and none is a silent number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from thoughtspace.analysis.codec.channels import channels
from thoughtspace.analysis.codec.errors import errors
from thoughtspace.analysis.codec.fidelity import psnr, ssim
from thoughtspace.analysis.codec.passing import passing
from thoughtspace.analysis.codec.rates import rates
from thoughtspace.analysis.comparison.compare import compare
from thoughtspace.analysis.concepts.density import density
from thoughtspace.analysis.directions.fit import fit_direction
from thoughtspace.analysis.directions.leakage import leakage
from thoughtspace.analysis.map_agreement import neighborhood_hit
from thoughtspace.analysis.map_quality import quality
from thoughtspace.analysis.noise.guidance import guidance_sweep
from thoughtspace.analysis.noise.trajectory import trajectories
from thoughtspace.analysis.paths.perceptual_length import perceptual_length
from thoughtspace.analysis.places.localisation import localisation
from thoughtspace.analysis.prompts.spread import spread
from thoughtspace.analysis.prompts.styles import style_effects
from thoughtspace.analysis.prompts.wording import sensitivity
from thoughtspace.analysis.structure.dimension import two_nn
from thoughtspace.explorer.errors import AnalysisError

rng = np.random.default_rng(0)
X = rng.standard_normal((40, 6))
PICTURES, LATENTS = rng.random((4, 16, 16, 3)), rng.random((4, 2, 2, 2))
FLAT = np.full_like(PICTURES, 0.5)
HALF = np.arange(40) % 2 == 0
SWEEP = rng.standard_normal((2, 3, 4, 5))


def decode(z: Any) -> Any:
    return np.full((len(z), 16, 16, 3), 0.5, np.float32)


def through(values: float) -> Callable[[Any], Any]:
    return lambda x: np.full_like(x, values)


def test_an_array_without_items_is_told_from_one_of_another_shape(refused):
    with refused(AnalysisError, "shape", "add items"):
        two_nn(X[:0])
    with refused(AnalysisError, "shape", "flatten"):
        two_nn(PICTURES)


REFUSED: dict[str, tuple[str, Callable[[], Any]]] = {
    "numbers that overflow": ("too large", lambda: two_nn(1e30 * X)),
    "numbers that overflow on a map": ("too large", lambda: quality(X, 1e30 * X[:, :2], k=3)),
    "numbers that overflow in a comparison": ("too large", lambda: compare(1e30 * X, X, metrics=("euclidean",) * 2)),
    "numbers that overflow in a density": ("too large", lambda: density(1e30 * X, metric="euclidean")),
    "places without a label": ("missing labels", lambda: neighborhood_hit(X[:, :2], [np.nan] * 20 + [1.0] * 20, k=3)),
    "a direction of length zero": ("no variation", lambda: leakage(X, {"a": np.zeros(6)}, {"a": HALF})),
    "a direction of another width": ("width", lambda: leakage(X, {"a": np.ones(5)}, {"a": HALF})),
    "a direction of no numbers": ("not finite", lambda: leakage(X, {"a": np.full(6, np.nan)}, {"a": HALF})),
    "missing truths": ("labels", lambda: leakage(X, {"a": np.ones(6)}, {"a": [np.nan] * 20 + [1.0] * 20})),
    "walks of text": ("not numbers", lambda: perceptual_length([["a"]] * 3, [["b"]] * 3, lambda a, b, t: a, decode)),
    "walks without an end": ("not finite", lambda: perceptual_length(X * np.inf, X, lambda a, b, t: a, decode)),
    "seeds of text": ("not numbers", lambda: spread([[["a"]] * 2] * 2)),
    "styles of text": ("not numbers", lambda: style_effects([["a"]] * 3, [[["a"]] * 3] * 2, "ab")),
    "two prompts for one": ("shape", lambda: sensitivity(X[:2], {"order": X[2:4]}, X[4:])),
    "paths of text": ("not numbers", lambda: trajectories([[["a"]] * 2] * 3, range(3), range(3))),
    "a scale that is no number": ("not finite", lambda: guidance_sweep(SWEEP, SWEEP[0, :, 0], [1, np.nan])),
    "maps of text": ("not numbers", lambda: localisation([["a"]], PICTURES[..., 0] > 0.5, "abcd")),
    "pictures of 8 bits": ("range", lambda: rates(255 * PICTURES, LATENTS, decode)),
    "pictures of 8 bits in a fidelity": ("range", lambda: psnr(255 * PICTURES[0], 255 * PICTURES[0])),
    "pictures of 8 bits in a similarity": ("range", lambda: ssim(255 * PICTURES[0], 255 * PICTURES[0])),
    "pictures with holes": ("not finite", lambda: channels(PICTURES * np.nan, LATENTS, decode)),
    "decoded pictures with holes": ("not finite", lambda: errors(PICTURES, PICTURES * np.nan)),
    "an autoencoder that gives no numbers": ("not finite", lambda: passing(PICTURES, through(np.nan), n_numbers=8)),
    "a flat picture": ("no variation", lambda: rates(FLAT, LATENTS, decode)),
    "flat pictures": ("no variation", lambda: errors(FLAT, PICTURES)),
    "flat latents": ("no variation", lambda: channels(PICTURES, 0 * LATENTS, decode)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(name, refused):
    code, run = REFUSED[name]
    with refused(AnalysisError, code):
        run()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("method", ["mean", "cav"])
def test_columns_that_never_vary_and_a_large_mean_change_no_direction(method):
    x = X.copy()
    x[HALF, 0] += 3
    plain, shifted = (
        fit_direction(each[HALF], each[~HALF], method=method, n_null=3, n_samples=2).vector
        for each in (np.hstack([x + offset, np.full((40, 2), offset)]) for offset in (0, 500))
    )
    np.testing.assert_allclose(shifted, plain, atol=1e-3)
    np.testing.assert_allclose(plain[6:], 0, atol=1e-6)
