"""Quality: 1 for a perfect map, the null for a random one, and low trust for the misplaced points."""

import json

import numpy as np
import pytest

from thoughtspace.analysis import map_quality as module
from thoughtspace.analysis.knn import neighbors
from thoughtspace.analysis.map_quality import point_trust, quality
from thoughtspace.explorer.errors import AnalysisError

SCORES = ("trustworthiness", "continuity", "knn_recall", "triplet_accuracy")


def test_a_rotated_plane_is_a_perfect_map_of_itself(plane):
    x, places = plane
    angle = 0.7
    turned = places @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * 3 + 100
    scores = quality(x, turned, metric="euclidean").to_json()
    assert [scores[name] for name in SCORES] == pytest.approx([1, 1, 1, 1], abs=1e-3)


def test_random_places_score_the_null(clusters):
    """Negative control, and a check of the closed forms: `null` is the mean over random maps."""
    x, _ = clusters(200)
    rng = np.random.default_rng(0)
    maps = [quality(x, rng.normal(size=(200, 2)), k=10, random_state=i).to_json() for i in range(20)]
    for name in SCORES:
        values = [scores[name] for scores in maps]
        error = 4 * np.std(values) / np.sqrt(len(values))
        assert np.mean(values) == pytest.approx(maps[0]["null"][name], abs=error + 1e-3), name


def test_false_and_lost_neighbours_have_separate_scores():
    """Folding a square makes false neighbours and loses none; tearing it loses some and makes no false ones."""
    x = np.random.default_rng(0).uniform(-1, 1, size=(500, 2))
    folded = np.stack([np.abs(x[:, 0]), x[:, 1]], axis=1)
    torn = x + np.where(x[:, :1] > 0, 3.0, 0.0) * [1, 0]
    fold, tear = (quality(x, y, metric="euclidean", k=10) for y in (folded, torn))
    assert fold.trustworthiness < fold.continuity
    assert tear.continuity < tear.trustworthiness


def test_misplaced_points_have_low_trust(plane):
    x, places = plane
    rng = np.random.default_rng(1)
    moved = rng.permutation(400)[:40]
    y = places.copy()
    y[moved] = rng.uniform(-1, 1, size=(40, 2)) * [2, 1]
    trust = point_trust(x, y, k=8, metric="euclidean")
    rank = trust.argsort().argsort()
    area = (rank[np.setdiff1d(np.arange(400), moved)][:, None] > rank[moved]).mean()
    assert area > 0.9
    whole = quality(x, y, k=8, metric="euclidean")
    np.testing.assert_array_equal(whole.per_point, trust)
    assert trust.mean() == pytest.approx(whole.trustworthiness, abs=1e-6)


def test_scores_do_not_depend_on_rotation_scale_or_shift_of_the_map(clusters):
    x, _ = clusters(150)
    y = np.random.default_rng(0).normal(size=(150, 2))
    a, b = quality(x, y, k=5).to_json(), quality(x, y[:, ::-1] * 40 + 7, k=5).to_json()
    assert [b[name] for name in SCORES] == pytest.approx([a[name] for name in SCORES], abs=1e-3)


def test_precomputed_neighbours_give_the_same_scores(clusters):
    x, _ = clusters(150)
    y = np.random.default_rng(0).normal(size=(150, 2))
    assert quality(x, y, k=5, neighbors=neighbors(x, 20)).to_json() == quality(x, y, k=5).to_json()


def test_ranks_from_a_sample_are_close_to_all_of_them(clusters, monkeypatch):
    x, _ = clusters(600)
    y = x[:, :2] + 0.05 * np.random.default_rng(0).normal(size=(600, 2))
    whole = quality(x, y, k=10)
    monkeypatch.setattr(module, "EXACT_RANKS", 300)
    sampled = quality(x, y, k=10)
    assert sampled.trustworthiness == pytest.approx(whole.trustworthiness, abs=0.02)
    assert sampled.continuity == pytest.approx(whole.continuity, abs=0.02)


def test_the_report_is_json(clusters):
    x, _ = clusters(60)
    report = json.loads(json.dumps(quality(x, x[:, :2], k=5).to_json()))
    assert set(SCORES) <= report.keys()
    assert report["null"].keys() == set(SCORES)


def test_places_that_coincide_are_scored():
    x = np.random.default_rng(0).normal(size=(50, 4))
    scores = quality(x, np.zeros((50, 2)), k=5).to_json()
    assert 0 <= scores["trustworthiness"] <= 1
    assert 0 <= scores["knn_recall"] <= 1


def test_what_does_not_fit_is_refused(clusters, refused):
    x, _ = clusters(40)
    with refused(AnalysisError, "number of points", "40 points and 39 places"):
        quality(x, x[:39, :2])
    with refused(AnalysisError, "k", "k 20, expected a whole number from 1 to 19"):
        quality(x, x[:, :2], k=20)
    with refused(AnalysisError, "n_triplets", "0"):
        quality(x, x[:, :2], k=5, n_triplets=0)
    with refused(AnalysisError, "k", "k 0"):
        point_trust(x, x[:, :2], k=0)


def test_the_rows_of_a_triplet_differ() -> None:
    for n in (3, 4, 50):
        drawn = module._triplets(n, 500, np.random.default_rng(n))
        assert drawn.min() >= 0
        assert drawn.max() < n
        assert all(len(set(column)) == 3 for column in drawn.T.tolist())


def test_every_triplet_is_equally_likely() -> None:
    a, b, c = module._triplets(3, 6000, np.random.default_rng(0))
    counts = np.bincount(9 * a + 3 * b + c)
    assert len(counts[counts > 0]) == 6
    assert (abs(counts[counts > 0] - 1000) < 150).all()
