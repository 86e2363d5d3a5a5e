"""Noise measured on models and pictures, in Python and on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from thoughtspace.analysis.noise.errors import Level, noise_errors
from thoughtspace.analysis.noise.known import known_noise
from thoughtspace.analysis.noise.of_model import measure_noise, others
from thoughtspace.explorer.diffusion.loop import guided, seeded
from thoughtspace.explorer.diffusion.schedule import noise_from
from thoughtspace.explorer.errors import AnalysisError

TEXTS = ["a red fox", "a blue cat", "a sad face", "a king", "a queen", "a mountain", "a hat", "a man"]
LEVELS = [Level(900, 0.2, 0.98), Level(100, 0.98, 0.2)]


def shrunk(share: float):
    """A predictor that says so much of the true noise, which it is told."""

    def predict(x_t, t):
        return share * NOISE, x_t

    return predict


NOISE = np.random.default_rng(1).standard_normal((20, 3, 8, 8))
DATA = np.random.default_rng(2).standard_normal((20, 3, 8, 8))


def test_a_prediction_of_a_share_of_the_noise_leaves_the_square_of_the_rest():
    found = noise_errors(DATA, NOISE, LEVELS, {"right": shrunk(1.0), "wrong": shrunk(0.5), "none": shrunk(0.0)})
    own = np.square(NOISE).mean((1, 2, 3))
    np.testing.assert_allclose(found.noise["right"], 0)
    np.testing.assert_allclose(found.noise["wrong"], [0.25 * own] * 2)
    np.testing.assert_allclose(found.noise["none"], [own] * 2)
    table = found.table().set_index(["guide", "t"])
    assert table.loc[("right", 900), "shuffled"] == pytest.approx(2, abs=0.15)  # noise of others says nothing
    assert table.loc[("none", 900), "shuffled"] == pytest.approx(own.mean())
    assert table.loc[("wrong", 100), "se"] == pytest.approx(0.25 * own.std(ddof=1) / np.sqrt(20))
    effects = found.effects()
    assert effects["none"].value == pytest.approx(own.mean())
    assert effects["none"].interval[0] > 0
    assert effects["none"].p_value < 0.01
    json.dumps(found.to_json(), allow_nan=False)


def test_differences_are_paired_so_their_intervals_do_not_grow_with_the_spread_of_pictures():
    scale = np.geomspace(0.1, 10, 20).reshape(-1, 1, 1, 1)

    def predict(more):
        return lambda x_t, t: (NOISE - np.sqrt(scale + more), x_t)

    found = noise_errors(DATA, NOISE, LEVELS, {"right": predict(0.0), "wrong": predict(0.1)})
    row = found.differences().iloc[0]
    assert (row.low, row.difference, row.high) == pytest.approx((0.1, 0.1, 0.1))
    assert found.table().iloc[0].pipe(lambda row: row.high - row.low) > 1


def test_guides_without_an_effect_have_p_values_that_are_uniform():
    """Calibration: a twentieth below .05 and a half below .5, within the binomial's error."""
    p_values = []
    for trial in range(200):
        rng = np.random.default_rng(trial)
        noise, x = rng.standard_normal((2, 12, 2, 4))

        def guess(x_t, t, rng=rng, noise=noise):
            return noise + rng.standard_normal(noise.shape), x_t

        found = noise_errors(x, noise, LEVELS[:1], {"right": guess, "wrong": guess}, random_state=trial)
        p_values.append(found.effects()["wrong"].p_value)
    below = [float(np.mean(np.array(p_values) <= level)) for level in (0.05, 0.5)]
    assert below[0] == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 200))
    assert below[1] == pytest.approx(0.5, abs=3 * np.sqrt(0.25 / 200))


def test_intervals_of_the_mean_cover_it():
    inside = 0
    for trial in range(200):
        rng = np.random.default_rng(trial)
        noise, x = rng.standard_normal((2, 16, 4, 8))
        table = noise_errors(x, noise, LEVELS[:1], {"none": lambda x_t, t: (0 * x_t, x_t)}, random_state=trial).table()
        inside += bool(table["low"][0] <= 1 <= table["high"][0])
    assert 0.88 <= inside / 200 <= 0.99


def test_wrong_guides_are_never_the_right_ones(refused):
    labels = ["fox", "cat", "fox", "cat", "hat"]
    for seed in range(20):
        assert all(labels[other] != label for label, other in zip(labels, others(labels, seed), strict=True))
    with refused(AnalysisError, "no variation"):
        others(["fox", "fox"], 0)


def test_what_cannot_be_compared_is_refused(refused):
    with refused(AnalysisError, "too few"):
        noise_errors(DATA[:1], NOISE[:1], LEVELS, {"none": shrunk(0)})
    with refused(AnalysisError, "shape", "(3, 3, 8, 8)"):
        noise_errors(DATA[:3], NOISE, LEVELS, {"none": shrunk(0)})
    with refused(AnalysisError, "levels"):
        noise_errors(DATA, NOISE, [], {"none": shrunk(0)})
    with refused(AnalysisError, "not finite", "'none'", "900"):
        noise_errors(DATA, NOISE, LEVELS, {"none": shrunk(np.nan)})
    with refused(AnalysisError, "not finite", "x0"):
        noise_errors(np.full_like(DATA, np.nan), NOISE, LEVELS, {"none": shrunk(0)})


def test_a_models_errors_are_those_of_its_own_prediction(tiny_explorer, pictures):
    found = measure_noise(tiny_explorer, pictures, TEXTS, levels=3, random_state=5)
    assert list(found.noise) == ["right", "wrong", "none"]
    model = tiny_explorer.model
    denoiser, level = model.denoiser, found.levels[1]
    scheduler = denoiser.scheduler()
    denoiser.set_timesteps(scheduler, 3)
    x0 = tiny_explorer.latent.image(pictures[2]).values
    for name, guidance in (("right", 1), ("none", 0)):
        generators = seeded([7])
        conditioning = denoiser.conditioning(generators, prompts=tiny_explorer.prompt.text(TEXTS[2]).values)
        noise = torch.randn(1, *denoiser.latent_shape, generator=generators[0])
        x_t, t = level.alpha * x0 + level.sigma * noise, scheduler.timesteps[1]
        with torch.inference_mode():
            prediction = guided(denoiser, conditioning, guidance)(scheduler, x_t, t)
        expected = float((noise - noise_from(prediction, x_t, t, scheduler)).square().mean())
        assert found.noise[name][1, 2] == pytest.approx(expected, rel=1e-4)


def test_guides_may_be_joint_vectors_and_pictures_may_be_latents(tiny_explorer, pictures):
    latents = tiny_explorer.latent.image(*pictures)
    by_vector = measure_noise(tiny_explorer, latents, tiny_explorer.joint.image(*pictures), levels=2)
    alone = measure_noise(tiny_explorer, pictures, levels=2)
    assert list(alone.noise) == ["none"]
    assert alone.effects() == {}
    assert len(alone.differences()) == 0
    np.testing.assert_allclose(by_vector.noise["none"], alone.noise["none"], rtol=1e-5)
    assert not np.allclose(by_vector.noise["right"], by_vector.noise["wrong"])
    assert len(by_vector.plot().data) == 5


def test_what_a_model_cannot_measure_is_refused(tiny_explorer, pictures, refused):
    with refused(AnalysisError, "too few"):
        measure_noise(tiny_explorer, pictures[:1])
    with refused(AnalysisError, "guides", "2 guides for 8"):
        measure_noise(tiny_explorer, pictures, TEXTS[:2])
    with refused(AnalysisError, "no variation"):
        measure_noise(tiny_explorer, pictures, ["a fox"] * 8)
    with refused(AnalysisError, "guides", "latent"):
        measure_noise(tiny_explorer, pictures, tiny_explorer.latent.image(*pictures))
    with refused(AnalysisError, "levels"):
        measure_noise(tiny_explorer, pictures, levels=0)


def test_known_noise_is_shown_and_compared(tiny_explorer, pictures, tmp_path, refused):
    found = known_noise(tiny_explorer, pictures[0], "a red fox", levels=3, n_null=50)
    size = pictures[0].size
    assert [each.size for each in (*found.noisy, *found.predicted)] == [size] * 6
    assert found.sheet().size == (3 * size[0] + 4, 2 * size[1] + 2)
    whole = measure_noise(tiny_explorer, pictures[:2], TEXTS[:2], levels=3)
    np.testing.assert_allclose(found.error, whole.noise["right"][:, 0], rtol=1e-4)
    table = found.table()
    assert table["null_mean"].abs().max() < 0.05
    json.dumps(found.to_json(), allow_nan=False)
    found.save(tmp_path / "seen")
    assert (tmp_path / "seen" / "sheet.png").exists()
    with refused(AnalysisError, "one picture"):
        known_noise(tiny_explorer, tiny_explorer.latent.image(*pictures))
