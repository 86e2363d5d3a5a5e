"""From the folders of a model's parts to its encoder and its generator."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from ..errors import ModelError
from .find.folder import opened, read_json
from .generator import Generator
from .placement import Placement

FAMILIES: dict[str, tuple[str, str]] = {
    "StableUnCLIPImg2ImgPipeline": ("unclip", "StableUnCLIP"),
    "StableUnCLIPPipeline": ("unclip", "StableUnCLIP"),
    "KandinskyV22Pipeline": ("kandinsky", "Kandinsky"),
    "KandinskyV22CombinedPipeline": ("kandinsky", "Kandinsky"),
    "StableDiffusionPipeline": ("stable_diffusion", "StableDiffusion"),
    "StableDiffusionXLPipeline": ("stable_diffusion_xl", "StableDiffusionXL"),
    "StableDiffusion3Pipeline": ("stable_diffusion_3", "StableDiffusion3"),
    "FluxPipeline": ("flux", "Flux"),
}
"""Pipeline class -> the module and the class in `families/` that adapt it."""


def family(folder: Path) -> str:
    """The pipeline class that a diffusion folder was saved from; the folder's parts must come from known libraries.

    Raises:
        ModelError: no `model_index.json`, or parts whose code is not in diffusers or transformers.
    """
    index = read_json(folder / "model_index.json")
    name = index.get("_class_name")
    for part, origin in index.items():
        known = isinstance(origin, list) and len(origin) == 2 and origin[0] in (None, "diffusers", "transformers")
        # "stable_diffusion" is the folder of diffusers that StableUnCLIPImageNormalizer lives in.
        if not part.startswith("_") and isinstance(origin, list) and not known and origin[:1] != ["stable_diffusion"]:
            raise ModelError(
                f"Got part {part!r} from {str(origin[0] if origin else '')!r} in {folder}, expected diffusers or "
                "transformers; models with code of their own are not opened."
            )
    return name if isinstance(name, str) else str(name)


def open_denoiser(
    folder: Path,
    *,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    placement: Placement | None = None,
    unet: Path | None = None,
) -> Generator:
    """The denoiser of a diffusers pipeline folder, by the family that its `model_index.json` names.

    Args:
        placement: how it is made to fit.
        unet: a safetensors file of weights in place of its UNet's own.

    Raises:
        ModelError: a family without an adapter, or a folder that is incomplete.
    """
    name = family(folder)
    opener = adapter_of(name) or _own_call(name, folder)
    denoiser: Generator = opener.open(folder, device=device, dtype=dtype, placement=placement or Placement())
    if unet is not None:
        load_unet(denoiser, unet)
    return denoiser


def load_unet(denoiser: Generator, file: Path) -> None:
    """Weights of a distilled UNet in place of a model's own, and the steps that such models are trained on.

    They are trained on the last timestep and evenly down from it: `timestep_spacing="trailing"` (Lin et al., 2024).

    Raises:
        ModelError: a model without a UNet, or weights of another one.
    """
    from safetensors.torch import load_file

    if denoiser.unet is None:
        raise ModelError(f"Got weights {file} for a model whose network is no UNet; open it without them.")

    if any(each.is_meta for each in denoiser.unet.parameters()):  # which would take the weights and keep none of them
        raise ModelError(
            f"Got weights {file} for a UNet that is offloaded layer by layer, expected one whose weights are there; "
            "open it with offload='model'."
        )

    def load() -> Any:
        return denoiser.unet.load_state_dict(load_file(file), strict=False)

    told = opened("weights of a UNet", file, load)
    if told.missing_keys or told.unexpected_keys:
        raise ModelError(
            f"Got {file}, of which {len(told.unexpected_keys)} weights are unknown to the UNet and "
            f"{len(told.missing_keys)} are missing, expected all of them; choose the file for this model."
        )
    denoiser.respaced("trailing")


def adapter_of(name: str) -> Any:
    """The class that adapts a family with an adapter of its own, by the class of its pipeline; or None."""
    if name not in FAMILIES:
        return None
    module, adapter = FAMILIES[name]
    return getattr(import_module(f".families.{module}", __package__), adapter)


def _own_call(name: str, folder: Path) -> Any:
    """The adapter of any other pipeline from prompts to pictures."""
    import diffusers

    from .pipelines.pipeline import family_class
    from .pipelines.signatures import refusal

    kind = getattr(diffusers, name, None)
    if not isinstance(kind, type) or not issubclass(kind, diffusers.DiffusionPipeline):
        raise ModelError(
            f"Got a diffusion model of class {name!r} in {folder}, expected one of {', '.join(FAMILIES)}, or another "
            "text-to-image pipeline of diffusers; choose another model."
        )
    if why := refusal(kind):
        raise ModelError(
            f"Got a diffusion model of class {name!r} in {folder}, which {why}, expected a text-to-image pipeline; "
            "choose another model."
        )
    network = "unet" if (folder / "unet").is_dir() else "transformer"
    return family_class(kind, network)
