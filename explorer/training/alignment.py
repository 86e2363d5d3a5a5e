"""A teacher for the denoiser's middle: it should see what the patches of our own CLIP see.

What a UNet knows of a noisy latent sits in its middle, and it comes sooner where the middle is brought close to the
features of a network that has seen the clean picture (U-REPA, Tian et al., 2025). The head that compares the two is
thrown away, and the comparison stops early, when it begins to hold the denoiser back (HASTE, Wang et al., 2025).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WEIGHT = 0.5
"""Of the alignment beside the squared error of v."""
UNTIL = 0.4
"""Share of the training after which the denoiser learns without it."""


class Student(nn.Module):
    """A UNet with the head that compares its middle with the teacher's features.

    Attributes:
        unet: what is kept.
        head: from the middle's features to the teacher's; thrown away in the end.
    """

    def __init__(self, unet: Any, features: int) -> None:
        super().__init__()
        middle = unet.config.block_out_channels[-1]
        self.unet = unet
        self.head = nn.Sequential(nn.Linear(middle, 2 * middle), nn.SiLU(), nn.Linear(2 * middle, features))
        self._seen: list[Tensor] = []
        unet.mid_block.register_forward_hook(lambda *call: self._seen.append(call[-1]))

    def forward(self, x: Tensor, t: Tensor, states: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        """The prediction, and the middle as the head sees it: `(n, places, features)`."""
        self._seen.clear()
        predicted = self.unet(x, t, encoder_hidden_states=states, class_labels=classes).sample
        return predicted, self.head(self._seen.pop().flatten(2).transpose(1, 2))


def distance(middle: Tensor, features: Tensor) -> Tensor:
    """One minus the mean cosine over places: 0 where the middle points as the features do."""
    return 1 - F.cosine_similarity(middle.float(), features, dim=-1).mean()


@torch.inference_mode()
def patch_features(clip: Any, x: Tensor, side: int) -> Tensor:
    """`(n, side², width)`: what the patches of the image tower hold before its last block, averaged to `side` places.

    The last block is left out: only its class token was ever trained.
    """
    visual, seen = clip.visual, []
    hook = visual.transformer.resblocks[-1].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    visual(x)
    hook.remove()
    patches = seen[0][:, 1:]
    grid = round(patches.shape[1] ** 0.5)
    patches = F.layer_norm(patches, patches.shape[-1:]).transpose(1, 2).unflatten(2, (grid, grid))
    return F.adaptive_avg_pool2d(patches, side).flatten(2).transpose(1, 2)
