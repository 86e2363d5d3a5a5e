"""The one renderer: from points and options to pictures, in batches of fixed size, with their records.

Each space turns points into a guide for the generator; everything else is here, for every space.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import fields
from typing import Any, Unpack

import torch
from torch import Tensor

from ..errors import ModelError, SpaceError
from ..models.generator import Guide
from ..models.model import Model
from ..options import Decoding, Keywords, Settled
from ..points import Points
from ..progress import Progress, run
from ..records.images import Images, picture_of, unit_pixels
from .batches import Batch, batch_size, full_batches, seeds_for
from .inputs import require_texts, warn_truncated
from .records import record
from .space import Space

COMMON = frozenset(("steps", "guidance", "prompt", "negative", "scheduler", "preview"))
"""Options of every space whose points are denoised."""

_ELSEWHERE = {
    "few_steps": "no few-step weights decode; leave it out, or decode prompt, joint or noise points of a model with "
    "them",
    "prompt": "are prompts or hold one; leave it out",
    "adapter_scale": "no IP-Adapter reads; leave it out, or decode joint points of a model with one (sd15+ip:...)",
    "variety": "no prior draws; leave it out, or decode sentences of a model with one",
    "until": "are no offsets of the bottleneck; leave it out, or decode points of the space 'bottleneck'",
}
"""Options that only some spaces take, with the reason for the points of the others."""


def few_step_option(model: Model) -> frozenset[str]:
    """The option `few_steps` where a model has such weights; nothing where it has not."""
    generator = model.opened_generator
    return frozenset() if generator is None or generator.few_steps is None else frozenset({"few_steps"})


OnBatch = Callable[[range, Sequence[Any]], None]
"""Called with the rows of a batch and their pictures (PIL) as soon as they are decoded. If a batch does not fit in
memory, decoding restarts at the first row with half the size."""


class DecodingSpace(Space):
    """A space whose points become pictures.

    Attributes:
        takes: the options that have an effect, which records keep.
        ignores: options that are allowed and have no effect.
        attends: whether its points guide a network from one noise, so that the frames of a walk can attend to the
            stops on their two sides; see `between`.
    """

    takes: frozenset[str] = COMMON
    ignores: frozenset[str] = frozenset()
    attends: bool = False

    @property
    def decodes(self) -> bool:
        """Whether a part of the model decodes its points."""
        return True

    @abstractmethod
    def guide(self, values: Tensor, how: Settled) -> Guide:
        """The guide of the generator for a batch of values `(b, *shape)`."""

    def usual(self, points: Points) -> tuple[float, str | None]:
        """Default guidance and scheduler for these points."""
        del points
        return self.model.guidance, None

    def decode(
        self,
        points: Points,
        *,
        progress: Progress | None = None,
        on_batch: OnBatch | None = None,
        **how: Unpack[Keywords],
    ) -> Images:
        """Decode points into pictures.

        Args:
            points: `n` of this space.
            progress: wraps the steps as `tqdm` does; it may raise `Cancelled`.
            on_batch: called with the pictures of each batch as soon as they are decoded.
            how: the options, see `options.Decoding`.

        Raises:
            SpaceError: points of another space or model, points without a direction, a wrong seed.
            ModelError: an option out of range, or one that these points do not take.
        """
        return self.render(points, Decoding(**how), progress=progress, on_batch=on_batch)

    def render(
        self, points: Points, how: Decoding, *, progress: Progress | None = None, on_batch: OnBatch | None = None
    ) -> Images:
        """Decode points with the options in one value; see `decode`."""
        points, seeds = seeds_for(how, self.owned(points))
        points, how = self.varied(points, seeds, how)
        settled = self.settled(points, how)
        size = batch_size(len(points), how.batch, self.model.batch.largest)
        pixels, size = self.model.batch.fitted(
            size, lambda size: self.pixels(full_batches(points, seeds, size), settled, progress, on_batch)
        )
        rows = [{"size": size, "row": index % size} for index in range(len(points))]
        return self.recorded(points, pixels, seeds, settled, rows)

    def varied(self, points: Points, seeds: Sequence[int], how: Decoding) -> tuple[Points, Decoding]:
        """The points that are decoded for these, and the options without `variety` where it was followed."""
        return points, how

    def of_sentences(self, points: Points, how: Decoding) -> Decoding:
        """The options for points that somebody wrote as sentences: who asks for a picture of one wants one of many.

        Points that were calculated, or given as points, are decoded as they are.
        """
        return how

    def render_again(self, points: Points, how: Decoding, *, size: int, rows: Sequence[int]) -> list[Any]:
        """Decode pictures again, to the same bits, with the batch size and the rows of their records.

        Each picture fills a batch with copies of itself.

        Raises:
            SpaceError, ModelError: a record with values out of range.
        """
        points, seeds = seeds_for(how, self.owned(points))
        settled = self.settled(points, how)
        size = batch_size(len(points), size)
        if not all(0 <= row < size for row in rows):
            raise ModelError(
                f"Got rows {list(rows)} of batches of {size}, expected rows inside them; the record is damaged, use "
                "the original file.",
                code="record",
            )
        batches = [
            Batch(point.values.expand(size, *self.shape), [seed] * size, range(row, row + 1))
            for point, seed, row in zip(points, seeds, rows, strict=True)
        ]
        return [picture_of(each) for each in self.pixels(batches, settled)]

    def settled(self, points: Points, how: Decoding) -> Settled:
        """The options with the model's own choices filled in, validated for these points and the model.

        Raises:
            SpaceError, ModelError: an option that these points or the model cannot take.
        """
        self._refuse_others(how)
        if not bool(torch.isfinite(points.values).all()):
            raise SpaceError(
                "Got a point with values that are not finite, expected finite ones; check the factors of its "
                "expression.",
                code="not finite",
            )
        if how.preview and self.model.preview is None:
            raise ModelError(
                f"Got preview=True and model {self.model.name!r} without a preview, expected one opened with a tiny "
                "autoencoder (name+preview:madebyollin/taesd); open it so, or leave preview out.",
                code="preview",
            )
        asked = {each.name: getattr(how, each.name) for each in fields(Decoding)}
        if "steps" not in self.takes:
            return Settled(**asked | {"steps": 1, "guidance": 1.0})
        steps, guidance, scheduler = self._choices(points, how)
        scheduler = scheduler if how.scheduler is None else how.scheduler
        if scheduler is not None:
            self.model.generator.scheduler(scheduler)
        scale = how.adapter_scale
        if scale is None and "adapter_scale" in self.takes:
            scale = self.model.generator.adapter_scale
        prompts = require_texts([how.prompt or "", how.negative or ""])
        self.warn_cut([text for text in prompts if text])
        return Settled(
            **asked
            | {
                "steps": steps,
                "guidance": guidance,
                "prompt": prompts[0],
                "negative": prompts[1],
                "scheduler": scheduler,
                "adapter_scale": scale,
            }
        )

    def _choices(self, points: Points, how: Decoding) -> tuple[int, float, str | None]:
        """Steps, guidance and the default scheduler for these points."""
        guidance, scheduler = self.usual(points)
        few = self.model.generator.few_steps if how.few_steps else None
        steps, guidance = (self.model.steps, guidance) if few is None else few
        guidance = float(guidance if how.guidance is None else how.guidance)
        if few is not None and how.negative and guidance == 1:
            raise ModelError(
                f"Got negative={how.negative[:40]!r} with few_steps=True at guidance 1, which leads away from nothing, "
                "expected none; leave it out, or choose a guidance above 1.",
                code="negative prompt",
            )
        return steps if how.steps is None else how.steps, guidance, scheduler

    def warn_cut(self, texts: list[str]) -> None:
        """Warn of prompts whose end is not read."""
        warn_truncated(texts, self.model.generator.truncated(texts))

    def pixels(
        self,
        batches: Sequence[Batch],
        how: Settled,
        progress: Progress | None = None,
        on_batch: OnBatch | None = None,
    ) -> list[Tensor]:
        """Decode the rows to keep of batches, each `(3, h, w)` float32 in [0, 1] on the CPU."""
        made: list[Tensor] = []

        def steps() -> Generator[Any, None, None]:
            for batch in batches:
                with batch.around():
                    output = yield from self._rendered(batch, how)
                start = len(made)
                made.extend(unit_pixels(output[row]) for row in batch.rows)
                if on_batch is not None:
                    on_batch(range(start, len(made)), [picture_of(each) for each in made[start:]])

        run(steps(), progress, total=len(batches) * how.steps, desc="decoding")
        return made

    def recorded(
        self,
        points: Points,
        pixels: Sequence[Tensor],
        seeds: Sequence[int],
        how: Settled,
        batch: Sequence[dict[str, int]],
        **more: Sequence[Any],
    ) -> Images:
        """The pictures of points with their records; `more` has further entries of the records, one per picture."""
        pictures = [picture_of(each) for each in pixels]
        options = how.record(self.takes)
        provenances = [
            record(
                "decode",
                points[index],
                self.model,
                {"seed": seeds[index], **options},
                [picture],
                batch=batch[index],
                **{name: values[index] for name, values in more.items()},
            )
            for index, picture in enumerate(pictures)
        ]
        return Images.of(pictures, provenances, pixels)

    def _rendered(self, batch: Batch, how: Settled) -> Generator[Any, None, Tensor]:
        guide = self.guide(batch.values, how)

        def see(latents: Tensor) -> Tensor:
            tiny = self.model.preview if how.preview else None
            return (tiny or self.model.autoencoder).decode(latents)

        if guide.latents is not None:
            yield
            return see(guide.latents)
        return (yield from self.model.generator.run(guide, batch.seeds, how, see))

    def _refuse_others(self, how: Decoding) -> None:
        for name in sorted(how.asked - self.takes - self.ignores):
            if name in _ELSEWHERE:
                kind = SpaceError if name == "prompt" else ModelError
                shown = f"{name}={getattr(how, name)!r}"
                raise kind(f"Got {shown[:60]} for points of the {self.info}, which {_ELSEWHERE[name]}.", code=name)
