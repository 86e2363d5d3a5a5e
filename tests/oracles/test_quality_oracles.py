"""Map quality against scikit-learn and zadu."""

import numpy as np
import pytest
from sklearn.manifold import trustworthiness
from zadu.measures import local_continuity_meta_criteria, trustworthiness_continuity

from thoughtspace.analysis.map_agreement import neighborhood_hit, stress
from thoughtspace.analysis.map_quality import quality


@pytest.fixture(scope="module", params=[5, 12])
def case(request):
    rng = np.random.default_rng(request.param)
    x = rng.normal(size=(300, 10)).astype(np.float32)
    y = (x[:, :2] + 0.3 * rng.normal(size=(300, 2))).astype(np.float32)
    return x, y, request.param


def test_trustworthiness_and_continuity_are_scikit_learns(case):
    x, y, k = case
    scores = quality(x, y, k=k, metric="euclidean")
    assert scores.trustworthiness == pytest.approx(trustworthiness(x, y, n_neighbors=k), abs=1e-6)
    assert scores.continuity == pytest.approx(trustworthiness(y, x, n_neighbors=k), abs=1e-6)


def test_the_cosine_is_scikit_learns_too(case):
    x, y, k = case
    scores = quality(x, y, k=k, metric="cosine")
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    assert scores.trustworthiness == pytest.approx(trustworthiness(x, y, n_neighbors=k, metric="cosine"), abs=1e-5)
    assert scores.continuity == pytest.approx(trustworthiness(y, unit, n_neighbors=k), abs=1e-5)


def test_scores_and_the_trust_of_each_point_are_zadus(case):
    x, y, k = case
    scores = quality(x, y, k=k, metric="euclidean")
    whole, local = trustworthiness_continuity.measure(x, y, k=k, return_local=True)
    assert scores.trustworthiness == pytest.approx(whole["trustworthiness"], abs=1e-6)
    assert scores.continuity == pytest.approx(whole["continuity"], abs=1e-6)
    np.testing.assert_allclose(scores.per_point, local["local_trustworthiness"], atol=1e-5)
    excess = local_continuity_meta_criteria.measure(x, y, k=k)["lcmc"]
    assert scores.knn_recall - scores.null["knn_recall"] == pytest.approx(excess, abs=1e-6)


def test_stress_and_neighbourhood_hit_are_zadus(case):
    from zadu.measures import neighborhood_hit as zadus_hit
    from zadu.measures import scale_normalized_stress

    x, y, k = case
    labels = (x[:, 0] > 0).astype(int)
    theirs = scale_normalized_stress.measure(x, y)["scale_normalized_stress"]
    assert 1 - stress(x, y, metric="euclidean", n_null=1).value == pytest.approx(theirs, abs=1e-4)
    hit, _ = neighborhood_hit(y, labels, k=k, n_null=1)
    assert hit.value == pytest.approx(zadus_hit.measure(y, labels, k=k)["neighborhood_hit"], abs=1e-6)
