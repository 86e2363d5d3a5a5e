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


@dataclass(frozen=True, kw_only=True)
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
        name="pocket",
        source=str(_beside_the_world() / "pocket"),
        family="StableUnCLIPImg2ImgPipeline",
        side=128,
        licence="Apache-2.0",
        parameters=31,
        note="the procedural pocket world; needs no download and no GPU",
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
        raise ModelError(
            "Got no thoughtspace.datasets beside this package, expected the pocket world; reinstall it.",
            code="not installed",
        )
    return Path(spec.origin).parent


_SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
_LIGHTNING = "ByteDance/SDXL-Lightning/sdxl_lightning_4step_unet.safetensors"
_KANDINSKY = "kandinsky-community/kandinsky-2-2"

# fmt: off
_HUB = (
    Preset(name="sd15", source="stable-diffusion-v1-5/stable-diffusion-v1-5",
           family="StableDiffusionPipeline", side=512, licence="CreativeML OpenRAIL-M", parameters=1066,
           note="Stable Diffusion 1.5"),
    Preset(name="sd21-unclip", source="sd2-community/stable-diffusion-2-1-unclip",
           family="StableUnCLIPImg2ImgPipeline", side=768, licence="CreativeML OpenRAIL++-M", parameters=1924,
           note="Stable Diffusion 2.1 guided by pictures of its own CLIP"),
    Preset(name="sdxl", source=_SDXL,
           family="StableDiffusionXLPipeline", side=1024, licence="CreativeML OpenRAIL++-M", parameters=3469,
           note="Stable Diffusion XL, base"),
    Preset(name="sdxl-turbo", source="stabilityai/sdxl-turbo",
           family="StableDiffusionXLPipeline", side=512, licence="Stability AI Community", parameters=3469,
           note="SDXL distilled to one step", steps=1, guidance=1.0),
    Preset(name="sdxl-lightning", source=f"{_SDXL}+unet:{_LIGHTNING}",
           family="StableDiffusionXLPipeline", side=1024, licence="CreativeML OpenRAIL++-M", parameters=3469,
           note="SDXL distilled to four steps", steps=4, guidance=1.0),
    Preset(name="sd3-medium", source="stabilityai/stable-diffusion-3-medium-diffusers",
           family="StableDiffusion3Pipeline", side=1024, licence="Stability AI Community", parameters=7692,
           note="Stable Diffusion 3, medium, with its T5", gated=True),
    Preset(name="sd35-large", source="stabilityai/stable-diffusion-3.5-large",
           family="StableDiffusion3Pipeline", side=1024, licence="Stability AI Community", parameters=13720,
           note="Stable Diffusion 3.5, large, with its T5", gated=True),
    Preset(name="flux-dev", source="black-forest-labs/FLUX.1-dev",
           family="FluxPipeline", side=1024, licence="FLUX.1 [dev] Non-Commercial", parameters=16870,
           note="Flux with distilled guidance", gated=True),
    Preset(name="flux-schnell", source="black-forest-labs/FLUX.1-schnell",
           family="FluxPipeline", side=1024, licence="Apache-2.0", parameters=16860,
           note="Flux of four steps, without guidance", steps=4, guidance=1.0),
    Preset(name="kandinsky22", source=f"{_KANDINSKY}-decoder+clip:{_KANDINSKY}-prior",
           family="KandinskyV22Pipeline", side=512, licence="Apache-2.0", parameters=3860,
           note="Kandinsky 2.2, whose decoder is guided by CLIP vectors alone"),
    Preset(name="clip-b32", source="clip:ViT-B-32/laion2b_s34b_b79k",
           family="open_clip", side=224, licence="MIT", parameters=151,
           note="the usual small CLIP; a space without a decoder"),
    Preset(name="clip-h14", source="clip:ViT-H-14/laion2b_s32b_b79k",
           family="open_clip", side=224, licence="MIT", parameters=986,
           note="the CLIP whose vectors IP-Adapter and SD 2.1 unCLIP decode"),
    Preset(name="siglip-b16", source="clip:ViT-B-16-SigLIP/webli",
           family="open_clip", side=224, licence="Apache-2.0", parameters=203,
           note="SigLIP, sigmoid loss"),
    Preset(name="sd-vae", source="vae:stabilityai/sd-vae-ft-mse",
           family="AutoencoderKL", side=512, licence="MIT", parameters=84,
           note="autoencoder of Stable Diffusion 1"),
)
# fmt: on
