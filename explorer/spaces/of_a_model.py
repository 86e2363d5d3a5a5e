"""The spaces of one model, each created when first used, and the operands of expressions in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from ..errors import SpaceError
from ..models.abilities import Abilities, abilities_of_generator
from ..models.model import Model
from ..points import Points
from .bottleneck import BottleneckSpace
from .joint import JointSpace
from .latent import LatentSpace
from .mixed import PARTS, MixedSpace
from .noise import NoiseSpace
from .prompt import PromptSpace, chunks_named
from .rendering import DecodingSpace


class Named(Protocol):
    """The operands that a collection has by name, each one point."""

    def item(self, id: str, /) -> Points:
        """The point of `item("id")`."""

    def direction(self, name: str, /) -> Points:
        """The step of `dir("name")`."""


@dataclass(frozen=True, eq=False)
class ModelSpaces:
    """The spaces of one model: `joint`, `latent`, `prompt`, `noise`, `bottleneck`, `joint-raw`, and mixed ones."""

    model: Model

    @cached_property
    def joint(self) -> JointSpace:
        """Pictures and texts on one sphere, the gap between them closed in the model's way."""
        return JointSpace(self.model)

    @cached_property
    def joint_raw(self) -> JointSpace:
        """The same without the correction: CLIP's own unit vectors."""
        return JointSpace(self.model, gap="open")

    @cached_property
    def latent(self) -> LatentSpace:
        """The autoencoder's latents."""
        return LatentSpace(self.model)

    @cached_property
    def prompt(self) -> PromptSpace:
        """The states that the denoiser reads of a text."""
        return PromptSpace(self.model)

    @cached_property
    def noise(self) -> NoiseSpace:
        """The noise that denoising starts from."""
        return NoiseSpace(self.model)

    @cached_property
    def bottleneck(self) -> BottleneckSpace:
        """Offsets of the middle block of the denoiser's UNet."""
        return BottleneckSpace(self.model)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the spaces that the model has."""
        clip, can = self.model.opened_clip is not None, self._abilities
        there = {
            "joint": clip,  # without a generator that its vectors guide, it shows the nearest items
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
        """The space in which expressions are read by default.

        It is `joint` if that decodes and reads texts; else `prompt`; else the first of `names`.
        """
        names = self.names
        best = "joint" in names and self.joint.decodes and "text" in self.joint.encodes
        wanted = ("joint", "prompt") if best else ("prompt",)
        return next(name for name in (*wanted, *names) if name in names)

    def space(self, name: str) -> DecodingSpace:
        """A space by its name, `"prompt-x2"` for texts of two chunks, or a mixed one by its parts, `"prompt+noise"`.

        Raises:
            SpaceError: a name that none of the model's spaces has.
            ModelError: more chunks than the model can read.
        """
        names = self.names
        wanted = str(name).replace("_", "-")
        if wanted in names:
            return self._made(wanted)
        parts = wanted.split("+")
        if len(parts) > 1 and set(parts) <= {*PARTS}:
            return self.mixed(*parts)
        chunks = chunks_named(wanted)
        if chunks is not None and "prompt" in names:
            return self.prompt.chunked(chunks)
        why = self._abilities.lacks(f"{wanted} space") if self._abilities is not None else ""
        reason = f" ({why})" if why else ""
        raise SpaceError(f"Got space {name!r}{reason}, expected one of {', '.join(names)}.", code="no such space")

    def mixed(self, *parts: str) -> MixedSpace:
        """The space whose points are one of each part: two or three of `prompt`, `joint` and `noise`.

        Raises:
            SpaceError: a part that cannot be mixed or that the model lacks, a repeated part, or one part alone.
        """
        can = {name: space for name in PARTS if name in self.names and (space := self._made(name)).decodes}
        if len(can) < 2:
            raise SpaceError(
                f"Got model {self.model.name!r}, which decodes {', '.join(can) or 'none'} of {', '.join(PARTS)}, "
                "expected two of them to mix; use its space alone, or open another model.",
                code="cannot mix",
            )
        if len(parts) < 2 or len(set(parts)) != len(parts) or not set(parts) <= set(can):
            raise SpaceError(
                f"Got {', '.join(map(repr, parts)) or 'nothing'} to mix, expected two or more different ones of "
                f"{', '.join(can)}.",
                code="parts",
            )
        return MixedSpace(self.model, {name: can[name] for name in parts})

    def _made(self, name: str) -> DecodingSpace:
        made: DecodingSpace = getattr(self, name.replace("-", "_"))
        return made


@dataclass(frozen=True, eq=False)
class Operands:
    """Turns the operands of expressions into points of one space, for `language.evaluate`.

    Attributes:
        space: the space of the points.
        items: looks up `item(...)` and `dir(...)`; None without a collection.
        prompt, steps: the options for inverting pictures, in the spaces that invert them.
        files: looks up the file of a name in `img(...)`; None if the name is a path.
    """

    space: DecodingSpace
    items: Named | None = None
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
        return self.space.owned(self.items.item(id))

    def direction(self, name: str, /) -> Points:
        if self.items is None:
            raise SpaceError(
                f'Got dir("{name}") without a collection, expected texts or img(…); open a collection.',
                code="no directions",
            )
        return self.space.owned(self.items.direction(name))
