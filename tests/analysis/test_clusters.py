"""Clusters, names and outliers: what is planted is found, and normal draws have none."""

from __future__ import annotations

import json

import numpy as np
import pytest

from thoughtspace.analysis.concepts import clusters
from thoughtspace.analysis.concepts.clusters import METHODS, cluster
from thoughtspace.analysis.concepts.density import density
from thoughtspace.analysis.concepts.names import name_clusters
from thoughtspace.analysis.concepts.normal import normal_like
from thoughtspace.explorer.errors import AnalysisError


def grouped(n: int = 120, *, seed: int = 0, apart: float = 5.0, d: int = 10):
    """Three groups around axes of their own, the first the largest."""
    rng = np.random.default_rng([seed, 5])
    group = np.repeat([0, 1, 2], [n // 2, n // 3, n - n // 2 - n // 3])
    x = rng.standard_normal((n, d))
    x[np.arange(n), group] += apart
    return x, group


def test_of_many_items_a_sample_is_clustered_and_others_join_the_nearest(monkeypatch):
    x, group = grouped(900)
    monkeypatch.setattr("thoughtspace.analysis.concepts.clusters.PAIRS", 200)
    found = cluster(x, min_size=15, metric="euclidean", n_null=1)
    inside = found.labels >= 0
    assert inside.sum() > 2 * 200
    assert (found.labels == group)[inside].mean() > 0.97
    assert found.scores["stability"].value > 0.5


@pytest.mark.parametrize("method", METHODS)
def test_planted_groups_are_found(method):
    x, group = grouped()
    found = cluster(x, method=method, n_clusters=3, min_size=10, metric="euclidean", n_null=9)
    inside = found.labels >= 0
    assert inside.mean() > 0.6
    assert (found.labels == group)[inside].mean() > 0.97
    assert list(group[found.central]) == [0, 1, 2]
    assert {score.p_value for score in found.scores.values()} == {0.1}
    assert found.sizes.sum() == inside.sum()
    assert found.outside == pytest.approx(1 - inside.mean())
    assert list(found.table().index) == ["silhouette", "stability"]
    assert found.plot().data[0].type == "box"
    json.dumps(found.to_json(), allow_nan=False)


def test_of_normal_draws_no_clusters_are_claimed():
    """Negative control: k-means cuts anything, and p-values of the cuts are even."""
    spread = np.linspace(1, 3, 6)
    x = [np.random.default_rng([seed, 2]).standard_normal((80, 6)) * spread for seed in range(20)]
    found = [cluster(each, method="kmeans", n_clusters=3, metric="euclidean", n_null=9).scores for each in x]
    for name in ("silhouette", "stability"):
        p = [scores[name].p_value for scores in found]
        assert np.median(p) == pytest.approx(0.55, abs=0.25)
        assert np.mean(np.array(p) <= 0.1) <= 0.3


def test_of_many_items_some_are_clustered_and_the_others_join_them(monkeypatch):
    x, group = grouped(600, d=4)
    x[17] = 40.0  # far from all
    monkeypatch.setattr(clusters, "PAIRS", 150)
    found = cluster(x, min_size=10, metric="euclidean", n_null=1)
    assert found.sampled == found.to_json()["sampled"] == 150
    inside = found.labels >= 0
    assert inside.mean() > 0.5
    assert (found.labels == group)[inside].mean() > 0.97
    assert list(group[found.central]) == [0, 1, 2]
    assert found.labels[17] == -1
    assert cluster(x, method="kmeans", n_clusters=3, metric="euclidean", n_null=1).sampled == 600


def test_k_means_is_that_of_scikit_learn():
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    x = grouped(seed=3, apart=2)[0].astype(np.float32)
    found = cluster(x, method="kmeans", n_clusters=3, metric="euclidean", n_null=1)
    expected = KMeans(3, n_init=3, random_state=0).fit_predict(x)
    assert adjusted_rand_score(found.labels, expected) == 1
    assert found.scores["silhouette"].value == pytest.approx(silhouette_score(x, expected), abs=1e-6)


def test_normal_draws_have_the_moments_of_the_items():
    for shape in ((4000, 5), (40, 60)):
        x = (np.random.default_rng(0).standard_normal(shape) @ np.diag(np.linspace(1, 3, shape[1])) + 2).astype(
            np.float32
        )
        many = [normal_like(x, np.random.default_rng(seed)) for seed in range(1 if len(x) > 100 else 200)]
        drawn = np.concatenate(many)
        np.testing.assert_allclose(drawn.mean(0), x.mean(0), atol=0.25)
        expected = np.cov(x.T, bias=True)
        assert np.linalg.norm(np.cov(drawn.T) - expected) < 0.15 * np.linalg.norm(expected)


def test_clusters_are_named_by_what_sets_them_apart():
    x, group = grouped()
    texts = np.vstack([np.eye(10)[:3], np.ones((1, 10)), np.eye(10)[9:]])
    found = name_clusters(x, group, texts, ["first", "second", "third", "all", "none"], n_null=19)
    assert [found.of(each, 1)[0][0] for each in range(3)] == ["first", "second", "third"]
    assert {found.of(each, 1)[0][2] for each in range(3)} == {0.05}
    assert list(found.table(2).columns) == ["cluster", "word", "contrast", "p_value"]
    assert len(found.plot().data) == 6
    json.dumps(found.to_json(), allow_nan=False)
    # By hand: the mean cosine inside minus outside, in standard deviations.
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    expected = (unit[group == 1, 1].mean() - unit[group != 1, 1].mean()) / unit[:, 1].std()
    assert found.contrasts[1, 1] == pytest.approx(expected, abs=1e-4)


def test_names_of_shuffled_clusters_are_those_of_chance():
    """The p-value of the best of many texts is even, since it is held against the best of many."""
    rng = np.random.default_rng(4)
    p = []
    for _ in range(60):
        x, texts = rng.standard_normal((60, 8)), rng.standard_normal((40, 8))
        found = name_clusters(x, rng.integers(2, size=60), texts, [str(j) for j in range(40)], n_null=19)
        p.append(found.of(0, 1)[0][2])
    np.testing.assert_allclose(np.quantile(p, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.15)


def test_outliers_are_found_and_normal_items_are_as_alone_as_draws():
    x = np.random.default_rng(8).standard_normal((300, 5))
    calm = density(x, k=5, metric="euclidean")
    np.testing.assert_allclose(np.quantile(calm.p_values, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.12)
    x[17] += 12
    found = density(x, k=5, metric="euclidean")
    assert found.outliers(1)[0] == 17
    assert found.p_values[17] == pytest.approx(1 / 301)
    from sklearn.neighbors import NearestNeighbors

    expected = NearestNeighbors(n_neighbors=6).fit(x).kneighbors()[0][:, 4]
    np.testing.assert_allclose(found.distances, expected, rtol=1e-4)
    assert len(found.table()) == 300
    assert len(found.plot().data) == 2
    json.dumps(found.to_json(), allow_nan=False)


def test_what_has_no_clusters_is_refused(refused):
    x, group = grouped()
    with refused(AnalysisError, "too few", "39", "40"):
        cluster(x[:39], min_size=10)
    with refused(AnalysisError, "no variation"):
        cluster(np.ones_like(x))
    with refused(AnalysisError, "method", "'spectral'"):
        cluster(x, method="spectral")
    with refused(AnalysisError, "not finite"):
        cluster(x * np.nan)
    with refused(AnalysisError, "no clusters"):
        cluster(np.random.default_rng(0).standard_normal((60, 30)), min_size=15)
    with refused(AnalysisError, "too few", "11"):
        density(x[:11])
    with refused(AnalysisError, "no variation"):
        density(np.ones_like(x))
    with refused(AnalysisError, "one class"):
        name_clusters(x, 0 * group, x[:3], list("abc"))
    with refused(AnalysisError, "number of labels"):
        name_clusters(x, group[1:], x[:3], list("abc"))
    with refused(AnalysisError, "width"):
        name_clusters(x, group, x[:3, 1:], list("abc"))
