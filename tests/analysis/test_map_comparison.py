"""Stress, neighbourhood hit and movement: what does not count, what was planted, and what chance gives."""

from __future__ import annotations

import numpy as np
import pytest

from thoughtspace.analysis.map_agreement import neighborhood_hit, stress
from thoughtspace.analysis.map_comparison import compare_maps, movement
from thoughtspace.explorer.errors import AnalysisError


def normal(n: int, d: int, seed: int = 0):
    return np.random.default_rng(seed).standard_normal((n, d))


TURN = np.array([[0.6, -0.8], [0.8, 0.6]])


def test_stress_ignores_scale_turn_and_shift():
    x = normal(150, 2)
    for places in (x, 40 * x @ TURN + 7, x * [1, -1]):
        assert stress(x, places, metric="euclidean").value == pytest.approx(1, abs=1e-3)
    squeezed = stress(x, x * [1, 0.3], metric="euclidean")
    assert 0.5 < squeezed.value < 0.95
    assert squeezed.p_value == 0.01
    assert stress(x, normal(150, 2, 1), metric="euclidean").p_value > 0.01


def test_many_pairs_are_sampled():
    x = normal(600, 5)
    places = x[:, :2]
    few, all_of_them = (
        stress(x, places, metric="euclidean", n_pairs=pairs, n_null=1).value for pairs in (20_000, 10**9)
    )
    assert few == pytest.approx(all_of_them, abs=0.01)


def test_neighbours_of_classes_that_lie_apart_are_of_the_class():
    places = normal(120, 2) + np.repeat([[0, 0], [50, 0], [0, 50]], 40, axis=0)
    labels = np.repeat(["a", "b", "c"], 40)
    score, shares = neighborhood_hit(places, labels, k=10)
    assert score.value == 1
    assert (shares == 1).all()
    assert score.null.mean() == pytest.approx(39 / 119, abs=0.01)
    assert score.p_value == 1 / 200
    nothing, _ = neighborhood_hit(places, np.random.default_rng(0).permutation(labels), k=10)
    assert nothing.p_value > 0.01


def test_a_map_that_is_only_turned_has_not_moved():
    x = normal(90, 2)
    found = movement(x, 5 * x @ TURN + 3)
    np.testing.assert_allclose(found.fitted, x, atol=1e-5)
    assert found.distances.max() < 1e-5
    assert (found.kept == 1).all()
    assert found.agreement.value == 1
    assert found.agreement.null.mean() == pytest.approx(15 / 89, abs=0.02)


def test_the_items_that_were_moved_are_found():
    x = normal(200, 2)
    y = x @ TURN
    y[[5, 60, 120]] = y[[60, 120, 5]] + 0.01
    found = movement(x, y)
    assert set(found.most(3)) == {5, 60, 120}
    assert found.distances[[5, 60, 120]].min() > np.delete(found.distances, [5, 60, 120]).max()


def test_maps_of_several_seeds_are_compared():
    x = normal(160, 6)
    good = [x[:, :2], x[:, :2] + 0.01 * normal(160, 2, 5)]
    comparison = compare_maps(x, {"plane": good, "noise": [normal(160, 2, 1), normal(160, 2, 2)], "one": good[:1]})
    table = comparison.table().set_index(["map", "score"])
    assert table.loc[("plane", "one_minus_stress"), "low"] > table.loc[("noise", "one_minus_stress"), "high"]
    assert table.loc[("noise", "one_minus_stress"), "mean"] == pytest.approx(
        table.loc[("noise", "one_minus_stress"), "null"], abs=0.05
    )
    assert set(table["n_seeds"]) == {1, 2}
    assert (table["low"] <= table["mean"]).all()
    plane, noise = (table.loc[(name, "trustworthiness")] for name in ("plane", "noise"))
    assert plane["low"] > noise["high"]
    assert noise["mean"] == pytest.approx(noise["null"], abs=0.05)
    assert comparison.kept["plane"].mean() > 0.9
    assert comparison.kept["noise"].mean() == pytest.approx(15 / 159, abs=0.03)
    assert np.isnan(comparison.kept["one"]).all()
    assert comparison.to_json()["kept_between_seeds"]["one"] is None
    assert [trace.type for trace in comparison.plot().data] == ["bar", "bar", "bar", "scatter"]


def test_what_cannot_be_compared_is_refused(refused):
    x = normal(40, 2)
    with refused(AnalysisError, "shape", "(39, 2)"):
        movement(x, x[1:])
    with refused(AnalysisError, "no variation"):
        movement(x, np.ones((40, 2)))
    with refused(AnalysisError, "number of labels", "3 labels"):
        neighborhood_hit(x, [1, 2, 3])
    with refused(AnalysisError, "one class"):
        neighborhood_hit(x, np.zeros(40))
    with refused(AnalysisError, "no variation"):
        stress(x, np.ones((40, 2)), metric="euclidean")
    with refused(AnalysisError, "no maps"):
        compare_maps(x, {"none": []})
