"""Sparse autoencoders: planted features are found, and a step along a feature adds it.

That normal draws have none is checked in `test_calibration.py`. The codes are held against the formula of TopK by hand:
overcomplete 0.3.0, which has it too, would bring OpenCV into every environment of the tests.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from thoughtspace.analysis.concepts.autoencoder import KINDS, Autoencoder, fit_autoencoder
from thoughtspace.analysis.concepts.features import fit_controls, fit_features
from thoughtspace.explorer.errors import AnalysisError

D, M, K = 24, 30, 3
rng = np.random.default_rng(2024)
PLANTED = rng.standard_normal((M, D))
PLANTED /= np.linalg.norm(PLANTED, axis=1, keepdims=True)


def sums(n: int = 600, seed: int = 0):
    """Items that are sums of three planted features each, and their codes."""
    generator = np.random.default_rng([seed, 6])
    codes = np.zeros((n, M))
    for row in codes:
        row[generator.permutation(M)[:K]] = generator.uniform(1, 2, K)
    return codes @ PLANTED, codes


def quick(x, **how):
    return fit_features(x, **{"n_features": 40, "k": K, "steps": 800, "n_null": 3, **how})


@pytest.fixture(scope="module", params=KINDS)
def found(request):
    return quick(sums()[0], kind=request.param)


def test_planted_features_are_found_and_explain_held_out_items(found):
    cosines = PLANTED @ found.autoencoder.decoder.T
    assert np.median(cosines.max(1)) > 0.93  # of random directions, about 0.5
    score = found.scores["explained"]
    assert score.value > 0.8
    assert score.p_value == 0.25
    assert score.value > found.principal  # three axes of all items explain less than three features of each
    assert found.scores["agreement"].p_value == 0.25
    assert found.l0 <= K
    assert found.dead < 0.5
    assert found.unexplained[K] == pytest.approx(1 - score.value)
    json.dumps(found.to_json(), allow_nan=False)
    assert list(found.table().index) == ["explained", "agreement"]
    assert found.plot().data[0].type == "box"


def test_a_matryoshka_explains_more_with_more_features(found):
    levels, unexplained = list(found.unexplained), list(found.unexplained.values())
    assert levels in ([3], [3, 6, 12, 24])
    assert unexplained == sorted(unexplained, reverse=True)
    assert len(set(unexplained)) == len(levels) == len(found.autoencoder.levels)


def test_codes_are_the_largest_of_a_relu_and_decode_as_a_sum():
    """The formula of TopK, written out with loops."""
    generator = np.random.default_rng(3)
    w, b, d = generator.standard_normal((7, 4)), generator.standard_normal(7), generator.standard_normal((7, 4))
    mean, x = generator.standard_normal(4), generator.standard_normal((5, 4))
    arrays = [each.astype(np.float32) for each in (w, b, d, mean)]
    made = Autoencoder(*arrays, 1.5, (2,))
    for row, item in zip(made.encode(x), x, strict=True):
        before = [max(0.0, float(w[j] @ (item - mean) / 1.5 + b[j])) for j in range(7)]
        kept = sorted(range(7), key=lambda j: -before[j])[:2]
        expected = np.array([before[j] if j in kept else 0.0 for j in range(7)])
        np.testing.assert_allclose(row, expected, atol=1e-5)
        np.testing.assert_allclose(made.decode(row[None])[0], mean + 1.5 * expected @ d, atol=1e-4)
    left = x - made.decode(made.encode(x))
    assert made.unexplained(x) == pytest.approx((left**2).sum() / ((x - arrays[3]) ** 2).sum(), rel=1e-4)
    assert np.count_nonzero(made.encode(x, 7), axis=1).max() > 2


def test_the_same_seed_gives_the_same():
    x = sums(100)[0].astype(np.float32)
    first, second, third = (fit_autoencoder(x, 20, (2,), steps=30, random_state=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.decoder, second.decoder)
    assert not np.allclose(first.decoder, third.decoder)


def test_the_top_items_of_a_feature_have_it_and_a_step_adds_it(found):
    x, codes = sums()
    cosines = PLANTED @ found.autoencoder.decoder.T
    planted = int(cosines.max(1).argmax())
    feature = int(cosines[planted].argmax())
    assert (codes[found.top(feature), planted] > 0).all()
    without = x[codes[:, planted] == 0][:50]
    step = found.step(feature)
    random = np.random.default_rng(0).standard_normal(without.shape)
    random *= np.linalg.norm(step) / np.linalg.norm(random, axis=1, keepdims=True)
    before, after, by_chance = (
        found.autoencoder.encode(each, K + 1)[:, feature] for each in (without, without + step, without + random)
    )
    assert np.mean(after > before) > 0.8
    assert np.mean(by_chance > before) < 0.5


def test_features_that_go_together_make_a_control():
    generator = np.random.default_rng(12)
    scenes = np.repeat([0, 1], 200)
    codes = np.zeros((400, M))
    for row, scene in zip(codes, scenes, strict=True):
        row[3 * scene + np.arange(3)] = generator.uniform(1, 2, 3)
    found = quick(codes @ PLANTED, n_null=1, steps=300)
    controls = fit_controls(found, 2, n_null=19)
    assert controls.score.p_value == 0.05
    more = controls.amounts.argmax(1)
    assert max(np.mean(more == scenes), np.mean(more != scenes)) > 0.95
    assert controls.steps.shape == (2, D)
    assert len(controls.to_json()["controls"]) == 2
    assert controls.plot().data
    assert controls.table().loc["explained", "value"] == controls.score.value


def test_what_has_no_features_is_refused(refused):
    x = sums(60)[0]
    with refused(AnalysisError, "too few", "19"):
        quick(x[:19])
    with refused(AnalysisError, "no variation"):
        quick(np.ones_like(x))
    with refused(AnalysisError, "k", "41"):
        quick(x, k=41)
    with refused(AnalysisError, "kind", "'jump'"):
        quick(x, kind="jump")
    with refused(AnalysisError, "not finite"):
        quick(x * np.nan)
    found = quick(x, n_null=1, steps=5)
    with refused(AnalysisError, "width"):
        found.autoencoder.encode(x[:, 1:])
    with refused(AnalysisError, "feature", "40"):
        found.top(40)
    with refused(AnalysisError, "n"):
        fit_controls(found, 41)
