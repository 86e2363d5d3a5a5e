"""Neighbours: properties that hold for any rows."""

import numpy as np
import pytest

from thoughtspace.analysis.knn import Neighbors, at_hand, neighbors, query
from thoughtspace.explorer.errors import AnalysisError


def by_hand(x, k, metric):
    x = np.asarray(x, dtype=np.float64)
    if metric == "cosine":
        u = x / np.linalg.norm(x, axis=1, keepdims=True)
        distances = 1 - u @ u.T
    else:
        distances = np.linalg.norm(x[:, None] - x[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(distances, order, axis=1)


def recall(found: Neighbors, truth: Neighbors) -> float:
    return float((found.indices[:, :, None] == truth.indices[:, None]).any(2).mean())


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("d", [2, 3, 17])
def test_they_are_those_of_all_pairs(metric, d):
    x = np.random.default_rng(d).normal(size=(150, d)) + 0.5
    found = neighbors(x, 7, metric=metric)
    indices, distances = by_hand(x.astype(np.float32), 7, metric)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(found.distances, distances, rtol=2e-4, atol=1e-9)
    assert found.indices.dtype == np.int32
    assert found.distances.dtype == np.float32


def test_near_duplicates_far_from_the_origin_are_separated():
    """Negative control: the plain matrix product loses the difference to rounding."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(200, 8)) * 0.01 + 100).astype(np.float32)
    truth, _ = by_hand(x, 5, "euclidean")
    np.testing.assert_array_equal(neighbors(x, 5, metric="euclidean").indices, truth)
    squares = (x * x).sum(1)
    naive = squares[:, None] + squares - 2 * (x @ x.T) + np.diag(np.full(200, np.inf, dtype=np.float32))
    assert (np.argsort(naive, axis=1)[:, :5] == truth).mean() < 0.5


def test_equal_rows_are_neighbours_at_distance_zero_but_not_of_themselves():
    x = np.repeat(np.eye(3, 5), 4, axis=0)
    found = neighbors(x, 3)
    assert (found.distances == 0).all()
    assert (found.indices != np.arange(12)[:, None]).all()
    assert (found.indices // 4 == np.arange(12)[:, None] // 4).all()


def test_scale_of_a_row_does_not_matter_to_the_cosine(clusters):
    x, _ = clusters(80)
    scale = np.random.default_rng(1).uniform(0.1, 10, size=(80, 1))
    np.testing.assert_array_equal(neighbors(x * scale, 5).indices, neighbors(x, 5).indices)


def test_fewer_are_a_prefix_of_more(clusters):
    x, _ = clusters(60)
    np.testing.assert_array_equal(neighbors(x, 9).nearest(4).indices, neighbors(x, 4).indices)


def test_query_finds_each_known_row_first(clusters):
    x, _ = clusters(60)
    found = query(x, x[10:20] * 3, 4)
    np.testing.assert_array_equal(found.indices[:, 0], np.arange(10, 20))
    np.testing.assert_allclose(found.distances[:, 0], 0, atol=1e-12)
    np.testing.assert_array_equal(found.indices[:, 1:], neighbors(x, 3).indices[10:20])


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_row_has_the_same_neighbours_alone_and_in_any_batch(metric):
    """Also among many equal rows, where the rounding of a matrix product decides which are candidates."""
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(size=(6, 32)), 40, axis=0)
    asked = np.concatenate([rng.normal(size=(60, 32)), rows[::40]])
    found = query(rows, asked, 5, metric=metric)
    order = rng.permutation(len(asked))
    shuffled = query(rows, asked[order], 5, metric=metric)
    np.testing.assert_array_equal(shuffled.indices, found.indices[order])
    np.testing.assert_array_equal(shuffled.distances, found.distances[order])
    for row in range(len(asked)):
        alone = query(rows, asked[row : row + 1], 5, metric=metric)
        np.testing.assert_array_equal(alone.indices[0], found.indices[row])
        np.testing.assert_array_equal(alone.distances[0], found.distances[row])
    assert (found.indices % 40 == np.arange(5)).all()  # the first of equal rows


def test_descent_finds_the_neighbours_of_all_pairs_reproducibly(clusters):
    x, _ = clusters(3000, n_clusters=40, d=16, noise=0.5)
    found, truth = neighbors(x, 8, exact=False), neighbors(x, 8, exact=True)
    assert recall(found, truth) > 0.99
    assert (found.indices != np.arange(3000)[:, None]).all()
    again = neighbors(x, 8, exact=False)
    np.testing.assert_array_equal(found.indices, again.indices)
    np.testing.assert_array_equal(found.distances, again.distances)


@pytest.mark.parametrize("missing", [False, True])
def test_a_failed_descent_is_replaced(clusters, monkeypatch, missing):
    """Negative control: neighbours at random, and rows without neighbours, are replaced by those of all pairs."""

    class Wrong:
        def __init__(self, rows, *, metric, n_neighbors, random_state):
            drawn = np.random.default_rng(0).integers(len(rows), size=(len(rows), n_neighbors), dtype=np.int32)
            self.neighbor_graph = (np.where(missing, -1, drawn).astype(np.int32), None)

    monkeypatch.setattr("pynndescent.NNDescent", Wrong)
    x, _ = clusters(300)
    np.testing.assert_array_equal(neighbors(x, 5, exact=False).indices, neighbors(x, 5, exact=True).indices)


@pytest.mark.parametrize(
    ("x", "k", "metric", "code", "fact"),
    [
        (np.ones((5, 2)), 5, "cosine", "k", "k 5, expected a whole number from 1 to 4"),
        (np.ones((5, 2)), 0, "cosine", "k", "k 0"),
        (np.ones(5), 1, "cosine", "shape", "(5,)"),
        (np.ones((0, 3)), 1, "cosine", "shape", "(0, 3)"),
        ([["a"]], 1, "cosine", "not numbers", "x"),
        ([[1.0], [np.nan], [2.0]], 1, "cosine", "not finite", "1 rows of x that are not finite, the first is row 1"),
        ([[1.0], [0.0], [2.0]], 1, "cosine", "zero vector", "row 1"),
        (np.ones((5, 2)), 1, "manhattan", "metric", "'manhattan', expected one of cosine, euclidean"),
    ],
)
def test_what_does_not_fit_is_refused(x, k, metric, code, fact, refused):
    with refused(AnalysisError, code, fact):
        neighbors(x, k, metric=metric)


def test_neighbours_of_other_points_are_refused(clusters, refused):
    x, _ = clusters(40)
    known = neighbors(x, 5)
    assert at_hand(known, x, 3, "cosine").k == 3
    with refused(AnalysisError, "other neighbours", "40 rows by cosine, expected 30 by cosine"):
        at_hand(known, x[:30], 3, "cosine")
    with refused(AnalysisError, "other neighbours", "40 rows by cosine, expected 40 by euclidean"):
        at_hand(known, x, 3, "euclidean")
    with refused(AnalysisError, "k", "k 6, expected a whole number from 1 to 5"):
        at_hand(known, x, 6, "cosine")
    with refused(AnalysisError, "width", "23, expected 24"):
        query(x, x[:, 1:], 2)
