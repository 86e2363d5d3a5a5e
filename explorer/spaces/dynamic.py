"""Spaces that are made by their names: those that a model has so many of that none is listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .mixed import PARTS, mixed_space
from .prompt import chunks_named
from .rendering import DecodingSpace

if TYPE_CHECKING:
    from .of_a_model import ModelSpaces


def dynamic_space(explorer: ModelSpaces, name: str) -> DecodingSpace | None:
    """The space of a name such as `prompt+noise` or `prompt-x2`, or None where the name is of no such kind.

    Raises:
        SpaceError, ModelError: parts that the model cannot mix, or chunks that it cannot read.
    """
    names = name.split("+")
    if len(names) > 1 and set(names) <= {*PARTS}:
        return mixed_space(explorer.model, explorer.spaces, names)
    chunks = chunks_named(name)
    return explorer.prompt.chunked(chunks) if chunks is not None and "prompt" in explorer.spaces else None
