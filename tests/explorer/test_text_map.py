"""The linear map from texts to pictures: it finds what is linear, claims nothing by chance, and closes the gap."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import Ridge

from thoughtspace.explorer.errors import ModelError, SpaceError
from thoughtspace.explorer.models.reference import Reference, checked
from thoughtspace.explorer.models.text_map import TextMap
from thoughtspace.explorer.spaces.joint import JointSpace
from thoughtspace.explorer.spaces.space import unit

D, N = 12, 400
LEAST = 30  # 2.5 D


def random(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, D, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def pairs() -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures, and texts that are the same turned, moved and a little noised: unit vectors in two cones."""
    turn, _ = torch.linalg.qr(random(D, 1))
    pictures = random(N, 2) + 3 * random(1, 3)
    texts = pictures @ turn + 4 * random(1, 4) + 0.02 * random(N, 5)
    return unit(texts), unit(pictures)


@pytest.fixture(scope="module")
def reference(pairs) -> Reference:
    texts, pictures = pairs
    means = (each.mean(0).float() for each in (pictures, texts))
    return Reference(*means, norm=7.0, text_map=TextMap.fit(texts, pictures))


def space(reference: Reference, gap=None) -> JointSpace:
    clip = type("Clip", (), {"dim": D, "reads_texts": True, "reference": reference})()
    made = {
        "name": "fake",
        "hash": "0" * 64,
        "device": torch.device("cpu"),
        "clip": clip,
        "opened_generator": None,
        "gap": None,
        "prior": None,
    }
    return JointSpace(type("Model", (), made)(), gap=gap)


def test_it_explains_what_is_linear_and_nothing_by_chance(pairs):
    texts, pictures = pairs
    found = TextMap.fit(texts, pictures)
    assert found.explained > 0.9
    assert found.by_chance < 0.05
    assert found.pairs == N
    noise = TextMap.fit(texts, unit(random(N, 9)))
    assert noise.explained < 0.05


def test_the_map_is_the_ridge_of_a_reference_library(pairs):
    texts, pictures = (each.numpy() for each in pairs)
    found = TextMap.fit(*pairs)
    theirs = Ridge(alpha=found.penalty).fit(texts, pictures)
    assert torch.allclose(found.weight, torch.tensor(theirs.coef_.T).float(), atol=1e-5)
    assert torch.allclose(found.offset, torch.tensor(theirs.intercept_).float(), atol=1e-5)


@pytest.mark.parametrize(("texts", "pictures"), [(LEAST - 1, LEAST - 1), (N, N - 1)])
def test_too_few_pairs_are_refused_with_their_number(refused, texts, pictures):
    with refused(ModelError, "too few pairs", f"{texts} texts", f"{pictures} pictures", f"at least {LEAST}"):
        TextMap.fit(unit(random(texts, 0)), unit(random(pictures, 1)))


def test_a_text_lands_on_its_picture(reference, pairs):
    texts, pictures = pairs
    linear, mean = space(reference), space(reference, "mean")
    there = linear.centred(pictures, "image")
    near = (linear.centred(texts, "text") * there).sum(1)
    far = (mean.centred(texts, "text") * there).sum(1)
    assert linear.gap == "linear"
    assert near.median() > 0.97
    assert far.median() < 0.6  # negative control: the means alone leave the texts turned away


def test_a_picture_is_the_same_point_to_the_last_bit_and_rows_may_be_of_either_kind(reference, pairs):
    texts, pictures = pairs
    linear, mean = space(reference, "linear"), space(reference, "mean")
    assert torch.equal(linear.centred(pictures, "image"), mean.centred(pictures, "image"))
    assert linear.info == mean.info
    both = linear.centred(torch.cat([texts[:1], pictures[:1]]), ["text", "image"])
    assert torch.equal(both[:1], linear.centred(texts[:1], "text"))
    assert torch.equal(both[1:], linear.centred(pictures[:1], "image"))


def test_an_open_gap_is_the_raw_space_and_a_map_that_is_not_there_is_refused(reference, refused):
    assert space(reference, "open").name == "joint-raw"
    without = replace(reference, text_map=None)
    assert space(without).gap == "mean"
    with refused(ModelError, "no text map", "'fake'", "paired=True"):
        space(without, "linear")
    with refused(SpaceError, "gap", "'wide'", "linear"):
        space(reference, "wide")


def test_a_file_keeps_the_map_and_one_without_it_still_opens(reference, tmp_path, refused):
    file = reference.save(tmp_path / "reference.safetensors")
    again = Reference.load(file)
    assert again.text_map is not None
    assert torch.equal(again.text_map.weight, reference.text_map.weight)
    assert torch.equal(again.text_map.offset, reference.text_map.offset)
    assert again.text_map.pairs == N
    assert again.text_map.explained == reference.text_map.explained
    tensors = load_file(file)
    save_file({name: each for name, each in tensors.items() if not name.startswith("text_")}, file)
    assert Reference.load(file).text_map is None
    assert Reference.load(file).digest == again.digest  # the points of pictures are the same
    save_file({name: each for name, each in tensors.items() if name != "text_offset"}, file)
    with refused(ModelError, "incomplete"):
        Reference.load(file)


def test_a_map_of_another_width_is_refused(reference, refused):
    wide = replace(reference, text_map=replace(reference.text_map, weight=torch.eye(D + 1), offset=torch.zeros(D + 1)))
    with refused(ModelError, "width", str(D), str(D + 1)):
        checked(wide, D, "here")


# --- an explorer with a map


@pytest.fixture(scope="module")
def linear(tiny_explorer):
    """The tiny model, with a map fitted to pictures of one colour and their names."""
    from PIL import Image

    count = 3 * tiny_explorer.model.clip.dim
    shades = [(7 * n % 256, 13 * n % 256, 29 * n % 256) for n in range(count)]
    pictures = [Image.new("RGB", (64, 64), shade) for shade in shades]
    texts = [f"a fox of {red} {green} {blue}" for red, green, blue in shades]
    return tiny_explorer.with_reference(tiny_explorer.measure_reference(pictures, texts, paired=True))


def test_a_measured_map_is_the_default_and_the_record_says_so(linear, tmp_path):
    assert linear.model.closes == "linear"
    assert linear.model.clip.reference.text_map.pairs == 3 * linear.model.clip.dim
    images = linear.decode("a red fox", steps=2)
    assert images.provenances[0].record["model"]["gap"] == "linear"
    mean = linear.with_gap("mean")
    assert "gap" not in mean.decode("a red fox", steps=2).provenances[0].record["model"]
    assert not torch.equal(mean.joint.text("a red fox").values, linear.joint.text("a red fox").values)
    (file,) = images.save(tmp_path / "fox.png")
    for explorer in (linear, mean):  # records hold the points: how texts enter changes nothing
        assert explorer.replay(file).identical


def test_a_latent_has_no_gap(linear):
    point = linear.latent.points(torch.zeros(1, *linear.latent.shape))
    assert "gap" not in linear.decode(point).provenances[0].record["model"]


def test_the_gap_can_be_left_open(linear):
    wide = linear.with_gap("open")
    assert wide.space("joint").name == "joint-raw"
    assert torch.equal(wide.points("a red fox").values, linear.joint_raw.text("a red fox").values)


def test_a_reference_with_another_map_is_of_the_same_model(linear):
    reference = linear.model.clip.reference
    assert linear.with_reference(replace(reference, text_map=None)).model.hash == linear.model.hash
    assert linear.with_reference(replace(reference, norm=reference.norm + 1)).model.hash != linear.model.hash


def test_a_model_without_a_map_refuses_it(tiny_explorer, refused):
    with refused(ModelError, "no text map", "paired=True"):
        tiny_explorer.with_gap("linear")
    with refused(ModelError, "too few pairs", "2 texts"):
        from PIL import Image

        tiny_explorer.measure_reference([Image.new("RGB", (8, 8))] * 2, ["a", "b"], paired=True)
