"""What words and small steps change, beside captum and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from thoughtspace.analysis.paths.perceptual_length import perceptual_length
from thoughtspace.analysis.prompts.decoded import left_out

PROMPT = "a red fox smiling"


def test_leaving_out_each_word_is_captums_ablation(tiny_explorer):
    """Its features are the words, and its output the cosine of what is left with the whole prompt."""
    from captum.attr import FeatureAblation

    words = np.array(PROMPT.split())

    def cosine(kept: torch.Tensor) -> torch.Tensor:
        texts = [" ".join(words[row.bool().numpy()]) for row in kept]
        return torch.cosine_similarity(*(tiny_explorer.joint.text(*each).flat for each in (texts, [PROMPT])))

    expected = FeatureAblation(cosine).attribute(torch.ones(1, len(words)), baselines=0)[0]
    found = left_out(tiny_explorer, PROMPT, seeds=2)
    assert found.words == tuple(words)
    np.testing.assert_allclose(found.embedding, expected.numpy(), atol=1e-5)
    assert found.embedding.max() > 1e-3  # negative control: words do something here
    assert np.ptp(found.embedding) > 1e-3  # and not all the same


class Bent(torch.nn.Module):
    """A generator in the form that torchmetrics wants, with the ends of both draws fixed."""

    def __init__(self, ends: list[torch.Tensor]) -> None:
        super().__init__()
        self.left = list(ends)

    def sample(self, _: int) -> torch.Tensor:
        return self.left.pop(0)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.sin(2 * z)


class Apart(torch.nn.Module):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a - b).square().sum(1)


def test_the_path_length_at_the_ends_is_that_of_torchmetrics():
    """Which measures nowhere else, and shows its judge pictures of 255 as 2."""
    from torchmetrics.functional.image import perceptual_path_length

    a, b = np.random.default_rng(0).standard_normal((2, 80, 5))
    mean, spread, kept = perceptual_path_length(
        Bent([torch.from_numpy(each) for each in (a, b)]), 80, epsilon=1e-2, resize=None, sim_net=Apart()
    )

    def between(first, second, t):
        return first + t[:, None] * (second - first)

    ours = perceptual_length(a, b, between, lambda z: np.sin(2 * z) * 2 / 255, step=1e-2, where="end")
    of_both = np.sort(ours.speeds[ours.kept])[: len(kept)]  # the upper end differs by one pair
    np.testing.assert_allclose(of_both, np.sort(kept.numpy()), rtol=1e-6)
    assert ours.value == pytest.approx(float(mean), rel=0.1)
    assert ours.error == pytest.approx(float(spread) / np.sqrt(len(kept)), rel=0.3)
    elsewhere = perceptual_length(a, b, between, lambda z: np.sin(2 * z) * 2 / 255, step=1e-2)
    assert elsewhere.value != pytest.approx(float(mean), rel=0.01)  # negative control: between the ends it is another
