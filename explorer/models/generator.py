"""The contract of a generator: what makes pictures of prompts, vectors and noise, whatever model it is.

A generator is given a `Guide` and makes pictures a step at a time. Families with an adapter in `families/` do so in our
own denoising loop and are `Denoiser`s as well: their network can be asked at any noise level, so that noise is found
for pictures and the inside is looked at. Other pipelines, in `pipelines/`, run their own call. Three conventions make
all of them fit:

- A prompt is *one* tensor a text. A family whose text encoders give several (SDXL: states and a pooled vector) packs
  them into one row and takes them apart again in `predict`, so a point of the prompt space carries all of it.
- What guides a batch is a mapping of named tensors with a row for each picture; only the family knows the names.
- All randomness of a picture comes from its own generator, in the order in which the family's pipeline in diffusers
  draws it: first in `conditioning`, then the starting noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Generator as Steps
from dataclasses import dataclass, fields
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from ..errors import ModelError
from ..options import Settled
from .autoencoder import Autoencoder
from .encoder import Encoder
from .facts import Facts
from .prompt_tokens import PromptLayout
from .shared_rows import stacked

Run = Steps[Any, None, Tensor]
"""Yields once a step and returns pictures `(n, 3, h, w)` in about [-1, 1]; closing it stops the work."""

See = Callable[[Tensor], Tensor]
"""Finished latents `(n, *latent_shape)` -> pictures `(n, 3, h, w)` in about [-1, 1]."""


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


Inputs = Mapping[str, Tensor]


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


class Generator(Protocol):
    """A model that makes pictures, with its text encoder."""

    @property
    def facts(self) -> Facts:
        """What its family is."""
        ...

    @property
    def usual(self) -> tuple[int, float]:
        """Steps and guidance that it is usually decoded with."""
        ...

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Of the noise and of finished latents, without the batch."""
        ...

    @property
    def prompt_shape(self) -> tuple[int, ...]:
        """Of one encoded prompt; with a 0 in it where the family reads none."""
        ...

    @property
    def prompt_layout(self) -> PromptLayout:
        """Where the states and the pooled vectors of a prompt are in its row, and its words in the states.

        Raises:
            ModelError: a family whose prompts cannot be taken apart so.
        """
        ...

    @property
    def joint_dim(self) -> int | None:
        """Width of the joint vector that it decodes, or None where it decodes none."""
        ...

    @property
    def adapter_scale(self) -> float | None:
        """How strongly joint vectors guide through its IP-Adapter unless asked otherwise; None without an adapter."""
        ...

    @property
    def typical_norm(self) -> float | None:
        """The usual length of the joint vectors that it was trained on, or None where it does not keep it."""
        ...

    @property
    def autoencoder(self) -> Autoencoder | None:
        """That of its pipeline, for pictures of its size; None where it cannot be used by itself."""
        ...

    @property
    def unet(self) -> Any:
        """Its network where that is a UNet, whose middle and attention can be looked into; or None."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    @property
    def denoiser(self) -> Denoiser:
        """The same model as one whose network can be asked for single steps.

        Raises:
            ModelError: it runs its own loop.
        """
        ...

    def fitted(self, clip: Encoder) -> Self:
        """The same model, with what it has to know of the encoder of its joint vectors."""
        ...

    def sized(self, side: int) -> Self:
        """The same model for pictures of another side in pixels.

        Raises:
            ModelError: a side that its network cannot make.
        """
        ...

    def chunked(self, chunks: int) -> Self:
        """The same model, reading each prompt in so many chunks; see `prompt_layout`.

        Raises:
            ModelError: a network or a text encoder that takes no more tokens than its own.
        """
        ...

    def respaced(self, spacing: str) -> None:
        """Let its own sampler place its steps by another `timestep_spacing` of diffusers."""
        ...

    def scheduler(self, name: str | None = None) -> Any:
        """A new diffusers scheduler: the model's own, or another one on the model's noise schedule.

        Raises:
            ModelError: an unknown name, or one that does not work on this schedule.
        """
        ...

    def encode_prompts(self, prompts: Sequence[str]) -> Tensor:
        """`n` texts -> `(n, *prompt_shape)`."""
        ...

    def truncated(self, prompts: Sequence[str]) -> list[bool]:
        """Which prompts are longer than the text encoder reads."""
        ...

    def draw(self, seeds: Sequence[int]) -> Tensor:
        """`(n, *latent_shape)` standard normal noise of seeds, each row from its own generator."""
        ...

    def start(self, seeds: Sequence[int]) -> Tensor:
        """`(n, *latent_shape)` noise that decoding from each seed starts from.

        That is `draw`, except where the conditioning is random and draws from the seed's generator first.
        """
        ...

    def run(self, guide: Guide, seeds: Sequence[int], how: Settled, see: See) -> Run:
        """Make the pictures of a full batch.

        The noise is that of the seeds where the guide has none. Beside a prompt or a vector of the guide, noise of
        the guide takes the place of the seed's after that was drawn, so that samplers that draw more go on alike.

        Args:
            guide: `n` rows.
            seeds: one for each row.
            how: the options; where the guide has prompts, `how.prompt` has no part in it.
            see: makes pictures of finished latents, for generators that do not decode their own.

        Raises:
            ModelError: an option or a part of the guide that it cannot take.
        """
        ...


class Denoiser(Generator, Protocol):
    """A generator whose network can be asked for single steps, at any noise level."""

    @property
    def distilled(self) -> bool:
        """Whether guidance is an input of the network, `guidance`, and the network is asked once a step."""
        ...

    def tokens(self, prompt: str) -> list[str]:
        """A name for each state that the network attends to, as the text encoder's tokenizer names its tokens."""
        ...

    def scaled(self, scale: float) -> Self:
        """The same model, guided through its IP-Adapter at another scale.

        Raises:
            ModelError: it has no IP-Adapter.
        """
        ...

    def set_timesteps(self, sampler: Any, steps: int) -> None:
        """Lay out a scheduler's steps as the family's pipeline does."""
        ...

    def conditioning(
        self,
        generators: Sequence[torch.Generator],
        *,
        prompts: Tensor | None = None,
        joint: Tensor | None = None,
        negative: str = "",
    ) -> Conditioning:
        """What guides `n` pictures.

        Args:
            generators: one for each picture, on the CPU; what the family draws here it draws from them.
            prompts: `(n, *prompt_shape)`; the empty prompt where None.
            joint: `(n, joint_dim)` un-normalised joint vectors; no picture where None.
            negative: the prompt that guidance leads away from.
        """
        ...

    def predict(self, x: Tensor, t: Tensor, inputs: Inputs) -> Tensor:
        """The network's prediction (ε, v or x0, as the scheduler's `prediction_type` says) at one timestep.

        A network that learned its variance gives that too, as as many channels behind the prediction.
        """
        ...
