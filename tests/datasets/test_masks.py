"""Masks of things: where the renderer draws them, at any size, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from thoughtspace.datasets import masks, world
from thoughtspace.datasets.masks import VISIBLE, sentence, things
from thoughtspace.datasets.world import FACTORS, Scene

SCENES = list(world.sample(60, "fresh"))
PORTRAIT = {
    "skin": "tan",
    "hair_style": "short",
    "hair_color": "black",
    "expression": "sad",
    "eyewear": "sunglasses",
    "hat": "crown",
    "facial_hair": "beard",
    "clothing": "red",
    "background": "gray",
}


def picture(scene, size=64):
    return np.asarray(world.render(scene, size)).astype(int)


def test_every_scene_has_masks_of_what_its_factors_name():
    for scene in SCENES:
        shown = things(scene)
        named = [scene.factors.get(name, "none") for name in ("hat", "eyewear", "facial_hair", "structure", "trees")]
        assert len(shown) >= sum(name != "none" for name in named)
        for thing in shown:
            assert (thing.mask.shape, thing.mask.dtype) == ((64, 64), bool)
            assert 10 < thing.mask.sum() < 64 * 64 / 2
            assert thing.phrase in sentence(scene, shown)
            assert thing.word in thing.phrase


def test_without_the_thing_nothing_but_its_place_changes():
    scene = Scene("portrait", PORTRAIT, 5)
    crown = next(thing for thing in things(scene) if thing.word == "crown")
    bare = picture(world.change(scene, "hat", "none"))
    assert np.abs(picture(scene) - bare)[~crown.mask].max() <= VISIBLE
    assert np.abs(picture(scene) - bare)[crown.mask].max(-1).min() > VISIBLE


def test_things_are_where_they_belong():
    shown = {thing.word: thing.mask for thing in things(Scene("portrait", PORTRAIT, 5))}
    assert list(shown) == ["crown", "sunglasses", "beard"]
    heights = [np.flatnonzero(mask.any(1)).mean() for mask in shown.values()]
    assert heights == sorted(heights)
    assert not (shown["crown"] & shown["beard"]).any()


def test_two_shapes_have_two_masks_and_two_of_a_name_have_one():
    pair = {"shape": "heart", "color": "red", "size": "small", "texture": "plain", "relation": "left"}
    rest = {"second_color": "blue", "background": "gray"}
    hearts = things(Scene("object", {**pair, **rest, "second_shape": "heart"}, 1))
    mixed = things(Scene("object", {**pair, **rest, "second_shape": "star"}, 1))
    assert [thing.word for thing in hearts] == ["heart"]
    assert [thing.word for thing in mixed] == ["heart", "star"]
    left, right = (np.flatnonzero(thing.mask.any(0)).mean() for thing in mixed)
    assert left < 32 < right
    assert hearts[0].mask.sum() > mixed[0].mask.sum()
    assert not (mixed[0].mask & mixed[1].mask).any()


@pytest.mark.parametrize("scene", SCENES[:6])
def test_a_mask_is_the_same_at_every_size(scene):
    small, large = things(scene, 64), things(scene, 128)
    assert [thing.word for thing in small] == [thing.word for thing in large]
    for one, other in zip(small, large, strict=True):
        shrunk = other.mask.reshape(64, 2, 64, 2).mean((1, 3)) >= 0.5
        assert (one.mask & shrunk).sum() > 0.75 * (one.mask | shrunk).sum()


def test_every_factor_with_none_is_a_thing_or_has_no_place():
    """Negative control: what may be absent and is not listed would go unseen."""
    for kind, factors in FACTORS.items():
        absent = {factor.name for factor in factors if "none" in factor.values}
        assert absent == set(masks._ABSENT[kind])
