"""How much memory a model needs, known before it is loaded: a refusal with numbers instead of a crash."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import ModelError
from .families.ip_adapter import AdapterFiles
from .find.folder import CLIP_WEIGHTS, FEW_STEPS, contents, read_if_there, shapes_in
from .find.parts import Parts, towers
from .loading import parts_to_open
from .opening import facts_in, takes_few_steps
from .placement import Target

GIB = 1 << 30
_USUAL_SIDE = 512  # where nothing says it
_DECODING = 7.0
"""Arrays of the size of a picture with as many channels as the decoder's last stage, alive at once while an
autoencoder decodes: 6 by `benchmarks/memory.py`, and what its kernels work in."""


@dataclass(frozen=True)
class Weights:
    """How many numbers are in a model's safetensors, and how many of them in its largest part."""

    parameters: int
    largest: int


def weights_to_load(parts: Parts, adapter: AdapterFiles | None = None) -> Weights:
    """The numbers that are in memory once a model is opened; each file counts once.

    A file for the UNet takes the place of the UNet's own weights, so it adds nothing. The image encoder of an
    IP-Adapter is opened where there is no other. Few-step weights are fused into a second UNet.

    Raises:
        ModelError: damaged headers, or a pipeline that is not opened.
    """
    places = _of_encoder(parts.clip) if parts.clip else []
    if parts.diffusion is not None:
        places += [parts.diffusion / part for part in parts_to_open(parts.diffusion, facts_in(parts.diffusion))]
    if adapter is not None:
        places += [adapter.weights, *([adapter.encoder] if adapter.encoder and parts.clip is None else [])]
    for place in (parts.autoencoder, parts.preview):
        if place is not None:
            places += [file for file in contents(place) if file.name.startswith("diffusion_pytorch")]
    return _with_second_unet(weights_of(*places), parts)


def _with_second_unet(weights: Weights, parts: Parts) -> Weights:
    if parts.diffusion is None or not (parts.diffusion / FEW_STEPS).is_dir() or not takes_few_steps(parts):
        return weights
    return Weights(weights.parameters + weights_of(parts.diffusion / "unet").parameters, weights.largest)


def side_of(parts: Parts) -> int:
    """The side in pixels that a denoiser was made for, by its configuration; 512 where that does not say."""
    places = [parts.diffusion / part / "config.json" for part in ("unet", "transformer")] if parts.diffusion else []
    latent = next((found for file in places if (found := read_if_there(file).get("sample_size"))), None)
    latent = max(latent) if isinstance(latent, list) else latent
    if not isinstance(latent, int) or latent < 1:
        return _USUAL_SIDE
    halved = len(stages(parts.autoencoder)) - 1
    return latent * (2**halved if halved > 0 else 8)


def _of_encoder(folder: Path) -> list[Path]:
    """The towers of a pipeline (of a prior, not the prior), or the file that open_clip takes of several formats."""
    if found := towers(folder):
        return [folder / part for part in (found.image, found.text) if part]
    return [folder / name for name in CLIP_WEIGHTS if (folder / name).is_file()][:1] or [folder]


def weights_of(*places: Path) -> Weights:
    """The numbers in the safetensors of some folders and files; each folder directly above a file is one part.

    Raises:
        ModelError: a file whose header cannot be read.
    """
    parts: dict[Path, int] = {}
    found = {file for place in places for file in ([place] if place.is_file() else contents(place))}
    for file in sorted(each for each in found if each.suffix == ".safetensors"):
        parts[file.parent] = parts.get(file.parent, 0) + sum(map(math.prod, shapes_in(file).values()))
    return Weights(sum(parts.values()), max(parts.values(), default=0))


def working_bytes(autoencoder: Path | None, side: int, dtype: torch.dtype) -> int:
    """What decoding one picture of `side` pixels takes beside the weights, nearly all of it in the autoencoder."""
    widths = stages(autoencoder)
    return int(_DECODING * widths[0] * side * side * dtype.itemsize) if widths else 0


def stages(autoencoder: Path | None) -> list[int]:
    """The channels of an autoencoder's stages, each half as fine as the one before; empty without one."""
    config = read_if_there(autoencoder / "config.json") if autoencoder else {}
    if not config:
        return []
    widths = config.get("block_out_channels") or config.get("decoder_block_out_channels")
    whole = isinstance(widths, list) and all(isinstance(each, int) for each in widths)
    return list(widths or [128]) if whole else [128]


def free_bytes(device: torch.device) -> int:
    """What is free on a device now."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    return int(psutil.virtual_memory().available)


def require_memory(name: str, weights: Weights, working: int, target: Target) -> None:
    """Raises ModelError where the weights and the bytes to work in do not fit, with the numbers and what would help.

    With offloading only a part of the weights lies on the target's device at once.
    """
    device, offload, size = target.device, target.placement.offload, target.dtype.itemsize
    whole = weights.parameters * size
    # Layer by layer hardly anything of the weights lies there.
    there = {None: whole, "model": weights.largest * size, "sequential": 0}[offload] + working
    free = free_bytes(device)
    if there > free:
        raise ModelError(
            f"Got model {name!r}, which needs about {gib(there)} on {device.type} ({gib(whole)} of weights in "
            f"{str(target.dtype).removeprefix('torch.')}, {gib(working)} to decode a picture), and {gib(free)} are "
            f"free; {_help(target)}.",
            code="memory",
        )
    if offload and device.type != "cpu" and whole > (waiting := free_bytes(torch.device("cpu"))):
        raise ModelError(
            f"Got model {name!r}, whose weights of {gib(whole)} are to wait in the machine's memory, where "
            f"{gib(waiting)} are free; free some, or choose a smaller model.",
            code="memory",
        )


def gib(n: float) -> str:
    """Bytes to read: `"1.5 GiB"`."""
    return f"{n / GIB:.1f} GiB" if n >= GIB / 10 else f"{n / (1 << 20):.0f} MiB"


def _help(target: Target) -> str:
    ways, offload = [], target.placement.offload
    if target.dtype.itemsize > 2 and target.device.type != "cpu":
        ways.append("open it in torch.bfloat16")
    if target.device.type != "cpu" and offload != "sequential":
        ways.append(f"offload it (Placement(offload={'model' if offload is None else 'sequential'!r}))")
    return " or ".join([*ways, "choose a smaller size or model, or free some memory"])
