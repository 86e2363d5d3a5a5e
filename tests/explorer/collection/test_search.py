"""Search: the nearest items by the geometry of the space, best first, compared as points and not as raw vectors."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from thoughtspace.explorer import Collection
from thoughtspace.explorer.collection.encoding import only_kind
from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.nearest import cosines, distances, top
from thoughtspace.explorer.errors import CollectionError, SpaceError

WORDS = ("red", "green", "blue", "fox", "cat", "face", "smiling", "hat", "man", "queen", "mountain")


@pytest.fixture(scope="module")
def collection(tiny_explorer, tmp_path_factory):
    """Thirty captioned pictures in every space that a collection stores.

    The pictures differ in brightness and contrast, so that the lengths of their vectors do: where all are equal, the
    angle and the distance give the same order.
    """
    folder = tmp_path_factory.mktemp("search")
    (folder / "in").mkdir()
    for index in range(30):
        rng = np.random.default_rng(index)
        pixels = np.clip(rng.normal(rng.uniform(0, 255), rng.uniform(0, 90), (8, 8, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "in" / f"{index:02}.png")
        (folder / "in" / f"{index:02}.txt").write_text(f"{' '.join(rng.choice(WORDS, size=1 + index % 5))} {index}")
    ingest(tiny_explorer, folder / "in", folder / "out", spaces=("joint", "latent", "prompt"))
    made = Collection.open(folder / "out", tiny_explorer)
    # Encoding there takes a minute, and any vectors do.
    made.add_vectors("bottleneck", np.random.default_rng(0).normal(size=(60, *tiny_explorer.bottleneck.shape)))
    return made


def brute_force(x, query, geometry):
    """The order of the rows, and their scores, by the textbook formula in float64."""
    x, query = x.astype(np.float64), query.astype(np.float64)
    if geometry == "sphere":
        score = x @ query / np.linalg.norm(x, axis=1) / np.linalg.norm(query)
    else:
        score = -np.sqrt(((x - query) ** 2).sum(1))
    return np.argsort(-score, kind="stable"), score


@pytest.mark.parametrize("space", ["joint", "joint-raw", "latent", "prompt", "bottleneck"])
def test_it_agrees_with_sorting_all_by_the_geometry_of_the_space(collection, space):
    kind = only_kind(collection.explorer, space)
    points, items = collection.points(space, kind), collection.items(kind)
    query = points[4] + 0.3 * points[11]
    geometry, x = points.space.geometry, points.flat.numpy()
    found = collection.search(query, k=99)
    expected, score = brute_force(x, query.flat.numpy()[0], geometry)
    assert list(found.id) == list(items.id.iloc[expected])
    np.testing.assert_allclose(found.score, score[expected], rtol=1e-4, atol=1e-5)
    assert set(found.measure) == {"cosine" if geometry == "sphere" else "minus distance"}
    assert list(collection.search(query, k=5).id) == list(found.id[:5])
    if space == "latent":  # control: the cosine would give another order there
        assert list(brute_force(x, query.flat.numpy()[0], "sphere")[0]) != list(expected)


def test_every_item_finds_itself_first(collection):
    points = collection.points()
    for row in (0, 7, 59):
        found = collection.search(points[row], k=3)
        assert found.id[0] == collection.items().id[row]
        assert found.row[0] == row
        assert found.score[0] == pytest.approx(1)
    item = collection.items("image").id[3]
    assert collection.search(f'item("{item}")', k=1, space="latent").score[0] == 0


def test_text_is_read_in_the_space_and_points_are_compared(collection):
    explorer = collection.explorer
    found = collection.search("a fox", k=60)
    assert list(found.id) == list(collection.search(explorer.joint.text("a fox"), k=60).id)
    raw = explorer.model.clip.encode_texts(["a fox"])[0].numpy()
    order = collection.items().id.iloc[top(cosines(collection.vectors(), raw), 60)]
    assert list(order) != list(found.id)  # control: centring changes the order
    assert set(collection.search("a fox", k=60, space="prompt").kind) == {"text"}


def test_kinds_are_kept_apart(collection):
    every = collection.search("a fox", k=60)
    for kind in ("image", "text"):
        found = collection.search("a fox", k=60, kind=kind)
        expected = every[every.kind == kind].reset_index(drop=True)
        assert list(found.id) == list(expected.id)
        assert list(found.row) == list(expected.row)
        np.testing.assert_allclose(found.score, expected.score, atol=1e-6)


def test_scores_do_not_depend_on_blocks_nor_cosines_on_lengths(monkeypatch):
    rng = np.random.default_rng(0)
    x, q = rng.normal(size=(1000, 7)).astype(np.float32), rng.normal(size=7).astype(np.float32)
    expected = (x @ q) / np.linalg.norm(x, axis=1) / np.linalg.norm(q)
    np.testing.assert_allclose(cosines(x * 5, q * 3), expected, atol=1e-6)
    whole = cosines(x, q), distances(x, q)
    monkeypatch.setattr("thoughtspace.explorer.collection.nearest._BLOCK", 7 * 64)
    np.testing.assert_allclose(cosines(x, q), whole[0], atol=1e-6)
    np.testing.assert_allclose(distances(x, q), whole[1], rtol=1e-6)


def test_the_best_are_the_same_as_by_sorting_ties_and_gaps_included():
    rng = np.random.default_rng(1)
    for k in (1, 3, 50, 99, 200):
        score = rng.integers(0, 12, size=99).astype(np.float32)
        score[rng.integers(99, size=5)] = np.nan
        order = np.argsort(-score, kind="stable")
        expected = [row for row in order if not np.isnan(score[row])][:k]
        assert list(top(score, k)) == expected


def test_queries_that_have_no_nearest_item(collection, other_explorer, refused):
    points = collection.points()
    for query, options, kind, code, fact in (
        (points[0], {"k": 0}, CollectionError, "k", "k 0"),
        (points, {}, CollectionError, "several points", "60"),
        (0 * points[0], {}, CollectionError, "no direction", "all zero"),
        (other_explorer.joint.text("a fox"), {}, SpaceError, "other space", "joint"),
        (points[0], {"space": "latent"}, SpaceError, "other space", "latent"),
        (collection.explorer.noise.draw(0), {}, SpaceError, "not collectable", "'noise'"),
    ):
        with refused(kind, code, fact):
            collection.search(query, **options)


def test_a_space_without_vectors_is_named(explorer, make_pictures, tmp_path, refused):
    ingest(explorer, make_pictures(2), tmp_path / "out")
    with refused(CollectionError, "no vectors", "'latent'", "(joint)"):
        Collection.open(tmp_path / "out", explorer).search(explorer.latent.image(tmp_path / "in" / "00000.png"))
