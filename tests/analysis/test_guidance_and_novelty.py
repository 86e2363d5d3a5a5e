"""Guidance against variety, and what is new: vectors with known answers, then pictures of a model."""

from __future__ import annotations

import json

import numpy as np
import pytest

from thoughtspace.analysis.noise.guidance import guidance_sweep, measure_guidance
from thoughtspace.analysis.noise.novelty import measure_novelty, novelty
from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import AnalysisError, SpaceError

D = 16


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def around(prompts, amounts, n_seeds=6, seed=0):
    """Pictures `(g, p, s, d)` that scatter about the prompts, less and less."""
    scatter = np.random.default_rng(seed).standard_normal((len(prompts), n_seeds, D)) / np.sqrt(D)
    return np.stack([prompts[:, None] + amount * scatter for amount in amounts])


PROMPTS = unit(np.random.default_rng(1).standard_normal((12, D)))


def test_agreement_and_spread_are_means_of_cosines_over_all_pairs():
    x = around(PROMPTS, [1.0])
    found, u = guidance_sweep(x, PROMPTS, [3.0]), unit(x)[0]
    cosines = np.einsum("psd,ptd->pst", u, u)
    off = ~np.eye(6, dtype=bool)
    np.testing.assert_allclose(found.spread[0], [1 - each[off].mean() for each in cosines])
    np.testing.assert_allclose(found.agreement[0], (u @ PROMPTS[:, :, None])[..., 0].mean(1))
    other = np.einsum("psd,ptd->pst", u, np.roll(u, 1, axis=0))
    np.testing.assert_allclose(found.between[0], [1 - each[off].mean() for each in other])


def test_pictures_that_do_not_depend_on_the_prompt_spread_as_those_of_two_prompts():
    """What guidance 0 gives: the same pictures for every prompt, seed by seed."""
    same = np.repeat(np.random.default_rng(0).standard_normal((1, 1, 5, D)), len(PROMPTS), axis=1)
    found = guidance_sweep(same, PROMPTS, [0])
    np.testing.assert_allclose(found.spread, found.between)
    np.testing.assert_allclose(found.agreement, np.roll(found.other, -1, axis=1))


def test_pictures_that_gather_about_their_prompts_agree_more_and_spread_less():
    found = guidance_sweep(around(PROMPTS, [3.0, 1.0, 0.1, 0.0]), PROMPTS, [0, 1, 4, 8])
    table = found.table()
    assert table["agreement"].is_monotonic_increasing
    assert table["spread"].is_monotonic_decreasing
    last = table.iloc[-1]
    assert (last["agreement"], last["spread"]) == pytest.approx((1, 0))
    assert last["other"] == pytest.approx(np.mean(np.sum(PROMPTS * np.roll(PROMPTS, 1, axis=0), 1)))
    assert len(found.plot().data) == 4
    json.dumps(found.to_json(), allow_nan=False)


def test_pictures_of_anything_agree_with_any_prompt_alike():
    """Negative control: the interval of the difference holds 0, and seeds spread as prompts do."""
    x = np.random.default_rng(3).standard_normal((1, 12, 6, D))
    row = guidance_sweep(x, PROMPTS, [0]).table().iloc[0]
    assert row["agreement_low"] < row["other_high"]
    assert row["other_low"] < row["agreement_high"]
    assert row["spread"] == pytest.approx(row["between"], abs=0.1)


def test_a_model_is_decoded_at_each_scale_from_the_same_seeds(tiny_explorer, refused):
    prompts = ["a red fox", "a blue cat", "a king"]
    found = measure_guidance(tiny_explorer, prompts, [1, 5], seeds=2, space="prompt")
    again = tiny_explorer.decode(prompts, "prompt", seed=1, guidance=5.0, batch=len(found.images[1]))
    np.testing.assert_allclose(found.images[1].numpy()[1::2].astype(float), again.numpy(), atol=2)
    assert found.agreement.shape == found.spread.shape == (2, 3)
    assert not np.allclose(found.agreement[0], found.agreement[1])


def test_guidance_that_cannot_be_measured_is_refused(tiny_explorer, refused):
    with refused(AnalysisError, "too few", "2 prompts"):
        measure_guidance(tiny_explorer, ["a fox", "a fox"])
    with refused(AnalysisError, "scales"):
        measure_guidance(tiny_explorer, ["a fox", "a cat"], [])
    with refused(AnalysisError, "guidance"):
        measure_guidance(tiny_explorer, ["a fox", "a cat"], [-1])
    with refused(AnalysisError, "seeds"):
        measure_guidance(tiny_explorer, ["a fox", "a cat"], seeds=1)
    with refused(AnalysisError, "no guidance"):
        measure_guidance(tiny_explorer, ["a fox", "a cat"], [2, 2], seeds=2)
    with refused(AnalysisError, "shape"):
        guidance_sweep(np.ones((1, 2, 3, D)), PROMPTS, [1])
    with refused(AnalysisError, "not finite"):
        guidance_sweep(np.zeros((1, 12, 3, D)), PROMPTS, [1])


def drawn(n, seed):
    return np.random.default_rng(seed).standard_normal((n, D))


def test_copies_are_nearer_than_real_pictures_and_new_ones_are_not():
    items, real = drawn(300, 0), drawn(80, 1)
    copies = items[:60] + 0.01 * drawn(60, 2)
    found = novelty(copies, items, real)
    np.testing.assert_array_equal(found.nearest, np.arange(60))
    assert found.closer.value == 1
    assert found.closer.p_value < 0.01
    assert found.copies == 1
    new = novelty(drawn(60, 3), items, real)
    assert new.closer.interval[0] < 0.5 < new.closer.interval[1]
    assert new.copies < 0.2
    far = novelty(-np.abs(drawn(60, 4)), np.abs(items), np.abs(real))
    assert far.closer.value == 0


def test_distances_are_those_of_all_pairs():
    from scipy.spatial.distance import cdist

    items, real, new = drawn(50, 0), drawn(9, 1), drawn(7, 2)
    found = novelty(new, items, real)
    np.testing.assert_allclose(found.decoded, cdist(new, items, "cosine").min(1), atol=1e-6)
    np.testing.assert_allclose(found.held_out, cdist(real, items, "cosine").min(1), atol=1e-6)
    closest = found.closest(3)
    assert list(closest["distance"]) == sorted(found.decoded)[:3]
    assert len(found.plot().data) == 2
    json.dumps(found.to_json(), allow_nan=False)


def test_the_chance_to_be_closer_is_the_area_of_the_roc_curve():
    from sklearn.metrics import roc_auc_score

    items, real, new = drawn(50, 0), drawn(30, 1), drawn(40, 2)
    found = novelty(new, items, real)
    labels = np.repeat([1, 0], [40, 30])
    expected = roc_auc_score(labels, -np.concatenate([found.decoded, found.held_out]))
    assert found.closer.value == pytest.approx(expected)


def test_new_pictures_have_p_values_that_are_uniform():
    """Calibration of the null."""
    items, rng = drawn(40, 0), np.random.default_rng(5)
    p_values = [novelty(rng.standard_normal((15, D)), items, rng.standard_normal((15, D))) for _ in range(100)]
    below = np.mean([each.closer.p_value <= 0.2 for each in p_values])
    assert below == pytest.approx(0.2, abs=3 * np.sqrt(0.2 * 0.8 / 100))


@pytest.fixture
def collection(tiny_explorer, pictures, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for row, picture in enumerate(pictures):
        picture.save(folder / f"{row}.png")
    ingest(tiny_explorer, folder, tmp_path / "collection")
    return Collection.open(tmp_path / "collection", tiny_explorer)


def test_a_model_is_held_against_a_collection(collection, pictures, tiny_explorer, refused):
    real = [picture.rotate(90) for picture in pictures[:6]]
    texts = ["a red fox", "a blue cat", "a king", "a queen", "a hat", "a man"]
    found = measure_novelty(collection, real, texts, random_state=4)
    assert len(found.images) == len(found.decoded) == 6
    assert set(found.ids) <= set(collection.items()["id"])
    passed = tiny_explorer.joint.image(*tiny_explorer.latent.decode(tiny_explorer.latent.image(*real)))
    items = collection.points("joint", "image").flat.numpy()
    cosines = passed.flat.numpy() @ items.T
    np.testing.assert_allclose(found.held_out, 1 - cosines.max(1), atol=1e-4)
    with refused(AnalysisError, "not held out", "1 of 6"):
        measure_novelty(collection, [*real[:5], pictures[3]], texts)
    with refused(AnalysisError, "too few", "2 held-out"):
        measure_novelty(collection, real[:2], texts)
    with refused(SpaceError, "no such space"):
        measure_novelty(collection, real, texts, space="nowhere")


def test_what_cannot_be_held_against_items_is_refused(refused):
    with refused(AnalysisError, "too few"):
        novelty(drawn(3, 0), drawn(9, 1), drawn(9, 2))
    with refused(AnalysisError, "shape"):
        novelty(drawn(9, 0)[:, :4], drawn(9, 1), drawn(9, 2))
    with refused(AnalysisError, "not finite", "held_out"):
        novelty(drawn(9, 0), drawn(9, 1), np.full((9, D), np.nan))
