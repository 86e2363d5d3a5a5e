"""Maps: reproducible, faithful, frozen; new points land where they belong."""

import json

import numpy as np
import pytest
from scipy.spatial import procrustes

from thoughtspace.analysis.knn import neighbors
from thoughtspace.analysis.layout import Graph, curve, fuzzy_graph, memberships, optimize
from thoughtspace.analysis.map_quality import quality
from thoughtspace.analysis.projection import Projection, fit_projection, place
from thoughtspace.explorer.errors import Cancelled, MapError


@pytest.fixture(scope="module")
def fitted(clusters):
    x, label = clusters(500)
    return x, label, fit_projection(x, n_epochs=150)


def nearest_labels(places, new, label):
    distances = np.linalg.norm(new[:, None] - places[None], axis=2)
    return label[distances.argmin(1)]


def test_memberships_of_a_row_sum_to_what_was_asked():
    d = np.sort(np.random.default_rng(0).uniform(0.1, 2, size=(50, 14)), axis=1)
    w = memberships(d, target=np.log2(15))
    np.testing.assert_allclose(w.sum(1), np.log2(15), rtol=1e-6)
    np.testing.assert_array_equal(w[:, 0], 1.0)
    assert (np.diff(w, axis=1) <= 0).all()


def test_memberships_of_equal_points_are_certain():
    np.testing.assert_array_equal(memberships(np.zeros((3, 5)), target=2.0), 1.0)


def test_the_graph_is_symmetric_and_joins_every_point(clusters):
    x, _ = clusters(120)
    graph = fuzzy_graph(neighbors(x, 9))
    edges = dict(zip(zip(graph.head.tolist(), graph.tail.tolist(), strict=True), graph.weight, strict=True))
    assert all(edges[j, i] == pytest.approx(w) for (i, j), w in edges.items())
    assert set(graph.head.tolist()) == set(range(120))
    assert graph.weight.min() > 0
    assert graph.weight.max() <= 1


def test_joined_points_end_nearer_than_strangers():
    """Two rings of points: an edge pulls, its absence pushes. Negative control: no epoch, no order."""
    head = np.concatenate([np.arange(40), (np.arange(40) // 20) * 20 + (np.arange(40) + 1) % 20]).astype(np.int32)
    tail = np.concatenate([head[40:], head[:40]]).astype(np.int32)
    graph = Graph(head, tail, np.ones(80, dtype=np.float32), 40)
    start = np.random.default_rng(0).uniform(0, 10, size=(40, 2)).astype(np.float32)
    a, b = curve(0.1)
    end = optimize(start, graph, a=a, b=b, n_epochs=200, generator=np.random.default_rng(1))

    def edge_length(y):
        return np.linalg.norm(y[head] - y[tail], axis=1).mean() / y.std()

    assert edge_length(end) < 0.6 * edge_length(start)


def test_the_same_seed_gives_the_same_bits_and_another_seed_another_map(fitted):
    x, _, projection = fitted
    np.testing.assert_array_equal(fit_projection(x, n_epochs=150).coordinates, projection.coordinates)
    assert not np.array_equal(fit_projection(x, n_epochs=150, random_state=1).coordinates, projection.coordinates)


def test_neighbours_computed_once_give_the_same_map(fitted):
    x, _, projection = fitted
    shared = fit_projection(x, n_epochs=150, neighbors=neighbors(x, 30))
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
    projection = fit_projection(x, method="pca", metric="euclidean")
    _, _, disparity = procrustes(places, projection.coordinates)
    assert disparity < 1e-10


@pytest.mark.parametrize("n_components", [2, 3])
def test_maps_have_two_or_three_dimensions(clusters, n_components):
    x, _ = clusters(60)
    for method in ("umap", "pca"):
        projection = fit_projection(x, method=method, n_components=n_components, n_epochs=5)
        assert projection.coordinates.shape == (60, n_components)


def test_few_or_equal_points_still_make_a_map():
    assert np.isfinite(fit_projection(np.eye(4), n_epochs=10).coordinates).all()
    assert np.isfinite(fit_projection(np.ones((30, 3)), n_epochs=10).coordinates).all()


def test_known_points_land_on_themselves(fitted, plane):
    x, _, projection = fitted
    np.testing.assert_array_equal(place(projection, x, x[20:40]), projection.coordinates[20:40])
    np.testing.assert_array_equal(projection.place(3 * x[:5], x), projection.coordinates[:5])
    flat = fit_projection(plane[0], method="pca", metric="euclidean")
    np.testing.assert_array_equal(place(flat, plane[0], plane[0][:9]), flat.coordinates[:9])


def test_new_points_land_in_their_own_cluster(clusters):
    x, label = clusters(560)
    projection = fit_projection(x[:500], n_epochs=150)
    landed = place(projection, x[:500], x[500:])
    agree = nearest_labels(projection.coordinates, landed, label[:500]) == label[500:]
    assert agree.mean() > 0.97
    shuffled = np.random.default_rng(0).permutation(label[500:])
    assert (nearest_labels(projection.coordinates, landed, label[:500]) == shuffled).mean() < 0.5


def test_a_point_between_two_clusters_lands_with_one_of_them():
    """The plain mean of the neighbours' places, the negative control, lands in the empty middle."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(30, 4)) * 0.1 + [1, 0, 0, 0], rng.normal(size=(30, 4)) * 0.1 + [0, 1, 0, 0]])
    y = np.concatenate([rng.normal(size=(30, 2)) * 0.2, rng.normal(size=(30, 2)) * 0.2 + 20])
    a, b = curve(0.1)
    projection = Projection("umap", y, {"metric": "cosine", "n_neighbors": 60, "a": a, "b": b})
    landed = place(projection, x, [[1.0, 0.95, 0, 0]])
    assert np.linalg.norm(projection.coordinates - landed, axis=1).min() < 0.5
    assert np.linalg.norm(projection.coordinates - projection.coordinates.mean(0), axis=1).min() > 10


def test_a_place_does_not_depend_on_its_batch(clusters):
    x, _ = clusters(330)
    projection = fit_projection(x[:300], n_epochs=50)
    together = place(projection, x[:300], x[300:])
    alone = np.concatenate([place(projection, x[:300], row[None]) for row in x[300:]])
    np.testing.assert_array_equal(together, alone)


def test_principal_places_are_linear(plane):
    x, places = plane
    projection = fit_projection(x[:300], method="pca", metric="euclidean")
    landed = place(projection, x[:300], x[300:])
    _, _, disparity = procrustes(places, np.concatenate([projection.coordinates, landed]))
    assert disparity < 1e-10


def test_an_array_and_a_json_object_are_the_whole_map(fitted, tmp_path, clusters):
    x, _, projection = fitted
    np.save(tmp_path / "map.npy", projection.coordinates, allow_pickle=False)
    (tmp_path / "map.json").write_text(json.dumps({"method": projection.method, **projection.options}))
    options = json.loads((tmp_path / "map.json").read_text())
    again = Projection(options.pop("method"), np.load(tmp_path / "map.npy"), options)
    new, _ = clusters(30, seed=9)
    np.testing.assert_array_equal(again.place(new, x), projection.place(new, x))


def test_a_map_cannot_be_changed(fitted):
    _, _, projection = fitted
    with pytest.raises(ValueError, match="read-only"):
        projection.coordinates[0] = 0
    with pytest.raises(TypeError):
        projection.options["a"] = 1  # type: ignore[index]


def test_the_work_is_shown_and_can_be_stopped(clusters):
    x, _ = clusters(50)
    seen = []

    def stop_at_seven(iterable, *, total, desc):
        for i, item in enumerate(iterable):
            seen.append((i, total, desc))
            if i == 7:
                raise Cancelled
            yield item

    with pytest.raises(Cancelled):
        fit_projection(x, n_epochs=40, progress=stop_at_seven)
    assert seen[-1] == (7, 40, "layout")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "tsne"}, "Got map method 'tsne', expected one of umap, pca"),
        ({"n_neighbors": 2}, "Got n_neighbors=2"),
        ({"min_dist": 1.0}, "Got min_dist=1.0"),
        ({"n_components": 4}, "Got n_components=4"),
        ({"n_epochs": 0}, "Got n_epochs=0"),
        ({"metric": "l1"}, "Got metric 'l1'"),
    ],
)
def test_options_that_do_not_fit_are_refused(clusters, options, words):
    with pytest.raises(MapError, match=words):
        fit_projection(clusters(20)[0], **options)


def test_too_few_points_and_foreign_references_are_refused(fitted):
    x, _, projection = fitted
    with pytest.raises(MapError, match="Got 3 points, expected at least 4"):
        fit_projection(x[:3])
    with pytest.raises(MapError, match="Got 499 reference points, expected 500"):
        place(projection, x[1:], x[:2])
    with pytest.raises(MapError, match="Got a map without the options a, b"):
        Projection("umap", np.zeros((3, 2)), {"metric": "cosine", "n_neighbors": 3})
