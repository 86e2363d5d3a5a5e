"""Projections: reproducible, faithful, immutable; new points land near their neighbours."""

import json

import numpy as np
import pytest
from scipy.spatial import procrustes

from thoughtspace.analysis.knn import neighbors
from thoughtspace.analysis.map_quality import quality
from thoughtspace.analysis.projection import PCA, UMAP, PaCMAP, Projection, fit_projection
from thoughtspace.analysis.projection.placing import PACMAP_ATTRACTION, memberships, settle, umap_attraction
from thoughtspace.analysis.projection.process import FitProcess
from thoughtspace.explorer.errors import AnalysisError, Cancelled, MapError

QUICK = UMAP(n_epochs=150)
METHODS = [QUICK, PaCMAP(), PCA()]


@pytest.fixture(scope="module")
def fitted(clusters):
    x, label = clusters(500)
    return x, label, fit_projection(x, QUICK)


def nearest_labels(places, new, label):
    distances = np.linalg.norm(new[:, None] - places[None], axis=2)
    return label[distances.argmin(1)]


def test_torch_keeps_its_threads(clusters):
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        fit_projection(clusters(80)[0], UMAP(n_epochs=5))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_memberships_of_a_row_sum_to_the_target():
    d = np.sort(np.random.default_rng(0).uniform(0.1, 2, size=(50, 14)), axis=1)
    w = memberships(d, target=np.log2(15))
    np.testing.assert_allclose(w.sum(1), np.log2(15), rtol=1e-6)
    np.testing.assert_array_equal(w[:, 0], 1.0)
    assert (np.diff(w, axis=1) <= 0).all()


def test_memberships_of_equal_points_are_certain():
    np.testing.assert_array_equal(memberships(np.zeros((3, 5)), target=2.0), 1.0)


def test_the_same_seed_gives_the_same_bits_and_another_seed_another_map(fitted):
    x, _, projection = fitted
    np.testing.assert_array_equal(fit_projection(x, QUICK).coordinates, projection.coordinates)
    assert not np.array_equal(fit_projection(x, QUICK, random_state=1).coordinates, projection.coordinates)


def test_precomputed_neighbours_give_the_same_map(fitted):
    x, _, projection = fitted
    shared = fit_projection(x, QUICK, neighbors=neighbors(x, 30))
    np.testing.assert_array_equal(shared.coordinates, projection.coordinates)


def test_a_map_keeps_its_clusters_apart(fitted):
    x, label, projection = fitted
    scores = quality(x, projection.coordinates)
    assert scores.trustworthiness > 0.9
    y = projection.coordinates
    apart = np.linalg.norm(y[:, None] - y[None], axis=2)
    same = label[:, None] == label[None]
    assert np.median(apart[same]) < 0.3 * np.median(apart[~same])


def test_principal_map_of_a_plane_is_the_plane(plane):
    x, places = plane
    projection = fit_projection(x, "pca", metric="euclidean")
    _, _, disparity = procrustes(places, projection.coordinates)
    assert disparity < 1e-10


@pytest.mark.parametrize("n_components", [2, 3])
def test_maps_have_two_or_three_dimensions(clusters, n_components):
    x, _ = clusters(60)
    for method in (UMAP(n_epochs=5), PaCMAP(), PCA()):
        projection = fit_projection(x, method, n_components=n_components)
        assert projection.coordinates.shape == (60, n_components)


def test_few_or_equal_points_still_make_a_map():
    assert np.isfinite(fit_projection(np.eye(4), UMAP(n_epochs=10)).coordinates).all()
    assert np.isfinite(fit_projection(np.ones((30, 3)), UMAP(n_epochs=10)).coordinates).all()


def test_known_points_land_on_themselves(fitted, plane):
    x, _, projection = fitted
    np.testing.assert_array_equal(projection.transform(x[20:40]), projection.coordinates[20:40])
    np.testing.assert_array_equal(projection.transform(3 * x[:5]), projection.coordinates[:5])
    flat = fit_projection(plane[0], "pca", metric="euclidean")
    np.testing.assert_array_equal(flat.transform(plane[0][:9]), flat.coordinates[:9])


@pytest.mark.parametrize("method", METHODS[:2], ids=lambda method: method.name)
def test_new_points_land_in_their_own_cluster(clusters, method):
    x, label = clusters(560)
    projection = fit_projection(x[:500], method)
    landed = projection.transform(x[500:])
    agree = nearest_labels(projection.coordinates, landed, label[:500]) == label[500:]
    assert agree.mean() > 0.97
    shuffled = np.random.default_rng(0).permutation(label[500:])
    assert (nearest_labels(projection.coordinates, landed, label[:500]) == shuffled).mean() < 0.5


@pytest.mark.parametrize("method", ["umap", "pacmap"])
def test_a_point_between_two_clusters_lands_with_one_of_them(method):
    """Negative control: the plain mean of the neighbours' places is in the empty middle."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(30, 4)) * 0.1 + [1, 0, 0, 0], rng.normal(size=(30, 4)) * 0.1 + [0, 1, 0, 0]])
    y = np.concatenate([rng.normal(size=(30, 2)) * 0.2, rng.normal(size=(30, 2)) * 0.2 + 20])
    projection = Projection(method, x, y, {"metric": "cosine", "n_neighbors": 60, "a": 1.577, "b": 0.895})
    landed = projection.transform([[1.0, 0.95, 0, 0]])
    assert np.linalg.norm(projection.coordinates - landed, axis=1).min() < 0.5
    assert np.linalg.norm(projection.coordinates - projection.coordinates.mean(0), axis=1).min() > 10


@pytest.mark.parametrize("attraction", [umap_attraction(1.577, 0.895), PACMAP_ATTRACTION])
def test_a_point_settles_where_the_cost_is_least(attraction):
    """No place of a fine grid costs less, and the slope is the derivative of the cost up to a factor."""
    rng = np.random.default_rng(1)
    y, w = rng.normal(size=(9, 2)).astype(np.float32), rng.uniform(0.1, 1, size=(1, 9))
    (settled,) = settle(y, np.arange(9, dtype=np.int32)[None], w, attraction)

    def cost(p):
        return (w * attraction.cost(np.square(p[:, None] - y).sum(-1))).sum(-1)

    grid = np.stack(np.meshgrid(*[np.linspace(-3, 3, 301)] * 2), -1).reshape(-1, 2)
    assert cost(settled[None])[0] <= cost(grid).min() + 1e-2 * np.ptp(cost(grid))
    s = np.linspace(1, 30, 50)
    ratio = (attraction.cost(s + 1e-5) - attraction.cost(s - 1e-5)) / attraction.slope(s)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-2)  # the weighted mean does not depend on the factor


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_point_lands_on_exactly_the_same_place_alone_and_in_any_batch(clusters, method):
    x, _ = clusters(330)
    projection = fit_projection(x[:300], method)
    together = projection.transform(x[300:])
    alone = np.concatenate([projection.transform(row[None]) for row in x[300:]])
    np.testing.assert_array_equal(together, alone)
    order = np.random.default_rng(0).permutation(30)
    np.testing.assert_array_equal(projection.transform(x[300:][order]), together[order])


def test_principal_places_are_linear(plane):
    x, places = plane
    projection = fit_projection(x[:300], "pca", metric="euclidean")
    landed = projection.transform(x[300:])
    _, _, disparity = procrustes(places, np.concatenate([projection.coordinates, landed]))
    assert disparity < 1e-10


def test_a_map_is_restored_from_arrays_and_json(fitted, clusters):
    _, _, projection = fitted
    options = json.loads(json.dumps(dict(projection.options)))
    again = Projection(projection.method, projection.points.copy(), projection.coordinates.copy(), options)
    new, _ = clusters(30, seed=9)
    np.testing.assert_array_equal(again.transform(new), projection.transform(new))


def test_a_map_cannot_be_changed(fitted):
    _, _, projection = fitted
    for array in (projection.points, projection.coordinates):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(TypeError):
        projection.options["a"] = 1  # type: ignore[index]


def test_without_a_seed_it_is_another_map_of_the_same_quality(fitted):
    """It differs because it runs in several threads."""
    x, _, projection = fitted
    drawn = fit_projection(x, QUICK, random_state=None)
    assert drawn.options["random_state"] is None
    assert not np.array_equal(drawn.coordinates, projection.coordinates)
    assert quality(x, drawn.coordinates).trustworthiness > quality(x, projection.coordinates).trustworthiness - 0.03


def test_progress_shows_the_stages_and_can_stop_between_them(clusters):
    x, _ = clusters(50)
    seen = []

    def stop_before_drawing(iterable, *, total, desc):
        seen.append((total, desc))
        if desc.startswith("drawing"):
            raise Cancelled
        return iterable

    with pytest.raises(Cancelled):
        fit_projection(x, progress=stop_before_drawing)
    assert seen == [(1, "finding neighbours"), (1, "drawing the map by umap")]


class Failing(PCA):
    """A method whose library fails, with a message of two lines."""

    def fit(self, *_arguments):
        raise ValueError("first\nsecond")


def test_a_process_draws_the_same_map_and_is_killed_to_stop_it(fitted, refused):
    x, _, projection = fitted

    def stop(iterable, *, total, desc):
        assert desc == "drawing the map by umap, seconds"
        for _ in iterable:
            raise Cancelled
        yield

    with FitProcess() as process:
        np.testing.assert_array_equal(process.fit(x, QUICK).coordinates, projection.coordinates)
        with refused(MapError, "too few items", "3 points"):  # after which it still works
            process.fit(x[:3])
        with refused(MapError, "no fit", "by pca (first second)"):
            process.fit(x, Failing())
        with pytest.raises(Cancelled):
            process.fit(x, UMAP(n_epochs=10**6), progress=stop)
        assert process.running
    assert not process.running
    with refused(MapError, "process ended", "exit code -9"):
        process.fit(x)


@pytest.mark.parametrize(
    ("wrong", "code", "fact"),
    [
        (lambda x: fit_projection(x, "tsne"), "map method", "'tsne', expected one of umap, pacmap, pca"),
        (lambda x: UMAP(n_neighbors=2), "n_neighbors", "2"),
        (lambda x: PaCMAP(n_neighbors=2), "n_neighbors", "2"),
        (lambda x: UMAP(min_dist=1.0), "min_dist", "1.0"),
        (lambda x: UMAP(n_epochs=0), "n_epochs", "0"),
        (lambda x: fit_projection(x, n_components=4), "n_components", "4"),
        (lambda x: fit_projection(x[:3]), "too few items", "3 points, expected at least 4"),
        (lambda x: fit_projection(x[:19], "pacmap"), "too few items", "19 points, expected at least 20"),
        (lambda x: fit_projection(np.ones((30, 4)), "pacmap"), "too few items", "all equal"),
        (lambda x: Projection("pca", x, x[:3, :2], {"metric": "cosine"}), "number of points", "20 points and 3 places"),
        (lambda x: Projection("umap", x, x[:, :2], {"metric": "cosine", "n_neighbors": 3}), "options", "a, b"),
    ],
)
def test_options_that_do_not_fit_are_refused(clusters, wrong, code, fact, refused):
    with refused(MapError, code, fact):
        wrong(clusters(20)[0])


def test_arrays_that_do_not_fit_are_refused(fitted, clusters, refused):
    x, _, projection = fitted
    with refused(AnalysisError, "metric", "'l1'"):
        fit_projection(x, metric="l1")
    with refused(AnalysisError, "width", "23, expected 24"):
        projection.transform(x[:, 1:])
    with refused(AnalysisError, "other neighbours", "500 rows by cosine, expected 500 by euclidean"):
        fit_projection(x, metric="euclidean", neighbors=neighbors(x, 30))


def test_without_its_package_pacmap_says_how_to_get_it(clusters, monkeypatch, refused):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with refused(MapError, "not installed", "thoughtspace[pacmap]"):
        fit_projection(clusters(30)[0], "pacmap")
