"""Access to the attention of a UNet: its layers, and a context that replaces their processors.

Each layer computes through its processor, an object of diffusers that is called with the layer and its inputs. The
original processors are restored when the block ends, also after an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from ..errors import ModelError
from ..models.generator import Denoiser

Change = Callable[[str, Any, Any], Any]
"""`(name of the layer, the layer, its processor) -> processor` that replaces it."""


def unet_of(denoiser: Denoiser) -> Any:
    """The UNet of a denoiser, whose attention layers can be changed.

    Raises:
        ModelError: a family without a UNet, or a UNet with attention of another kind.
    """
    unet = denoiser.unet
    if unet is None:
        raise ModelError(
            f"Got a {type(denoiser).__name__}, whose network is a transformer, expected a UNet for access to "
            "its attention; open a Stable Diffusion 1 or 2, an SDXL or a StableUnCLIP.",
            code="no unet",
        )
    for name, layer in attention_layers(unet).items():
        if layer.group_norm is not None or layer.spatial_norm is not None or layer.added_kv_proj_dim is not None:
            raise ModelError(
                f"Got the attention layer {name!r} with its own norms or keys, expected layers of plain transformer "
                "blocks; choose another model.",
                code="attention layer",
            )
    return unet


def attention_layers(unet: Any) -> dict[str, Any]:
    """Every attention layer by its name, self- and cross-attention."""
    names = [key.removesuffix(".processor") for key in unet.attn_processors]
    return {name: unet.get_submodule(name) for name in names}


@contextmanager
def processors_changed(unet: Any, change: Change) -> Iterator[None]:
    """Within the block each attention layer uses the processor that `change` returns."""
    before = unet.attn_processors
    layers = zip(before, attention_layers(unet).items(), strict=True)
    after = {key: change(name, layer, before[key]) for key, (name, layer) in layers}
    try:
        unet.set_attn_processor(after)
        yield
    finally:
        unet.set_attn_processor(dict(before))  # a copy, since the setter empties its argument


def keys_from(layer: Any, hidden_states: Tensor, encoder_hidden_states: Tensor | None) -> Tensor:
    """The input of a layer's keys and values: the prompt's states, or the layer's own input.

    With an IP-Adapter the states of a picture follow the prompt's; they have their own keys and values.
    """
    if isinstance(encoder_hidden_states, tuple):
        encoder_hidden_states = encoder_hidden_states[0]
    if encoder_hidden_states is None:
        return hidden_states
    if layer.norm_cross is not None:
        return layer.norm_encoder_hidden_states(encoder_hidden_states)
    return encoder_hidden_states
