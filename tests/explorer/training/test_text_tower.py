"""A text tower that learns on begins where the older one stands, and the vectors of pictures stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from thoughtspace.datasets import captions, plain, world
from thoughtspace.explorer.training import clip, text_tower, words
from thoughtspace.explorer.training.pictures import prepare
from thoughtspace.explorer.training.recipe import Recipe

OLDER = replace(Recipe(), size=64, patch=8, vocabulary=700, text_layers=1, image_layers=1)
TEXTS = ["a red star", "a smiling face with a crown", "mountains at night"]


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory):
    """An untrained CLIP, and one of more layers and words that begins from it; each with its tokenizer."""
    folder = tmp_path_factory.mktemp("tokenizers")
    torch.manual_seed(0)
    made = []
    for recipe in (OLDER, replace(OLDER, vocabulary=900, text_layers=3)):
        tokenizer = words.build_tokenizer(folder / str(recipe.vocabulary), vocabulary=recipe.vocabulary, context=56)
        made.append((clip.build(recipe, vocabulary=len(tokenizer)).eval(), tokenizer))
    (older, spelled), (model, tokenizer) = made
    text_tower.begin_from(model, tokenizer, older, spelled)
    return older, spelled, model, tokenizer


def test_larger_pictures_are_seen_as_the_older_model_sees_them_averaged_down(towers):
    older, spelled, _, _ = towers
    larger = clip.build(replace(OLDER, size=128, patch=16), vocabulary=len(spelled)).eval()
    text_tower.begin_from(larger, spelled, older, spelled)
    x = torch.randn(3, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        small = older.encode_image(torch.nn.functional.avg_pool2d(x, 2))
        torch.testing.assert_close(larger.encode_image(x), small, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(larger.encode_image(x.roll(1, -1)), small, atol=1e-2)


def encoded(model, tokenizer, texts):
    with torch.no_grad():
        return clip.encode_text(model, words.encode(tokenizer, texts, context=56))[1]


def test_new_layers_change_nothing_until_they_learn(towers):
    older, spelled, model, tokenizer = towers
    ids = words.encode(spelled, TEXTS, context=56)
    model.token_embedding.weight.data, kept = older.token_embedding.weight.data, model.token_embedding.weight.data
    try:
        with torch.no_grad():
            ours = clip.encode_text(model, ids)[1]
    finally:
        model.token_embedding.weight.data = kept
    torch.testing.assert_close(ours, encoded(older, spelled, TEXTS), rtol=1e-5, atol=1e-5)
    with torch.no_grad():  # negative control: a layer that began at random would change everything
        fresh = clip.build(replace(OLDER, vocabulary=900, text_layers=3), vocabulary=len(tokenizer)).eval()
        fresh.transformer.resblocks[0].load_state_dict(older.transformer.resblocks[0].state_dict())
        assert not torch.allclose(encoded(fresh, tokenizer, TEXTS), encoded(older, spelled, TEXTS), atol=0.1)


def test_a_token_that_both_have_keeps_its_vector_and_a_new_one_is_the_mean_of_its_pieces(towers):
    older, spelled, model, tokenizer = towers
    known, now = spelled.get_vocab(), tokenizer.get_vocab()
    assert len(set(now) - set(known)) > 50
    assert bool(torch.isfinite(model.token_embedding.weight).all())
    for token, row in now.items():
        pieces = [known[token]] if token in known else spelled(token.removesuffix("</w>")).input_ids[1:-1]
        expected = older.token_embedding.weight[pieces].mean(0)
        torch.testing.assert_close(model.token_embedding.weight[row], expected, rtol=0, atol=0)


def test_pictures_are_looked_at_once_and_their_vectors_stay(towers, tmp_path: Path):
    older, _, model, _ = towers
    pictures = prepare(tmp_path, 10, split="train", size=64, workers=0)
    look = clip.looking(model, pictures, device=torch.device("cpu"))
    asked = []
    seen = text_tower.remembered(lambda rows: asked.append(len(rows)) or look(rows), 10)
    rows = np.array([3, 3, 7])
    with torch.no_grad():
        theirs = clip.looking(older, pictures, device=torch.device("cpu"))(rows)
    torch.testing.assert_close(seen(rows), theirs, rtol=1e-5, atol=1e-6)
    assert asked == [10]


@pytest.mark.parametrize(("share", "make"), [(0.0, captions.caption), (1.0, plain.plain_caption)])
def test_it_hears_the_grammar_and_plain_words(monkeypatch, share, make):
    monkeypatch.setattr(text_tower, "PLAIN", share)
    for seed, scene in enumerate(world.sample(20, "train")):
        generator = np.random.default_rng(seed)
        generator.random()
        assert text_tower.say(scene, np.random.default_rng(seed)) == make(scene, generator)
