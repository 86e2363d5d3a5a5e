"""The spaces of one model, each made when it is first asked for, and how expressions are read in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from ..errors import SpaceError
from ..models.abilities import Abilities, abilities_of_generator
from ..models.model import Model
from ..points import Points
from .bottleneck import BottleneckSpace
from .joint import JointSpace
from .latent import LatentSpace
from .mixed import PARTS, MixedSpace, mixed_space
from .noise import NoiseSpace
from .prompt import PromptSpace, chunks_named
from .rendering import DecodingSpace

Items = Callable[[str], Points]
"""Looks up `item("id")` of an expression: its one point."""


@dataclass(frozen=True, eq=False)
class ModelSpaces:
    """What an explorer can be in: `joint`, `latent`, `prompt`, `noise`, `bottleneck`, `joint-raw`, and mixtures."""

    model: Model

    @cached_property
    def joint(self) -> JointSpace:
        """Pictures and texts on one sphere, the gap between them closed."""
        return JointSpace(self.model)

    @cached_property
    def joint_raw(self) -> JointSpace:
        """The same without the correction: CLIP's own unit vectors."""
        return JointSpace(self.model, gap="none")

    @cached_property
    def latent(self) -> LatentSpace:
        """The autoencoder's latents."""
        return LatentSpace(self.model)

    @cached_property
    def prompt(self) -> PromptSpace:
        """What the denoiser reads of a text."""
        return PromptSpace(self.model)

    @cached_property
    def noise(self) -> NoiseSpace:
        """Where denoising starts."""
        return NoiseSpace(self.model)

    @cached_property
    def bottleneck(self) -> BottleneckSpace:
        """What the middle of the denoiser's UNet can be moved by."""
        return BottleneckSpace(self.model)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the spaces that the model has."""
        clip, can = self.model.opened_clip is not None, self._abilities
        there = {
            "joint": clip,  # where no generator is guided by its vectors, the nearest items are shown instead
            "latent": self.model.opened_autoencoder is not None,
            **{name: can is not None and can[f"{name} space"].there for name in ("prompt", "noise", "bottleneck")},
            "joint-raw": clip,
        }
        return tuple(name for name, is_there in there.items() if is_there)

    @cached_property
    def _abilities(self) -> Abilities | None:
        generator = self.model.opened_generator
        return None if generator is None else abilities_of_generator(generator)

    @property
    def spaces(self) -> Mapping[str, DecodingSpace]:
        """The spaces that the model has, by name."""
        return MappingProxyType({name: self._made(name) for name in self.names})

    @property
    def usual_space(self) -> str:
        """The space in which expressions are read unless another is named.

        `joint` where its points decode and texts have points there; else `prompt`; else the first space there is.
        """
        names = self.names
        best = "joint" in names and self.joint.decodes and "text" in self.joint.encodes
        wanted = ("joint", "prompt") if best else ("prompt",)
        return next(name for name in (*wanted, *names) if name in names)

    def space(self, name: str) -> DecodingSpace:
        """A space by its name, `"prompt-x2"` for texts of two chunks, or a mixed one by its parts, `"prompt+noise"`.

        Raises:
            SpaceError: the model has none of that name.
            ModelError: chunks that it cannot read.
        """
        names = self.names
        wanted = name.replace("_", "-") if isinstance(name, str) else name
        if wanted in names:
            return self._made(wanted)
        parts = wanted.split("+") if isinstance(wanted, str) else []
        if len(parts) > 1 and set(parts) <= {*PARTS}:
            return self.mixed(*parts)
        chunks = chunks_named(wanted) if isinstance(wanted, str) else None
        if chunks is not None and "prompt" in names:
            return self.prompt.chunked(chunks)
        why = self._abilities.lacks(f"{wanted} space") if self._abilities is not None else ""
        reason = f" ({why})" if why else ""
        raise SpaceError(
            f"Got space {name!r}{reason}, expected one of {', '.join(names)}; choose one.", code="no such space"
        )

    def mixed(self, *parts: str) -> MixedSpace:
        """The space whose points are one of each part: two or three of `prompt`, `joint` and `noise`.

        Raises:
            SpaceError: other parts, one alone, or one that the model does not have.
        """
        return mixed_space(self.model, {name: self._made(name) for name in self.names if name in PARTS}, parts)

    def _made(self, name: str) -> DecodingSpace:
        match name:
            case "joint":
                return self.joint
            case "latent":
                return self.latent
            case "prompt":
                return self.prompt
            case "noise":
                return self.noise
            case "bottleneck":
                return self.bottleneck
        return self.joint_raw


@dataclass(frozen=True, eq=False)
class Operands:
    """The operands of expressions as points of one space; what `language.evaluate` looks them up with.

    Attributes:
        space: that the points are in.
        items: looks up `item(...)`; None where there is no collection.
        prompt, steps: with which pictures are inverted where they have to be.
        files: the file that the name in `img(...)` stands for; None where it is a path.
    """

    space: DecodingSpace
    items: Items | None = None
    prompt: str = ""
    steps: int | None = None
    files: Callable[[str], Path] | None = None

    def text(self, text: str, /) -> Points:
        return self.space.text(text)

    def weighted(self, text: str, /) -> Points:
        return self.space.weighted(text)

    def image(self, path: str, /) -> Points:
        file = path if self.files is None else self.files(path)
        return self.space.operand(file, prompt=self.prompt, steps=self.steps)

    def item(self, id: str, /) -> Points:
        if self.items is None:
            raise SpaceError(
                f'Got item("{id}") without a collection, expected texts or img(…); open a collection.', code="no items"
            )
        return self.space.owned(self.items(id))
