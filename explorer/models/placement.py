"""Where a model computes and in which precision, and how it is made to fit a small card."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import torch

from ..checks import choice, whole
from ..errors import ModelError
from .facts import Facts

Offload = Literal["model", "sequential"]

MAX_SIDE = 16384
"""Of pictures, in pixels."""

SMALL = 1 << 30
"""Bytes of float32 weights up to which a model computes in float32 everywhere: half precision would gain little."""


@dataclass(frozen=True)
class Placement:
    """How a model lies on a machine, besides device and precision.

    Attributes:
        offload: `"model"` keeps one part at a time on the device, `"sequential"` one layer at a time (slow, for the
            smallest cards); both need the package accelerate. None keeps the whole model there.
        tiling: the autoencoder works tile by tile above its own size: less memory, faint seams.
        slicing: the autoencoder works picture by picture: less memory, the same pictures.
        channels_last: weights of convolutions in the layout that is faster on most cards in half precision.
        compile: `torch.compile` for the network that denoises; the first step takes minutes, the others less.

    Raises:
        ModelError: an unknown way to offload, or a compiled network that is to be offloaded.
    """

    offload: Offload | None = None
    tiling: bool = False
    slicing: bool = False
    channels_last: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        if self.offload is not None:
            choice("offload", self.offload, ("model", "sequential"), error=ModelError, hint="or leave it out")
        if self.offload and self.compile:
            raise ModelError(
                "Got offload and compile together, expected one of them; a compiled network stays put.",
                code="offload and compile",
            )


@dataclass(frozen=True)
class Target:
    """Where a model computes, in which precision, the side of its pictures in pixels (its own where None), and how."""

    device: torch.device
    dtype: torch.dtype = torch.float32
    size: int | None = None
    placement: Placement = Placement()


def check_side(side: Any, multiple: int, what: str) -> None:
    """Raises ModelError unless `what` can make pictures of a side in pixels, which has to be a multiple of another."""
    whole("size", side, 1, MAX_SIDE, error=ModelError, hint="choose a side in pixels")
    if side % multiple:
        raise ModelError(
            f"Got size {side}, expected a side in pixels that is a multiple of {multiple} for {what}; choose one, such "
            f"as {max(1, round(side / multiple)) * multiple}.",
            code="size",
        )


def choose_device(device: torch.device | str | None = None) -> torch.device:
    """The device asked for, or the best there is: CUDA, then Apple's, then the CPU.

    Raises:
        ModelError: this machine does not have it.
    """
    if device is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        where = torch.device(device)
        torch.empty(0, device=where)
        if where.type not in ("cpu", "cuda", "mps", "xpu"):
            raise RuntimeError("a device that does not compute")
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ModelError(
            f"Got device {str(device)!r}, which this machine does not have, expected one of {', '.join(devices())}; "
            "choose one, or leave the device out.",
            code="device",
        ) from error
    return where


def devices() -> list[str]:
    """The devices that this machine has, as PyTorch sees them."""
    cards = [f"cuda:{number}" for number in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return ["cpu", *cards, *(["mps"] if torch.backends.mps.is_available() else [])]


def choose_dtype(device: torch.device, parameters: int, dtype: torch.dtype | None = None) -> torch.dtype:
    """The precision asked for, or the one that suits a device and so many parameters.

    That is float32 on a CPU, where pictures replay bit for bit, and for small models; otherwise bfloat16 on CUDA cards
    that have it, and float16.

    Raises:
        ModelError: a dtype that is not floating.

    >>> choose_dtype(torch.device("cpu"), 10**10), choose_dtype(torch.device("mps"), 10**9)
    (torch.float32, torch.float16)
    """
    if dtype is not None:
        if not isinstance(dtype, torch.dtype) or dtype not in (torch.float32, torch.float16, torch.bfloat16):
            raise ModelError(
                f"Got dtype {dtype!r}, expected torch.float32, torch.bfloat16 or torch.float16.", code="dtype"
            )
        return dtype
    if device.type == "cpu" or parameters * 4 <= SMALL:
        return torch.float32
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float16


def has_accelerate() -> bool:
    """Whether the package is there that offloads, and that reads weights without holding them twice."""
    return find_spec("accelerate") is not None


def place(pipeline: Any, facts: Facts, target: Target) -> None:
    """Bring an opened pipeline of diffusers to where it computes.

    Raises:
        ModelError: offloading without accelerate or without a card.
    """
    placement = target.placement
    if placement.offload is None:
        pipeline.to(target.device)
    else:
        _offload(pipeline, target.device, placement.offload)
    parts = pipeline.components
    autoencoder, network = parts.get(facts.autoencoder), parts[facts.network]
    if autoencoder is not None and autoencoder.dtype == torch.float16 and autoencoder.config.get("force_upcast"):
        autoencoder.to(torch.float32)  # its numbers overflow half precision
    if placement.channels_last:
        network.to(memory_format=torch.channels_last)
    if placement.compile:
        network.compile()


def require_in_memory(unet: Any, what: str) -> None:
    """Raises ModelError where a UNet for `what` is offloaded layer by layer: it would take weights and keep none."""
    if any(each.is_meta for each in unet.parameters()):
        raise ModelError(
            f"Got {what} for a UNet that is offloaded layer by layer, expected one whose weights are there; open it "
            "with offload='model'.",
            code="offload",
        )


def _offload(pipeline: Any, device: torch.device, how: Offload) -> None:
    if device.type == "cpu":
        raise ModelError(
            f"Got offload {how!r} on the CPU, expected a card to take parts from; leave it out.", code="offload"
        )
    if not has_accelerate():
        raise ModelError(
            f"Got offload {how!r} without the package accelerate, which does it; pip install accelerate.",
            code="no accelerate",
        )
    if how == "model":
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.enable_sequential_cpu_offload(device=device)
