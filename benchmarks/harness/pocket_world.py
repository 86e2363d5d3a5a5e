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


def other_value(scene: world.Scene, generator: np.random.Generator) -> tuple[str, str] | None:
    """A factor and a new value for it that leave every other factor as it is, or None if the draw allows none."""
    factors = [f for f in world.FACTORS[scene.kind] if f.name in scene.factors]
    factor = factors[int(generator.integers(len(factors)))]
    values = [value for value in factor.values if value != scene.factors[factor.name]]
    value = values[int(generator.integers(len(values)))]
    changed = world.change(scene, factor.name, value) if value_fits(scene, factor.name, value) else None
    if changed is None or set(changed.factors) != set(scene.factors):
        return None
    return factor.name, value


def value_fits(scene: world.Scene, name: str, value: str) -> bool:
    """Whether the scene with that value is one that the world draws: nothing appears without its own factors."""
    factors = dict(scene.factors) | {name: value}
    return all(factor.name in factors for factor in world.FACTORS[scene.kind] if factor.present(factors)) and not (
        factors.get("structure") == "boat" and factors.get("water") != "lake"
    )


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
