"""The graph and the layout against umap-learn: the same numbers from the same neighbours and the same draws."""

import numpy as np
import pytest
from scipy.sparse import coo_array
from umap.layouts import optimize_layout_euclidean
from umap.umap_ import find_ab_params, fuzzy_simplicial_set

from thoughtspace.analysis.knn import neighbors
from thoughtspace.analysis.layout import compiled_epoch, curve, fuzzy_graph

N, K = 250, 15


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 12)).astype(np.float32)
    x[7] = x[8]  # two equal points
    return x, neighbors(x, K - 1)


def test_the_curve_is_umaps():
    assert curve(0.1) == pytest.approx(find_ab_params(1.0, 0.1), rel=1e-9)
    assert curve(0.5) == pytest.approx(find_ab_params(1.0, 0.5), rel=1e-9)


def test_the_graph_is_umaps(world):
    x, near = world
    itself = np.arange(N)[:, None]
    theirs, _, _ = fuzzy_simplicial_set(
        x,
        K,
        np.random.RandomState(0),
        "cosine",
        knn_indices=np.hstack([itself, near.indices]).astype(np.int32),
        knn_dists=np.hstack([itself * 0, near.distances]).astype(np.float32),
    )
    graph = fuzzy_graph(near)
    ours = coo_array((graph.weight, (graph.head, graph.tail)), shape=(N, N))
    np.testing.assert_allclose(ours.toarray(), theirs.toarray(), atol=2e-5)


def test_the_layout_is_umaps_to_the_last_bit(world):
    _, near = world
    graph, (a, b), n_epochs = fuzzy_graph(near), curve(0.1), 60
    rng = np.random.default_rng(1)
    start = rng.uniform(0, 10, size=(N, 2)).astype(np.float32)
    kept = graph.weight >= graph.weight.max() / n_epochs
    head, tail = graph.head[kept], graph.tail[kept]
    every = graph.weight.max().astype(np.float64) / graph.weight[kept].astype(np.float64)
    draws = rng.integers(-(2**31) + 1, 2**31 - 1, size=3)

    theirs = start.copy()
    optimize_layout_euclidean(theirs, theirs, head, tail, n_epochs, N, every, a, b, draws, move_other=True)

    ours, due, due_negative = start.copy(), every.copy(), every / 5
    state = draws + start[:, 0].astype(np.float64).view(np.int64)[:, None]
    for n in range(n_epochs):
        compiled_epoch()(ours, head, tail, every, due, due_negative, state, a, b, 1 - max(0, n - 1) / n_epochs, n)
    np.testing.assert_array_equal(ours, theirs)
    assert np.abs(ours - start).max() > 1
