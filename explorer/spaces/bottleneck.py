"""The bottleneck space, "h-space": offsets Δh of the output of the UNet's middle block.

Kwon, Jeong & Uh, ICLR 2023 (arXiv 2210.10960), find that one Δh changes every picture in about the same way, at every
step: directions add up, scale and transfer from one noise to another. Here a point is such an offset, the same at all
steps, so the origin changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..checks import whole
from ..diffusion.bottleneck import reading, require_bottleneck, require_first_order
from ..diffusion.loop import check_options, denoise, guided, noise_for, seeded
from ..diffusion.schedule import alpha_sigma
from ..errors import ModelError, SpaceError
from ..geometry.interpolation import Geometry
from ..language.nodes import Given, Node, Text
from ..models.generator import Guide
from ..models.model import Model
from ..options import MAX_SEED, Decoding, Settled
from ..points import Points
from .inputs import opened, require_texts
from .rendering import COMMON, DecodingSpace

SEEDS = 4
"""Noises that an encoding is averaged over: h of one noise depends on its layout as much as on the text."""

MAX_SEEDS = 1024


class BottleneckSpace(DecodingSpace):
    """Offsets Δh `(c, h, w)`; decoded from the seed's noise under a prompt, with Δh only in the predicted x̂0.

    A direction is a difference: of two texts, or of the means of pictures with something and of pictures without.
    """

    name = "bottleneck"
    geometry = Geometry.EUCLIDEAN
    encodes = frozenset({"image", "text"})
    takes = COMMON | {"until"}

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        require_bottleneck(model.denoiser)
        self._baselines: dict[tuple[Any, ...], Tensor] = {}

    @cached_property
    def shape(self) -> tuple[int, ...]:
        latents = torch.zeros(1, *self.model.denoiser.latent_shape)
        return tuple(self._h_of_latents(latents, [0], 1).shape)

    def text(self, *texts: str, seed: int = 0, n_seeds: int = SEEDS, steps: int | None = None) -> Points:
        """The change of h by each text, `(n, c, h, w)`: h under the prompt minus h under the empty one.

        Both are means over the steps of a full denoising and over the noises of `n_seeds` seeds from `seed` on, at the
        model's own guidance; h is that of the conditional side.

        Raises:
            SpaceError: an invalid text or seed.
            ModelError: steps or a number of seeds out of range.
        """
        given = require_texts(texts)
        self.warn_cut(given)
        seeds, steps = self._checked(seed, n_seeds, steps)
        usual = (seed, n_seeds, steps) == (0, SEEDS, self.model.steps)
        empty = self._baseline("text", seeds, steps, lambda: self._h_of_prompt("", seeds, steps))
        rows = [self._h_of_prompt(text, seeds, steps) - empty for text in given]
        # A source text is encoded with the default options, so only they may label a point by it.
        nodes = [Text(text) if usual else Given(_label(f"{text!r}", seeds, steps)) for text in given]
        return self._as_points(rows, nodes)

    def image(self, *images: Any, seed: int = 0, n_seeds: int = SEEDS, steps: int | None = None) -> Points:
        """The offset of each picture, `(n, c, h, w)`: h of the picture minus the mean h of unprompted pictures.

        h of a picture is the mean over the `steps` noise levels of the sampler, with its latents noised by `n_seeds`
        seeds from `seed` on, the same for every picture. The baseline is the same mean for the pictures that the empty
        prompt gives from these seeds: it puts the model's average picture at the origin, and cancels in every
        difference.

        Raises:
            PictureError: a file that cannot be read as a picture.
            SpaceError: an invalid seed.
            ModelError: steps or a number of seeds out of range.
        """
        pictures, nodes = opened(images)
        seeds, steps = self._checked(seed, n_seeds, steps)
        usual = self._baseline("image", seeds, steps, lambda: self._h_of_own_pictures(seeds, steps))
        encode = self.model.autoencoder.encode
        rows = [self._h_of_latents(encode([picture]), seeds, steps) - usual for picture in pictures]
        return self._as_points(rows, nodes)

    def usual(self, points: Points) -> tuple[float, str | None]:
        return self.model.guidance, "ddim"

    def settled(self, points: Points, how: Decoding) -> Settled:
        """The options, by default with the offset in all steps; see `DecodingSpace.settled`.

        Raises:
            ModelError: a sampler that is not of first order.
        """
        settled = super().settled(points, how)
        require_first_order(self.model.denoiser.scheduler(settled.scheduler))
        return replace(settled, until=1.0 if settled.until is None else settled.until)

    def guide(self, values: Tensor, how: Settled) -> Guide:
        return Guide(shift=values)

    def _h_of_prompt(self, prompt: str, seeds: Sequence[int], steps: int) -> Tensor:
        """Mean h `(c, h, w)` along the denoising of a prompt."""
        return torch.stack([h for some in _fours(seeds) for h in self._denoised(prompt, some, steps)[0]]).mean(0)

    def _denoised(self, prompt: str, seeds: Sequence[int], steps: int) -> tuple[Tensor, Tensor]:
        """Denoise a batch: the mean h of the conditional side, `(n, c, h, w)`, and the finished latents."""
        denoiser, generators = self.model.denoiser, seeded(seeds)
        prompts = denoiser.encode_prompts([prompt]).expand(len(seeds), *denoiser.prompt_shape)
        conditioning = denoiser.conditioning(generators, prompts=prompts)
        latents, total = noise_for(generators, denoiser.latent_shape), torch.zeros(())
        guidance = self.model.guidance or 1.0  # at 0 the conditional side is never evaluated
        with reading(denoiser.unet) as seen:
            for step in denoise(
                denoiser, conditioning, latents, steps=steps, guidance=guidance, scheduler=denoiser.scheduler("ddim")
            ):
                latents = step.x_next
                total = total.to(latents.device) + seen.pop()[-len(seeds) :].float()
        return total / steps, latents

    def _h_of_latents(self, latents: Tensor, seeds: Sequence[int], steps: int) -> Tensor:
        """Mean h `(c, h, w)` of one picture's latents `(1, ...)`, noised at each level by each seed's noise."""
        return torch.stack([h for some in _fours(seeds) for h in self._noised(latents, some, steps)]).mean(0)

    @torch.inference_mode()
    def _noised(self, latents: Tensor, seeds: Sequence[int], steps: int) -> Tensor:
        denoiser, generators = self.model.denoiser, seeded(seeds)
        predict = guided(denoiser, denoiser.conditioning(generators), 1.0)
        noise = noise_for(generators, denoiser.latent_shape).to(denoiser.device)
        sampler = denoiser.scheduler("ddim")
        denoiser.set_timesteps(sampler, steps)
        total = torch.zeros((), device=denoiser.device)
        with reading(denoiser.unet) as seen:
            for t in sampler.timesteps:
                alpha, sigma = (each.to(noise) for each in alpha_sigma(sampler, t))
                predict(sampler, alpha * latents.to(noise) + sigma * noise, t)
                total = total + seen.pop().float()
        return total / steps

    def _h_of_own_pictures(self, seeds: Sequence[int], steps: int) -> Tensor:
        made = [row[None] for some in _fours(seeds) for row in self._denoised("", some, steps)[1]]
        return torch.stack([self._h_of_latents(latents, seeds, steps) for latents in made]).mean(0)

    def _baseline(self, kind: str, seeds: Sequence[int], steps: int, make: Callable[[], Tensor]) -> Tensor:
        key = (kind, *seeds, steps)
        if key not in self._baselines:
            self._baselines[key] = make()
        return self._baselines[key]

    def _checked(self, seed: int, n_seeds: int, steps: int | None) -> tuple[list[int], int]:
        steps = self.model.steps if steps is None else steps
        check_options(steps=steps, guidance=self.model.guidance)
        whole("n_seeds", n_seeds, 1, MAX_SEEDS, error=ModelError, hint="4 is usual")
        whole("seed", seed, 0, MAX_SEED - n_seeds, error=SpaceError)
        return list(range(seed, seed + n_seeds)), steps

    def _as_points(self, rows: Sequence[Tensor], nodes: Sequence[Node]) -> Points:
        values = torch.stack(list(rows)) if rows else torch.empty(0, *self.shape, device=self.model.device)
        return Points(values, self.info, tuple(nodes))


def _fours(seeds: Sequence[int]) -> Iterator[Sequence[int]]:
    """Seeds in batches of fixed size, so that an encoding depends only on its own options."""
    return (seeds[start : start + SEEDS] for start in range(0, len(seeds), SEEDS))


def _label(what: str, seeds: Sequence[int], steps: int) -> str:
    return f"{what} under seeds {seeds[0]} to {seeds[-1]}, {steps} steps"
