"""Scores of disentanglement: the bounds that they must keep, and the formulas of the papers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from thoughtspace.analysis.probes import disentanglement as module
from thoughtspace.analysis.probes.disentanglement import MEASURES, disentanglement
from thoughtspace.analysis.probes.interventions import beta_vae, factor_vae
from thoughtspace.analysis.probes.probe import fit_probe
from thoughtspace.analysis.probes.scores import dci, mig, mutual_information, one_sided, sap
from thoughtspace.explorer.errors import AnalysisError

N, F = 400, 4


def factors_of(seed: int = 0, values: int = 4):
    return np.random.default_rng([seed, 11]).integers(values, size=(N, F))


def turned(y):
    """The turn that mixes all four evenly."""
    return y @ np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2


Y = factors_of()
IDENTITY = Y.astype(float)


def generator():
    return np.random.default_rng(0)


def test_of_the_factors_themselves_scores_are_high():
    assert mig(IDENTITY, Y) > 0.9
    found = dci(IDENTITY, Y)
    assert min(found.disentanglement, found.completeness, found.informativeness) > 0.9
    assert factor_vae(IDENTITY, Y, generator()) > 0.9
    assert beta_vae(IDENTITY, Y, generator()) > 0.9
    two = factors_of(values=2)
    assert sap(two.astype(float), two) > 0.4  # of ½


def test_of_zeros_scores_are_low():
    zeros = np.zeros((N, F))
    assert mig(zeros, Y) == 0
    assert sap(zeros, Y) == pytest.approx(0, abs=1e-9)
    found = dci(zeros, Y)
    assert (found.disentanglement, found.completeness) == (0, 0)
    assert found.informativeness < 0.4
    assert factor_vae(zeros, Y, generator()) == 0
    assert beta_vae(zeros, Y, generator()) < 0.4  # a guess is 1 / 4


def test_numbers_that_are_there_twice_leave_no_gap():
    twice = np.hstack([IDENTITY, IDENTITY])
    assert mig(twice, Y) == pytest.approx(0, abs=1e-9)
    assert sap(twice, Y) == pytest.approx(0, abs=1e-9)
    assert dci(twice, Y).disentanglement > 0.9  # each of the two still tells of one factor


def test_a_turn_takes_the_axes_and_leaves_the_factors():
    """Why linear probes come first: they read turned codes as before."""
    assert mig(turned(Y), Y) < 0.1 < 0.9 < mig(IDENTITY, Y)
    assert dci(turned(Y), Y).disentanglement < 0.3
    before, after = (fit_probe(each, Y[:, 0], n_null=5, n_samples=0).score.value for each in (IDENTITY, turned(Y)))
    assert after == pytest.approx(before, abs=0.05)


def test_mutual_information_is_the_formula():
    codes = np.repeat(np.arange(4.0), N // 4)[:, None]
    factor = Y[:, :1]
    expected = 0.0
    for a in range(4):
        for b in range(4):
            both = np.mean((codes[:, 0] == a) & (factor[:, 0] == b))
            expected += both * np.log(both / (np.mean(codes[:, 0] == a) * np.mean(factor[:, 0] == b)))
    assert mutual_information(codes, factor)[0, 0] == pytest.approx(expected, abs=1e-12)


def test_mig_of_a_number_that_tells_half_is_a_half():
    """A factor of four even values, told whole by one number and to one bit of two by another."""
    factor = np.tile(np.arange(4), N // 4)[:, None]
    codes = np.hstack([factor, factor // 2]).astype(float)
    assert mig(codes, factor) == pytest.approx(0.5)


def test_the_weights_of_dci_are_those_of_the_paper():
    importances = np.array([[0.9, 0.1, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 0.0], [0.2, 0.2, 0.2]])
    expected, total = 0.0, importances.sum()
    for row in importances:
        if row.sum():
            share = row / row.sum()
            entropy = -sum(p * np.log(p) / np.log(3) for p in share if p)
            expected += row.sum() / total * (1 - entropy)
    assert one_sided(importances) == pytest.approx(expected)
    assert one_sided(np.eye(3)) == 1
    assert one_sided(np.ones((3, 3))) == pytest.approx(0)
    assert one_sided(np.zeros((2, 3))) == 0


def test_sap_is_the_gap_of_two_classifiers():
    from sklearn.svm import LinearSVC

    two = factors_of(values=2)[:, :1]
    rng = generator()
    codes = np.hstack([two + 0.3 * rng.standard_normal((N, 1)), two + rng.standard_normal((N, 1)), rng.random((N, 1))])
    z = (codes - codes.mean(0)) / codes.std(0)
    accuracies = [
        LinearSVC(C=0.01, class_weight="balanced").fit(z[::2, [j]], two[::2, 0]).score(z[1::2, [j]], two[1::2, 0])
        for j in range(3)
    ]
    assert sap(codes, two) == pytest.approx(accuracies[0] - max(accuracies[1:]))


def test_dci_of_many_items_is_that_of_so_many(monkeypatch):
    seen = []

    def counted(x, y):
        seen.append((len(x), len(y)))
        return dci(x, y, n_trees=1)

    monkeypatch.setattr(module, "dci", counted)
    names = dict(zip("abcd", Y.T, strict=True))
    disentanglement(IDENTITY, names, measures=["dci"], n_null=1, n_samples=0)
    monkeypatch.setattr(module, "ITEMS", 60)
    disentanglement(IDENTITY, names, measures=["dci"], n_null=1, n_samples=0)
    assert seen == [(N, N)] * 2 + [(60, 60)] * 2


def test_a_score_comes_with_its_null_and_interval():
    names = dict(zip("abcd", Y.T, strict=True))
    found = disentanglement(IDENTITY, names, measures=["mig", "factor_vae"], n_null=19, n_samples=5)
    for score in found.scores.values():
        assert score.p_value == 0.05
        assert score.interval[0] <= score.value <= score.interval[1] <= 1
    assert found.information.shape == (F, F)
    assert list(found.table().index) == ["mig", "factor_vae"]
    assert found.plot().data[0].type == "box"
    json.dumps(found.to_json(), allow_nan=False)


def test_all_scores_of_a_code_of_noise_are_those_of_chance():
    rng = np.random.default_rng(5)
    found = disentanglement(rng.standard_normal((80, 3)), {"a": Y[:80, 0], "b": Y[:80, 1]}, n_null=9, n_samples=0)
    assert len(found.scores) == len(MEASURES) + 2
    assert min(score.p_value for score in found.scores.values()) > 0.1


def test_p_values_of_nothing_are_even():
    p = []
    for seed in range(30):
        codes = np.random.default_rng([seed, 1]).standard_normal((60, 3))
        y = factors_of(seed)[:60]
        found = disentanglement(codes, {"a": y[:, 0], "b": y[:, 1]}, measures=["mig"], n_null=9, n_samples=0)
        p.append(found.scores["mig"].p_value)
    np.testing.assert_allclose(np.quantile(p, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.2)


def test_what_cannot_be_scored_is_refused(refused):
    names = dict(zip("abcd", Y.T, strict=True))
    with refused(AnalysisError, "too few", "39"):
        disentanglement(IDENTITY[:39], {name: each[:39] for name, each in names.items()})
    with refused(AnalysisError, "width", "1 numbers"):
        disentanglement(IDENTITY[:, :1], names)
    with refused(AnalysisError, "width", "1 factors"):
        disentanglement(IDENTITY, {"a": Y[:, 0]})
    with refused(AnalysisError, "one class", "'b'"):
        disentanglement(IDENTITY, {"a": Y[:, 0], "b": np.ones(N)})
    with refused(AnalysisError, "measure", "'modularity'"):
        disentanglement(IDENTITY, names, measures=["modularity"])
    with refused(AnalysisError, "not finite"):
        disentanglement(IDENTITY * np.nan, names)
