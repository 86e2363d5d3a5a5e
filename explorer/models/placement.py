"""Where a model computes and in which precision, and how it is made to fit a small card."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any, Literal

import torch

from ..errors import ModelError

Offload = Literal["model", "sequential"]

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
        ModelError: an unknown way to offload.
    """

    offload: Offload | None = None
    tiling: bool = False
    slicing: bool = False
    channels_last: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        if self.offload not in (None, "model", "sequential"):
            raise ModelError(f"Got offload {self.offload!r}, expected 'model', 'sequential' or None; choose one.")
        if self.offload and self.compile:
            raise ModelError("Got offload and compile together, expected one of them; a compiled network stays put.")


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
            f"Got device {str(device)!r}, which this machine does not have; use 'cpu', 'cuda' or 'mps'."
        ) from error
    return where


def choose_dtype(device: torch.device, parameters: int, dtype: torch.dtype | None = None) -> torch.dtype:
    """The precision asked for, or the one that suits: float32 on a CPU, where pictures replay bit for bit, and for
    small models; otherwise bfloat16 on CUDA cards that have it, and float16.

    Args:
        parameters: how many numbers the weights are.

    Raises:
        ModelError: a dtype that is not floating.

    >>> choose_dtype(torch.device("cpu"), 10**10), choose_dtype(torch.device("mps"), 10**9)
    (torch.float32, torch.float16)
    """
    if dtype is not None:
        if not isinstance(dtype, torch.dtype) or dtype not in (torch.float32, torch.float16, torch.bfloat16):
            raise ModelError(f"Got dtype {dtype!r}, expected torch.float32, torch.bfloat16 or torch.float16.")
        return dtype
    if device.type == "cpu" or parameters * 4 <= SMALL:
        return torch.float32
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float16


def has_accelerate() -> bool:
    """Whether the package is there that offloads, and that reads weights without holding them twice."""
    return find_spec("accelerate") is not None


def place(pipeline: Any, network_part: str, *, device: torch.device, placement: Placement) -> None:
    """Bring an opened pipeline of diffusers onto a device.

    Raises:
        ModelError: offloading without accelerate or without a card, or an autoencoder that knows no tiles or slices.
    """
    vae = getattr(pipeline, "vae", None)
    for name in ("tiling", "slicing"):
        if getattr(placement, name) and vae is not None:
            if not hasattr(vae, f"enable_{name}"):
                raise ModelError(f"Got {name} for a {type(vae).__name__}, which has none; open it without.")
            getattr(vae, f"enable_{name}")()
    if placement.offload is None:
        pipeline.to(device)
    else:
        _offload(pipeline, device, placement.offload)
    if vae is not None and vae.dtype == torch.float16 and getattr(vae.config, "force_upcast", False):
        vae.to(torch.float32)  # its numbers overflow half precision
    place_network(getattr(pipeline, network_part), replace(placement, offload=None))


def place_network(network: Any, placement: Placement) -> None:
    """What is done to the network that denoises, once it is where it stays.

    Raises:
        ModelError: offloading, of a family that is opened part by part.
    """
    if placement.offload:
        raise ModelError(
            f"Got offload {placement.offload!r} for a family that keeps its parts where they are, expected none; "
            "open it in half precision instead."
        )
    if placement.channels_last:
        network.to(memory_format=torch.channels_last)
    if placement.compile:
        network.compile()


def _offload(pipeline: Any, device: torch.device, how: Offload) -> None:
    if device.type == "cpu":
        raise ModelError(f"Got offload {how!r} on the CPU, expected a card to take parts from; leave it out.")
    if not has_accelerate():
        raise ModelError(f"Got offload {how!r} without the package accelerate, which does it; pip install accelerate.")
    if how == "model":
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.enable_sequential_cpu_offload(device=device)
