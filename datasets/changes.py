"""Scenes that differ in one factor: what a subtraction and an addition of words should do to a picture."""

from __future__ import annotations

import numpy as np

from . import world


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
