"""Explorer: the spaces of one model, with expressions, walks, blends and replays over them."""

from __future__ import annotations

import os
from collections.abc import Collection as SomeOf
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Unpack

import torch

from .diffusion.recording import Axis
from .errors import ExpressionError
from .heatmaps import HeatMaps, Watching, make_heat_maps
from .language.evaluate import evaluate, parse
from .models.encoder import measure
from .models.model import open_model
from .models.placement import Placement
from .models.reference import Reference
from .options import Decoding, Gap, Keywords, WalkKeywords, split_keywords
from .points import Points
from .progress import Progress
from .records.images import Blend, Images
from .replays import Replay, recorded_origin
from .replays import replay as replay_file
from .spaces.inputs import opened, require_texts
from .spaces.of_a_model import ModelSpaces, Named, Operands
from .spaces.rendering import OnBatch
from .walk import Walk, make_blend, make_walk

Expression = str | Points
"""Source text of the expression language, or points."""


@dataclass(frozen=True, eq=False)
class Explorer(ModelSpaces):
    """A model's spaces: `joint`, `latent`, `prompt`, `noise`, `bottleneck`, and `joint-raw`, the joint space with its
    modality gap left open; and `mixed` ones, whose points are a prompt, a joint vector and a noise, or two of these.

    `spaces` lists those that the model has; a single encoder, for instance, has no prompt space.

    Every method that takes an expression takes source text (`'"a king" - "a man" + img("queen.png")'`, or a plain
    sentence) as well as `Points`.
    """

    @classmethod
    def open(
        cls,
        name: str | FilePath = "pocket",
        *,
        size: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        placement: Placement | None = None,
        gap: Gap | None = None,
    ) -> Explorer:
        """Open a model by its name, its folder or its hub id; see `models.model.open_model`.

        Args:
            size: side of its pictures in pixels, the model's own by default.
            placement: device, offloading and tiling, for a small card; see `models.placement.Placement`.
            gap: how texts enter the joint space, `"linear"`, `"mean"` or `"open"`; see `spaces.joint.JointSpace`.

        Raises:
            ModelError: it is unknown, incomplete or refused, or cannot close the gap in this way.
        """
        return cls(open_model(name, size=size, device=device, dtype=dtype, placement=placement)).with_gap(gap)

    def with_gap(self, gap: Gap | None) -> Explorer:
        """The same model with the gap between texts and pictures closed in another way, or left open.

        A picture is the same point with `"linear"` and `"mean"`, and every point is the same picture; a text is another
        point.

        Raises:
            SpaceError: an unknown way.
            ModelError: a map that the model's reference does not have.
        """
        return Explorer(self.model.with_gap(gap))

    def measure_reference(
        self, pictures: Sequence[Any], texts: Sequence[str] = (), *, paired: bool = False
    ) -> Reference:
        """Measure the means and the norm of the encoder's vectors over some hundred pictures and captions.

        Pictures are PIL pictures or paths.

        Without measured means the modality gap stays open and image vectors get a typical length.

        Args:
            paired: each text is the caption of the picture in its place: fit the map of `gap="linear"` too. It takes
                2.5 pairs for each number of a vector; `reference.text_map` says what it explains of held-out pairs,
                beside the same of shuffled ones.

        Raises:
            PictureError: a file that cannot be read as a picture.
            ModelError: fewer than two pictures or captions, or too few pairs.
        """
        return measure(self.model.clip, opened(pictures)[0], require_texts(texts), paired=paired)

    def with_reference(self, reference: Reference) -> Explorer:
        """The same model with its joint space centred by a reference; the points of the two do not mix.

        Raises:
            ModelError: a reference of another width.
        """
        return Explorer(self.model.with_reference(reference))

    def points(
        self,
        expression: Expression | Sequence[Expression],
        space: str | None = None,
        *,
        items: Named | None = None,
        prompt: str = "",
        steps: int | None = None,
    ) -> Points:
        """Evaluate expressions to points, one row per expression; `Points` keep all their rows.

        Args:
            space: where operands are encoded, by default `usual_space`.
            items: looks up `item(...)` and `dir(...)`; see `Collection.lookup`.
            prompt, steps: used when the noise space inverts pictures.

        Raises:
            ExpressionError: source text that does not parse.
            SpaceError: an operand that the space cannot encode, or points of another space.
        """
        where = self.space(space or self.usual_space)
        several = _several(expression)
        operands = Operands(where, items, prompt=prompt, steps=steps)
        rows = [each if isinstance(each, Points) else evaluate(parse(each), operands) for each in several]
        return Points.cat([where.owned(row) for row in rows])

    def __repr__(self) -> str:
        return f"Explorer({self.model!r}, spaces: {', '.join(self.names)}; sentences are read in {self.usual_space!r})"

    def decode(
        self,
        expression: Expression | Sequence[Expression],
        space: str | None = None,
        *,
        items: Named | None = None,
        progress: Progress | None = None,
        on_batch: OnBatch | None = None,
        **how: Unpack[Keywords],
    ) -> Images:
        """Decode expressions into pictures.

        Args:
            space: where text is encoded; by default the space of the first `Points`, else `usual_space`.
            items: looks up `item(...)` and `dir(...)`; see `Collection.lookup`.
            progress: wraps the steps as `tqdm` does; it may raise `Cancelled`.
            on_batch: called with the pictures of each batch as soon as they are decoded.
            how: the options, see `options.Decoding`: seed, steps, guidance, prompt, negative, scheduler, ... Where the
                model has a prior, a sentence by itself is drawn for each seed, as far as `variety` or the model says;
                anything else is decoded as it is, and so is `ex.joint.text("...")`.

        Raises:
            ExpressionError, SpaceError, ModelError: an expression or an option that cannot be decoded.
        """
        decoding, name = Decoding(**how), self._space_for(expression, space)
        points = self.points(expression, name, items=items, prompt=decoding.prompt, steps=decoding.steps)
        if not any(isinstance(each, Points) for each in _several(expression)):
            decoding = self.space(name).of_sentences(points, decoding)
        return self.space(name).render(points, decoding, progress=progress, on_batch=on_batch)

    def walk(
        self,
        stops: Sequence[Expression] | Points,
        frames: int = 48,
        *,
        space: str | None = None,
        items: Named | None = None,
        progress: Progress | None = None,
        on_batch: OnBatch | None = None,
        **how: Unpack[WalkKeywords],
    ) -> Walk:
        """Decode a path through stops, with steps that look equal or, with `"uniform"`, are equal in the space.

        Args:
            how: the options of the path, see `walk.Walking`: spacing, interpolant, attention, tolerance, rounds; and
                those of `decode`, with a single seed. The rest is as in `decode`.

        Raises:
            ExpressionError, SpaceError, GeometryError, ModelError: stops or options that cannot be walked.
        """
        walking, decoding = split_keywords(how)
        name = self._space_for(stops, space)
        points = self.points(stops, name, items=items, prompt=decoding.prompt, steps=decoding.steps)
        return make_walk(self.space(name), points, frames, walking, decoding, progress=progress, on_batch=on_batch)

    def blend(
        self,
        expressions: Sequence[Expression] | Points,
        grid: int = 5,
        *,
        space: str | None = None,
        items: Named | None = None,
        progress: Progress | None = None,
        on_batch: OnBatch | None = None,
        **how: Unpack[Keywords],
    ) -> Blend:
        """Decode a grid of pictures between two or more corners, `grid` cells a side; see `paths.grid` for the layout.

        The options are those of `decode`, with a single seed.

        Raises:
            ExpressionError, SpaceError, GeometryError, ModelError: corners or options that cannot be blended.
        """
        decoding, name = Decoding(**how), self._space_for(expressions, space)
        points = self.points(expressions, name, items=items, prompt=decoding.prompt, steps=decoding.steps)
        return make_blend(self.space(name), points, grid, decoding, progress=progress, on_batch=on_batch)

    def heat_maps(
        self,
        expression: Expression,
        /,
        *,
        concepts: Sequence[str] = (),
        picture: Any = None,
        keep: SomeOf[Axis] = ("steps", "heads"),
        dtype: torch.dtype = torch.float32,
        progress: Progress | None = None,
        **how: Unpack[Keywords],
    ) -> HeatMaps:
        """Decode a prompt and keep how much each place attended to each of its words, or to each of some concepts.

        For families with a UNet that reads text, and for SD3 and Flux.

        Args:
            expression: a sentence, an expression, or one point of the prompt space.
            concepts: words or phrases, two or more, in the prompt or not: maps of these in place of the prompt's words.
            picture: a picture (PIL) or its path, to look at in place of decoding one: it is noised to the level of
                each step, and the network is asked once a step. The expression is its caption, or `prompt.text("")`.
            keep: the axes to keep, of `"steps"` and `"heads"`; the maps are summed over the others. Concepts in joint
                attention are compared by all heads together, and have one map for them.
            dtype: float16 halves the memory of the maps.
            how: the options of `decode`, with a single seed.

        Raises:
            ExpressionError, SpaceError: anything but a single prompt, a single concept or the same twice.
            PictureError: a file that cannot be read as a picture.
            ModelError: a model of another kind, an option out of range, guidance 0, or maps too large to keep.
        """
        point, watching = self.points(expression, "prompt"), Watching(concepts, keep, dtype)
        space = self.space("prompt")
        return make_heat_maps(space, point, Decoding(**how), watching, picture=picture, progress=progress)

    def replay(self, file: str | os.PathLike[str]) -> Replay:
        """Decode the pictures of a file again, from the record inside it.

        Raises:
            ProvenanceError: a missing file or record, or an altered or incomplete record.
            ModelError: a file made with another model.
        """
        return replay_file(file, self.space)

    def _space_for(self, expression: Expression | Sequence[Expression], space: str | None) -> str:
        if space is not None:
            return space
        several = _several(expression)
        return next((each.space.name for each in several if isinstance(each, Points)), self.usual_space)


def _several(expression: Any) -> list[Any]:
    if isinstance(expression, str | Points):
        return [expression]
    try:
        return list(expression)
    except TypeError:
        raise ExpressionError(
            f"Got {expression!r} as an expression, expected text, Points, or a list of these.", code="no expression"
        ) from None


def replay(
    file: str | os.PathLike[str], *, model: str | FilePath | None = None, device: torch.device | str | None = None
) -> Replay:
    """Open the model of a file's record, with its recorded settings, and decode the file's pictures again.

    Args:
        model: name or folder of that model; by default the recorded name.
        device: where to compute; by default the recorded kind of device, if this machine has it.

    Raises:
        ProvenanceError, ModelError: as `Explorer.replay`; also a model that cannot be opened.
    """
    origin = recorded_origin(file)
    explorer = Explorer.open(
        model or origin.model,
        size=origin.size,
        device=device or origin.present_device,
        dtype=origin.torch_dtype,
        placement=origin.placement,
        gap=origin.gap,
    )
    return explorer.replay(file)
