"""Heat maps: probabilities that sum to one, pictures that do not change, words found among tokens."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from thoughtspace.explorer.diffusion import recording
from thoughtspace.explorer.diffusion.attention import attention_layers, processors_changed
from thoughtspace.explorer.diffusion.recording import Recording, recorded
from thoughtspace.explorer.errors import ModelError, SpaceError
from thoughtspace.explorer.heatmaps import make_heat_maps
from thoughtspace.explorer.options import Decoding
from thoughtspace.explorer.records.provenance import pixel_hash

PROMPT = "a red fox with a blue hat"


@pytest.fixture(scope="module")
def maps(tiny_explorer):
    return tiny_explorer.heat_maps(PROMPT, seed=3)


def processors(explorer):
    return dict(explorer.model.denoiser.unet.attn_processors)


def test_every_place_attends_to_all_tokens_together_once(maps):
    assert {layer.name for layer in maps.layers} == set(maps.maps)
    for layer in maps.layers:
        rows = maps.maps[layer.name]
        assert rows.shape == (4, layer.heads, len(maps.tokens), layer.height, layer.width)
        torch.testing.assert_close(rows.sum(2), torch.ones_like(rows[:, :, 0]), atol=1e-5, rtol=0)
        assert rows.min() >= 0


def test_the_picture_is_the_same_to_the_last_bit(tiny_explorer, maps):
    for guidance in (1.0, 2.0):
        plain = tiny_explorer.decode(PROMPT, "prompt", seed=3, guidance=guidance)
        watched = tiny_explorer.heat_maps(PROMPT, seed=3, guidance=guidance).image
        assert pixel_hash([plain[0]]) == pixel_hash([watched])
    assert maps.image.info["provenance"].record["options"]["seed"] == 3
    other = tiny_explorer.heat_maps(PROMPT, seed=4).image
    assert pixel_hash([other]) != pixel_hash([maps.image])


def test_steps_and_heads_can_be_summed_as_they_come(tiny_explorer, maps):
    for keep, axes in (((), (0, 1)), (("steps",), (1,)), (("heads",), (0,))):
        summed = tiny_explorer.heat_maps(PROMPT, seed=3, keep=keep)
        for name, rows in maps.maps.items():
            torch.testing.assert_close(summed.maps[name], rows.sum(axes, keepdim=True), atol=1e-5, rtol=1e-5)
    half = tiny_explorer.heat_maps(PROMPT, seed=3, dtype=torch.float16)
    for name, rows in maps.maps.items():
        assert half.maps[name].dtype == torch.float16
        torch.testing.assert_close(half.maps[name].float(), rows, atol=1e-3, rtol=1e-3)


def test_the_prompt_decides_the_maps(tiny_explorer, maps):
    """Negative control: another prompt, seed or side of guidance gives other maps."""
    others = (
        tiny_explorer.heat_maps("a red fox with a green hat", seed=3),
        tiny_explorer.heat_maps(PROMPT, seed=4),
        tiny_explorer.heat_maps(tiny_explorer.prompt.text(""), seed=3),
    )
    name = maps.layers[0].name
    for other in others:
        assert (other.maps[name] - maps.maps[name]).abs().max() > 1e-4


def test_guidance_alone_does_not_change_what_the_first_step_sees(tiny_explorer, maps):
    """The rows of the prompt are recorded, not those of the negative: with one side alone they are the same."""
    alone = tiny_explorer.heat_maps(PROMPT, seed=3, guidance=1.0)
    name = maps.layers[0].name
    torch.testing.assert_close(alone.maps[name][0], maps.maps[name][0], atol=1e-5, rtol=0)
    assert (alone.maps[name][-1] - maps.maps[name][-1]).abs().max() > 1e-6


def test_each_token_of_two_chunks_has_a_name(tiny_explorer, maps):
    space = tiny_explorer.space("prompt-x2")
    twice = make_heat_maps(space, space.text(PROMPT), Decoding(seed=3, steps=1))
    assert len(twice.tokens) == 2 * len(maps.tokens)
    assert all(twice.maps[layer.name].shape[2] == len(twice.tokens) for layer in twice.layers)


def test_a_word_is_the_mean_of_its_tokens(tiny_explorer, maps):
    tokens = maps.tokens
    assert tokens == tuple(tiny_explorer.model.denoiser.tokens(PROMPT))
    assert [tokens[at] for at in maps.indices("fox")] == ["fox</w>"]
    assert [tokens[at] for at in maps.indices("blue hat")] == ["blue</w>", "hat</w>"]
    assert len(maps.indices("a")) == 2
    assert maps.of("fox").shape == maps.size == (8, 8)
    both = (maps.of("blue") + maps.of("hat")) / 2
    torch.testing.assert_close(maps.of("blue hat"), both)
    torch.testing.assert_close(maps.of(maps.indices("fox")[0]), maps.of("fox"))
    spelled = tiny_explorer.heat_maps("a purple fox", steps=1)  # a word that the tokenizer does not know as one
    assert len(spelled.indices("purple")) > 1


def test_the_heat_of_all_tokens_is_the_same_everywhere(maps):
    """Up to what bicubic interpolation clips: it keeps constants."""
    total = sum(maps.of(at) for at in range(len(maps.tokens)))
    expected = sum(4 * layer.heads for layer in maps.layers)
    torch.testing.assert_close(total, torch.full((8, 8), float(expected)), atol=0, rtol=1e-3)


def test_a_word_that_is_not_there_is_one_clear_error(refused, maps):
    for word in ("zebra", "", "blue fox", 24, -25, 1.5):
        with refused(SpaceError, "word", repr(word), "tokens: a, red, fox, with, a, blue, hat."):
            maps.of(word)


def test_the_overlay_is_a_picture_of_the_same_size(refused, maps):
    over = maps.overlay("fox")
    assert (over.size, over.mode) == (maps.image.size, "RGB")
    bare = np.asarray(maps.overlay("fox", strength=0))
    assert np.array_equal(bare, np.asarray(maps.image.convert("L").convert("RGB")))
    assert not np.array_equal(bare, np.asarray(over))
    with refused(SpaceError, "strength", "strength 2"):
        maps.overlay("fox", strength=2)


def test_points_of_the_prompt_space_have_maps_too(tiny_explorer, maps):
    point = tiny_explorer.prompt.text(PROMPT)
    torch.testing.assert_close(tiny_explorer.heat_maps(point, seed=3).of("fox"), maps.of("fox"), atol=0, rtol=0)
    mixed = tiny_explorer.heat_maps(0.5 * point + 0.5 * tiny_explorer.prompt.text("a cat"), steps=1)
    assert mixed.tokens[:2] == ("#0", "#1")
    assert mixed.of("#3").shape == mixed.of(3).shape == (8, 8)


def test_processors_are_back_whatever_happens(refused, tiny_explorer, monkeypatch):
    before = processors(tiny_explorer)
    tiny_explorer.heat_maps(PROMPT, steps=1)
    assert processors(tiny_explorer) == before
    try:
        with recorded(tiny_explorer.model.denoiser, Recording(n=1, steps=1)):
            assert processors(tiny_explorer) != before
            raise RuntimeError("in the middle")
    except RuntimeError:
        pass
    assert processors(tiny_explorer) == before
    monkeypatch.setattr(recording, "MAX_BYTES", 1000)
    with refused(ModelError, "too large", "1 layers and 4 steps"):
        tiny_explorer.heat_maps(PROMPT)
    assert processors(tiny_explorer) == before


def test_processors_are_back_when_a_change_fails(tiny_explorer):
    before, seen = processors(tiny_explorer), []
    layers = attention_layers(tiny_explorer.model.denoiser.unet)
    assert {f"{name}.processor" for name in layers} == set(before)

    def change(name, layer, processor):
        seen.append(name)
        return processor if len(seen) < 3 else 1 / 0

    with pytest.raises(ZeroDivisionError), processors_changed(tiny_explorer.model.denoiser.unet, change):
        pass
    assert processors(tiny_explorer) == before


def test_a_recording_in_float32_of_sums_stays_small(refused, tiny_explorer, monkeypatch):
    monkeypatch.setattr(recording, "MAX_BYTES", 200_000)
    with refused(ModelError, "too large", "GiB"):
        tiny_explorer.heat_maps(PROMPT)
    assert tiny_explorer.heat_maps(PROMPT, keep=()).of("fox").min() >= 0


@pytest.mark.parametrize(
    ("options", "code", "fact"),
    [
        ({"guidance": 0}, "guidance", "guidance 0"),
        ({"guidance": -1}, "guidance", "guidance -1"),
        ({"steps": 0}, "steps", "steps 0"),
        ({"keep": ("time",)}, "keep", "('time',)"),
        ({"keep": "steps"}, "keep", "'steps'"),
        ({"dtype": torch.int8}, "dtype", "torch.int8"),
    ],
)
def test_options_out_of_range_raise_an_error(refused, tiny_explorer, options, code, fact):
    with refused(ModelError, code, fact):
        tiny_explorer.heat_maps(PROMPT, **options)


def test_heat_maps_are_of_a_single_prompt(refused, tiny_explorer):
    with refused(SpaceError, "heat maps", "2 pictures"):
        tiny_explorer.heat_maps(tiny_explorer.prompt.text("a fox", "a cat"))
    with refused(SpaceError, "heat maps", "2 pictures"):
        tiny_explorer.heat_maps("a fox", seed=[1, 2])
    with refused(SpaceError, "other space", "joint space"):
        tiny_explorer.heat_maps(tiny_explorer.joint.text("a fox"))


def test_the_words_of_a_weighted_text_are_known(tiny_explorer):
    maps = tiny_explorer.heat_maps('weighted("a red (fox:1.4)")', steps=1)
    assert maps.indices("fox") == tiny_explorer.heat_maps("a red fox", steps=1).indices("fox")


CONCEPTS = ["hat", "mountain", "purple fox"]


@pytest.fixture(scope="module")
def concepts(tiny_explorer):
    return tiny_explorer.heat_maps(PROMPT, seed=3, concepts=CONCEPTS)


def test_every_place_is_divided_among_the_concepts(concepts, maps):
    assert concepts.tokens == tuple(CONCEPTS)
    assert [layer.name for layer in concepts.layers] == [layer.name for layer in maps.layers]
    for layer in concepts.layers:
        rows = concepts.maps[layer.name]
        assert rows.shape == (4, layer.heads, 3, layer.height, layer.width)
        torch.testing.assert_close(rows.sum(2), torch.ones_like(rows[:, :, 0]), atol=1e-5, rtol=0)


def test_concepts_do_not_change_the_picture(concepts, maps):
    assert pixel_hash([concepts.image]) == pixel_hash([maps.image])
    assert concepts.overlay("mountain").size == maps.image.size


def test_a_concept_is_the_mean_of_the_keys_of_its_tokens(tiny_explorer, concepts):
    """The formula, on what the first layer is given in the first step."""
    denoiser = tiny_explorer.model.denoiser
    name = concepts.layers[0].name
    layer, seen = denoiser.unet.get_submodule(name), []
    hook = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0][-1]))
    try:
        tiny_explorer.decode(PROMPT, "prompt", seed=3)
    finally:
        hook.remove()
    keys = []
    for concept in CONCEPTS:
        length = len(tiny_explorer.heat_maps(concept, steps=1).indices(concept))
        keys.append(layer.to_k(denoiser.encode_prompts([concept])[0, 1 : 1 + length]).mean(0))
    query, key = (x.unflatten(-1, (layer.heads, -1)).transpose(0, 1) for x in (layer.to_q(seen[0]), torch.stack(keys)))
    expected = (query @ key.transpose(1, 2) / query.shape[-1] ** 0.5).softmax(-1).transpose(1, 2)
    torch.testing.assert_close(concepts.maps[name][0].flatten(2), expected, atol=1e-5, rtol=0)


def test_a_word_that_begins_a_prompt_is_the_same_as_a_concept(tiny_explorer):
    """A text encoder reads forwards, so the first word has the state that it has alone.

    In the first step the first layer has seen nothing else of the prompt. Logits are compared against those of the
    start of the text, which all prompts share.
    """

    def logits(prompt, word, **how):
        maps = tiny_explorer.heat_maps(prompt, seed=3, **how)
        return maps.maps[maps.layers[0].name][0][:, maps.indices(word)[0]].log(), maps

    def in_a_prompt(word):
        found, maps = logits(f"{word} with a face", word)
        return found - maps.maps[maps.layers[0].name][0][:, 0].log()

    expected = in_a_prompt("fox") - in_a_prompt("cat")
    free, maps = logits("a face", "fox", concepts=["fox", "cat"])
    cat = maps.maps[maps.layers[0].name][0][:, 1].log()
    torch.testing.assert_close(free - cat, expected, atol=1e-3, rtol=0)
    assert (in_a_prompt("hat") - in_a_prompt("cat") - expected).abs().max() > 1e-2


def test_concepts_that_read_the_same_share_every_place_in_halves(tiny_explorer):
    """The tokenizer makes no difference between them."""
    maps = tiny_explorer.heat_maps(PROMPT, concepts=["fox", "FOX"], steps=1)
    for rows in maps.maps.values():
        torch.testing.assert_close(rows, torch.full_like(rows, 0.5))


def test_a_picture_that_is_given_is_looked_at(tiny_explorer, pictures, refused):
    how = {"picture": pictures[0], "seed": 3, "concepts": CONCEPTS}
    maps = tiny_explorer.heat_maps(PROMPT, **how)
    assert np.array_equal(np.asarray(maps.image), np.asarray(pictures[0]))
    assert maps.maps[maps.layers[0].name].shape[0] == 4
    torch.testing.assert_close(tiny_explorer.heat_maps(PROMPT, **how).of("hat"), maps.of("hat"), atol=0, rtol=0)
    other = tiny_explorer.heat_maps(PROMPT, **{**how, "picture": pictures[1]})
    assert (other.of("hat") - maps.of("hat")).abs().max() > 1e-4
    with refused(SpaceError, "concepts", "'hat'"):
        tiny_explorer.heat_maps(PROMPT, concepts=["hat"])
    with refused(SpaceError, "word", "'face'", "hat, mountain, purple fox"):
        maps.of("face")
