"""Directions in a collection: saved whole, loaded bit for bit, used in expressions, refused elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from thoughtspace.explorer.collection.directions import SavedDirection
from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import CollectionError, SpaceError
from thoughtspace.explorer.language.evaluate import parse


@pytest.fixture
def collection(explorer, make_pictures, tmp_path) -> Collection:
    ingest(explorer, make_pictures(3), tmp_path / "c")
    return Collection.open(tmp_path / "c", explorer)


def random_step(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.fixture
def smile(collection, explorer) -> SavedDirection:
    step = random_step(explorer.joint.shape)
    evidence = {"auc": {"value": np.float64(0.9)}, "stability": float("nan")}
    return collection.directions.save(SavedDirection("smile", "joint", step, {"positive": "smiling"}, evidence))


def test_it_is_loaded_as_it_was_saved(collection, smile, explorer):
    loaded = Collection.open(collection.path).directions.load("smile")
    assert np.array_equal(loaded.step, random_step(explorer.joint.shape))
    assert (loaded.name, loaded.space, loaded.sides) == ("smile", "joint", {"positive": "smiling"})
    assert loaded.evidence == {"auc": {"value": 0.9}, "stability": None}
    assert loaded.created == smile.created != ""


def test_an_expression_adds_it(collection, smile, explorer):
    made = explorer.points('"a fox" + 0.8 * dir("smile")', items=collection.lookup())
    expected = explorer.joint.text("a fox").flat + 0.8 * torch.from_numpy(smile.step)
    torch.testing.assert_close(made.flat, expected)
    assert made.expressions == ('"a fox" + 0.8 * dir("smile")',)
    assert parse(str(made.origin[0])) == made.origin[0]


def test_it_is_searched_for_and_decoded_and_replayed(collection, smile, explorer, tmp_path):
    assert len(collection.search(f'item("{collection.items()["id"][0]}") + dir("smile")', 2)) == 2
    images = explorer.decode('"a fox" + dir("smile")', items=collection.lookup(), steps=2)
    images.save(tmp_path / "fox.png")
    collection.directions.remove("smile")  # the record holds the point itself
    assert explorer.replay(tmp_path / "fox.png").identical


def test_names_are_listed_and_removed(collection, smile):
    directions = collection.directions
    assert directions.names() == ["smile"]
    directions.save(SavedDirection("age 2.1", "joint", -smile.step))
    assert directions.names() == ["age 2.1", "smile"]
    directions.remove("smile")
    assert directions.names() == ["age 2.1"]


def test_another_of_the_same_name_takes_its_place(collection, smile):
    collection.directions.save(SavedDirection("smile", "joint", 2 * smile.step))
    assert np.array_equal(collection.directions.load("smile").step, 2 * smile.step)
    assert collection.directions.names() == ["smile"]


def test_unknown_names_and_wrong_ones_are_refused(refused, collection, smile):
    with refused(CollectionError, "no such direction", "'frown'", "smile", "thoughtspace direction"):
        collection.directions.load("frown")
    for name in ("../x", "", "a/b", "x" * 65):
        with refused(CollectionError, "direction name", "64 letters"):
            collection.directions.load(name)


def test_a_step_that_leads_nowhere_is_refused(refused, collection, explorer):
    for step in (np.zeros(explorer.joint.shape), np.full(explorer.joint.shape, np.nan)):
        with refused(CollectionError, "no direction", "'x'"):
            collection.directions.save(SavedDirection("x", "joint", step))
    assert collection.directions.names() == []


def test_another_space_is_refused(refused, collection, smile, explorer):
    with refused(SpaceError, "other space", 'dir("smile")', "'joint'", "'latent'"):
        explorer.points('dir("smile")', "latent", items=collection.lookup("latent"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "cannot read"),
        ("[]", "damaged"),
        ("{}", "damaged"),
        ('{"space": "joint", "step": {}}', "damaged"),
        ('{"step": 1, "more": 2}', "damaged"),
    ],
)
def test_a_damaged_file_is_named(refused, collection, smile, text, code):
    (collection.path / "directions" / "smile.json").write_text(text)
    with refused(CollectionError, code, "smile"):
        collection.directions.load("smile")
