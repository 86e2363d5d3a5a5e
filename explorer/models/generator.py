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

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from collections.abc import Generator as Steps
from typing import Any, Self

import torch
from torch import Tensor

from ..options import Decoding, Settled
from .autoencoder import Autoencoder
from .encoder import Encoder
from .facts import Facts
from .guide import Conditioning, Guide, Inputs
from .prompt_tokens import PromptLayout
from .schedulers import scheduler_like

Run = Steps[Any, None, Tensor]
"""Yields once a step and returns pictures `(n, 3, h, w)` in about [-1, 1]; closing it stops the work."""

See = Callable[[Tensor], Tensor]
"""Finished latents `(n, *latent_shape)` -> pictures `(n, 3, h, w)` in about [-1, 1]."""


class Generator(ABC):
    """A model that makes pictures, with its text encoder.

    Attributes:
        pipeline: of diffusers, unmodified.
        facts: what its family is.
        device: where it computes, wherever its weights wait.
    """

    pipeline: Any
    facts: Facts
    device: torch.device
    _kept: dict[str, Tensor]

    @property
    def network(self) -> Any:
        """What predicts the noise: a UNet or a transformer."""
        return self.pipeline.components[self.facts.network]

    @property
    def unet(self) -> Any:
        """Its network where that is a UNet, whose middle and attention can be looked into; or None."""
        return None

    @property
    def usual(self) -> tuple[int, float]:
        """Steps and guidance that it is usually decoded with."""
        return self.facts.usual

    @property
    def distilled(self) -> bool:
        """Whether guidance is an input of the network, `guidance`, and the network is asked once a step."""
        return self.facts.distilled

    @property
    @abstractmethod
    def latent_shape(self) -> tuple[int, ...]:
        """Of the noise and of finished latents, without the batch."""

    @property
    @abstractmethod
    def autoencoder(self) -> Autoencoder | None:
        """That of its pipeline, for pictures of its size; None where it cannot be used by itself."""

    # --- joint vectors

    @property
    def joint_dim(self) -> int | None:
        """Width of the joint vector that it decodes, or None where it decodes none."""
        return None

    @property
    def adapter_scale(self) -> float | None:
        """How strongly joint vectors guide through its IP-Adapter unless asked otherwise; None without an adapter."""
        return None

    @property
    def typical_norm(self) -> float | None:
        """The usual length of the joint vectors that it was trained on, or None where it does not keep it."""
        return None

    @property
    def few_steps(self) -> tuple[int, float] | None:
        """Steps and guidance of its few-step weights; None without such weights."""
        return None

    def fitted(self, clip: Encoder) -> Self:
        """The same model, with what it has to know of the encoder of its joint vectors."""
        del clip
        return self

    # --- other models of the same weights

    @property
    @abstractmethod
    def denoiser(self) -> Denoiser:
        """The same model as one whose network can be asked for single steps.

        Raises:
            ModelError: it runs its own loop.
        """

    @abstractmethod
    def sized(self, side: int) -> Self:
        """The same model for pictures of another side in pixels.

        Raises:
            ModelError: a side that its network cannot make.
        """

    @abstractmethod
    def chunked(self, chunks: int) -> Self:
        """The same model, reading each prompt in so many chunks; see `prompt_layout`.

        Raises:
            ModelError: a network or a text encoder that takes no more tokens than its own.
        """

    # --- prompts

    @property
    def prompt_shape(self) -> tuple[int, ...]:
        """Of one encoded prompt; with a 0 in it where the family reads none."""
        return tuple(self._prompt("").shape[1:])

    @property
    @abstractmethod
    def prompt_layout(self) -> PromptLayout:
        """Where the states and the pooled vectors of a prompt are in its row, and its words in the states.

        Raises:
            ModelError: a family whose prompts cannot be taken apart so.
        """

    @torch.inference_mode()
    def encode_prompts(self, prompts: Sequence[str]) -> Tensor:
        """`n` texts -> `(n, *prompt_shape)`."""
        rows = [torch.empty(0, *self.prompt_shape, device=self.device), *(self._encoded(each) for each in prompts)]
        return torch.cat(rows)

    def truncated(self, prompts: Sequence[str]) -> list[bool]:
        """Which prompts are longer than the text encoder that reads furthest."""
        layout = self.prompt_layout
        return [layout.excess(prompt) > 0 for prompt in prompts]

    @abstractmethod
    def _encoded(self, prompt: str) -> Tensor:
        """`(1, *prompt_shape)` float32 of a prompt."""

    def _prompt(self, prompt: str) -> Tensor:
        # Encoded alone and kept, so that the same bits come back whatever the batch.
        if prompt not in self._kept:
            self._kept[prompt] = self._encoded(prompt)
        return self._kept[prompt]

    # --- samplers, noise and pictures

    def scheduler(self, name: str | None = None) -> Any:
        """A new diffusers scheduler: the model's own, or another one on the model's noise schedule.

        Raises:
            ModelError: an unknown name, or one that does not work on this schedule.
        """
        return scheduler_like(self.pipeline.scheduler, name)

    def set_timesteps(self, sampler: Any, steps: int) -> None:
        """Lay out a scheduler's steps as the family's pipeline does."""
        sampler.set_timesteps(steps, device=self.device)

    @abstractmethod
    def draw(self, seeds: Sequence[int]) -> Tensor:
        """`(n, *latent_shape)` standard normal noise of seeds, each row from its own generator."""

    def start(self, seeds: Sequence[int]) -> Tensor:
        """`(n, *latent_shape)` noise that decoding from each seed starts from.

        That is `draw`, except where the conditioning is random and draws from the seed's generator first.
        """
        return self.draw(seeds)

    @abstractmethod
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


class Denoiser(Generator):
    """A generator whose network can be asked for single steps, at any noise level."""

    @property
    def denoiser(self) -> Self:
        """Itself."""
        return self

    def tokens(self, prompt: str) -> list[str]:
        """A name for each state that the network attends to, as the text encoder's tokenizer names its tokens."""
        return self.prompt_layout.names(prompt)

    @abstractmethod
    def scaled(self, scale: float) -> Self:
        """The same model, guided through its IP-Adapter at another scale.

        Raises:
            ModelError: it has no IP-Adapter, or no scale from 0 to 10.
        """

    @abstractmethod
    def with_few_steps(self) -> Self:
        """The same model, whose network has its few-step weights.

        Raises:
            ModelError: it has none, or its network is offloaded.
        """

    def decoding(self, how: Decoding) -> Self:
        """The model that decodes with these options; its network is the one to watch or to change meanwhile."""
        return self.with_few_steps() if how.few_steps else self

    @abstractmethod
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

        Raises:
            ModelError: a joint vector, or a negative prompt, that the model cannot take.
        """

    @abstractmethod
    def configuration(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """The configuration of a network like its own for data of another shape `(c, h, w)`, such as pixels."""

    @abstractmethod
    def predict(self, x: Tensor, t: Tensor, inputs: Inputs) -> Tensor:
        """The network's prediction (ε, v or x0, as the scheduler's `prediction_type` says) at one timestep.

        A network that learned its variance gives that too, as as many channels behind the prediction.
        """
