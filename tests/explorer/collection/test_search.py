"""Search: exact cosine, in order, of points and not of raw vectors."""

from __future__ import annotations

import numpy as np
import pytest

from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.search import cosines, search, top
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import CollectionError


@pytest.fixture
def collection(explorer, make_pictures, tmp_path):
    ingest(explorer, make_pictures(30), tmp_path / "out")
    return Collection.open(tmp_path / "out")


def test_every_item_finds_itself_first(explorer, collection):
    points = collection.points(explorer)
    for row in (0, 7, 59):
        found = search(collection, points[row], k=3, explorer=explorer)
        assert found.id[0] == collection.items().id[row]
        assert found.row[0] == row
        assert found.score[0] == pytest.approx(1)


def test_it_agrees_with_sorting_all_cosines(explorer, collection):
    x = collection.points(explorer).values.numpy()
    query = explorer.joint.text("a fox")
    expected = np.argsort(-(x @ query.values[0].numpy()), kind="stable")
    found = search(collection, query, k=60, explorer=explorer)
    np.testing.assert_array_equal(found.row, expected)
    assert (np.diff(found.score) <= 0).all()
    assert list(search(collection, query, k=5, explorer=explorer).id) == list(found.id[:5])
    raw = explorer.model.clip.encode_texts(["a fox"])[0]
    assert list(search(collection, raw, k=60).id) != list(found.id)  # control: centring changes the order


def test_kinds_are_kept_apart(explorer, collection):
    query = explorer.joint.text("a fox")
    every = search(collection, query, k=60, explorer=explorer)
    for kind in ("image", "text"):
        found = search(collection, query, k=60, kind=kind, explorer=explorer)
        expected = every[every.kind == kind].reset_index(drop=True)
        assert list(found.id) == list(expected.id)
        assert list(found.row) == list(expected.row)
        np.testing.assert_allclose(found.score, expected.score, atol=1e-6)


def test_scores_are_cosines_whatever_the_lengths():
    rng = np.random.default_rng(0)
    x, q = rng.normal(size=(1000, 7)).astype(np.float32), rng.normal(size=7).astype(np.float32)
    expected = (x @ q) / np.linalg.norm(x, axis=1) / np.linalg.norm(q)
    np.testing.assert_allclose(cosines(x, q), expected, atol=1e-6)
    np.testing.assert_allclose(cosines(x * 5, q * 3), expected, atol=1e-6)


def test_the_best_are_the_same_as_by_sorting_ties_and_gaps_included():
    rng = np.random.default_rng(1)
    for k in (1, 3, 50, 99, 200):
        score = rng.integers(0, 12, size=99).astype(np.float32)
        score[rng.integers(99, size=5)] = np.nan
        order = np.argsort(-score, kind="stable")
        expected = [row for row in order if not np.isnan(score[row])][:k]
        assert list(top(score, k)) == expected


def test_items_without_a_vector_are_never_found(explorer, make_pictures, tmp_path):
    ingest(explorer, make_pictures(4), tmp_path / "out", spaces=("joint", "latent"))
    found = search(Collection.open(tmp_path / "out"), np.ones(16), k=99, space="latent")
    assert list(found.kind) == ["image"] * 4


@pytest.mark.parametrize(
    ("vector", "options", "message"),
    [
        (np.ones(5), {}, "Got a point of width 5 for space 'joint' of width 6"),
        (np.zeros(6), {}, "without a direction"),
        (np.full(6, np.nan), {}, "without a direction"),
        (np.ones(6), {"k": 0}, "Got k = 0"),
        (np.ones(6), {"space": "latent"}, r"Got space 'latent', expected one of those in out \(joint\)"),
    ],
)
def test_queries_that_are_none(collection, vector, options, message):
    with pytest.raises(CollectionError, match=message):
        search(collection, vector, **options)


def test_points_need_the_model_that_made_them(explorer, other_explorer, collection):
    points = collection.points(explorer)
    with pytest.raises(CollectionError, match="pass explorer="):
        search(collection, points[0])
    with pytest.raises(CollectionError, match="Got 60 points"):
        search(collection, points, explorer=explorer)
    with pytest.raises(CollectionError, match="written by model toy"):
        search(collection, points[0], explorer=other_explorer)
