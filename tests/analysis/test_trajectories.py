"""Paths of what is predicted while decoding: their ends, their angles, and their places on a map."""

from __future__ import annotations

import json

import numpy as np
import pytest

from thoughtspace.analysis import CollectionMap
from thoughtspace.analysis.noise.trajectory import decode_trajectories, trajectories
from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import AnalysisError, ModelError, SpaceError
from thoughtspace.explorer.explorer import Explorer


def circle(angles):
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def test_paths_on_a_circle_have_its_angles():
    """Two paths from opposite sides, a quarter of a turn apart at the end."""
    angles = np.array([[0.0, 3.0], [0.2, 2.6], [0.5, 0.5 + np.pi / 2]])
    found = trajectories(circle(angles), [900, 500, 100], [0.1, 1, 10])
    np.testing.assert_allclose(found.moved, [[0, 0], [0.2, 0.4], [0.3, 2.6 - 0.5 - np.pi / 2]], atol=1e-12)
    np.testing.assert_allclose(found.to_end, np.cos(angles - angles[-1]), atol=1e-12)
    np.testing.assert_allclose(found.to_other, np.cos(angles - angles[-1, ::-1]), atol=1e-12)
    assert found.table()["to_end"].iloc[-1] == pytest.approx(1)
    assert found.table()["to_other"].iloc[-1] == pytest.approx(0, abs=1e-12)
    json.dumps(found.to_json(), allow_nan=False)
    assert len(found.plot().data) == 2


def test_paths_that_say_nothing_of_their_ends_are_as_near_to_those_of_others():
    """Negative control."""
    paths = np.random.default_rng(0).standard_normal((4, 60, 16))
    table = trajectories(paths, range(4), range(4)).table().iloc[:-1]
    assert (table["low"] < table["other_high"]).all()
    assert (table["other_low"] < table["high"]).all()


def test_what_is_no_path_is_refused(refused):
    with refused(AnalysisError, "too few"):
        trajectories(np.ones((4, 1, 3)), range(4), range(4))
    with refused(AnalysisError, "shape"):
        trajectories(np.ones((4, 2, 3)), range(3), range(3))
    with refused(AnalysisError, "not finite"):
        trajectories(np.zeros((4, 2, 3)), range(4), range(4))
    with refused(AnalysisError, "not finite"):
        trajectories(np.full((4, 2, 3), np.nan), range(4), range(4))


def test_a_decode_is_followed_to_its_own_picture(tiny_explorer):
    found = decode_trajectories(tiny_explorer, ["a red fox", "a blue cat"], space="prompt", seed=3, steps=4)
    decoded = tiny_explorer.decode(["a red fox", "a blue cat"], "prompt", seed=3, steps=4)
    assert found.to_end.shape == (4, 2)
    for ours, theirs in zip(found.pictures[-2:], decoded, strict=True):
        # The last step of this schedule ends a little before there is no noise.
        np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), atol=4)
    last = tiny_explorer.joint.image(*found.pictures[-2:]).values
    np.testing.assert_allclose(found.points.values[-2:], last, atol=1e-5)
    assert (np.diff(found.snr) > 0).all()
    assert found.sheet().size[0] > found.sheet().size[1]


def test_seeds_and_batches_make_paths_of_their_own(tiny_explorer):
    together = decode_trajectories(tiny_explorer, "a fox", space="joint", seed=[1, 2, 3], steps=2)
    apart = decode_trajectories(tiny_explorer, "a fox", space="joint", seed=[1, 2, 3], steps=2, batch=2)
    np.testing.assert_allclose(together.to_end, apart.to_end, atol=1e-4)
    assert not np.allclose(together.points.values[0], together.points.values[1])


def test_paths_are_placed_on_a_map_that_stays_as_it_is(tiny_explorer, pictures, tmp_path, refused):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for row, picture in enumerate(pictures):
        picture.save(folder / f"{row}.png")
    ingest(tiny_explorer, folder, tmp_path / "collection", spaces=("joint", "latent"))
    collection = Collection.open(tmp_path / "collection", tiny_explorer)
    shown = CollectionMap.fit(collection, method="pca")
    before = shown.coordinates.copy()
    found = decode_trajectories(tiny_explorer, ["a red fox", "a blue cat"], steps=3)
    paths = found.on(shown)
    assert paths.places.shape == (3, 2, before.shape[1])
    np.testing.assert_array_equal(CollectionMap.open(collection, "joint-pca").coordinates, before)
    np.testing.assert_allclose(paths.places[1, 0], shown.place(found.points[2]).places[0], atol=1e-5)
    assert len(paths.plot().data) == 3
    json.dumps(paths.to_json(), allow_nan=False)
    raw = CollectionMap.fit(Collection.open(tmp_path / "collection", tiny_explorer.with_gap("open")), method="pca")
    assert raw.points.space.name == "joint-raw"
    assert found.on(raw).places.shape == (3, 2, before.shape[1])
    with refused(SpaceError, "other space"):
        found.on(CollectionMap.fit(collection, method="pca", space="latent"))


def test_what_has_no_path_is_refused(tiny_explorer, tiny_model, pictures, refused):
    with refused(AnalysisError, "too few"):
        decode_trajectories(tiny_explorer, "a fox")
    with refused(AnalysisError, "not denoised"):
        decode_trajectories(tiny_explorer, tiny_explorer.latent.image(*pictures))
    with refused(ModelError, "no part", "generator"):
        decode_trajectories(Explorer.open(f"clip:{tiny_model / 'clip'}", device="cpu"), ["a fox", "a cat"])
