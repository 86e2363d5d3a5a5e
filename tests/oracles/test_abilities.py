"""What is said of each family, before it is opened and after, on the page and by the command, is what it does."""

from __future__ import annotations

import json

import pytest
import torch

from thoughtspace.dashboards.cli import main
from thoughtspace.dashboards.commands.models_page import NAMES, models_page
from thoughtspace.explorer.errors import ThoughtspaceError
from thoughtspace.explorer.models.abilities import abilities_by_name, abilities_of, abilities_of_generator
from thoughtspace.explorer.models.find.presets import presets

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning"),  # of diffusers, under NumPy 2
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

ONE_OF_EACH = (
    *("stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3", "flux"),
    *("unclip", "unclip_of_texts", "kandinsky", "pixart", "qwen_image"),
)


@pytest.fixture(scope="module", params=ONE_OF_EACH)
def name(request) -> str:
    return request.param


@pytest.fixture
def said(name, families):
    """Of its folder, without opening it."""
    return abilities_by_name(str(families(name)))[1]


@pytest.fixture
def explorer(name, families, opened):
    return opened(families(name))


def works(work) -> bool:
    try:
        work()
    except ThoughtspaceError:
        return False
    return True


def test_what_is_said_before_opening_is_true_after(said, explorer):
    after = abilities_of_generator(explorer.model.generator)
    assert {each.name: each.there for each in after if each.name not in ("joint space", "latent space")} == {
        each.name: each.there for each in said if each.name not in ("joint space", "latent space")
    }
    without = set()
    if explorer.model.opened_clip is None:  # a decoder alone reads vectors of a CLIP that is added to it
        without.add("joint")
    if explorer.model.opened_autoencoder is None:
        without.add("latent")
    assert set(explorer.names) - {"joint-raw"} == set(said.spaces) - without


def test_what_is_said_is_what_it_does(said, explorer):
    model, latents = explorer.model, torch.zeros(1, *explorer.noise.shape)
    tries = {
        "inversion": lambda: explorer.noise.inversion(latents, steps=1),
        "heat maps": lambda: explorer.heat_maps("a fox", steps=1),
        "attention walks": lambda: explorer.walk(
            ["a fox", "a cat"], 2, space="prompt", attention="inner", spacing="uniform", steps=1
        ),
        "bottleneck space": lambda: explorer.space("bottleneck"),
        "prompt space": lambda: explorer.decode("a fox", "prompt", steps=1),
        "noise space": lambda: explorer.decode(explorer.noise.draw(1), steps=1),
    }
    if model.opened_clip is None and model.generator.joint_dim:
        tries = {name: tries[name] for name in ("heat maps", "bottleneck space", "prompt space")}
    assert {name: works(work) for name, work in tries.items()} == {name: said[name].there for name in tries}


def test_the_command_the_page_and_the_presets_say_the_same(said, name, families, capsys):
    folder = str(families(name))
    kind, _ = abilities_by_name(folder)
    assert main(["models", folder, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["class"] == kind
    assert document["abilities"] == [{"name": e.name, "there": e.there, "reason": e.reason} for e in said]
    if kind in NAMES:
        (row,) = (line for line in models_page().splitlines() if line.startswith(f"| {NAMES[kind]} |"))
        cells = [cell.strip() for cell in row.split("|")]
        assert cells[2] == ", ".join(said.spaces)
        inside = ("inversion", "heat maps", "attention walks")
        assert [cell == "yes" for cell in cells[4:7]] == [said[each].there for each in inside]
    assert main(["models", "--json"]) == 0
    listed = {each["name"]: each for each in json.loads(capsys.readouterr().out)["models"]}
    of_kind = [each for each in presets().values() if each.family == kind]
    assert all(tuple(listed[each.name]["spaces"]) == said.spaces for each in of_kind)


def test_parts_alone_and_what_is_none():
    clip, autoencoder = abilities_of("open_clip"), abilities_of("AutoencoderKL")
    assert (clip.spaces, autoencoder.spaces) == (("joint",), ("latent",))
    assert abilities_of("AutoencoderNobody") is None
    refused = abilities_of("StableDiffusionImg2ImgPipeline")
    assert not refused.spaces
    assert all("starts from a picture" in each.reason for each in refused)
