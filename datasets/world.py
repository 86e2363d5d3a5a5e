"""The pocket world: scenes of three kinds, each with known factors, drawn at any size.

A scene is its kind, its factors and a seed for the jitter. Scenes come in splits that never share a seed, and
some combinations of factors are held out: `sample(..., "train")` never draws one, so whether a model can show
what it has not seen is a number that can be measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from . import landscapes, objects, portraits
from .factors import Factor

KINDS = ("portrait", "landscape", "object")
FACTORS: Mapping[str, tuple[Factor, ...]] = {
    "portrait": portraits.FACTORS,
    "landscape": landscapes.FACTORS,
    "object": objects.FACTORS,
}
HEADS: tuple[tuple[str, Factor], ...] = tuple((kind, factor) for kind in KINDS for factor in FACTORS[kind])
"""Every factor of every kind, in the order of the columns of `labels`."""

HELD_OUT: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "portrait": (
        {"hat": "crown", "eyewear": "sunglasses"},
        {"hair_color": "blue", "facial_hair": "moustache"},
        {"expression": "surprised", "clothing": "green"},
    ),
    "landscape": (
        {"time": "night", "structure": "windmill"},
        {"terrain": "dunes", "trees": "pines"},
        {"weather": "snowy", "water": "river"},
    ),
    "object": (
        {"shape": "heart", "color": "green"},
        {"shape": "star", "texture": "dotted"},
        {"second_shape": "cross", "second_color": "yellow"},
    ),
}
"""The rule: a scene that has both values of any pair listed for its kind is never trained on."""

SPLITS = {"train": 0, "fresh": 1, "demo": 2, "reader": 3}
"""Streams of seeds: no scene of one split is a scene of another."""


@dataclass(frozen=True)
class Scene:
    """What a picture shows. `factors` names a value for each factor that can be seen."""

    kind: str
    factors: Mapping[str, str]
    seed: int


def sample(n: int, split: str, *, start: int = 0, kind: str | None = None, held_out: bool = False) -> Iterator[Scene]:
    """Scenes `start … start + n` of a split: kinds in turn (or one kind), values uniform.

    Args:
        split: a key of `SPLITS`.
        held_out: draw only held-out combinations instead of none. The `train` split refuses.

    Raises:
        ValueError: an unknown split or kind, or held-out scenes asked of the training split.
    """
    if split not in SPLITS:
        raise ValueError(f"Got split {split!r}; expected one of {', '.join(SPLITS)}.")
    if kind is not None and kind not in KINDS:
        raise ValueError(f"Got kind {kind!r}; expected one of {', '.join(KINDS)}.")
    if held_out and split in ("train", "reader"):
        raise ValueError(f"Got held_out=True for split {split!r}; held-out scenes are never trained on: use 'fresh'.")
    for index in range(start, start + n):
        generator = np.random.default_rng([SPLITS[split], int(held_out), index])
        which = kind or KINDS[index % len(KINDS)]
        factors = _draw_factors(which, generator)
        while is_held_out(which, factors) != held_out:
            factors = _draw_factors(which, generator)
        yield Scene(which, factors, int(generator.integers(2**62)))


def render(scene: Scene, size: int = 64) -> Image.Image:
    """The scene as an RGB picture of `size` x `size` pixels; one scene always gives one picture."""
    validate(scene)
    draw = {"portrait": portraits.draw, "landscape": landscapes.draw, "object": objects.draw}[scene.kind]
    return draw(scene.factors, size, np.random.default_rng(scene.seed))


def is_held_out(kind: str, factors: Mapping[str, str]) -> bool:
    """Whether the combination is kept out of all training (see `HELD_OUT`)."""
    return any(all(factors.get(name) == value for name, value in pair.items()) for pair in HELD_OUT[kind])


def validate(scene: Scene) -> None:
    """Raise `ValueError` unless the scene has exactly the factors its kind shows, with known values."""
    if scene.kind not in KINDS:
        raise ValueError(f"Got kind {scene.kind!r}; expected one of {', '.join(KINDS)}.")
    known = {factor.name: factor for factor in FACTORS[scene.kind]}
    for name, value in scene.factors.items():
        if name not in known:
            raise ValueError(f"Got factor {name!r} for a {scene.kind}; expected one of {', '.join(known)}.")
        if value not in known[name].values:
            raise ValueError(f"Got {name}={value!r}; expected one of {', '.join(known[name].values)}.")
    missing = [f.name for f in known.values() if f.present(scene.factors) and f.name not in scene.factors]
    if missing:
        raise ValueError(f"Got a {scene.kind} without {', '.join(missing)}; give each of its factors a value.")


def change(scene: Scene, name: str, value: str) -> Scene:
    """The same scene, jitter included, with one factor set to another value."""
    factors = dict(scene.factors) | {name: value}
    kept = {f.name: factors[f.name] for f in FACTORS[scene.kind] if f.present(factors) and f.name in factors}
    changed = Scene(scene.kind, kept, scene.seed)
    validate(changed)
    return changed


def labels(scenes: Sequence[Scene]) -> NDArray[np.int64]:
    """`(n, len(HEADS))` positions of the values; -1 where a scene does not show the factor."""
    table = np.full((len(scenes), len(HEADS)), -1, dtype=np.int64)
    for row, scene in enumerate(scenes):
        for column, (kind, factor) in enumerate(HEADS):
            if kind == scene.kind and factor.name in scene.factors:
                table[row, column] = factor.values.index(scene.factors[factor.name])
    return table


def _draw_factors(kind: str, generator: np.random.Generator) -> dict[str, str]:
    factors: dict[str, str] = {}
    for factor in FACTORS[kind]:
        value = factor.values[int(generator.integers(len(factor.values)))]
        if factor.present(factors):
            factors[factor.name] = value
    if factors.get("structure") == "boat":
        factors["water"] = "lake"  # a boat needs water to sail on
    return factors
