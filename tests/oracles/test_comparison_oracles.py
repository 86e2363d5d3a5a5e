"""Comparisons beside reference libraries and the formulas of the papers, term by term."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from thoughtspace.analysis.comparison.compare import compare
from thoughtspace.analysis.comparison.layers import compare_layers
from thoughtspace.analysis.comparison.measures import CKA, RSA, SVCCA, MutualKNN, Procrustes

rng = np.random.default_rng(0)
X, Y = rng.standard_normal((60, 12)), rng.standard_normal((60, 9))
Y[:, :4] += X[:, :4]


def score(measure, x=X, y=Y):
    return measure.score(measure.summary(x), measure.summary(y))


def hsic(k, other):
    """Unbiased HSIC, equation 5 of Song et al. (2012), written out."""
    m = len(k)
    k, other = k - np.diag(np.diag(k)), other - np.diag(np.diag(other))
    one = np.ones(m)
    middle = (one @ k @ one) * (one @ other @ one) / ((m - 1) * (m - 2))
    return (np.trace(k @ other) + middle - 2 / (m - 2) * (one @ k @ other @ one)) / (m * (m - 3))


def test_cka_is_the_formula():
    k, other = X @ X.T, Y @ Y.T
    assert score(CKA()) == pytest.approx(hsic(k, other) / np.sqrt(hsic(k, k) * hsic(other, other)), abs=1e-12)


def test_rsa_is_that_of_rsatoolbox():
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm
    from rsatoolbox.rdm.compare import compare as compare_rdms

    a, b = (calc_rdm(Dataset(each), method="euclidean") for each in (X, Y))
    expected = float(compare_rdms(a, b, method="spearman")[0, 0])
    assert score(RSA("euclidean"), X.astype(np.float32), Y.astype(np.float32)) == pytest.approx(expected, abs=1e-4)


def test_procrustes_is_that_of_scipy():
    from scipy.spatial import procrustes

    wide = np.hstack([Y, np.zeros((60, 3))])
    assert score(Procrustes()) == pytest.approx(1 - procrustes(X, wide)[2], abs=1e-12)


def test_svcca_is_that_of_scikit_learn():
    from sklearn.cross_decomposition import CCA

    narrow, other = X[:, :3], Y[:, :3]
    a, b = CCA(3, max_iter=10_000, tol=1e-12).fit_transform(narrow, other)
    expected = np.mean([np.corrcoef(a[:, j], b[:, j])[0, 1] for j in range(3)])
    assert score(SVCCA(), narrow, other) == pytest.approx(expected, abs=1e-6)


def test_mutual_neighbours_are_those_of_scikit_learn():
    from sklearn.neighbors import NearestNeighbors

    found = [NearestNeighbors(n_neighbors=5).fit(each).kneighbors(return_distance=False) for each in (X, Y)]
    expected = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(*found, strict=True)])
    assert score(MutualKNN(5, "euclidean")) == pytest.approx(expected)


def permutations(n_null: int, n: int):
    generator = np.random.default_rng(0)
    return iter([torch.from_numpy(generator.permutation(n)) for _ in range(n_null)])


def linear_cka(x, y):
    k, other = (each.double().numpy() @ each.double().numpy().T for each in (x, y))
    return hsic(k, other) / np.sqrt(hsic(k, k) * hsic(other, other))


def test_the_calibration_is_that_of_the_reference():
    from calibrated_similarity import calibrate

    ours = compare(X, Y, measures=["cka"], metrics=("euclidean", "euclidean"), n_null=50, n_samples=0).scores["cka"]
    drawn = permutations(50, 60)
    theirs = calibrate(
        torch.from_numpy(X.astype(np.float32)),
        torch.from_numpy(Y.astype(np.float32)),
        linear_cka,
        K=50,
        perm_fn=lambda n, device: next(drawn),
    )
    for value, expected in zip((ours.calibrated, ours.p_value, ours.threshold), theirs, strict=True):
        assert value == pytest.approx(float(expected), abs=1e-5)


def test_the_calibration_of_layers_is_that_of_the_reference():
    from calibrated_similarity import calibrate_layers

    xs, ys = [X, X**2], [Y, np.tanh(Y), Y[:, :3]]
    ours = compare_layers(xs, ys, measure="cka", metric="euclidean", n_null=30).largest
    drawn = permutations(30, 60)
    theirs = calibrate_layers(
        [torch.from_numpy(each.astype(np.float32)) for each in xs],
        [torch.from_numpy(each.astype(np.float32)) for each in ys],
        linear_cka,
        K=30,
        perm_fn=lambda n, device: next(drawn),
    )
    for value, expected in zip((ours.calibrated, ours.p_value, ours.threshold), theirs, strict=True):
        assert value == pytest.approx(float(expected), abs=1e-5)
