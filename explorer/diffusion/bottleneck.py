"""The UNet's bottleneck h, the output of its middle block: read it, or move it by an offset Δh.

Kwon, Jeong & Uh, "Diffusion models already have a semantic latent space", ICLR 2023 (arXiv 2210.10960). Their
asymmetric reverse process moves h for the predicted picture only and keeps the direction to x_t unchanged:

    x_{t-1} = α_{t-1}·P_t(ε(x_t | h + Δh)) + D_t(ε(x_t | h))        (their equation 6)

If h moves in both, the two changes nearly cancel (their theorem 1), and the picture hardly changes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from ..errors import ModelError
from ..models.generator import Conditioning, Denoiser, Generator
from .loop import Hook, Step, guided
from .schedule import alpha_sigma_after, x0_from

FIRST_ORDER = {"ddim": "DDIMScheduler", "euler": "EulerDiscreteScheduler"}
"""Samplers whose step is α·x̂0 plus σ·ε̂ of one prediction, so that x̂0 alone can be moved."""


def has_bottleneck(generator: Generator) -> bool:
    """Whether its network is a UNet with a middle block."""
    return generator.unet is not None and generator.unet.mid_block is not None


def require_bottleneck(denoiser: Denoiser) -> Any:
    """The UNet of a denoiser, validated to have a middle block.

    Raises:
        ModelError: a transformer, or a UNet without a middle block.
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
    """Collect h of every call of the network within the block: `(rows, c, h, w)` each, in the network's dtype.

    With many steps, `pop` each one after its call, since those of a large model are large.
    """
    seen: list[Tensor] = []
    owner = threading.get_ident()

    def keep(module: Any, inputs: Any, output: Tensor) -> None:
        if threading.get_ident() == owner:
            seen.append(output.detach().clone())

    handle = unet.mid_block.register_forward_hook(keep)
    compiled = unet._compiled_call_impl  # a compiled network does not run hooks that were added later
    unet._compiled_call_impl = None
    try:
        yield seen
    finally:
        unet._compiled_call_impl = compiled
        handle.remove()


@contextmanager
def nudged(unet: Any, delta: Tensor) -> Iterator[None]:
    """Add Δh to h in every call of the network within the block, from this thread.

    Args:
        delta: `(n, c, h, w)`; in a batch of `2n` (negative rows, then positive rows) both halves are moved alike.

    Raises:
        ModelError: during the call, if the shapes of h and Δh differ.
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
    """Check that the asymmetric step is exact for a sampler, and return it.

    Raises:
        ModelError: a sampler of higher order, one that adds noise, or one with dynamic thresholds.
    """
    if type(sampler).__name__ not in FIRST_ORDER.values():
        raise ModelError(
            f"Got a {type(sampler).__name__} for a bottleneck offset, expected a deterministic first-order "
            f"sampler: one of {', '.join(map(repr, FIRST_ORDER))}.",
            code="scheduler",
        )
    if sampler.config.get("thresholding"):
        raise ModelError(
            f"Got a {type(sampler).__name__} with dynamic thresholds, expected one without; choose another model.",
            code="thresholding",
        )
    return sampler


def alpha_after(sampler: Any, t: Tensor) -> Tensor:
    """α after the step of a `FIRST_ORDER` sampler from timestep `t`: the factor of x̂0 in that step."""
    return alpha_sigma_after(sampler, t)[0]


class AsymmetricStep(Hook):
    """Asyrp's reverse step as a `Hook` of `denoise`, for one batch: `edit` measures the change, `after` adds it.

    The shifted prediction is computed in `edit`, since a sampler scales its input by its state before the step.
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
        """Prepare a step that adds Δh.

        Args:
            delta: `(n, c, h, w)`, one per row of the conditioning.
            sampler: the same scheduler object that `denoise` gets.
            steps: in how many steps, from the first, Δh is added.

        Raises:
            ModelError: no bottleneck, or a sampler that is not of first order.
        """
        self.unet = require_bottleneck(denoiser)
        self.sampler = require_first_order(sampler)
        self.delta, self.steps = delta, steps
        self._predict = guided(denoiser, conditioning, guidance)
        self._change: Tensor | None = None

    def edit(self, index: int, x_t: Tensor, prediction: Tensor) -> Tensor:
        """Measure how far Δh moves x̂0, and return the prediction unchanged, since D_t uses it."""
        self._change = None
        if index < self.steps:
            t = self.sampler.timesteps[index]
            with nudged(self.unet, self.delta):
                shifted = self._predict(self.sampler, x_t, t)
            x0, moved = (self._limited(x0_from(each, x_t, t, self.sampler)) for each in (prediction, shifted))
            self._change = moved - x0
        return prediction

    def after(self, step: Step) -> Tensor:
        """x_{t-1} with the moved x̂0."""
        if self._change is None:
            return step.x_next
        return step.x_next + alpha_after(self.sampler, step.t).to(step.x_next) * self._change

    def _limited(self, x0: Tensor) -> Tensor:
        # As DDIM clips x̂0, so that exactly its part of the step is replaced.
        config = self.sampler.config
        return x0.clamp(-config.clip_sample_range, config.clip_sample_range) if _clips(self.sampler) else x0


def _clips(sampler: Any) -> bool:
    return type(sampler).__name__ == FIRST_ORDER["ddim"] and bool(sampler.config.clip_sample)
