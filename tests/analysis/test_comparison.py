"""Comparisons of spaces: equality under what a measure ignores, a null that holds, and the items that differ."""

from __future__ import annotations

import numpy as np
import pytest

from thoughtspace.analysis.comparison import compare as comparing
from thoughtspace.analysis.comparison.compare import MEASURES, compare
from thoughtspace.analysis.comparison.layers import compare_layers
from thoughtspace.explorer.errors import AnalysisError

EUCLIDEAN = ("euclidean", "euclidean")


def normal(n: int, d: int, seed: int = 0):
    return np.random.default_rng(seed).standard_normal((n, d))


def turned(x, seed: int = 9):
    rotation, _ = np.linalg.qr(normal(x.shape[1], x.shape[1], seed))
    return x @ rotation


def quick(x, y, **how):
    return compare(x, y, **{"n_null": 19, "n_samples": 0, "metrics": EUCLIDEAN, **how})


def test_a_turned_scaled_and_shifted_space_is_the_same():
    x = normal(80, 12)
    for name, score in quick(x, 3.7 * turned(x) + 5).scores.items():
        assert score.value == pytest.approx(1, abs=2e-3 if name == "rsa" else 1e-4), name
        assert score.p_value == 1 / 20


def test_a_linear_map_is_the_same_to_svcca_alone():
    x = normal(200, 6)
    scores = quick(x, x * [1, 2, 4, 8, 16, 32]).scores
    assert quick(x, x * [1, 1.1, 1.2, 1.3, 1.4, 1.5]).scores["svcca"].value == pytest.approx(1, abs=1e-5)
    assert max(scores[name].value for name in MEASURES if name != "svcca") < 0.9


def test_independent_spaces_score_what_theory_says():
    """Debiased CKA 0, mutual neighbours k / (n - 1), RSA 0; and the p-values say that there is nothing."""
    found = [quick(normal(100, 300, seed), normal(100, 300, seed + 50), k=10).scores for seed in range(20)]
    mean = {name: np.mean([each[name].value for each in found]) for name in MEASURES}
    assert mean["cka"] == pytest.approx(0, abs=0.01)
    assert mean["rsa"] == pytest.approx(0, abs=0.01)
    assert mean["mutual_knn"] == pytest.approx(10 / 99, abs=0.01)
    assert mean["procrustes"] > 0.5  # width inflates it, as it does SVCCA
    assert mean["svcca"] > 0.5
    for name in MEASURES:
        assert np.mean([each[name].null.mean() for each in found]) == pytest.approx(mean[name], abs=0.01)
        assert np.mean([each[name].calibrated for each in found]) < 0.1


@pytest.mark.parametrize("name", MEASURES)
def test_p_values_are_uniform_where_there_is_nothing(name):
    from scipy.stats import kstest

    p = [
        quick(normal(24, 5, seed), normal(24, 5, seed + 1000), measures=[name], k=3, n_null=39).scores[name].p_value
        for seed in range(150)
    ]
    # They are multiples of 1/40: shift them to the middle of their step.
    assert kstest(np.array(p) - 1 / 80, "uniform").pvalue > 0.001
    assert np.mean(np.array(p) <= 0.05) < 0.12


def test_a_planted_relation_is_found_by_all():
    shared = normal(150, 4)
    x, y = (np.hstack([shared, 0.7 * normal(150, 8, seed)]) for seed in (1, 2))
    for name, score in quick(turned(x), y).scores.items():
        assert score.p_value == 1 / 20, name
        assert score.value > score.threshold > score.null.mean(), name


def test_the_items_that_were_moved_agree_least():
    x = normal(120, 10)
    y = x.copy()
    moved = [3, 40, 77]
    y[moved] = y[[40, 77, 3]]
    result = quick(x, y)
    assert set(result.least(3)) == set(moved)
    assert np.nanmin(np.delete(result.agreement, moved)) > result.agreement[moved].max()


def test_the_interval_covers_the_score_of_the_whole():
    """Over samples of a large population, at least as often as not to raise doubt: 95 % is meant."""
    shared = normal(2000, 3)
    x, y = (np.hstack([shared, normal(2000, 3, seed)]) for seed in (1, 2))
    truth = quick(x, y, measures=["cka"], n_null=1).scores["cka"].value
    covered = 0
    for seed in range(40):
        rows = np.random.default_rng(seed).permutation(2000)[:150]
        low, high = quick(x[rows], y[rows], measures=["cka"], n_null=1, n_samples=60).scores["cka"].interval
        covered += low <= truth <= high
    assert covered >= 32


def test_many_items_are_sampled(monkeypatch):
    monkeypatch.setattr(comparing, "MOST", 60)
    x = normal(200, 5)
    result = quick(x, x)
    assert (len(result.rows), result.n_items, len(set(result.rows))) == (60, 200, 60)
    assert result.scores["cka"].value == pytest.approx(1, abs=1e-5)


def test_results_are_tables_figures_and_json():
    x = normal(40, 4)
    result = quick(x, x + 0.1 * normal(40, 4, 1), n_samples=20)
    table = result.table()
    assert list(table.index) == list(MEASURES)
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"] + 1e-12).all()
    assert result.to_json()["scores"]["cka"]["p_value"] == 0.05
    figure = result.plot()
    assert [trace.type for trace in figure.data] == ["box", "scatter"] * len(MEASURES)
    assert figure.data[1].x[0] == result.scores["cka"].value


def test_the_best_of_many_layers_is_held_against_the_best_of_each_draw():
    xs, ys = ([normal(60, 5, seed) for seed in seeds] for seeds in (range(6), range(20, 26)))
    none = compare_layers(xs, ys, measure="rsa", metric="euclidean", n_null=99)
    naive = 1 + (none.null[:, *none.best] >= none.values.max()).sum()
    assert none.largest.p_value > naive / 100  # the naive one is too small
    ys[3] = xs[2] + 0.3 * normal(60, 5, 99)
    found = compare_layers(xs, ys, measure="rsa", metric="euclidean", n_null=99)
    assert found.best == (2, 3)
    assert found.largest.p_value == found.p_values[2, 3] == 0.01
    assert (np.delete(found.p_values.ravel(), 2 * 6 + 3) > 0.02).all()
    assert list(found.table().columns) == ["x", "y", "value", "null_mean", "p_value"]
    assert [trace.type for trace in found.plot().data] == ["heatmap", "heatmap"]
    assert found.to_json()["best"] == [2, 3]


def test_what_cannot_be_compared_is_refused(refused):
    x = normal(30, 4)
    with refused(AnalysisError, "number of items", "29 and 30"):
        compare(x, x[1:])
    with refused(AnalysisError, "too few", "8 items", "12"):
        compare(x[:8], x[:8])
    with refused(AnalysisError, "no variation"):
        compare(np.ones((30, 4)), x, metrics=EUCLIDEAN)
    with refused(AnalysisError, "not finite", "row 3"):
        compare(np.where(np.arange(30)[:, None] == 3, np.nan, x), x)
    with refused(AnalysisError, "measure", "'CKA'"):
        compare(x, x, measures=["CKA"])
    with refused(AnalysisError, "n_null"):
        compare(x, x, n_null=0)
    with refused(AnalysisError, "no layers"):
        compare_layers([], [x])


def test_duplicates_and_constant_columns_are_answered():
    x = np.vstack([normal(20, 4)] * 2)
    x[:, 2] = 7
    for name, score in quick(x, x).scores.items():
        assert np.isfinite(score.value), name
        assert score.value > 0.9, name
