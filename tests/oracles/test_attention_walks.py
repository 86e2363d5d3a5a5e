"""Attention walks of each family: their ends are the unmodified pipeline's pictures; transformers are refused."""

from __future__ import annotations

import diffusers
import numpy as np
import pytest
import torch

from thoughtspace.explorer.errors import ModelError

SIDE, STEPS, STOPS = 64, 3, ["a red fox", "a blue cat"]

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2


def test_the_ends_are_the_pipelines_pictures(refused, family, family_folder, tmp_path):
    explorer = family
    asked = {"frames": 3, "spacing": "uniform", "steps": STEPS, "guidance": 4.0, "seed": 3}
    if explorer.model.denoiser.unet is None:
        with refused(ModelError, "no unet", type(explorer.model.denoiser).__name__):
            explorer.walk(STOPS, attention="inner", **asked)
        return
    pipeline = diffusers.DiffusionPipeline.from_pretrained(family_folder)
    pipeline.set_progress_bar_config(disable=True)
    expected = [
        pipeline(
            prompt=stop,
            height=SIDE,
            width=SIDE,
            num_inference_steps=STEPS,
            guidance_scale=4.0,
            generator=torch.Generator().manual_seed(3),
            output_type="np",
        ).images[0]
        * 255
        for stop in STOPS
    ]
    plain = explorer.walk(STOPS, **asked)
    for mode in ("inner", "outer", "fused"):
        walk = explorer.walk(STOPS, attention=mode, **asked)
        first, middle, last = (np.asarray(each, dtype=float) for each in walk.images)
        for made, end in zip((first, last), expected, strict=True):
            np.testing.assert_allclose(made, end, atol=0.6)
        assert np.abs(middle - np.asarray(plain.images[1], dtype=float)).max() >= 1  # negative control
        assert explorer.replay(walk.images[1:2].save(tmp_path / f"{mode}.png")[0]).identical
