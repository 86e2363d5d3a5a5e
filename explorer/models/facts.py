"""What a family of generators is, known before any of it is opened: what it can do follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class OwnLoop:
    """How a pipeline that runs its own denoising loop is called.

    Attributes:
        guidance: the argument that is the scale of guidance; `""` where there is none.
        negative: whether it takes the embeddings of a negative prompt.
        callback: the argument by which it shows the latents after each step; `""` where there is none.
        refusal: why its call cannot be explored, as the end of a sentence; `""` where it can.
    """

    guidance: str = ""
    negative: bool = False
    callback: str = ""
    refusal: str = ""


@dataclass(frozen=True)
class Facts:
    """What a family of generators is, known before any of it is opened.

    Attributes:
        pipeline: the class of diffusers that it is opened with.
        network: the part that predicts the noise.
        autoencoder: the part that encodes pictures.
        usual: steps and guidance that it is usually decoded with.
        joint: how it decodes joint vectors: `"decoder"` by itself, `"adapter"` with an IP-Adapter, `""` not at all.
        reads_text: whether a prompt guides it.
        chunks: whether its network takes prompts of several chunks.
        distilled: whether guidance is an input of its network, which then has no negative side.
        joint_attention: the lists of its network's blocks in whose attention prompt and picture read each other; those
            of the first keep two streams of states apart. Empty where no such attention can be looked into.
        unread: parts that decoding points does not need.
        own_loop: how its own denoising loop is called; None where ours runs its network, a step at a time.
    """

    pipeline: str
    network: Literal["unet", "transformer"] = "unet"
    autoencoder: Literal["vae", "movq"] = "vae"
    usual: tuple[int, float] = (25, 5.0)
    joint: Literal["decoder", "adapter", ""] = ""
    reads_text: bool = True
    chunks: bool = False
    distilled: bool = False
    joint_attention: tuple[str, ...] = ()
    unread: tuple[str, ...] = ("safety_checker", "feature_extractor", "image_encoder")
    own_loop: OwnLoop | None = None
