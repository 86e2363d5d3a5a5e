"""The contract of a model that runs its own denoising loop, where ours cannot stand in for it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from .autoencoder import Autoencoder

Run = Generator[Any, None, Tensor]
"""Yields the latents after each step and returns pictures `(n, 3, h, w)` in [-1, 1]; closing it stops the loop."""


@dataclass(frozen=True)
class RunOptions:
    """What a run depends on besides its points and its seeds.

    Attributes:
        steps: denoising steps.
        guidance: scale of the model's own guidance.
        negative: what guidance leads away from; the model's own usage where empty.
        scheduler: a name of `schedulers.CLASSES`; the model's own where None.
    """

    steps: int
    guidance: float
    negative: str = ""
    scheduler: str | None = None


@runtime_checkable
class RunsItself(Protocol):
    """A `Denoiser` that is asked for whole pictures, since it has no `predict`."""

    def noise(self, generators: Sequence[torch.Generator]) -> Tensor:
        """What the model itself would start from, `(n, *latent_shape)`, each row from its own generator."""
        ...

    def run(
        self, prompts: Tensor, noise: Tensor | None, generators: Sequence[torch.Generator], options: RunOptions
    ) -> Run:
        """Pictures of encoded prompts; the noise is drawn from the generators where it is not given."""
        ...

    def autoencoder(self) -> Autoencoder | None:
        """Its autoencoder for pictures of its size, where it can be used by itself."""
        ...

    def lacks(self, ability: str) -> str:
        """Why it has not the ability of that name, in one line; empty where it has it."""
        ...
