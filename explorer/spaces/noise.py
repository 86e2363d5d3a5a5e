"""The noise space: where denoising starts, x_T."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..diffusion.loop import noise_for, seeded
from ..geometry import Geometry
from ..models.own_loop import RunsItself
from ..points import Points
from ..tree import Given
from .decoding import DecodingSpace, Options, Render, rendered, seeds_for


class NoiseSpace(DecodingSpace):
    """Independent standard normal latents; decoded by the denoiser under one prompt, the empty one by default."""

    name = "noise"
    geometry = Geometry.GAUSSIAN

    @property
    def shape(self) -> tuple[int, ...]:
        return self.model.denoiser.latent_shape

    def draw(self, *seeds: int) -> Points:
        """The noise of each seed, `(n, *shape)`: the same numbers as `torch.randn` gives that seed's generator."""
        checked = seeds_for(seeds, self.points(noise_for([0], self.shape)))[1]
        origin = tuple(Given(f"noise {seed}") for seed in checked)
        denoiser = self.model.denoiser
        drawn = denoiser.noise(seeded(checked)) if isinstance(denoiser, RunsItself) else noise_for(checked, self.shape)
        return Points(drawn.to(self.model.device), self.info, origin)

    def _render(self, values: Tensor, seeds: Sequence[int], options: Options) -> Render:
        denoiser = self.model.denoiser
        prompts = denoiser.encode_prompts([options["prompt"]]).expand(len(values), *denoiser.prompt_shape)
        return (yield from rendered(self.model, seeds, options, prompts=prompts, noise=values))
