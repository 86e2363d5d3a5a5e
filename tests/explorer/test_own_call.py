"""What pipelines that run themselves are read by: parts of a prompt, signatures, and steps out of a loop."""

from __future__ import annotations

import json
import threading
from typing import Any

import diffusers
import pytest
import torch

from thoughtspace.explorer.errors import ModelError
from thoughtspace.explorer.explorer import Explorer
from thoughtspace.explorer.models.pipelines.prompt_parts import PromptParts
from thoughtspace.explorer.models.pipelines.signatures import refusal
from thoughtspace.explorer.models.pipelines.stepwise import stepwise


def test_masks_round_and_ragged_prompts_keep_their_ends():
    """Endpoints are exact; a place counts from one half on."""
    short, long = ({"states": torch.ones(1, n, 2), "mask": None} for n in (2, 5))
    parts = PromptParts.learned(short, long)
    ends = torch.stack([parts.packed(each) for each in (short, long)])
    assert torch.equal(parts.unpacked(ends[:1])["states"], short["states"])
    assert torch.equal(parts.unpacked(ends[1:])["states"], long["states"])
    lengths = [parts.unpacked(torch.lerp(ends[:1], ends[1:], t))["states"].shape[1] for t in (0.1, 0.49, 0.5, 0.9)]
    assert lengths == [2, 2, 5, 5]
    assert parts.unpacked(torch.zeros_like(ends[:1]))["states"].shape[1] == 1


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("StableDiffusionImg2ImgPipeline", "starts from a picture"),
        ("WanPipeline", "makes videos"),
        ("VQDiffusionPipeline", "needs prompt= at each call"),
        ("VersatileDiffusionTextToImagePipeline", "needs prompt= at each call"),
        ("StableAudioPipeline", "takes no height="),
        ("StableDiffusionUpscalePipeline", "starts from a picture"),
        ("StableDiffusionControlNetPipeline", "follows a control picture"),
        ("StableDiffusionXLControlNetPAGPipeline", "follows a control picture"),
        ("StableDiffusionGLIGENPipeline", "puts things into boxes"),
        ("StableDiffusionGLIGENTextImagePipeline", "puts things into boxes"),
        ("StableDiffusionLDM3DPipeline", "makes a map of depths as well"),
        ("StableCascadePriorPipeline", "makes what guides another model"),
        ("WuerstchenPriorPipeline", "makes what guides another model"),
        ("Lumina2Pipeline", ""),
        ("CogView4Pipeline", ""),
        ("Flux2Pipeline", ""),
        ("ChromaPipeline", ""),
    ],
)
def test_what_is_no_text_to_image_pipeline_is_named(refused, name, why, tmp_path):
    reason = refusal(getattr(diffusers, name))
    assert why in reason
    assert bool(reason) == bool(why)
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": name}))
    with refused(ModelError, *(("class", name, why) if why else ("incomplete", "transformer/"))):
        Explorer.open(tmp_path, device="cpu")


def test_a_library_that_fails_or_is_left_alone_leaves_no_thread():
    before = threading.active_count()

    def fails(tell: Any) -> Any:
        tell(torch.zeros(1))
        raise ValueError("as the library does")

    steps = stepwise(fails)
    assert float(next(steps)) == 0
    with pytest.raises(ValueError, match="as the library does"):
        next(steps)
    left = stepwise(lambda tell: tell(torch.zeros(1)) or tell(torch.zeros(1)))
    next(left)
    left.close()
    assert threading.active_count() == before
