"""What each layer of an image tower says of pictures: the mean of its states over places."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelError
from .encoder import Encoder


def layers_of_pictures(encoder: Encoder, pictures: Sequence[Any]) -> dict[str, Tensor]:
    """The states of each block of the image tower, averaged over tokens or places, and the joint vector last.

    A block is a part of the longest lists in the network, such as a transformer's residual blocks; what is inside of a
    block is none. Those that say nothing of pictures, such as the blocks of a text tower, are left out.

    Args:
        pictures: as `encode_images` takes them.

    Returns:
        Name of the block in the network -> `(n, width)` float32 on the CPU, in the order in which they answer.

    Raises:
        ModelError: a network without blocks.
    """
    seen: dict[str, list[Tensor]] = {}
    owner = threading.get_ident()

    def keep(name: str) -> Any:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            state = output[0] if isinstance(output, tuple) else output
            if threading.get_ident() == owner and isinstance(state, Tensor) and state.ndim in (3, 4):
                places = 1 if state.ndim == 3 else (2, 3)
                seen.setdefault(name, []).append(state.detach().float().mean(places).cpu())

        return hook

    hooks = [block.register_forward_hook(keep(name)) for name, block in _blocks(encoder.network)]
    try:
        vectors = encoder.encode_images(pictures).cpu()
    finally:
        for each in hooks:
            each.remove()
    found = {name: torch.cat(parts) for name, parts in seen.items()}
    found = {name: states for name, states in found.items() if len(states) == len(vectors)}
    if not found:
        message = (
            f"Got a {type(encoder.network).__name__} without blocks that read pictures, expected a tower with some."
        )
        raise ModelError(message, code="no layers")
    return {**found, "vector": vectors}


def _blocks(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The outermost parts of lists that have weights, by name."""
    listed = isinstance(module, nn.ModuleList | nn.Sequential) and len(module) > 1
    for name, child in module.named_children():
        inner = isinstance(child, nn.ModuleList | nn.Sequential)
        if listed and not inner and next(child.parameters(), None) is not None:
            yield prefix + name, child
        else:
            yield from _blocks(child, f"{prefix}{name}.")
