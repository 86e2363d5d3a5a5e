"""Any other text-to-image pipeline of diffusers, decoded by its own `__call__`.

Nothing here knows a family. What a prompt consists of, how latents are laid out, how large a picture is and what the
scale of guidance is called are read from signatures and asked of the pipeline once. The pictures are the pipeline's
own: it is given prompt embeddings, latents and generators, and decodes by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count, pairwise
from pathlib import Path
from typing import Any, NoReturn, Self

import torch
from torch import Tensor

from ...diffusion.loop import seeded
from ...errors import ModelError
from ...options import Settled
from ..autoencoder import Autoencoder
from ..facts import Facts, OwnLoop
from ..find.folder import one_line, opened, read_if_there
from ..generator import Denoiser, Generator, Run, See
from ..guide import Guide
from ..loading import load_pipeline
from ..placement import Target, check_side
from ..prompt_tokens import PromptLayout
from .latents import LatentLayout, preparation
from .prompt_parts import PromptParts, repeated
from .prompts import LONGEST, encoded, negative_of, token_counts
from .signatures import guidance_name, options_of
from .stepwise import stepwise, thinned


@dataclass(frozen=True, eq=False)
class Pipeline(Generator):
    """A pipeline that runs itself, as a `Generator`; see there for what its methods promise.

    Its latents are in the pipeline's own layout, packed where it packs them, and its guidance is on the pipeline's
    own scale. Where the length of an encoded prompt follows its text, pictures are made one by one.

    Attributes:
        side: of its pictures in pixels; its own where None.
    """

    pipeline: Any
    facts: Facts
    device: torch.device
    side: int | None = None
    _kept: dict[str, Tensor] = field(default_factory=dict, repr=False)
    _negatives: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, folder: Path, facts: Facts, target: Target) -> Self:
        """The pipeline of a folder; `thoughtspace.json` in it may have the `size` of its pictures.

        Raises:
            ModelError: a part is missing, pickled or damaged, or the pipeline does not say what it consists of.
        """
        made = cls(load_pipeline(folder, facts, target), facts, target.device)
        size = read_if_there(folder / "thoughtspace.json").get("size")
        if size is not None:
            made = made.sized(size)
        opened(f"a {facts.pipeline}", folder, lambda: (made.parts, made.layout))
        return made

    @property
    def call(self) -> OwnLoop:
        """How it is called."""
        return self.facts.own_loop or OwnLoop()

    def sized(self, side: int) -> Self:
        check_side(side, int(self.pipeline.image_processor.config.vae_scale_factor), f"a {self.facts.pipeline}")
        return replace(self, side=side)

    def chunked(self, chunks: int) -> Self:
        self._refuse(f"{chunks} chunks of a prompt")

    @property
    def prompt_layout(self) -> PromptLayout:
        self._refuse("states and words; mix whole prompts instead")

    @property
    def denoiser(self) -> Denoiser:
        self._refuse("single steps")

    def _refuse(self, what: str) -> NoReturn:
        raise ModelError(
            f"Got a {self.facts.pipeline}, which is used by its own call, expected a family with an adapter for {what};"
            " decode its prompts and noise, or choose another model.",
            code="own loop",
        )

    def set_timesteps(self, sampler: Any, steps: int) -> None:
        # Its call shifts the noise by the size of the picture; by how much, it alone knows.
        shift = {"mu": 1.0} if sampler.config.get("use_dynamic_shifting") else {}
        sampler.set_timesteps(steps, device=self.device, **shift)

    @cached_property
    def parts(self) -> PromptParts:
        """What a prompt consists of."""
        return PromptParts.learned(self._values(""), self._values(LONGEST))

    @cached_property
    def layout(self) -> LatentLayout:
        """How its latents are laid out."""
        with torch.inference_mode():
            prompt = self.parts.unpacked(self._prompt(""))
            sides = {"height": self.side, "width": self.side} if self.side else {}
            arguments = self._arguments(prompt, Settled(steps=1, guidance=self.usual[1])) | sides
            pipeline = self._fresh()
            return LatentLayout.found(pipeline, preparation(pipeline, arguments))

    @cached_property
    def latent_shape(self) -> tuple[int, ...]:
        return tuple(self.draw([0]).shape[1:])

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the pictures in pixels."""
        return int(self.layout.arguments["height"]), int(self.layout.arguments["width"])

    @torch.inference_mode()
    def draw(self, seeds: Sequence[int]) -> Tensor:
        drawn = [self.layout.drawn(generator) for generator in seeded(seeds)]
        return torch.cat(drawn) if drawn else torch.empty(0, *self.latent_shape)

    def run(self, guide: Guide, seeds: Sequence[int], how: Settled, see: See) -> Run:
        """See `Generator`; the pipeline decodes its own latents, and draws a scheduler's noise as it goes.

        Raises:
            ModelError: an option or a part of the guide that this pipeline does not take.
        """
        if others := guide.parts.keys() - {"prompts", "noise"}:
            self._refuse(" and ".join(sorted(others)))
        if how.negative and not self.call.negative:
            raise ModelError(
                f"Got a negative prompt for a {self.facts.pipeline}, whose call takes none; leave it out.",
                code="negative prompt",
            )
        prompts = guide.prompts
        if prompts is None:
            prompts = self.encode_prompts([how.prompt]).expand(len(seeds), *self.prompt_shape)
        generators = seeded(seeds)
        start = guide.noise
        if start is None or guide.prompts is not None:  # beside a prompt the seed's noise is drawn all the same
            with torch.inference_mode():
                drawn = torch.cat([self.layout.drawn(generator) for generator in generators])
            start = drawn if start is None else start
        return (yield from self._of_batch(prompts, start, generators, how))

    def _of_batch(self, prompts: Tensor, start: Tensor, generators: Sequence[torch.Generator], options: Settled) -> Run:
        if not self.parts.ragged:
            return (yield from self._call(prompts, start, generators, options))
        # A batch is filled up with copies, and one by one a copy is the same picture.
        seeds = [generator.initial_seed() for generator in generators]
        copies = [
            seed == before and all(torch.equal(each[row], each[row - 1]) for each in (prompts, start))
            for row, (before, seed) in enumerate(pairwise([None, *seeds]))
        ]
        steps, pictures = count(1), list[Tensor]()
        for row, copied in enumerate(copies):
            if copied:
                pictures.append(pictures[-1])
                continue
            one = slice(row, row + 1)
            run = self._call(prompts[one], start[one], generators[one], options)
            pictures.append((yield from thinned(run, steps, copies.count(False))))
        return torch.cat(pictures)

    @cached_property
    def autoencoder(self) -> Autoencoder | None:
        network = self.pipeline.components.get(self.facts.autoencoder)
        try:
            return Autoencoder(network, image_size=self.image_size[0], device=self.device)
        except ModelError:  # a class that is not known: pictures are decoded without it
            return None

    def _call(self, prompts: Tensor, noise: Tensor, generators: Sequence[torch.Generator], options: Settled) -> Run:
        def work(show: Any) -> Tensor:
            pipeline = self._fresh(options.scheduler)
            values = self.parts.unpacked(prompts.to(self.device))
            height, width = self.image_size
            arguments = self._arguments(values, options, n=len(prompts)) | {
                "latents": self.layout.handed(noise),
                "generator": list(generators),
                "height": height,
                "width": width,
                **_watching(self.call.callback, show),
            }
            try:
                pictures = pipeline(**arguments)[0]
            except (ValueError, TypeError, NotImplementedError, AssertionError) as error:
                why = f"Got options that a {self.facts.pipeline} refuses ({one_line(error)}), expected its own"
                raise ModelError(f"{why}; change them.", code="options") from error
            return pictures.float() * 2 - 1

        return (yield from stepwise(work))

    def _arguments(self, values: dict[str, Any], options: Settled, *, n: int = 1) -> dict[str, Any]:
        """Of the call, but for size, noise and generators; it takes those that its class names."""
        kind = type(self.pipeline)
        negative = repeated(negative_of(self.pipeline, options.negative, self._negatives), n)
        given = {
            **values,
            **negative,
            "prompt": None,
            "num_inference_steps": options.steps,
            "output_type": "pt",
            "return_dict": False,
            "use_resolution_binning": False,  # its own size is one of the sizes that it rounds to
        }
        if negative:
            given["negative_prompt"] = None
        if guidance := guidance_name(kind, self.network):
            given[guidance] = options.guidance
        return {name: value for name, value in given.items() if name in options_of(kind, "__call__")}

    def _fresh(self, scheduler: str | None = None) -> Any:
        """The pipeline with state of its own: a scheduler that has taken no step, no bar."""
        made = copy(self.pipeline)
        made.scheduler = self.scheduler(scheduler)
        made.set_progress_bar_config(disable=True)
        return made

    @torch.inference_mode()
    def _values(self, prompt: str) -> dict[str, Any]:
        return encoded(self.pipeline, prompt)

    def _encoded(self, prompt: str) -> Tensor:
        return self.parts.packed(self._values(prompt))[None]

    def truncated(self, prompts: Sequence[str]) -> list[bool]:
        """By the tokens that the call reads at most; those put around a prompt count where the empty one shows them."""
        counts, limit = token_counts(self.pipeline, prompts)
        around = self.parts.tokens(self._prompt(""))
        return [count + around > limit for count in counts]


def _watching(callback: str, show: Callable[[Tensor], None]) -> dict[str, Any]:
    """The argument by which a call shows the latents after each step; none where it has no callback."""

    def after(pipeline: Any, step: int, t: Any, state: dict[str, Any]) -> dict[str, Any]:
        del pipeline, step, t
        show(state["latents"])
        return state

    ways = {"callback_on_step_end": after, "callback": lambda step, t, latents: show(latents)}
    return {callback: ways[callback]} if callback else {}
