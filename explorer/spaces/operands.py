"""What the operands of an expression stand for in one space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import SpaceError
from ..points import Points
from .mixed import PicturedSpace
from .noise import NoiseSpace
from .rendering import DecodingSpace

Items = Callable[[str], Points]
"""Looks up `item("id")` for expressions: a collection's id -> one point of the space that is asked for."""


@dataclass(frozen=True)
class Operands:
    """The operands of an expression in one space.

    Attributes:
        space: where they are points.
        items: looks up `item(...)`.
        prompt, steps: of the inversion of pictures, in spaces with a noise.
    """

    space: DecodingSpace
    items: Items | None
    prompt: str = ""
    steps: int | None = None

    def text(self, text: str, /) -> Points:
        return self.space.text(text)

    def weighted(self, text: str, /) -> Points:
        return self.space.weighted(text)

    def image(self, path: str, /) -> Points:
        if isinstance(self.space, NoiseSpace | PicturedSpace):
            return self.space.image(path, prompt=self.prompt, steps=self.steps)
        return self.space.image(path)

    def item(self, id: str, /) -> Points:
        if self.items is None:
            raise SpaceError(f'Got item("{id}") without a collection, expected texts or img(…); open a collection.')
        return self.space.owned(self.items(id))
