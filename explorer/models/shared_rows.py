"""Batches that are one row, expanded: they cost no memory, and here no work either.

The frames of a walk are all guided by one prompt, mostly the empty one, and its keys and values are the same for every
picture and at every step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def is_one_row(x: Tensor) -> bool:
    """Whether a batch is one row in memory, shown several times."""
    return len(x) > 1 and x.stride(0) == 0


def stacked(negative: Tensor, positive: Tensor) -> Tensor:
    """`(n, ...)` and `(n, ...)` -> `(2n, ...)`; equal batches of one row stay one row in memory."""
    if is_one_row(positive) and is_one_row(negative) and torch.equal(negative[0], positive[0]):
        return positive[:1].expand(2 * len(positive), *positive.shape[1:])
    return torch.cat([negative, positive])


class SharedRowLinear(nn.Linear):
    """A linear layer that computes a batch of one row expanded as that one row."""

    @classmethod
    def of(cls, layer: nn.Linear) -> SharedRowLinear:
        """The same layer, its weights shared."""
        made = cls(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        made.weight, made.bias = layer.weight, layer.bias
        return made.train(layer.training)

    def forward(self, input: Tensor) -> Tensor:
        """`(n, ..., in) -> (n, ..., out)`."""
        if not is_one_row(input):
            return super().forward(input)
        return super().forward(input[:1]).expand(len(input), *input.shape[1:-1], self.out_features)


def read_prompts_once(pipeline: Any) -> None:
    """Let the cross-attention of a pipeline's UNet make the keys and values of equal prompts once, in place."""
    for name, module in pipeline.unet.named_modules():
        if name.endswith("attn2"):
            module.to_k, module.to_v = SharedRowLinear.of(module.to_k), SharedRowLinear.of(module.to_v)
