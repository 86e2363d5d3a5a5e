"""Directions: a planted axis is found as well as theory says, nothing is claimed of nothing, and leaks are seen."""

from __future__ import annotations

import numpy as np
import pytest

from thoughtspace.analysis.directions.fit import METHODS, fit_direction, principal_directions
from thoughtspace.analysis.directions.leakage import leakage
from thoughtspace.explorer.errors import AnalysisError

D, SHIFT = 48, 3.0


def planted(n: int, seed: int, shift: float = SHIFT):
    rng = np.random.default_rng(seed)
    axis = rng.standard_normal(D)
    axis /= np.linalg.norm(axis)
    return rng.standard_normal((n, D)) + shift * axis, rng.standard_normal((n, D)), axis


def fit(positive, negative, **how):
    return fit_direction(positive, negative, **{"n_null": 19, "n_samples": 10, **how})


def test_a_planted_axis_is_found_as_well_as_theory_says():
    cosines = [fit(p, q).vector @ axis for p, q, axis in (planted(200, seed) for seed in range(6))]
    assert np.mean(cosines) == pytest.approx(SHIFT / np.sqrt(SHIFT**2 + D * 2 / 200), abs=0.02)


@pytest.mark.parametrize("method", METHODS)
def test_the_evidence_of_a_planted_axis(method):
    p, q, axis = planted(80, 3)
    found = fit(p, q, method=method)
    assert found.vector @ axis > 0.75
    assert found.auc.value > 0.9
    assert found.auc.p_value == 0.05
    assert found.auc.interval[0] < found.auc.value <= found.auc.interval[1] <= 1
    assert found.stability > 0.4
    assert found(p).mean() - found(q).mean() == pytest.approx(found.step, abs=1e-5)
    assert found.to_json()["auc"]["p_value"] == 0.05


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_claimed_where_there_is_nothing(method):
    """Held out, the AUC of nothing is ½; p-values are spread out and directions of halves have little in common."""
    found = [fit(*planted(30, seed, shift=0.0)[:2], method=method) for seed in range(20)]
    assert np.mean([each.auc.value for each in found]) == pytest.approx(0.5, abs=0.06)
    assert np.mean([each.auc.p_value <= 0.05 for each in found]) <= 0.2
    assert np.mean([each.stability for each in found]) == pytest.approx(0, abs=0.05)


def test_it_does_not_depend_on_the_origin_and_turns_with_the_space():
    p, q, _ = planted(40, 1)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((D, D)))[0]
    np.testing.assert_allclose(fit(p + 7, q + 7).vector, fit(p, q).vector, atol=1e-5)
    np.testing.assert_allclose(fit(p @ turn, q @ turn).vector, fit(p, q).vector @ turn, atol=1e-5)


def test_other_directions_are_taken_out(refused):
    p, q, _ = planted(80, 2)
    found = fit(p, q)
    other = found.vector + 0.5 * np.eye(D)[0]
    left = found.without([other])
    assert left @ other == pytest.approx(0, abs=1e-9)
    assert np.linalg.norm(left) == pytest.approx(1)
    assert found.without([]) is found.vector
    with refused(AnalysisError, "no variation", "nothing is left"):
        found.without([2 * found.vector])


def test_principal_directions_are_those_of_scikit_learn():
    from sklearn.decomposition import PCA

    x = np.random.default_rng(0).standard_normal((100, 6)) * [5, 4, 3, 2, 1, 0.5]
    axes, deviations = principal_directions(x, 3)
    reference = PCA(3).fit(x)
    np.testing.assert_allclose(np.abs(axes @ reference.components_.T), np.eye(3), atol=1e-5)
    np.testing.assert_allclose(deviations, np.sqrt(reference.explained_variance_), rtol=1e-5)
    assert (axes[np.arange(3), np.abs(axes).argmax(1)] > 0).all()


def worlds(n: int, seed: int = 0):
    """Items with two properties that often go together, each along an axis of its own."""
    rng = np.random.default_rng(seed)
    smile = rng.random(n) < 0.5
    hat = np.where(smile, rng.random(n) < 0.8, rng.random(n) < 0.2)
    x = rng.standard_normal((n, 6))
    x[:, 0] += 3 * smile
    x[:, 1] += 3 * hat
    return x, {"smile": smile, "hat": hat}


def test_a_leak_is_told_from_properties_that_go_together():
    clean = {"smile": np.eye(6)[0], "hat": np.eye(6)[1]}
    found = [leakage(x, clean, labels, n_null=49) for x, labels in map(worlds, [400] * 8, range(8))]
    assert min(each.auc[0, 0] for each in found) > 0.95
    # Among items of equal smile, hats are not told apart.
    assert np.mean([each.auc[0, 1] for each in found]) == pytest.approx(0.5, abs=0.04)
    assert np.mean([each.p_values[0, 1] <= 0.05 for each in found]) <= 0.3
    x, labels = worlds(400)
    mixed = leakage(x, {**clean, "smile": np.eye(6)[0] + np.eye(6)[1]}, labels, n_null=49)
    assert mixed.auc[0, 1] > 0.8
    assert mixed.p_values[0, 1] == 0.02
    assert mixed.cosines[0, 1] == pytest.approx(np.sqrt(0.5))
    assert list(mixed.table().columns) == ["direction", "property", "auc", "p_value", "cosine"]
    assert mixed.plot().data[0].type == "heatmap"
    assert len(mixed.to_json()["leakage"]) == 4


def test_what_gives_no_direction_is_refused(refused):
    p, q, _ = planted(20, 5)
    for side in ("positive", "negative"):
        with refused(AnalysisError, "too few", f"7 {side}"):
            fit_direction(**({"positive": p, "negative": q} | {side: p[:7]}))
    with refused(AnalysisError, "width"):
        fit(p, q[:, :5])
    with refused(AnalysisError, "no variation"):
        fit(p, p)
    with refused(AnalysisError, "method", "'svm'"):
        fit(p, q, method="svm")
    with refused(AnalysisError, "n"):
        principal_directions(p, 20)
    x, labels = worlds(50)
    with refused(AnalysisError, "names"):
        leakage(x, {"smile": np.eye(6)[0]}, labels)
    with refused(AnalysisError, "number of labels", "'hat'"):
        leakage(x, {"smile": np.eye(6)[0], "hat": np.eye(6)[1]}, {**labels, "hat": labels["hat"][:9]})
    with refused(AnalysisError, "one class", "'hat'"):
        leakage(x, {"smile": np.eye(6)[0], "hat": np.eye(6)[1]}, {**labels, "hat": np.ones(50, bool)})
