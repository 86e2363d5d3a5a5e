"""What a family of models can do here, told by its name before anything is opened."""

from __future__ import annotations

from dataclasses import dataclass

from .autoencoder_kinds import CODECS
from .opening import FAMILIES, adapter_of


@dataclass(frozen=True)
class Abilities:
    """What is to be had of a family.

    Attributes:
        spaces: by name.
        joint: how its joint vectors are decoded: `"decoder"`, `"adapter"` (with an IP-Adapter), `"retrieval"` (the
            nearest items of a collection are shown), or `""` where it has none.
        looks_inside: whether token heat maps and attention walks are to be had; they need a UNet that reads a prompt.
        inverts: whether noise is found for real pictures.
    """

    spaces: tuple[str, ...]
    joint: str = ""
    looks_inside: bool = False
    inverts: bool = False


def abilities_of(family: str) -> Abilities | None:
    """By the class of a pipeline, of an autoencoder, or `"open_clip"`; None for what is not known.

    >>> abilities_of("StableDiffusionXLPipeline").spaces
    ('latent', 'prompt', 'noise', 'bottleneck')
    >>> abilities_of("open_clip").joint
    'retrieval'
    """
    if family == "open_clip":
        return Abilities(("joint",), joint="retrieval")
    if family in CODECS:
        return Abilities(("latent",))
    if family not in FAMILIES:
        return None
    unet = getattr(adapter_of(family), "network_part", "unet") == "unet"
    joint = "decoder" if family in _DECODES_JOINT else "adapter" if family in _TAKES_ADAPTER else ""
    there = {
        "joint": joint == "decoder",
        "latent": True,
        "prompt": family not in _READS_NO_TEXT,
        "noise": True,
        "bottleneck": unet,
    }
    spaces = tuple(name for name, is_there in there.items() if is_there)
    return Abilities(spaces, joint, looks_inside=unet and there["prompt"], inverts=True)


_READS_NO_TEXT = ("KandinskyV22Pipeline", "KandinskyV22CombinedPipeline")
_DECODES_JOINT = ("StableUnCLIPImg2ImgPipeline", "StableUnCLIPPipeline", *_READS_NO_TEXT)
_TAKES_ADAPTER = ("StableDiffusionPipeline", "StableDiffusionXLPipeline")
