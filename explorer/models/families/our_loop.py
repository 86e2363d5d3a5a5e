"""What a family gains by our own denoising loop: pictures of a guide, and the noise that they start from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from torch import Tensor

from ...diffusion.loop import noise_for, seeded
from ...diffusion.sampling import sampled
from ...errors import ModelError
from ...options import Settled
from ..generator import Guide, Run, See


class OurLoop:
    """The half of a `Denoiser` that follows from the other: from `conditioning` and `predict`."""

    @property
    def denoiser(self: Any) -> Any:
        return self

    @property
    def adapter_scale(self) -> float | None:
        return None

    def scaled(self, scale: float) -> Self:
        raise ModelError(f"Got adapter scale {scale} for a model without an IP-Adapter, expected none; leave it out.")

    def draw(self: Any, seeds: Sequence[int]) -> Tensor:
        return noise_for(seeds, self.latent_shape)

    def start(self: Any, seeds: Sequence[int]) -> Tensor:
        generators = seeded(seeds)
        if generators:
            self.conditioning(generators)  # for what it draws
        return noise_for(generators, self.latent_shape)

    def run(self: Any, guide: Guide, seeds: Sequence[int], how: Settled, see: See) -> Run:
        latents = yield from sampled(self, guide, seeds, how)
        return see(latents)

    def lacks(self, ability: str) -> str:
        del ability
        return ""
