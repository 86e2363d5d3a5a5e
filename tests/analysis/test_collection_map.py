"""The map of a collection: the decoded point is exactly the lifted one, and points always land on the same place."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from thoughtspace.analysis import UMAP, CollectionMap, fit_projection
from thoughtspace.explorer import Cancelled, Collection, ingest
from thoughtspace.explorer.errors import CollectionError, ExpressionError, MapError, SpaceError
from thoughtspace.explorer.language.evaluate import parse
from thoughtspace.explorer.language.nodes import Call
from thoughtspace.explorer.models.text_map import TextMap


@pytest.fixture(scope="module")
def collection(tiny_explorer, pictures, tmp_path_factory):
    """24 pictures and their 24 captions, in the joint and the latent space."""
    folder = tmp_path_factory.mktemp("mapped")
    (folder / "pictures").mkdir()
    with (folder / "pictures" / "captions.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "caption"])
        for index in range(24):
            pictures[index % 8].rotate(15 * (index // 8)).save(folder / "pictures" / f"{index}.png")
            table.writerow([f"{index}.png", f"a {('red', 'green', 'blue')[index % 3]} fox number {index}"])
    ingest(tiny_explorer, folder / "pictures", folder / "collection", spaces=("joint", "latent"))
    return Collection.open(folder / "collection", tiny_explorer)


@pytest.fixture(scope="module")
def shown(collection):
    return CollectionMap.fit(collection, method=UMAP(n_neighbors=6, n_epochs=80))


@pytest.fixture(scope="module")
def linear(tiny_explorer):
    """The tiny model with a map from texts to pictures, which turns them all the way round."""
    reference = tiny_explorer.model.clip.reference
    width = len(reference.mean_image)
    text_map = TextMap(-torch.eye(width), torch.zeros(width), explained=0.5, by_chance=0.0, penalty=1.0, pairs=200)
    return tiny_explorer.with_reference(replace(reference, text_map=text_map))


def test_a_map_keeps_to_the_way_its_texts_entered(collection, tiny_explorer, linear):
    assert (linear.model.closes, tiny_explorer.model.closes) == ("linear", "mean")
    fitted = CollectionMap.fit(collection.bound(linear), method="pca", name="turned")
    assert fitted.saved.options["gap"] == "linear"
    again = CollectionMap.open(collection.bound(linear.with_gap("mean")), "turned")
    assert torch.equal(again.points.values, fitted.points.values)
    words = again.place("a red fox").places
    assert np.array_equal(words, fitted.place(linear.joint.text("a red fox")).places)
    assert not np.allclose(words, fitted.place(tiny_explorer.joint.text("a red fox")).places)  # negative control


def test_a_map_of_before_is_opened_with_the_means(collection, shown, linear):
    assert "gap" not in shown.saved.options
    again = CollectionMap.open(collection.bound(linear), shown.saved.name)
    assert torch.equal(again.points.values, shown.points.values)
    assert not torch.equal(collection.bound(linear).points("joint").values, shown.points.values)  # negative control


def clicks(shown, n=20):
    """Places over the whole map, on items and between them."""
    low, high = shown.coordinates.min(0), shown.coordinates.max(0)
    return np.random.default_rng(0).uniform(low - 1, high + 1, size=(n, len(low)))


def test_a_click_is_decoded_in_four_lines(collection, tiny_explorer):
    shown = CollectionMap.open(collection, CollectionMap.fit(collection, method="pca").saved.name)
    spot = shown.at((0.1, -0.2))
    images = tiny_explorer.decode(spot.point, steps=2)
    assert (len(images), images[0].size) == (1, (64, 64))
    assert images.provenances[0].record["expression"] == spot.point.expressions[0]


def test_the_decoded_point_is_the_lifted_one_to_the_last_bit(shown, tiny_explorer):
    for place in clicks(shown):
        spot = shown.at(place)
        lifted = shown.lifter(place)
        assert torch.equal(spot.point.flat[0].cpu(), torch.from_numpy(lifted.vectors[0]))
        assert spot.point.space == tiny_explorer.joint.info
        assert spot.confidence == lifted.confidence[0]
        assert spot.place == pytest.approx(tuple(place))


def test_its_expression_gives_the_same_point(shown, tiny_explorer):
    """It is printed, parsed and averaged again, up to float32 rounding. Control: a weight that is off by 0.001."""
    items = shown.collection.lookup("joint")
    far = []
    for place in clicks(shown):
        spot = shown.at(place)
        (tree,) = spot.point.origin
        assert parse(str(tree)) == tree
        again = tiny_explorer.points(spot.point.expressions[0], "joint", items=items)
        far.append(float((again.flat - spot.point.flat).abs().max()))
        if isinstance(tree, Call):
            wrong = shown.collection.points_of(spot.items).mean([spot.weights[0] + 1e-3, *spot.weights[1:]])
            assert float((wrong.flat - spot.point.flat).abs().max()) > 1e-5
    assert max(far) <= 2 * np.finfo(np.float32).eps


def test_a_place_is_the_mean_of_its_items(shown):
    spot = shown.at(clicks(shown)[0])
    assert sum(spot.weights) == pytest.approx(1, abs=1e-5)
    assert list(spot.weights) == sorted(spot.weights, reverse=True)
    assert len(spot.items) == len(set(spot.items)) == 8
    near = shown.saved.rows(spot.items)
    apart = np.linalg.norm(shown.coordinates - np.array(spot.place), axis=1)
    assert set(near) == set(np.argsort(apart)[:8])


def test_an_item_is_itself_at_its_place(shown):
    for row in (0, 30):
        item = shown.saved.ids[row]
        spot, there = shown.item(item), shown.at(shown.coordinates[row])
        for each in (spot, there):
            assert torch.equal(each.point.values, shown.points[row].values)
            assert each.point.expressions == (f'item("{item}")',)
            assert each.items == (item,)
        assert spot.confidence == there.confidence


def test_an_item_lands_on_its_place_and_so_does_its_expression(shown):
    places, agreement = shown.place(shown.points[:9])
    np.testing.assert_array_equal(places, shown.coordinates[:9])
    np.testing.assert_allclose(agreement, 1, atol=1e-6)
    named, _ = shown.place(f'item("{shown.saved.ids[4]}")')
    np.testing.assert_allclose(named[0], shown.coordinates[4], atol=1e-4)


def test_points_land_on_the_same_place_alone_and_in_any_batch(shown, tiny_explorer):
    points = tiny_explorer.joint.text(*(f"a {colour} cat {more}" for colour in ("red", "blue") for more in "abcdefgh"))
    places, agreement = shown.place(points)
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(shown.place(points[order]).places, places[order.numpy()])
    for row in range(len(points)):
        alone = shown.place(points[row])
        np.testing.assert_array_equal(alone.places[0], places[row])
        np.testing.assert_allclose(alone.agreement[0], agreement[row], rtol=1e-6)
    assert len(np.unique(places, axis=0)) > 1  # control: they do not all land in one place


def test_similarity_is_the_cosine_on_a_sphere_and_minus_the_distance_elsewhere(shown, collection, tiny_explorer):
    point = tiny_explorer.joint.text("a red fox")
    expected = torch.cosine_similarity(shown.points.flat, point.flat).cpu()
    np.testing.assert_allclose(shown.similarity("a red fox"), expected, atol=1e-6)
    np.testing.assert_array_equal(shown.similarity(point), shown.similarity("a red fox"))
    flat = CollectionMap.fit(collection, space="latent", method="pca")
    away = torch.linalg.vector_norm(flat.points.flat - flat.points.flat[3], dim=1).cpu()
    np.testing.assert_allclose(flat.similarity(flat.points[3]), -away, rtol=1e-4, atol=1e-4)


def test_a_map_of_a_space_without_texts_has_only_pictures(collection, tiny_explorer):
    flat = CollectionMap.fit(collection, space="latent", method="pca")
    assert len(flat) == len(collection.items("image"))
    spot = flat.at(clicks(flat)[0])
    assert spot.point.space == tiny_explorer.latent.info
    assert torch.equal(spot.point.flat[0].cpu(), torch.from_numpy(flat.lifter(spot.place).vectors[0]))
    assert tiny_explorer.decode(spot.point)[0].size == (64, 64)


def test_a_space_has_the_name_of_its_attribute_too(collection):
    by_attribute, by_name = collection.points("joint_raw"), collection.points("joint-raw")
    assert by_attribute is by_name
    assert CollectionMap.fit(collection, space="joint_raw", method="pca").saved.space == "joint-raw"


@pytest.mark.parametrize("seed", ["a", -1, 1.5, 2**32])
def test_a_seed_that_no_library_takes_is_refused(collection, refused, seed):
    with refused(MapError, "seed", repr(seed)):
        CollectionMap.fit(collection, method="pca", seed=seed)
    with refused(MapError, "seed", repr(seed)):
        fit_projection(np.eye(8), "pca", random_state=seed)


@pytest.mark.parametrize("place", ["hello", ("a", 1), [[1, 2], [3]]])
def test_a_place_is_numbers(shown, refused, place):
    with refused(MapError, "not numbers", str(place)[:5]):
        shown.at(place)


def test_the_saved_map_is_complete(shown, collection):
    again = CollectionMap.open(collection, "joint-umap")
    assert again.saved.options["method"] == "umap"
    assert again.saved.quality.keys() >= {"trustworthiness", "continuity", "knn_recall", "triplet_accuracy", "null"}
    assert {name: values.shape for name, values in again.saved.columns.items()} == {
        "trust": (len(shown),),
        "neighbors": (len(shown), 15),
    }
    place = clicks(shown)[0]
    assert torch.equal(again.at(place).point.values, shown.at(place).point.values)
    np.testing.assert_array_equal(again.place("a sad face").places, shown.place("a sad face").places)
    assert len(again) == 48
    assert repr(again) == "CollectionMap('joint-umap': 48 items of collection in joint by umap)"
    assert CollectionMap.open(collection).saved.name == "joint-umap"


def test_a_third_coordinate_may_be_left_out(collection):
    places = np.random.default_rng(0).normal(size=(len(collection), 3))
    collection.save_map("deep", places, options={"method": "pca", "metric": "cosine"})
    deep = CollectionMap.open(collection, "deep")
    front, whole = deep.at((0.5, 0.2)), deep.at((0.5, 0.2, float(deep.coordinates[:, 2].mean())))
    assert torch.equal(front.point.values, whole.point.values)
    assert deep.place(deep.points[:3]).places.shape == (3, 3)


def test_a_fit_that_is_cancelled_saves_nothing(collection):
    def stop(iterable, *, total, desc):
        if desc == "scoring the map":
            raise Cancelled
        return iterable

    with pytest.raises(Cancelled):
        CollectionMap.fit(collection, method="pca", name="stopped", progress=stop)
    assert "stopped" not in collection.maps()


def test_what_does_not_fit_is_refused(shown, collection, tiny_explorer, tmp_path, refused):
    with refused(MapError, "not finite", "places"):
        shown.at((0.0, float("nan")))
    for place in ((1.0,), (1.0, 2.0, 3.0)):
        with refused(MapError, "width", f"places of {len(place)} numbers", "expected 2"):
            shown.at(place)
    with refused(MapError, "no item", "'nothing'", repr(shown.saved.name)):
        shown.item("nothing")
    with refused(SpaceError, "other space", "latent"):
        shown.place(tiny_explorer.latent.image(tiny_explorer.joint.decode(shown.points[0], steps=1)[0]))
    with refused(ExpressionError, "operand", "position 6"):
        shown.place('"a" +')
    with refused(MapError, "several points", "2 points"):
        shown.similarity(shown.points[:2])
    with refused(MapError, "map method", "'tsne'", "umap, pacmap, pca"):
        CollectionMap.fit(collection, method="tsne")
    with refused(MapError, "no such map", "'mars'"):
        CollectionMap.open(collection, "mars")
    empty = Collection.create(tmp_path / "empty", tiny_explorer)
    with refused(MapError, "no map", "empty"):
        CollectionMap.open(empty)
    unbound = CollectionMap.open(Collection.open(collection.path))
    with refused(CollectionError, "no model", collection.model_name):
        unbound.at((0, 0))
    collection.save_map("strange", np.zeros((4, 2)), ids=["no", "such", "items", "here"])
    with refused(MapError, "other items", "'strange'"):
        CollectionMap.open(collection, "strange")
