"""The towers of our open_clip CLIP carried over to transformers: the same functions."""

from __future__ import annotations

import copy
from pathlib import Path

import open_clip
import pytest
import torch
from transformers import CLIPTextModel, CLIPTokenizer

from thoughtspace.explorer.errors import ModelError
from thoughtspace.explorer.training import towers as convert

TEXTS = ["", "a red fox", "a smiling face with a red hat", "a king and a queen on the mountain " * 4]


@pytest.fixture(scope="module")
def opened(tiny_model: Path):
    """The tiny CLIP as anyone would open it, with no code of ours."""
    name = f"local-dir:{tiny_model / 'clip'}"
    clip, _, preprocess = open_clip.create_model_and_transforms(name)
    return clip.eval(), preprocess, open_clip.get_tokenizer(name)


@pytest.fixture(scope="module")
def own(tiny_model: Path):
    """Its tokenizer as the training has it."""
    return CLIPTokenizer.from_pretrained(tiny_model / "clip")


def text_states(clip, ids):
    """Token states after the final norm, as open_clip computes them on its way to `encode_text`."""
    x = clip.token_embedding(ids) + clip.positional_embedding
    return clip.ln_final(clip.transformer(x, attn_mask=clip.attn_mask))


def test_the_tokenizer_pads_to_the_context_with_something_else_than_its_end(opened):
    clip, _, tokenizer = opened
    ids = tokenizer(TEXTS)
    end = clip.vocab_size - 1
    assert ids.shape == (len(TEXTS), clip.context_length)
    assert (ids == end).sum(1).tolist() == [1] * len(TEXTS)
    assert ids[0].tolist() == [end - 1, end] + [0] * (clip.context_length - 2)
    assert ids[1, 4] == end, "whole words are one token each"


@torch.inference_mode()
def test_text_states_and_projections_agree(opened, own):
    clip, _, tokenizer = opened
    ids = tokenizer(TEXTS)
    out = convert.text_model(clip, own)(ids)
    torch.testing.assert_close(out.last_hidden_state, text_states(clip, ids), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.pooler_output @ clip.text_projection, clip.encode_text(ids), atol=1e-5, rtol=0)


@torch.inference_mode()
def test_image_vectors_agree(opened, pictures):
    clip, preprocess, _ = opened
    pixels = torch.stack([preprocess(picture) for picture in pictures])
    embeds = convert.vision_model(clip)(pixel_values=pixels).image_embeds
    torch.testing.assert_close(embeds, clip.encode_image(pixels), atol=1e-5, rtol=0)


@torch.inference_mode()
def test_the_wrong_activation_is_seen(opened, own):
    """Negative control: agreement to 1e-5 is not met by a nearly right conversion."""
    clip, _, tokenizer = opened
    ids = tokenizer(TEXTS)
    converted = convert.text_model(clip, own)
    for layer in converted.encoder.layers:
        layer.mlp.activation_fn = torch.nn.SiLU()
    assert (converted(ids).last_hidden_state - text_states(clip, ids)).abs().max() > 1e-3


def test_conversion_survives_saving(opened, own, tmp_path):
    clip, _, tokenizer = opened
    converted = convert.text_model(clip, own)
    converted.save_pretrained(tmp_path)
    again = CLIPTextModel.from_pretrained(tmp_path)
    ids = tokenizer(TEXTS)
    with torch.inference_mode():
        torch.testing.assert_close(again(ids).pooler_output, converted(ids).pooler_output, atol=0, rtol=0)


def test_a_tokenizer_whose_end_is_not_the_highest_id_is_refused(refused, opened, own):
    clip = copy.deepcopy(opened[0])
    clip.token_embedding = torch.nn.Embedding(clip.vocab_size + 1, clip.token_embedding.embedding_dim)
    with refused(ModelError, "tokenizer", f"the highest id {clip.vocab_size}"):
        convert.text_model(clip, own)
