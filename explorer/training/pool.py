"""What the denoiser learns from: scenes drawn, rendered and encoded a shard at a time, more of them as it learns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from thoughtspace.datasets import world

from ..records.atomic import replacing
from .pictures import Renderer, to_unit

TURNS = ("object", "portrait", "object", "landscape")
"""Kinds in turn: objects twice as often as the others, for their shapes are the hardest to draw."""
BATCH = 64

Encode = Callable[[Tensor], Mapping[str, Tensor]]
"""`(n, 3, size, size)` pictures in [-1, 1] -> named tensors of `n` rows."""


class Pool:
    """Shards of encoded scenes, kept on disk in half precision so that a resumed run need not make them again.

    Args:
        folder: where the shards are kept.
        made_of: what they were encoded with; a shard of another kind is made again.
        shard: scenes in each.
    """

    def __init__(self, folder: Path, *, made_of: str, shard: int, renderer: Renderer, encode: Encode) -> None:
        self._folder, self._made_of, self._shard = folder, made_of, shard
        self._renderer, self._encode = renderer, encode
        self._shards: list[dict[str, Tensor]] = []
        self.scenes: list[world.Scene] = []
        self._edges = np.zeros(0)
        self._next: tuple[Path, list[world.Scene], Callable[[], NDArray[np.uint8]] | None] | None = None

    def grow(self, shards: int) -> None:
        """Take in new shards until there are so many; the next one is begun."""
        while len(self._shards) < shards:
            file, scenes, pixels = self._next or self._begin()
            if pixels:
                self._write(file, pixels())
            self._shards.append(load_file(file))
            self.scenes += scenes
            self._edges = np.cumsum(weights(self.scenes))
            self._next = self._begin()

    def draw(self, n: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """Rows, every first shape of an object as often as any other."""
        return np.searchsorted(self._edges, generator.random(n) * self._edges[-1], side="right")

    def rows(self, name: str, rows: NDArray[np.int64]) -> Tensor:
        """`(len(rows), …)` float32 of one named tensor."""
        return torch.stack([self._shards[row // self._shard][name][row % self._shard] for row in rows]).float()

    def column(self, name: str, shards: int) -> Tensor:
        """All rows of one named tensor in the first shards, float32."""
        return torch.cat([shard[name] for shard in self._shards[:shards]]).float()

    def _begin(self) -> tuple[Path, list[world.Scene], Callable[[], NDArray[np.uint8]] | None]:
        """The file of the next shard, its scenes, and their pixels where the file has yet to be made."""
        file = self._folder / f"{len(self._shards):05d}.safetensors"
        scenes = drawn(self._shard, start=len(self._shards) * self._shard)
        return file, scenes, None if _made_of(file) == self._made_of else self._renderer.begin(scenes)

    def _write(self, file: Path, pixels: NDArray[np.uint8]) -> None:
        parts = [self._encode(to_unit(pixels[start : start + BATCH])) for start in range(0, len(pixels), BATCH)]
        tensors = {name: torch.cat([part[name].half().cpu() for part in parts]) for name in parts[0]}
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as beside:
            save_file(tensors, beside, metadata={"made_of": self._made_of})


def drawn(n: int, *, start: int) -> list[world.Scene]:
    """Scenes `start … start + n` of the training split, their kinds by `TURNS`."""
    return [
        next(world.sample(1, "train", start=index, kind=TURNS[index % len(TURNS)])) for index in range(start, start + n)
    ]


def weights(scenes: list[world.Scene]) -> NDArray[np.float64]:
    """How often each scene is drawn: evenly, but for objects, whose held-out pairs make some shapes rarer."""
    shapes = np.array([scene.factors.get("shape", "") for scene in scenes])
    names, which, counts = np.unique(shapes, return_inverse=True, return_counts=True)
    objects = names != ""
    even = np.where(objects, counts[objects].sum() / max(1, objects.sum()), counts)
    return (even / counts)[which]


def _made_of(file: Path) -> str | None:
    if not file.exists():
        return None
    with safe_open(file, "pt") as tensors:
        return (tensors.metadata() or {}).get("made_of")
