"""Scenes of the pocket world for measurements, and what the shipped reader finds in pictures of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from thoughtspace.datasets import world
from thoughtspace.explorer import Explorer
from thoughtspace.explorer.training.reader import Reader


@dataclass(frozen=True)
class Bench:
    """The models and the numbers that every measurement needs."""

    explorer: Explorer
    reader: Reader
    n: int
    seed: int = 0
    few_steps: bool = False
    variety: float | None = None

    @property
    def how(self) -> dict[str, Any]:
        """The options of every decode by the denoiser."""
        return {"batch": self.batch, "few_steps": self.few_steps}

    @property
    def batch(self) -> int:
        """Pictures decoded at once; at most `n`, because batches are padded to full size."""
        return min(16, self.n)

    def scenes(self, n: int, *, start: int = 0, held_out: bool = False) -> list[world.Scene]:
        return list(world.sample(n, "fresh", start=start, held_out=held_out))

    def render(self, scenes: Sequence[world.Scene]) -> list[Image.Image]:
        return [world.render(scene, self.explorer.model.clip.image_size) for scene in scenes]


def held_out_heads(scenes: Sequence[world.Scene]) -> NDArray[np.bool_]:
    """`(n, heads)`: the factors that make each scene a held-out one."""
    table = np.zeros((len(scenes), len(world.HEADS)), dtype=bool)
    for row, scene in enumerate(scenes):
        for pair in world.HELD_OUT[scene.kind]:
            if all(scene.factors.get(name) == value for name, value in pair.items()):
                for column, (kind, factor) in enumerate(world.HEADS):
                    table[row, column] |= kind == scene.kind and factor.name in pair
    return table


def agreement(
    reader: Reader, pictures: Sequence[Image.Image], scenes: Sequence[world.Scene]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which factors the reader finds as the scenes have them, and which the scenes have: `(n, heads)` each."""
    _, found = reader.labels(pictures)
    wanted = world.labels(scenes)
    return found == wanted, wanted >= 0
