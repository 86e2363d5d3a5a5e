"""A generator and an IP-Adapter put together: the denoiser that pictures guide, and the encoder of those pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..errors import ModelError
from .encoder import Encoder, Towers
from .generator import Denoiser
from .transformers_clip import TransformersClip


def adapted(
    denoiser: Denoiser | None, place: Path, *, device: torch.device, dtype: torch.dtype, encoder: bool = True
) -> tuple[Denoiser, Encoder | None]:
    """An opened Stable Diffusion or SDXL with the IP-Adapter of a file or folder, and its own image encoder.

    Args:
        place: a safetensors file, or a folder as the adapter's makers lay it out.
        encoder: whether to open the image encoder that lies with the adapter.

    Raises:
        ModelError: no adapter there, a kind that is not known, one for another model, or no encoder of its width.
    """
    from .families.adapter_files import adapter_files
    from .families.ip_adapter import with_adapter

    config: Any = getattr(getattr(denoiser, "unet", None), "config", None)
    files = adapter_files(place, getattr(config, "cross_attention_dim", None))
    made = with_adapter(denoiser, files)
    if not encoder:
        return made, None
    if files.encoder is None:
        raise ModelError(
            f"Got an IP-Adapter {files.weights.name} for vectors of width {files.width} without the image encoder that "
            f"makes them, expected image_encoder/ of that width beside it; restore it, or open a pair with its CLIP."
        )
    folder = files.encoder
    towers = Towers(folder.name, folder.name)
    return made, TransformersClip.open(folder.parent, towers, device=device, dtype=dtype)
