"""The UNet's bottleneck, h: what its middle block puts out, read as it goes by, or moved by an offset Δh.

Kwon, Jeong & Uh, "Diffusion models already have a semantic latent space", ICLR 2023 (arXiv 2210.10960). Their
asymmetric reverse process moves h for the predicted picture alone and keeps the direction to x_t as it was:

    x_{t-1} = α_{t-1}·P_t(ε(x_t | h + Δh)) + D_t(ε(x_t | h))        (their equation 6)

Moved in both, the two changes nearly cancel (their theorem 1), and the picture would stay as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from ..errors import ModelError
from ..models.generator import Conditioning, Denoiser, Generator
from .loop import Step, guided
from .schedule import alpha_sigma_after, x0_from

FIRST_ORDER = {"ddim": "DDIMScheduler", "euler": "EulerDiscreteScheduler"}
"""Samplers whose step is α·x̂0 plus σ·ε̂ of the one prediction, so that x̂0 alone can be moved."""


def has_bottleneck(generator: Generator) -> bool:
    """Whether its network is a UNet with a middle block."""
    return generator.unet is not None and generator.unet.mid_block is not None


def require_bottleneck(denoiser: Denoiser) -> Any:
    """The UNet of a denoiser, once it is sure that it has a middle block.

    Raises:
        ModelError: a transformer, or a UNet without a middle.
    """
    if not has_bottleneck(denoiser):
        raise ModelError(
            f"Got a {type(denoiser).__name__}, whose network has no middle block, expected a UNet with one; "
            "open a Stable Diffusion 1 or 2, an SDXL or a StableUnCLIP.",
            code="no bottleneck",
        )
    return denoiser.unet


@contextmanager
def reading(unet: Any) -> Iterator[list[Tensor]]:
    """Collects h of every call of the network within the block: `(rows, c, h, w)` each, in the network's dtype.

    Take them out as they come (`pop`) where there are many steps; those of a large model are large.
    """
    seen: list[Tensor] = []
    owner = threading.get_ident()

    def keep(module: Any, inputs: Any, output: Tensor) -> None:
        if threading.get_ident() == owner:
            seen.append(output.detach().clone())

    handle = unet.mid_block.register_forward_hook(keep)
    compiled = unet._compiled_call_impl  # what was compiled before does not see a hook that came after
    unet._compiled_call_impl = None
    try:
        yield seen
    finally:
        unet._compiled_call_impl = compiled
        handle.remove()


@contextmanager
def nudged(unet: Any, delta: Tensor) -> Iterator[None]:
    """Adds Δh to h in every call of the network within the block, from this thread.

    Args:
        delta: `(n, c, h, w)`; of a batch of `2n` (negative rows, then positive rows) both halves are moved alike.

    Raises:
        ModelError: in the call, if h is not of Δh's shape.
    """
    owner = threading.get_ident()

    def add(module: Any, inputs: Any, output: Tensor) -> Tensor:
        if threading.get_ident() != owner:
            return output
        times, rest = divmod(len(output), len(delta))
        if rest or output.shape[1:] != delta.shape[1:]:
            raise ModelError(
                f"Got Δh of shape {tuple(delta.shape)} for a bottleneck of {tuple(output.shape)}, expected one per "
                "row, or one per two rows under guidance; encode it with this model.",
                code="shift",
            )
        return output + delta.to(output).repeat(times, 1, 1, 1)

    handle = unet.mid_block.register_forward_hook(add)
    try:
        yield
    finally:
        handle.remove()


def require_first_order(sampler: Any) -> Any:
    """The same sampler, once it is sure that the asymmetric step is exact for it.

    Raises:
        ModelError: one of higher order, with noise of its own, or with dynamic thresholds.
    """
    if type(sampler).__name__ not in FIRST_ORDER.values():
        raise ModelError(
            f"Got a {type(sampler).__name__} for a bottleneck offset, expected a deterministic first-order "
            f"sampler: one of {', '.join(map(repr, FIRST_ORDER))}.",
            code="scheduler",
        )
    if getattr(sampler.config, "thresholding", False):
        raise ModelError(
            f"Got a {type(sampler).__name__} with dynamic thresholds, expected one without; choose another model.",
            code="thresholding",
        )
    return sampler


def alpha_after(sampler: Any, t: Tensor) -> Tensor:
    """α of the state that a step of a `FIRST_ORDER` sampler from timestep `t` leads to: what it multiplies x̂0 by."""
    return alpha_sigma_after(sampler, t)[0]


class AsymmetricStep:
    """Asyrp's reverse step as the two hooks of `denoise`, for one batch: `edit` looks, `after` moves.

    The shifted prediction is asked for in `edit`, since a sampler scales its input by where it stands before its step.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        conditioning: Conditioning,
        delta: Tensor,
        *,
        sampler: Any,
        guidance: float,
        steps: int,
    ) -> None:
        """A step that adds Δh.

        Args:
            delta: `(n, c, h, w)`, one a row of the conditioning.
            sampler: the very scheduler that `denoise` is given.
            steps: how many steps, from the first, are moved.

        Raises:
            ModelError: no bottleneck, or a sampler that is not of first order.
        """
        self.unet = require_bottleneck(denoiser)
        self.sampler = require_first_order(sampler)
        self.delta, self.steps = delta, steps
        self._predict = guided(denoiser, conditioning, guidance)
        self._change: Tensor | None = None

    def edit(self, index: int, x_t: Tensor, prediction: Tensor) -> Tensor:
        """Notes how far Δh moves x̂0, and gives the prediction back as it came: D_t is of that."""
        self._change = None
        if index < self.steps:
            t = self.sampler.timesteps[index]
            with nudged(self.unet, self.delta):
                shifted = self._predict(self.sampler, x_t, t)
            x0, there = (self._limited(x0_from(each, x_t, t, self.sampler)) for each in (prediction, shifted))
            self._change = there - x0
        return prediction

    def after(self, step: Step) -> Tensor:
        """x_{t-1} with the moved x̂0 in it."""
        if self._change is None:
            return step.x_next
        return step.x_next + alpha_after(self.sampler, step.t).to(step.x_next) * self._change

    def _limited(self, x0: Tensor) -> Tensor:
        # As DDIM does, so that only what it would have put into the step is replaced.
        config = self.sampler.config
        return x0.clamp(-config.clip_sample_range, config.clip_sample_range) if _clips(self.sampler) else x0


def _clips(sampler: Any) -> bool:
    return type(sampler).__name__ == FIRST_ORDER["ddim"] and bool(sampler.config.clip_sample)
