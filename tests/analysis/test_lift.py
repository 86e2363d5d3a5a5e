"""Lift: from a place back to a point; exact on items, with low confidence far from them."""

import numpy as np
import pytest
import torch

from thoughtspace.analysis.lift import Lifter
from thoughtspace.analysis.projection import UMAP, Projection, fit_projection
from thoughtspace.explorer.errors import MapError
from thoughtspace.explorer.geometry.interpolation import Geometry


def lift(projection, places, *, geometry, k=8):
    return Lifter(projection, geometry=geometry, k=k)(places)


@pytest.fixture(scope="module")
def world(clusters):
    x, label = clusters(660)
    return x[:600], x[600:], label, fit_projection(x[:600], UMAP(n_epochs=150))


@pytest.mark.parametrize("geometry", list(Geometry))
def test_on_an_item_it_is_the_item(world, geometry):
    x, _, _, projection = world
    lifted = lift(projection, projection.coordinates[:40], geometry=geometry)
    np.testing.assert_array_equal(lifted.vectors, x[:40])
    np.testing.assert_array_equal(lifted.neighbors[:, 0], np.arange(40))


@pytest.mark.parametrize("geometry", list(Geometry))
def test_between_items_it_is_the_mean_of_the_geometry(world, geometry):
    x, _, _, projection = world
    lifted = lift(projection, projection.coordinates[:5] + 0.03, geometry=geometry, k=4)
    np.testing.assert_allclose(lifted.weights.sum(1), 1, atol=4e-6)
    np.testing.assert_array_equal(lifted.weights, np.round(lifted.weights, 6))
    assert (np.diff(lifted.weights, axis=1) <= 0).all()
    for row in range(5):
        chosen = torch.from_numpy(x[lifted.neighbors[row]])
        expected = geometry.mean(chosen, torch.from_numpy(lifted.weights[row]))
        np.testing.assert_allclose(lifted.vectors[row], expected, atol=1e-5)


def test_points_of_the_sphere_stay_on_it(world):
    _, _, _, projection = world
    places = np.random.default_rng(0).uniform(-5, 15, size=(60, 2))
    norms = np.linalg.norm(lift(projection, places, geometry=Geometry.SPHERE).vectors, axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-5)


def test_held_out_points_are_lifted_close_to_themselves(world):
    _, new, _, projection = world
    lifted = Lifter(projection, geometry=Geometry.SPHERE)(projection.transform(new))
    cosines = (lifted.vectors * new).sum(1)
    shuffled = (lifted.vectors * new[np.random.default_rng(0).permutation(len(new))]).sum(1)
    assert np.median(cosines) > 0.9
    assert np.median(shuffled) < 0.5


def test_lifted_points_land_where_they_were_lifted_from(world):
    _, new, _, projection = world
    places = projection.transform(new)
    back = projection.transform(lift(projection, places, geometry=Geometry.SPHERE).vectors)
    off = np.linalg.norm(back - places, axis=1)
    strangers = np.linalg.norm(back - places[::-1], axis=1)
    assert np.median(off) < 0.15 * np.median(strangers)


def test_confidence_is_high_on_data_and_falls_with_the_distance_from_it(world):
    _, new, _, projection = world
    lifter = Lifter(projection, geometry=Geometry.SPHERE)
    assert np.median(lifter(projection.transform(new)).confidence) > 0.95
    assert (lifter(projection.coordinates).confidence == 1).mean() > 0.85
    corner = projection.coordinates[projection.coordinates.sum(1).argmax()]
    away = lifter(corner + np.array([[0.0], [1.0], [3.0], [10.0], [100.0]])).confidence
    assert (np.diff(away) < 0).all()
    assert away[-1] < 0.01


def test_between_unrelated_items_confidence_is_low():
    """One vector on the left half of a line, an orthogonal one on the right: only the middle has low confidence."""
    rng = np.random.default_rng(0)
    places = np.stack([np.linspace(-10, 10, 400), rng.normal(scale=0.01, size=400)], axis=1)
    side = (places[:, :1] > 0) * 1.0
    x = np.concatenate([side, 1 - side, 0.1 * rng.normal(size=(400, 6))], axis=1)
    projection = Projection("pca", x, places, {"metric": "cosine"})
    lifter = Lifter(projection, geometry=Geometry.SPHERE)
    at = lifter([[-5.013, 0.0], [0.0, 0.0], [5.013, 0.0]]).confidence
    assert at[0] > 0.9
    assert at[2] > 0.9
    assert at[1] < 0.4


def test_a_random_map_has_low_confidence(world):
    """Negative control: the same places, shuffled."""
    x, _, _, projection = world
    dealt = np.random.default_rng(0).permutation(projection.coordinates)
    lifter = Lifter(Projection("umap", x, dealt, dict(projection.options)), geometry=Geometry.SPHERE)
    assert lifter(dealt[:80] + 0.01).confidence.max() < 0.2


def test_neighbours_without_a_mean_give_the_nearest_and_no_confidence():
    x = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1], [1, 1]])
    places = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1], [50, 50]])
    projection = Projection("pca", x, places, {"metric": "cosine"})
    lifted = lift(projection, [0.0, 0.0], geometry=Geometry.SPHERE, k=4)
    assert lifted.vectors.shape == (1, 2)
    assert lifted.vectors[0].tolist() in x[:4].tolist()
    assert lifted.confidence[0] == 0


def test_it_turns_with_the_map_and_with_the_space(world):
    x, new, _, projection = world
    places = projection.transform(new)
    plain = lift(projection, places, geometry=Geometry.SPHERE)
    turned = Projection("umap", x, projection.coordinates[:, ::-1] * [1, -1], dict(projection.options))
    other = lift(turned, places[:, ::-1] * [1, -1], geometry=Geometry.SPHERE)
    np.testing.assert_allclose(other.vectors, plain.vectors, atol=1e-5)
    np.testing.assert_allclose(other.confidence, plain.confidence, atol=1e-5)
    space, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(x.shape[1],) * 2))
    rotated = Projection("umap", x @ space, projection.coordinates, dict(projection.options))
    rotated = lift(rotated, places, geometry=Geometry.SPHERE)
    np.testing.assert_allclose(rotated.vectors, plain.vectors @ space, atol=1e-5)


def test_items_on_one_place_share_it():
    x = np.array([[2.0, 0], [0, 2], [1, 1], [5, 5]])
    projection = Projection("pca", x, [[0, 0], [0, 0], [1, 0], [9, 9]], {"metric": "euclidean"})
    np.testing.assert_allclose(lift(projection, [[0, 0]], geometry=Geometry.EUCLIDEAN, k=3).vectors, [[1, 1]])


def test_what_does_not_fit_is_refused(world, refused):
    _, _, _, projection = world
    with refused(MapError, "k", "k 1, expected a whole number from 2 to 599"):
        Lifter(projection, geometry=Geometry.SPHERE, k=1)
    lifter = Lifter(projection, geometry=Geometry.SPHERE)
    with refused(MapError, "width", "3 numbers, expected 2"):
        lifter([[1, 2, 3]])
    with refused(MapError, "not finite", "places"):
        lifter([[1, np.nan]])
