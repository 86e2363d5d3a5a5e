"""Heat maps against DAAM written out: diffusers' own plain attention in its own pipeline, its scores overheard."""

from __future__ import annotations

from typing import Any

import diffusers
import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor
from torch.nn import functional

from .conftest import FAMILIES

SIDE, STEPS, PROMPT, WORDS = 64, 3, "a red fox with a blue hat", {"fox": [3], "blue hat": [6, 7], "a": [1, 5]}
TOLERANCE = 1e-5
JOINT = ("stable_diffusion_3", "stable_diffusion_3_without_t5", "stable_diffusion_35", "flux", "schnell")

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2


def overheard(pipeline: Any, guidance: float) -> dict[str, list[torch.Tensor]]:
    """`(heads, queries, tokens)` of each layer at each evaluation: the half of the batch that sees the prompt."""
    heard: dict[str, list[torch.Tensor]] = {}

    def listen(name: str, layer: Any) -> None:
        scores = layer.get_attention_scores

        def listening(query: Any, key: Any, mask: Any = None) -> torch.Tensor:
            probabilities = scores(query, key, mask)
            heard.setdefault(name, []).append(probabilities[-layer.heads :].clone())
            return probabilities

        layer.get_attention_scores = listening
        layer.set_processor(AttnProcessor())

    for name, module in pipeline.unet.named_modules():
        if name.endswith("attn2"):
            listen(name, module)
    pipeline(
        prompt=PROMPT,
        height=SIDE,
        width=SIDE,
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        generator=torch.Generator().manual_seed(3),
        output_type="latent",
    )
    return heard


def daam(heard: dict[str, list[torch.Tensor]], side: int) -> torch.Tensor:
    """`(tokens, side, side)`: per layer and head the sum over time, enlarged by a bicubic, clipped and summed."""
    total = torch.zeros(())
    for times in heard.values():
        over_time = torch.stack(times).sum(0)
        heads, queries, tokens = over_time.shape
        small = over_time.permute(0, 2, 1).reshape(heads, tokens, int(queries**0.5), int(queries**0.5))
        for head in small:
            total = total + functional.interpolate(head[:, None], size=(side, side), mode="bicubic")[:, 0].clamp(min=0)
    return total


@pytest.fixture(scope="module", params=sorted(name for name in FAMILIES if name not in JOINT))
def family_folder(request, families):
    """Those with a UNet; the others are in `test_joint_attention_oracle`."""
    return families(request.param)


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_equal_maps(family_folder, opened, guidance):
    explorer = opened(family_folder)
    pipeline = diffusers.DiffusionPipeline.from_pretrained(family_folder)
    pipeline.set_progress_bar_config(disable=True)
    heard = overheard(pipeline, guidance)
    ours = explorer.heat_maps(PROMPT, seed=3, steps=STEPS, guidance=guidance)
    assert list(ours.maps) == list(heard)
    for name, times in heard.items():
        theirs = torch.stack(times).transpose(2, 3)
        torch.testing.assert_close(ours.maps[name].flatten(3), theirs, atol=TOLERANCE, rtol=0)
    expected = daam(heard, SIDE // 8)
    for word, tokens in WORDS.items():
        torch.testing.assert_close(ours.of(word), expected[tokens].mean(0), atol=0, rtol=10 * TOLERANCE)
    # Negative control: the same tolerance sees another seed.
    other = explorer.heat_maps(PROMPT, seed=4, steps=STEPS, guidance=guidance)
    name = ours.layers[0].name
    assert (other.maps[name] - ours.maps[name]).abs().max() > 10 * TOLERANCE
