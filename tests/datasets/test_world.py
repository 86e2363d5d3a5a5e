"""The pocket world: what must hold of scenes and their pictures, whatever they look like."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from PIL import Image

from thoughtspace.datasets import world
from thoughtspace.datasets.world import FACTORS, HEADS, HELD_OUT, KINDS, SPLITS, Scene

SIDE = 64
VISIBLE = 24  # of 255: a change of colour that an eye sees at once
ENOUGH = 30  # pixels of 64 x 64


def picture(scene, size=SIDE):
    return np.asarray(world.render(scene, size)).astype(int)


def changed_pixels(a, b):
    return int((np.abs(a - b).max(-1) > VISIBLE).sum())


def scenes(n, split="fresh", **options):
    return list(world.sample(n, split, **options))


def every_factor():
    return [pytest.param(kind, factor, id=f"{kind}-{factor.name}") for kind, factor in HEADS]


# --- Sampling


@pytest.mark.parametrize("split", SPLITS)
def test_the_same_request_gives_the_same_scenes(split):
    assert scenes(30, split) == scenes(30, split)


def test_a_part_of_a_split_is_the_same_as_in_the_whole():
    assert scenes(20, start=10) == scenes(30)[10:]


def test_kinds_come_in_turn_or_as_asked():
    assert [scene.kind for scene in scenes(6)] == [*KINDS, *KINDS]
    assert {scene.kind for scene in scenes(6, kind="object")} == {"object"}


def test_no_scene_is_in_two_splits():
    seeds = {split: {scene.seed for scene in scenes(300, split)} for split in SPLITS}
    seeds["held out"] = {scene.seed for scene in scenes(300, held_out=True)}
    assert all(len(each) == 300 for each in seeds.values())
    assert not any(a & b for a, b in combinations(seeds.values(), 2))


@pytest.mark.parametrize("split", ["train", "reader"])
def test_held_out_combinations_are_never_trained_on(split):
    assert not any(world.is_held_out(scene.kind, scene.factors) for scene in scenes(1500, split))


def test_held_out_scenes_each_have_a_held_out_combination():
    assert all(world.is_held_out(scene.kind, scene.factors) for scene in scenes(200, held_out=True))


@pytest.mark.parametrize("kind", KINDS)
def test_each_rule_is_met_and_each_of_its_values_is_seen_in_training(kind):
    held_out = scenes(120, kind=kind, held_out=True)
    trained = scenes(150, "train", kind=kind)
    for rule in HELD_OUT[kind]:
        assert any(rule.items() <= scene.factors.items() for scene in held_out)
        assert all(any(scene.factors.get(n) == v for scene in trained) for n, v in rule.items())


def test_the_rule_is_not_empty_by_mistake():
    """Negative control: without it such combinations would be drawn."""
    rng = np.random.default_rng(0)
    drawn = [world._draw_factors(kind, rng) for kind in KINDS for _ in range(300)]
    kinds = [kind for kind in KINDS for _ in range(300)]
    assert any(world.is_held_out(kind, factors) for kind, factors in zip(kinds, drawn, strict=True))


@pytest.mark.parametrize(("kind", "factor"), every_factor())
def test_every_value_is_drawn_about_as_often_as_the_others(kind, factor):
    drawn = [scene.factors[factor.name] for scene in scenes(600, "train", kind=kind) if factor.name in scene.factors]
    shares = {value: drawn.count(value) / len(drawn) for value in factor.values}
    assert min(shares.values()) > 0.5 / len(factor.values)


# --- Labels


def test_labels_say_what_each_scene_shows_and_nothing_else():
    sampled = scenes(60)
    for scene, row in zip(sampled, world.labels(sampled), strict=True):
        said = {
            factor.name: factor.values[position]
            for (kind, factor), position in zip(HEADS, row, strict=True)
            if position >= 0 and kind == scene.kind
        }
        assert said == scene.factors
        assert (row >= 0).sum() == len(scene.factors)


def test_what_cannot_be_seen_has_no_value():
    bald = [scene for scene in scenes(200, kind="portrait") if scene.factors["hair_style"] == "bald"]
    alone = [scene for scene in scenes(200, kind="object") if scene.factors["relation"] == "alone"]
    assert bald
    assert alone
    assert not any("hair_color" in scene.factors for scene in bald)
    assert not any({"second_shape", "second_color"} & scene.factors.keys() for scene in alone)


# --- Pictures


def test_one_scene_is_one_picture_and_another_seed_another():
    for scene in scenes(3):
        assert (picture(scene) == picture(scene)).all()
        assert (picture(scene) != picture(Scene(scene.kind, scene.factors, scene.seed + 1))).any()


@pytest.mark.parametrize("size", [16, 33, 128, 300])
def test_pictures_have_the_size_asked_for(size):
    drawn = world.render(scenes(1)[0], size)
    assert drawn.size == (size, size)
    assert drawn.mode == "RGB"


@pytest.mark.parametrize("kind", KINDS)
def test_a_scene_is_the_same_picture_at_every_size(kind):
    """The mean difference of a small picture from a large one, made small, is under 3 %; of another scene over 5 %."""
    first, *others = scenes(5, kind=kind)
    for scene, other in pairwise([first, *others]):
        small = np.asarray(world.render(scene, 32)) / 255
        large = np.asarray(world.render(scene, 512).resize((32, 32), Image.Resampling.BOX)) / 255
        assert np.abs(small - large).mean() < 0.03
        assert np.abs(small - np.asarray(world.render(other, 32)) / 255).mean() > 0.05


@pytest.mark.parametrize(("kind", "factor"), every_factor())
def test_every_value_of_a_factor_changes_the_picture(kind, factor):
    shown = [scene for scene in scenes(12, kind=kind) if factor.name in scene.factors][:1]
    for scene in shown:
        drawn = []
        for value in factor.values:
            # Going from `bald` to hair, or from `alone` to two things, the scene needs values that it did not have.
            needed = {f.name: f.values[0] for f in FACTORS[kind] if f.name not in scene.factors}
            factors = needed | dict(scene.factors) | {factor.name: value}
            visible = {f.name: factors[f.name] for f in FACTORS[kind] if f.present(factors)}
            drawn.append(picture(Scene(kind, visible, scene.seed)))
        assert min(changed_pixels(a, b) for a, b in combinations(drawn, 2)) >= ENOUGH


def test_changing_nothing_changes_no_pixel():
    """Negative control of the test above."""
    scene = scenes(1)[0]
    name, value = next(iter(scene.factors.items()))
    assert changed_pixels(picture(scene), picture(world.change(scene, name, value))) == 0


def test_change_sets_one_factor_and_drops_what_is_hidden_by_it():
    scene = next(scene for scene in scenes(50, kind="portrait") if "hair_color" in scene.factors)
    bald = world.change(scene, "hair_style", "bald")
    assert bald.seed == scene.seed
    kept = {name: value for name, value in scene.factors.items() if name not in ("hair_style", "hair_color")}
    assert bald.factors == {**kept, "hair_style": "bald"}


# --- Mistakes


@pytest.mark.parametrize(
    ("split", "options", "fact"),
    [
        ("test", {}, "split 'test'"),
        ("fresh", {"kind": "animal"}, "kind 'animal'"),
        ("train", {"held_out": True}, "held_out=True for split 'train'"),
        ("reader", {"held_out": True}, "held_out=True for split 'reader'"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused(split, options, fact):
    with pytest.raises(ValueError, match=fact):
        next(world.sample(1, split, **options))


@pytest.mark.parametrize(
    ("factors", "fact"),
    [
        ({"shape": "circle"}, "object without color"),
        ({"shape": "circle", "wings": "two"}, "factor 'wings'"),
        ({"shape": "cube"}, "shape='cube'"),
    ],
)
def test_a_scene_that_cannot_be_drawn_is_refused(factors, fact):
    with pytest.raises(ValueError, match=fact):
        world.render(Scene("object", factors, 0))


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="kind 'animal'"):
        world.render(Scene("animal", {}, 0))


@pytest.mark.parametrize("size", [0, 15, 4096, 64.0, -1])
def test_a_size_that_cannot_be_drawn_is_refused(size):
    with pytest.raises(ValueError, match=f"size {size!r};"):
        world.render(scenes(1)[0], size)


def test_change_to_an_unknown_value_is_refused():
    with pytest.raises(ValueError, match="hat='fez'"):
        world.change(scenes(1)[0], "hat", "fez")
