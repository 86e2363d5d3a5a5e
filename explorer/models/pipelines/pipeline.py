"""Any other text-to-image pipeline of diffusers, decoded by its own `__call__`.

Nothing here knows a family. What a prompt consists of, how latents are laid out, how large a picture is and what the
scale of guidance is called are read from signatures and asked of the pipeline once; `abilities` tells what follows.
The pictures are the pipeline's own: it is given prompt embeddings, latents and generators, and decodes by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, NoReturn, Self

import torch
from torch import Tensor

from ...diffusion.loop import seeded
from ...errors import ModelError
from ...options import Settled
from ..autoencoder import Autoencoder
from ..families.family import TextToImage
from ..find.folder import one_line, opened, read_json
from ..generator import Conditioning, Guide, Inputs, Run, See
from ..placement import Placement
from .latents import LatentLayout, preparation
from .prompt_parts import PromptParts, repeated
from .prompts import LONGEST, encoded, negative_of, quiet, token_counts
from .signatures import guidance_name, options_of
from .stepwise import stepwise, thinned


@dataclass(frozen=True, eq=False)
class OwnCall(TextToImage):
    """A pipeline that runs itself; `family_class` makes the class of each.

    Its latents are in the pipeline's own layout, packed where it packs them, and its guidance is on the pipeline's
    own scale. Where the length of an encoded prompt follows its text, pictures are made one by one.
    """

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        placement: Placement | None = None,
    ) -> Self:
        made = super().open(folder, device=device, dtype=dtype, placement=placement)
        file = folder / "thoughtspace.json"
        size = read_json(file).get("size") if file.is_file() else None
        if size is not None:
            made = made.sized(size)
        with quiet():
            opened(f"a {cls.name}", folder, lambda: (made.parts, made.layout))
        return made

    @property
    def unet(self) -> Any:
        return None  # its steps are its own, whatever makes them

    def sized(self, side: int) -> Self:
        """The same pipeline for pictures of another side in pixels.

        Raises:
            ModelError: a side that is none, or that its latents and patches do not divide.
        """
        factor = int(self.pipeline.image_processor.config.vae_scale_factor)
        if isinstance(side, bool) or not isinstance(side, int) or side < 1 or side % factor:
            raise ModelError(f"Got size {side!r} for a {self.name}, expected a multiple of {factor} px; try 1024.")
        return replace(self, side=side)

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
            pipeline = self._fresh(None)
            return LatentLayout.found(pipeline, preparation(pipeline, arguments))

    @cached_property
    def latent_shape(self) -> tuple[int, ...]:
        return tuple(self.draw([0]).shape[1:])

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the pictures in pixels."""
        return int(self.layout.arguments["height"]), int(self.layout.arguments["width"])

    @property
    def denoiser(self) -> Any:
        self._refuse("steps of another loop")

    @torch.inference_mode()
    def draw(self, seeds: Sequence[int]) -> Tensor:
        drawn = [self.layout.drawn(generator) for generator in seeded(seeds)]
        return torch.cat(drawn) if drawn else torch.empty(0, *self.latent_shape)

    def start(self, seeds: Sequence[int]) -> Tensor:
        return self.draw(seeds)

    def run(self, guide: Guide, seeds: Sequence[int], how: Settled, see: See) -> Run:
        """See `Generator`; the pipeline decodes its own latents, and draws a scheduler's noise as it goes.

        Raises:
            ModelError: an option or a part of the guide that this pipeline does not take.
        """
        if others := guide.parts.keys() - {"prompts", "noise"}:
            raise ModelError(f"Got {', '.join(sorted(others))} for a {self.name}, which takes prompts and noise alone.")
        if how.negative and (why := self.lacks("negative prompts")):
            raise ModelError(f"Got a negative prompt for a {self.name}, whose {why}; leave it out.")
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
            row > 0 and seeds[row] == seeds[row - 1] and _equal(prompts, row) and _equal(start, row)
            for row in range(len(prompts))
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

    def trajectory(self, guide: Guide, seeds: Sequence[int], how: Settled) -> list[Tensor]:
        """The latents of `n` pictures after each step, in the pipeline's own layout, `(n, *shape)` each.

        Raises:
            ModelError: the pipeline does not tell its steps.
        """
        if why := self.lacks("trajectories"):
            raise ModelError(f"Got a {self.name} for a trajectory, which {why}; decode its pictures alone.")
        rows = range(len(seeds)) if self.parts.ragged else [slice(None)]
        parts = [row if isinstance(row, slice) else slice(row, row + 1) for row in rows]
        runs = [
            self.run(Guide(**{name: value[part] for name, value in guide.parts.items()}), seeds[part], how, _unseen)
            for part in parts
        ]
        return [torch.cat(step) for step in zip(*runs, strict=True)]

    def autoencoder(self) -> Autoencoder | None:
        found = self._autoencoder
        return found if isinstance(found, Autoencoder) else None

    def lacks(self, ability: str) -> str:
        from ..families.abilities import abilities

        return next((each.reason for each in abilities(self) if each.name == ability and not each.there), "")

    @cached_property
    def _autoencoder(self) -> Autoencoder | str:
        """Its autoencoder, or why that cannot be used by itself."""
        try:
            return Autoencoder(self.vae, image_size=self.image_size[0], device=self.device)
        except Exception as error:  # whatever a class that is not known makes of it
            return (
                f"{type(self.vae).__name__} is not one of the autoencoders that open by themselves ({one_line(error)})"
            )

    def _call(self, prompts: Tensor, noise: Tensor, generators: Sequence[torch.Generator], options: Settled) -> Run:
        def work(tell: Any) -> Tensor:
            pipeline = self._fresh(options.scheduler)
            values = self.parts.unpacked(prompts.to(self.device))
            height, width = self.image_size
            arguments = self._arguments(values, options, n=len(prompts)) | {
                "latents": self.layout.handed(noise),
                "generator": list(generators),
                "height": height,
                "width": width,
                **self._watched(tell),
            }
            try:
                pictures = pipeline(**arguments)[0]
            except (ValueError, TypeError, NotImplementedError, AssertionError) as error:
                raise ModelError(
                    f"Got options that a {self.name} refuses ({one_line(error)}), expected its own; change them."
                ) from error
            return pictures.float() * 2 - 1

        return (yield from stepwise(work))

    def _arguments(self, values: dict[str, Any], options: Settled, *, n: int = 1) -> dict[str, Any]:
        """Of the call, but for size, noise and generators."""
        call = options_of(type(self.pipeline), "__call__")
        guidance = guidance_name(type(self.pipeline), self.network)
        negative = repeated(negative_of(self.pipeline, options.negative, self._fixed_negatives), n)
        given = {
            **values,
            **negative,
            **({"negative_prompt": None} if negative else {}),
            **({guidance: options.guidance} if guidance else {}),
            "prompt": None,
            "num_inference_steps": options.steps,
            "output_type": "pt",
            "return_dict": False,
            "use_resolution_binning": False,  # its own size is one of the sizes that it rounds to
        }
        return {name: value for name, value in given.items() if name in call}

    @cached_property
    def _fixed_negatives(self) -> dict[str, Any]:
        return {}

    def _watched(self, tell: Any) -> dict[str, Any]:
        """Arguments of the call by which it tells the latents after each step."""
        call = options_of(type(self.pipeline), "__call__")

        def after(pipeline: Any, step: int, t: Any, told: dict[str, Any]) -> dict[str, Any]:
            del pipeline, step, t
            tell(told["latents"])
            return told

        if "callback_on_step_end" in call:
            return {"callback_on_step_end": after}
        return {"callback": lambda step, t, latents: tell(latents)} if "callback" in call else {}

    def _fresh(self, scheduler: str | None) -> Any:
        """The pipeline with state of its own: a scheduler that has taken no step, no bar."""
        pipeline = copy(self.pipeline)
        pipeline.scheduler = self.scheduler(scheduler)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    @torch.inference_mode()
    def _values(self, prompt: str) -> dict[str, Any]:
        return encoded(self.pipeline, prompt)

    def _encoded(self, prompts: list[str]) -> Tensor:
        return torch.stack([self.parts.packed(self._values(prompt)) for prompt in prompts])

    def truncated(self, prompts: Sequence[str]) -> list[bool]:
        """By the tokens that the call reads at most; those put around a prompt count where the empty one tells them."""
        counts, limit = token_counts(self.pipeline, prompts)
        return [count + self._around > limit for count in counts]

    @cached_property
    def _around(self) -> int:
        """Tokens of the empty prompt."""
        return self.parts.tokens(self._prompt(""))

    def tokens(self, prompt: str) -> list[str]:
        del prompt
        self._refuse("named tokens")

    def conditioning(
        self,
        generators: Sequence[torch.Generator],
        *,
        prompts: Tensor | None = None,
        joint: Tensor | None = None,
        negative: str = "",
    ) -> Conditioning:
        if joint is not None:
            return super().conditioning(generators, joint=joint)
        self._refuse("steps of another loop")

    def set_timesteps(self, sampler: Any, steps: int) -> None:
        self._refuse("steps of another loop")

    def _inputs(self, prompts: Tensor) -> Inputs:
        self._refuse("steps of another loop")

    def predict(self, x: Tensor, t: Tensor, inputs: Inputs) -> Tensor:
        self._refuse("steps of another loop")

    def _refuse(self, what: str) -> NoReturn:
        raise ModelError(
            f"Got a {self.name}, which runs its own denoising loop, expected a family with an adapter for {what}; "
            "decode its prompts and noise, or choose another model."
        )


def _unseen(latents: Tensor) -> Tensor:
    return latents


def _equal(rows: Tensor, row: int) -> bool:
    return torch.equal(rows[row], rows[row - 1])


def family_class(pipeline_class: type, network_part: str) -> type[OwnCall]:
    """The adapter of a pipeline class, with the steps and the guidance of its call's defaults."""
    call, guidance = options_of(pipeline_class, "__call__"), guidance_name(pipeline_class)
    scale = call.get(guidance or "")
    usual = (int(call["num_inference_steps"]), float(scale) if isinstance(scale, int | float) else 1.0)
    named = {"name": pipeline_class.__name__, "network_part": network_part, "usual": usual}
    return type(f"{pipeline_class.__name__}Call", (OwnCall,), named)
