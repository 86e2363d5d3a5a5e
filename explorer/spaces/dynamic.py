"""Spaces that are made when they are asked for, by names that say how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .decoding import DecodingSpace
from .prompt import chunks_named


def dynamic_space(explorer: Any, name: str) -> DecodingSpace | None:
    """The space of an `Explorer` that such a name stands for, or None: `prompt-x2` is that of prompts in two chunks.

    Raises:
        SpaceError, ModelError: a name of that form that the model cannot meet.
    """
    chunks = chunks_named(name)
    if chunks is not None and "prompt" in explorer.spaces:
        return explorer.prompt.chunked(chunks)
    return None


class Reachable(Mapping[str, DecodingSpace]):
    """The spaces of an `Explorer` by name, and those that are made when they are asked for."""

    def __init__(self, explorer: Any) -> None:
        self._explorer = explorer

    def __getitem__(self, name: str) -> DecodingSpace:
        spaces = self._explorer.spaces
        found = spaces[name] if name in spaces else dynamic_space(self._explorer, name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._explorer.spaces)

    def __len__(self) -> int:
        return len(self._explorer.spaces)
