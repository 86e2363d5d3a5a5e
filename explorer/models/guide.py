"""What a generator is given for a batch of pictures, and what a network is given of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from torch import Tensor

from ..errors import ModelError
from .shared_rows import stacked

Inputs = Mapping[str, Tensor]
"""Named tensors with a row for each picture; only the family knows the names."""


@dataclass(frozen=True)
class Guide:
    """What a generator is given for `n` pictures; None is the prompt of the options, no vector, the seed's noise.

    Attributes:
        prompts: `(n, *prompt_shape)` encoded prompts.
        joint: `(n, joint_dim)` un-normalised joint vectors.
        noise: `(n, *latent_shape)` standard normal, where denoising starts.
        shift: `(n, c, h, w)` offsets of what the UNet's middle block puts out.
        latents: `(n, *latent_shape)` finished ones, of which only the autoencoder makes pictures.
    """

    prompts: Tensor | None = None
    joint: Tensor | None = None
    noise: Tensor | None = None
    shift: Tensor | None = None
    latents: Tensor | None = None

    def __or__(self, other: Guide) -> Guide:
        """The union of two guides of as many pictures.

        Raises:
            ModelError: both have the same part.
        """
        ours, theirs = self.parts, other.parts
        if twice := ours.keys() & theirs.keys():
            raise ModelError(f"Got two guides with {', '.join(sorted(twice))}, expected different parts.", code="guide")
        return Guide(**ours, **theirs)

    @property
    def parts(self) -> dict[str, Tensor]:
        """What there is, by name."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in found.items() if value is not None}

    def __len__(self) -> int:
        return len(next(iter(self.parts.values()), ()))


@dataclass(frozen=True)
class Conditioning:
    """What guides a batch of `n` pictures, with classifier-free guidance's two sides.

    Attributes:
        positive: named tensors `(n, ...)`: what the pictures should be.
        negative: the same names and shapes: what guidance leads away from.
    """

    positive: Inputs
    negative: Inputs

    def __len__(self) -> int:
        return len(next(iter(self.positive.values())))

    @property
    def both(self) -> Inputs:
        """Negative rows, then positive rows, as diffusers stacks them: `(2n, ...)`."""
        return {name: stacked(self.negative[name], value) for name, value in self.positive.items()}
