"""Spaces that are made by their names: those that a model has so many of that none is listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .decoding import DecodingSpace
from .mixed import PARTS, mixed_space

if TYPE_CHECKING:
    from .of_model import ModelSpaces


def dynamic_space(explorer: ModelSpaces, name: str) -> DecodingSpace | None:
    """The space of a name such as `prompt+noise`, or None where the name is of no such kind.

    Raises:
        SpaceError: parts that the model cannot mix.
    """
    names = name.split("+")
    return mixed_space(explorer.model, explorer.spaces, names) if len(names) > 1 and set(names) <= {*PARTS} else None
