"""The prior in training computes what diffusers' own class computes, and learns what a text leaves open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from thoughtspace.explorer.training import clip, prior, words
from thoughtspace.explorer.training.fit import Step
from thoughtspace.explorer.training.guidance import text_features
from thoughtspace.explorer.training.pictures import prepare
from thoughtspace.explorer.training.recipe import Recipe

RECIPE = replace(
    Recipe(), size=64, patch=8, vocabulary=700, text_layers=1, image_layers=1, prior_layers=2, width=64, embedding=32
)
TEXTS = ["a red star", "a smiling face with a crown and long red hair, wearing a green shirt"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer = words.build_tokenizer(folder, vocabulary=700, context=RECIPE.context)
    model = clip.build(RECIPE, vocabulary=len(tokenizer)).eval()
    return model, tokenizer, prior.build(RECIPE, mean=torch.ones(32), std=torch.full((32,), 2.0)).eval()


def asked(made, m: int):
    model, tokenizer, _ = made
    states, pooled = text_features(model, tokenizer, TEXTS, context=RECIPE.context)
    ids = words.encode(tokenizer, TEXTS, context=RECIPE.context)
    mask = torch.arange(ids.shape[1]) <= ids.argmax(1, keepdim=True)
    x_t = torch.randn(2, m, 32, generator=torch.Generator().manual_seed(1))
    return x_t, torch.tensor([[0, 10, 999][:m]] * 2), states, pooled, mask


@torch.no_grad()
def test_one_pass_over_a_text_gives_what_the_library_gives_for_each_vector(made):
    _, tokenizer, ours = made
    x_t, t, states, pooled, mask = asked(made, 3)
    together = prior.predict(ours, x_t, t, states=states, pooled=pooled, mask=mask)
    whole = tokenizer(TEXTS, padding="max_length", max_length=RECIPE.context, return_tensors="pt").attention_mask.bool()
    for draw in range(3):
        theirs = ours(x_t[:, draw], t[:, draw], pooled, states, whole).predicted_image_embedding
        torch.testing.assert_close(together[:, draw], theirs, rtol=1e-4, atol=1e-5)
    # Negative control: with the padding for words it is another answer.
    blind = ours(x_t[:, 0], t[:, 0], pooled, states, torch.ones_like(whole)).predicted_image_embedding
    assert not torch.allclose(together[:, 0], blind, atol=1e-3)


@torch.no_grad()
def test_no_vector_sees_another(made):
    x_t, t, states, pooled, mask = asked(made, 3)
    before = prior.predict(made[2], x_t, t, states=states, pooled=pooled, mask=mask)
    x_t[:, 1] += 5
    after = prior.predict(made[2], x_t, t, states=states, pooled=pooled, mask=mask)
    assert torch.equal(before[:, [0, 2]], after[:, [0, 2]])
    assert not torch.equal(before[:, 1], after[:, 1])


def test_the_loss_of_a_prior_that_knows_the_vector_is_nothing(made, tmp_path, monkeypatch):
    model, tokenizer, ours = made
    pictures = prepare(tmp_path, 6, split="train", size=64, workers=0)
    vectors = torch.randn(6, 32, generator=torch.Generator().manual_seed(0))
    step = Step(0, 0.0, np.random.default_rng(0))
    loss = prior.loss(ours, model, tokenizer, pictures, vectors, batch=4)
    value, _ = loss(step)
    value.backward()
    assert value > 0.1
    assert all(each.grad is not None for name, each in ours.named_parameters() if each.requires_grad)
    rows = np.random.default_rng(0).integers(6, size=4)
    clean = ((vectors - 1) / 2)[torch.from_numpy(rows)][:, None].expand(4, prior.DRAWS, 32)
    monkeypatch.setattr(prior, "predict", lambda *args, **inputs: clean)
    assert float(loss(Step(0, 0.0, np.random.default_rng(0)))[0]) < 1e-12
