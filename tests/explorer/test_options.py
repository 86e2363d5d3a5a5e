"""Every option of a decode can be given at every entrance, and is recorded or refused by its name."""

from __future__ import annotations

from dataclasses import fields
from typing import get_type_hints

import pytest
import torch

from thoughtspace.dashboards.arguments import given
from thoughtspace.dashboards.cli import parser
from thoughtspace.explorer.errors import ModelError, SpaceError
from thoughtspace.explorer.models.placement import choose_device
from thoughtspace.explorer.options import Decoding, Keywords, Settled, Walking, WalkKeywords, split_keywords

GIVEN = {
    "seed": 3,
    "steps": 2,
    "guidance": 1.5,
    "prompt": "a hat",
    "negative": "a sad face",
    "scheduler": "euler",
    "preview": True,
    "few_steps": True,
    "adapter_scale": 0.5,
    "until": 0.6,
    "variety": 0.7,
    "batch": 2,
}
"""A value of each option that is not its default."""

WALKING = {"spacing": "uniform", "interpolant": "lerp", "attention": "outer", "tolerance": 0.5, "rounds": 2}

LACKING = {"preview", "few_steps", "adapter_scale", "variety"}
"""What the tiny model has no part for."""


def decoded(explorer, **how):
    return explorer.decode(_stops(explorer, how)[0], **how).provenances[0]


def walked(explorer, **how):
    return explorer.walk(_stops(explorer, how), 2, spacing="uniform", **how).provenance


def blended(explorer, **how):
    return explorer.blend(_stops(explorer, how), 2, **how).provenance


def mapped(explorer, **how):
    return explorer.heat_maps("a red fox", keep=(), **how).image.info["provenance"]


def _stops(explorer, how):
    """Points of the bottleneck for the option that only they take, texts for the others."""
    if "until" in how:
        zero = explorer.bottleneck.points(explorer.bottleneck.text("a hat", n_seeds=1, steps=1).values)
        return [zero, 0.5 * zero]
    return ["a red fox", "a blue cat"]


ENTRANCES = {"decode": decoded, "walk": walked, "blend": blended, "heat_maps": mapped}
ELSEWHERE = {("heat_maps", name) for name in ("prompt", "until", "batch")}
"""Options that heat maps refuse: their point is a prompt, and they take one picture at a time."""


def test_no_option_is_forgotten():
    names = {each.name for each in fields(Decoding)}
    assert names == GIVEN.keys() == get_type_hints(Keywords).keys()
    assert {each.name for each in fields(Walking)} == WALKING.keys()
    assert get_type_hints(WalkKeywords).keys() == names | WALKING.keys()


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("entrance", ENTRANCES)
def test_every_option_is_recorded_or_refused_by_its_name(refused, tiny_explorer, entrance, name):
    how = {"steps": 1, name: GIVEN[name]}
    if name in LACKING or (entrance, name) in ELSEWHERE:
        code = "heat maps" if (entrance, name) == ("heat_maps", "batch") else name
        with refused(SpaceError if code in ("heat maps", "prompt") else ModelError, code, str(GIVEN[name])):
            ENTRANCES[entrance](tiny_explorer, **how)
        return
    record = ENTRANCES[entrance](tiny_explorer, **how).record
    assert (record["batch"]["size"] if name == "batch" else record["options"][name]) == GIVEN[name]


@pytest.mark.parametrize("command", ["decode", "walk", "blend"])
def test_the_command_line_takes_every_option(command):
    """And what is not given is left to the dataclass."""
    kinds = (Decoding, Walking) if command == "walk" else (Decoding,)
    wanted = GIVEN | WALKING if command == "walk" else GIVEN
    said = [part for name, value in wanted.items() for part in _said(name, value)]
    arguments = [command, "a", *(["b"] if command != "decode" else []), "-o", "out"]
    assert given(parser().parse_args(arguments), *kinds) == {}
    assert given(parser().parse_args([*arguments, *said]), *kinds) == wanted


def _said(name, value):
    flag = f"--{name.replace('_', '-')}"
    return [flag] if value is True else [flag, str(value)]


def test_a_record_has_what_matters_and_nothing_else():
    how = Settled(steps=3, guidance=2.0)
    assert how.record({"steps", "preview", "adapter_scale"}) == {"steps": 3}
    assert Settled(steps=3, preview=True).record({"preview"}) == {"preview": True}
    assert Decoding(**how.record({"seed", "steps"})) == Decoding(seed=0, steps=3)
    with pytest.raises(TypeError):
        Decoding(colour="red")


def test_keywords_of_a_walk_are_split():
    assert split_keywords(GIVEN | WALKING) == (Walking(**WALKING), Decoding(**GIVEN))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("steps", 0), ("steps", 2.0), ("guidance", float("nan")), ("seed", [1, -1]), ("until", 1.1), ("batch", True)],
)
def test_a_wrong_value_is_refused_by_its_name(refused, name, wrong):
    with refused(SpaceError if name == "seed" else ModelError, name, "-1" if name == "seed" else repr(wrong)):
        Decoding(**{name: wrong})


def test_an_option_without_effect_is_refused(refused, tiny_explorer):
    """Negative control. Latents alone ignore how others are denoised, as their class says."""
    given = {"joint": "a red fox", "prompt": "a red fox", "noise": tiny_explorer.noise.draw(1)}
    for (space, points), name in zip(given.items(), ("until", "prompt", "adapter_scale"), strict=True):
        with refused(SpaceError if name == "prompt" else ModelError, name, f"{name}={GIVEN[name]!r}"):
            tiny_explorer.decode(points, space, steps=1, **{name: GIVEN[name]})


def test_seeds_go_to_the_largest_that_pytorch_takes(tiny_explorer, tmp_path, refused):
    largest = 2**64 - 1
    point = tiny_explorer.joint.text("a fox")
    made = tiny_explorer.decode(point, seed=largest, steps=1)
    assert made.provenances[0].record["options"]["seed"] == largest
    made.save(tmp_path / "fox.png")
    assert tiny_explorer.replay(tmp_path / "fox.png").identical
    with refused(SpaceError, "seed", str(largest)):
        tiny_explorer.joint.decode(point, seed=largest + 1)


def test_a_walk_has_a_frame_for_each_stop(tiny_explorer, refused):
    with refused(SpaceError, "frames", "2 frames for 3 stops"):
        tiny_explorer.walk(["a", "b", "c"], 2, steps=1, spacing="uniform")


def test_a_device_that_is_not_there_says_what_is(refused, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with refused(ModelError, "device", "'xpu'", "expected one of cpu"):
        choose_device("xpu")
