"""Decoding in batches of fixed size, so that a picture can be made again bit for bit, alone.

Matrix kernels round by the shape of a batch, and at its edges by the row. So batches are always full (the last is
filled up with copies), and each picture's record says how large its batch was and in which row it lay: whoever
replays it fills a batch of that size with copies and takes that row.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..diffusion.loop import check_options, denoise, noise_for, seeded
from ..errors import ModelError, SpaceError
from ..models.denoiser import Denoiser
from ..models.model import Model
from ..models.own_loop import RunOptions, RunsItself
from ..points import Points
from ..records.images import Images, picture_of
from .batches import batch_size, filled
from .records import Options, record
from .space import Progress, Space, require_texts, warn_truncated

Render = Generator[Tensor | None, None, Tensor]
"""Yields once a step, for progress, and returns `(b, 3, h, w)` pictures in about [-1, 1]."""


class DecodingSpace(Space):
    """A space whose points become pictures; a subclass says how one full batch is rendered."""

    def decode(
        self,
        points: Points,
        *,
        seed: int | Sequence[int] = 0,
        steps: int | None = None,
        guidance: float | None = None,
        prompt: str = "",
        negative: str = "",
        scheduler: str | None = None,
        preview: bool = False,
        batch: int | None = None,
        progress: Progress | None = None,
    ) -> Images:
        """Points as pictures.

        Args:
            points: `n` of this space.
            seed: of the starting noise; one for all points, or one a point. One point with several seeds gives as
                many pictures.
            steps: denoising steps, the model's own number by default.
            guidance: scale of classifier-free guidance, the model's own by default.
            prompt: a text that guides as well, where the points are no prompt themselves.
            negative: a text that guidance leads away from; the model's own for none by default.
            scheduler: a name of `models.schedulers.CLASSES`, the model's own by default.
            preview: let the model's tiny autoencoder make the pictures: quick, and a little coarse.
            batch: size of the batches, 1 to 256; by default what suits the pictures' size. One that is too large for
                the memory is halved until it fits. Pictures of equal points and seeds are equal to the last bit only
                in batches of equal size.
            progress: wraps the steps as `tqdm` would; it may raise `Cancelled`.

        Raises:
            SpaceError: points of another space or model, points without a direction, a seed that is none.
            ModelError: an option out of range.
        """
        points, seeds = seeds_for(seed, self.owned(points))
        usual_guidance, usual_scheduler = self._usual(points)
        options = self._options(
            steps=self.model.steps if steps is None else steps,
            guidance=usual_guidance if guidance is None else guidance,
            prompt=prompt,
            negative=negative,
            scheduler=usual_scheduler if scheduler is None else scheduler,
            preview=preview,
        )
        return self._decoded(points, seeds, options, batch=batch, progress=progress)

    def _decoded(
        self, points: Points, seeds: Sequence[int], options: Options, *, batch: int | None, progress: Progress | None
    ) -> Images:
        """Points of this space with a seed each, in full batches, and the records of their pictures."""
        if not bool(torch.isfinite(points.values).all()):
            raise SpaceError("Got a point with numbers that are not finite, expected finite ones; check its factors.")
        size = batch_size(len(points), batch, self.model.batch.largest)
        pictures, size = self.model.batch.fitted(
            size, lambda size: self._pictures(_batches(points, seeds, size), options, progress)
        )
        return _recorded(points, pictures, self.model, seeds, options, size)

    def decode_again(
        self, points: Points, *, seeds: Sequence[int], options: Options, size: int, rows: Sequence[int]
    ) -> list[Any]:
        """Pictures just as they were decoded before, from what their records say; each fills a batch of its own.

        Raises:
            SpaceError, ModelError: a record that asks for what cannot be.
        """
        points, seeds = seeds_for(seeds, self.owned(points))
        options = self._options(**options)
        size = batch_size(len(points), size)
        if not all(0 <= row < size for row in rows):
            raise ModelError(f"Got rows {list(rows)} of batches of {size}, expected rows inside them; mend the record.")
        batches = [
            Batch(point.values.expand(size, *self.shape), [seed] * size, range(row, row + 1))
            for point, seed, row in zip(points, seeds, rows, strict=True)
        ]
        return self._pictures(batches, options, None)

    def _usual(self, points: Points) -> tuple[float, str | None]:
        """Guidance and scheduler that these points are decoded with unless others are asked for."""
        del points
        return self.model.guidance, None

    @abstractmethod
    def _render(self, values: Tensor, seeds: Sequence[int], options: Options) -> Render:
        """The pictures of one full batch of values `(b, *shape)`."""

    def _options(
        self,
        *,
        steps: int | None = None,
        guidance: float | None = None,
        prompt: str | None = None,
        negative: str | None = None,
        scheduler: str | None = None,
        preview: bool = False,
    ) -> dict[str, Any]:
        """The options that matter to this space, checked."""
        steps = self.model.steps if steps is None else steps
        guidance = self.model.guidance if guidance is None else guidance
        check_options(steps=steps, guidance=guidance)
        if scheduler is not None:
            self.model.denoiser.scheduler(scheduler)
        prompt, negative = require_texts([prompt or "", negative or ""])
        self._warn_cut([text for text in (prompt, negative) if text])
        return {
            "steps": steps,
            "guidance": float(guidance),
            "prompt": prompt,
            "negative": negative,
            "scheduler": scheduler,
            **self._preview(preview),
        }

    def _warn_cut(self, texts: list[str]) -> None:
        """Say where the end of a text that guides is left out."""
        warn_truncated(texts, self.model.denoiser.truncated(texts))

    def _preview(self, wanted: bool) -> dict[str, bool]:
        if wanted and self.model.preview is None:
            raise ModelError(
                f"Got preview=True and model {self.model.name!r} without a preview, expected one that was opened with "
                "a tiny autoencoder (name+preview:madebyollin/taesd); open it so, or leave preview out."
            )
        return {"preview": True} if wanted else {}

    def _seen(self, latents: Tensor, options: Options) -> Tensor:
        """Pictures of finished latents."""
        tiny = self.model.preview if options.get("preview") else None
        return (tiny or self.model.autoencoder).decode(latents)

    def _rendered(
        self,
        seeds: Sequence[int],
        options: Options,
        *,
        prompts: Tensor,
        noise: Tensor | None = None,
        draw: bool = False,
    ) -> Render:
        """Pictures of a batch of encoded prompts: by our loop, or by the model's own where it runs itself."""
        denoiser = self.model.denoiser
        if isinstance(denoiser, RunsItself):
            generators = seeded(seeds)
            if draw and noise is not None:
                denoiser.noise(generators)
            asked = RunOptions(options["steps"], options["guidance"], options.get("negative", ""), options["scheduler"])
            return (yield from denoiser.run(prompts, noise, generators, asked))
        latents = yield from denoised(denoiser, seeds, options, prompts=prompts, noise=noise, draw=draw)
        return self._seen(latents, options)

    def _pictures(self, batches: Sequence[Batch], options: Options, progress: Progress | None) -> list[Any]:
        pictures: list[Any] = []

        def work() -> Render:
            for batch in batches:
                with batch.around():
                    pixels = yield from self._render(batch.values, batch.seeds, options)
                pictures.extend(picture_of(pixels[row]) for row in batch.rows)
            return torch.empty(0)

        ticks = work()
        try:
            total = len(batches) * int(options.get("steps", 1))
            for _ in ticks if progress is None else progress(ticks, total=total, desc="decoding"):
                pass
        finally:
            ticks.close()
        return pictures


@dataclass(frozen=True)
class Batch:
    """A full batch, the rows of it that are wanted, and what is to be in place while it is rendered."""

    values: Tensor
    seeds: Sequence[int]
    rows: range
    around: Callable[[], AbstractContextManager[None]] = nullcontext


def denoised(
    denoiser: Denoiser,
    seeds: Sequence[int],
    options: Options,
    *,
    prompts: Tensor | None = None,
    joint: Tensor | None = None,
    noise: Tensor | None = None,
    draw: bool = False,
) -> Generator[None, None, Tensor]:
    """Final latents of a batch, yielding once a step; the starting noise is drawn from the seeds if it is not given.

    With `draw` it is drawn even then, for what a sampler draws as it goes to be the same as from the seeds alone.
    """
    generators = seeded(seeds)
    conditioning = denoiser.conditioning(generators, prompts=prompts, joint=joint, negative=options.get("negative", ""))
    drawn = noise_for(generators, denoiser.latent_shape) if draw or noise is None else noise
    latents = drawn if noise is None else noise
    steps = denoise(
        denoiser,
        conditioning,
        latents,
        steps=options["steps"],
        guidance=options["guidance"],
        scheduler=denoiser.scheduler(options["scheduler"]),
        generators=generators,
    )
    for step in steps:
        latents = step.x_next
        yield
    return latents


def seeds_for(seed: int | Sequence[int], points: Points) -> tuple[Points, list[int]]:
    """One seed a point: one seed serves all points, and one point serves all seeds.

    Raises:
        SpaceError: numbers that do not match, or seeds that are none.
    """
    several = isinstance(seed, Sequence) and not isinstance(seed, str)
    seeds: list[Any] = [*seed] if isinstance(seed, Sequence) and several else [seed]
    for each in seeds:
        if isinstance(each, bool) or not isinstance(each, int | np.integer) or not 0 <= each < 2**63:
            raise SpaceError(f"Got seed {each!r}, expected a whole number from 0 to 2**63 - 1; choose one.")
    if not several:
        return points, [int(seeds[0])] * len(points)
    if len(points) == 1:
        return points[[0] * len(seeds)], [int(each) for each in seeds]
    if len(seeds) != len(points):
        raise SpaceError(f"Got {len(seeds)} seeds for {len(points)} points, expected one each, or one; match them.")
    return points, [int(each) for each in seeds]


def _recorded(
    points: Points, pictures: Sequence[Any], model: Model, seeds: Sequence[int], options: Options, size: int
) -> Images:
    provenances = [
        record(
            "decode",
            points[index],
            model,
            {"seed": seeds[index], **options},
            [picture],
            batch={"size": size, "row": index % size},
        )
        for index, picture in enumerate(pictures)
    ]
    return Images(tuple(pictures), tuple(provenances))


def _batches(points: Points, seeds: Sequence[int], size: int) -> list[Batch]:
    whole = [(start, points[start : start + size]) for start in range(0, len(points), size)]
    return [
        Batch(filled(some.values, size), _filled_seeds(seeds[start : start + size], size), range(len(some)))
        for start, some in whole
    ]


def _filled_seeds(seeds: Sequence[int], size: int) -> list[int]:
    return [*seeds, *[seeds[-1]] * (size - len(seeds))]
