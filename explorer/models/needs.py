"""What of a model's folders is opened, and at what size: what its need of memory is reckoned from before that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .encoder import towers
from .find.folder import contents, named_parts, read_json
from .find.parts import Layout
from .memory import Weights, stages, weights_of
from .opening import FAMILIES, family

_UNREAD = ("safety_checker", "feature_extractor")
_OPEN_CLIP = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")
_USUAL_SIDE = 512  # where nothing says it


def weights_needed(parts: Layout) -> Weights:
    """The numbers that lie in memory once a model is opened; each file once.

    A file for the UNet takes the place of the UNet's own weights, so it adds nothing.

    Raises:
        ModelError: damaged headers, or a damaged adapter.
    """
    autoencoders = (place for place in (parts.autoencoder, parts.preview) if place is not None)
    own = (file for place in autoencoders for file in contents(place) if file.name.startswith("diffusion_pytorch"))
    return weights_of(*_of_encoder(parts.clip), *_of_pipeline(parts.diffusion), *_of_adapter(parts), *own)


def side_of(parts: Layout) -> int:
    """The side in pixels that a denoiser was made for, by its configuration; 512 where that does not say.

    Raises:
        ModelError: a configuration that cannot be read.
    """
    latent = _network(parts.diffusion).get("sample_size")
    latent = max(latent, default=0) if isinstance(latent, list) else latent
    if not isinstance(latent, int) or latent < 1:
        return _USUAL_SIDE
    halved = len(stages(parts.autoencoder)) - 1
    return latent * (2**halved if halved > 0 else 8)


def _network(pipeline: Path | None) -> dict[str, Any]:
    places = [pipeline / part / "config.json" for part in ("unet", "transformer")] if pipeline else []
    return next((read_json(file) for file in places if file.is_file()), {})


def _of_encoder(folder: Path | None) -> list[Path]:
    """The towers of a pipeline (of a prior, not the prior), or the file that open_clip takes of several formats."""
    if folder is None:
        return []
    if found := towers(folder):
        return [folder / part for part in (found.image, found.text) if part]
    return [folder / name for name in _OPEN_CLIP if (folder / name).is_file()][:1] or [folder]


def _of_pipeline(folder: Path | None) -> Iterator[Path]:
    """Its parts, without what makes joint vectors, which is counted with the encoder where it is opened at all."""
    if folder is None:
        return
    ours = family(folder) in FAMILIES
    for part in named_parts(folder):
        joint = ours and (part.name == "image_encoder" or part.name.startswith("prior"))
        if part.name not in _UNREAD and not joint:
            yield part


def _of_adapter(parts: Layout) -> list[Path]:
    """The file for this generator, and its image encoder where no other is opened."""
    if parts.adapter is None:
        return []
    from .families.adapter_files import adapter_files

    files = adapter_files(parts.adapter, _network(parts.diffusion).get("cross_attention_dim"))
    return [files.weights, *([files.encoder] if files.encoder and parts.clip is None else [])]
