"""LoRAs of lower rank: the part of one that does most, in less space."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def shortened(weights: Mapping[str, Tensor], rank: int) -> dict[str, Tensor]:
    """The best LoRA of a lower rank, layer by layer, by the singular values of B A (Eckart & Young, 1936).

    Args:
        weights: `<layer>.lora_A.weight` and `<layer>.lora_B.weight` of linear layers and convolutions.
    """
    found = dict(weights)
    for name in weights:
        if not name.endswith("lora_A.weight"):
            continue
        other = name.replace("lora_A", "lora_B")
        a, b = weights[name], weights[other]
        if len(a) > rank:
            u, s, v = torch.linalg.svd(b.float().flatten(1) @ a.float().flatten(1), full_matrices=False)
            root = s[:rank].sqrt()
            found[name] = (root[:, None] * v[:rank]).view(rank, *a.shape[1:])
            found[other] = (u[:, :rank] * root).view(len(b), rank, *b.shape[2:])
    return found
