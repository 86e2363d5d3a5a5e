"""UMAP against umap-learn: its plain call gives the same map, and its memberships equal ours."""

import numpy as np
import pytest
import umap
from umap.umap_ import compute_membership_strengths, smooth_knn_dist

from thoughtspace.analysis import UMAP, fit_projection, neighbors
from thoughtspace.analysis.projection.placing import memberships

N, K = 250, 15


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 12)).astype(np.float32)
    x[7] = x[8]  # two equal points
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x, neighbors(x, K - 1)


def with_itself(near):
    """Indices and distances as umap-learn has them: each point is its own first neighbour."""
    itself = np.arange(N)[:, None]
    return (
        np.hstack([itself, near.indices]).astype(np.int32),
        np.hstack([np.zeros_like(itself), near.distances]).astype(np.float32),
    )


@pytest.mark.filterwarnings("ignore:precomputed_knn")
@pytest.mark.parametrize("min_dist", [0.1, 0.5])
def test_the_map_is_umaps_to_the_last_bit(world, min_dist):
    x, _ = world
    near = neighbors(x, K - 1, metric="euclidean")
    theirs = umap.UMAP(
        n_neighbors=K,
        min_dist=min_dist,
        init="pca",
        random_state=3,
        n_jobs=1,
        precomputed_knn=with_itself(near),
    ).fit_transform(x)
    more = neighbors(x, 40, metric="euclidean")
    ours = fit_projection(x, UMAP(min_dist=min_dist), metric="euclidean", random_state=3, neighbors=more)
    np.testing.assert_array_equal(ours.coordinates, theirs)
    assert np.ptp(theirs) > 1


def test_memberships_are_umaps(world):
    _, near = world
    indices, distances = with_itself(near)
    sigmas, rhos = smooth_knn_dist(distances, float(K))
    rows, columns, values, _ = compute_membership_strengths(indices, distances, sigmas, rhos)
    theirs = values.reshape(N, K)[:, 1:]
    assert (columns.reshape(N, K)[:, 1:] == near.indices).all()
    assert (rows.reshape(N, K) == np.arange(N)[:, None]).all()
    np.testing.assert_allclose(memberships(near.distances, target=np.log2(K)), theirs, atol=2e-5)


def test_only_ours_gives_a_point_the_same_place_alone_and_in_a_batch(world):
    """Negative control of `Projection.transform`: umap-learn's own (its issues 1224 and 515) does not."""
    x, _ = world
    known, new = x[:200], x[200:230]
    theirs = umap.UMAP(random_state=0, n_jobs=1, metric="cosine", n_epochs=100).fit(known)
    together, alone = theirs.transform(new), np.concatenate([theirs.transform(row[None]) for row in new[:3]])
    apart = np.linalg.norm(together[:3] - alone, axis=1)
    assert (apart > 1e-3).all()
    ours = fit_projection(known, UMAP(n_epochs=100))
    np.testing.assert_array_equal(
        ours.transform(new)[:3], np.concatenate([ours.transform(row[None]) for row in new[:3]])
    )
