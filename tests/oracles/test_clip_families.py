"""CLIPs of other builds than the plain one, against open_clip's own calls: equal vectors, equal lengths of texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from tests.oracles.conftest import t5_text
from thoughtspace.explorer.models.open_clip import ClipModel
from thoughtspace.explorer.models.placement import Target

DIM, CONTEXT = 192, 16
TEXTS = ["a red fox", "", "a smiling face with a hat and a long tail"]


def write(folder: Path, config: dict[str, Any], **towers: Any) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(open_clip.CustomTextCLIP(**config).state_dict(), folder / "open_clip_model.safetensors")
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    document = {"model_cfg": {**config, "custom_text": True}, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(document))
    return folder


def siglip(folder: Path) -> Path:
    """As ViT-B-16-SigLIP: a tower of timm, sentence pieces, no causal mask, the last token pooled."""
    _, tokenizer = t5_text()
    tokenizer.save_pretrained(folder)
    vision = {"timm_model_name": "vit_tiny_patch16_224", "timm_model_pretrained": False, "timm_pool": "avg"}
    text = {
        "context_length": CONTEXT,
        "vocab_size": len(tokenizer),
        "hf_tokenizer_name": "local",
        "tokenizer_kwargs": {"clean": "canonicalize"},
        "width": 32,
        "heads": 2,
        "layers": 1,
        "no_causal_mask": True,
        "proj_bias": True,
        "pool_type": "last",
    }
    vision |= {"timm_proj": "none", "image_size": 224}
    return write(folder, {"embed_dim": DIM, "init_logit_bias": -10, "vision_cfg": vision, "text_cfg": text})


def convolutional(folder: Path) -> Path:
    """As RN50: a ResNet that pools by attention, and the usual words of CLIP."""
    vision = {"layers": [1, 1, 1, 1], "width": 8, "image_size": 64, "patch_size": None}
    text = {"context_length": CONTEXT, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    return write(folder, {"embed_dim": 32, "vision_cfg": vision, "text_cfg": text})


@pytest.fixture(scope="module", params=[siglip, convolutional])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    make: Callable[[Path], Path] = request.param
    return make(tmp_path_factory.mktemp("clips"))


def test_vectors_are_those_of_open_clip(folder, pictures):
    clip = ClipModel.open(folder, Target(torch.device("cpu")))
    network, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenize = open_clip.get_tokenizer(f"local-dir:{folder}")
    network.eval()
    with torch.inference_mode():
        images = network.encode_image(torch.stack([preprocess(each) for each in pictures]))
        texts = network.encode_text(tokenize(TEXTS))
    torch.testing.assert_close(clip.encode_images(pictures), images, atol=1e-5, rtol=0)
    torch.testing.assert_close(clip.encode_texts(TEXTS), texts, atol=1e-5, rtol=0)
    assert (images[0] - images[1]).abs().max() > 1e-4  # what is compared is not all the same
    assert (texts[0] - texts[2]).abs().max() > 1e-4
    assert clip.dim == images.shape[1] == texts.shape[1]


def test_long_texts_are_recognised(folder):
    clip = ClipModel.open(folder, Target(torch.device("cpu")))
    assert clip.truncated(["a fox", "a fox and " * 20]) == [False, True]
