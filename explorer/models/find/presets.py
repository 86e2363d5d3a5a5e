"""Models known by a short name: where they are, what they can do, and how large they are."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from ...errors import ModelError

_REVISION = re.compile(r"@[\w./-]+$")


@dataclass(frozen=True)
class Preset:
    """A model known by a short name.

    Attributes:
        name: what `Explorer.open` takes.
        source: where it lies, as a longer name of the same kind: a folder, or hub ids.
        family: the pipeline class of diffusers, or the kind of a part that stands alone.
        side: of its pictures, in pixels; 0 where it makes none.
        licence: of its weights: an SPDX identifier, or its maker's name for it.
        parameters: of all parts that are read, in millions.
        steps, guidance: what it decodes well with, where that differs from its family.
        gated: whether the hub asks for a token of an account that has accepted the licence.
        note: one line on what it is.
    """

    name: str
    source: str
    family: str
    side: int
    licence: str
    parameters: int
    note: str
    steps: int | None = None
    guidance: float | None = None
    gated: bool = False

    @property
    def installed(self) -> bool:
        """Whether it comes with this package, whole."""
        folder = Path(self.source)
        return (folder / "clip").is_dir() and (folder / "diffusion").is_dir()

    @property
    def folder(self) -> Path | None:
        """Where it lies, for one that comes with this package."""
        return Path(self.source) if self.name == "pocket" else None


@cache
def presets() -> dict[str, Preset]:
    """The known models by name.

    >>> presets()["sdxl-turbo"].steps
    1
    """
    pocket = Preset(
        "pocket",
        str(_beside_the_world() / "pocket"),
        "StableUnCLIPImg2ImgPipeline",
        64,
        "Apache-2.0",
        31,
        "the procedural pocket world; needs no download and no GPU",
    )
    return {preset.name: preset for preset in (pocket, *_HUB)}


def preset_of(name: str) -> Preset | None:
    """The preset of a name, or of the hub id that it stands for, at whatever revision.

    >>> preset_of("stabilityai/sdxl-turbo@v1").name
    'sdxl-turbo'
    """
    known = presets()
    plain = _REVISION.sub("", name)
    if os.path.exists(os.path.expanduser(name)):  # a folder may have an @ in its name
        plain = name
    return known.get(plain) or next((each for each in known.values() if each.source == plain), None)


def _beside_the_world() -> Path:
    # The folder has no __init__, so it is found through a module that lies in it (without importing that module).
    spec = find_spec("thoughtspace.datasets.factors")
    if spec is None or spec.origin is None:
        raise ModelError("Got no thoughtspace.datasets beside this package, expected the pocket world; reinstall it.")
    return Path(spec.origin).parent


_SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
_LIGHTNING = "ByteDance/SDXL-Lightning/sdxl_lightning_4step_unet.safetensors"

_HUB = (
    Preset(
        "sd15",
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "StableDiffusionPipeline",
        512,
        "CreativeML OpenRAIL-M",
        1066,
        "Stable Diffusion 1.5",
    ),
    Preset(
        "sd21-unclip",
        "sd2-community/stable-diffusion-2-1-unclip",
        "StableUnCLIPImg2ImgPipeline",
        768,
        "CreativeML OpenRAIL++-M",
        1924,
        "Stable Diffusion 2.1 guided by pictures of its own CLIP",
    ),
    Preset(
        "sdxl", _SDXL, "StableDiffusionXLPipeline", 1024, "CreativeML OpenRAIL++-M", 3469, "Stable Diffusion XL, base"
    ),
    Preset(
        "sdxl-turbo",
        "stabilityai/sdxl-turbo",
        "StableDiffusionXLPipeline",
        512,
        "Stability AI Community",
        3469,
        "SDXL distilled to one step",
        steps=1,
        guidance=1.0,
    ),
    Preset(
        "sdxl-lightning",
        f"{_SDXL}+unet:{_LIGHTNING}",
        "StableDiffusionXLPipeline",
        1024,
        "CreativeML OpenRAIL++-M",
        3469,
        "SDXL distilled to four steps",
        steps=4,
        guidance=1.0,
    ),
    Preset(
        "sd3-medium",
        "stabilityai/stable-diffusion-3-medium-diffusers",
        "StableDiffusion3Pipeline",
        1024,
        "Stability AI Community",
        7692,
        "Stable Diffusion 3, medium, with its T5",
        gated=True,
    ),
    Preset(
        "sd35-large",
        "stabilityai/stable-diffusion-3.5-large",
        "StableDiffusion3Pipeline",
        1024,
        "Stability AI Community",
        13720,
        "Stable Diffusion 3.5, large, with its T5",
        gated=True,
    ),
    Preset(
        "flux-dev",
        "black-forest-labs/FLUX.1-dev",
        "FluxPipeline",
        1024,
        "FLUX.1 [dev] Non-Commercial",
        16870,
        "Flux with distilled guidance",
        gated=True,
    ),
    Preset(
        "flux-schnell",
        "black-forest-labs/FLUX.1-schnell",
        "FluxPipeline",
        1024,
        "Apache-2.0",
        16860,
        "Flux of four steps, without guidance",
        steps=4,
        guidance=1.0,
    ),
    Preset(
        "kandinsky22",
        "kandinsky-community/kandinsky-2-2-decoder+clip:kandinsky-community/kandinsky-2-2-prior",
        "KandinskyV22Pipeline",
        512,
        "Apache-2.0",
        3860,
        "Kandinsky 2.2, whose decoder is guided by CLIP vectors alone",
    ),
    Preset(
        "clip-b32",
        "clip:ViT-B-32/laion2b_s34b_b79k",
        "open_clip",
        224,
        "MIT",
        151,
        "the usual small CLIP; a space without a decoder",
    ),
    Preset(
        "clip-h14",
        "clip:ViT-H-14/laion2b_s32b_b79k",
        "open_clip",
        224,
        "MIT",
        986,
        "the CLIP whose vectors IP-Adapter and SD 2.1 unCLIP decode",
    ),
    Preset("siglip-b16", "clip:ViT-B-16-SigLIP/webli", "open_clip", 224, "Apache-2.0", 203, "SigLIP, sigmoid loss"),
    Preset(
        "sd-vae", "vae:stabilityai/sd-vae-ft-mse", "AutoencoderKL", 512, "MIT", 84, "autoencoder of Stable Diffusion 1"
    ),
)
