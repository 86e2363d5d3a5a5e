"""Masks: where in a picture of the pocket world each thing is, from the renderer itself.

A scene is drawn with the thing and without it, or with it in other colours: what changes is where it is. What covers a
thing does not change, so only what can be seen of it counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .captions import word
from .world import Scene, change, render

VISIBLE = 24
"""Of 255: a change of colour that an eye sees at once."""

_ABSENT = {
    "portrait": ("hat", "eyewear", "facial_hair"),
    "landscape": ("structure", "trees", "celestial", "water"),
    "object": (),
}
"""Factors that name a thing, and may be `none`."""

_REPAINTED = {"object": (("shape", "color"), ("second_shape", "second_color"))}
"""Factors that name a thing which is always there, and the factors that paint it."""

_PAINTS = ("red", "blue", "black", "white")
_HEADS = {"portrait": "a person with ", "landscape": "a landscape with ", "object": ""}


@dataclass(frozen=True, eq=False)
class Thing:
    """A thing that a scene shows.

    Attributes:
        phrase: what it is called, with its article: `a crown`, `glasses`.
        mask: `(size, size)`, true where it can be seen.
    """

    phrase: str
    mask: NDArray[np.bool_]

    @property
    def word(self) -> str:
        """What it is called, without an article."""
        return self.phrase.split(" ", 1)[-1] if self.phrase.split(" ")[0] in ("a", "an", "the") else self.phrase


def things(scene: Scene, size: int = 64) -> tuple[Thing, ...]:
    """The things of a scene that have a place of their own; two of the same name are one, with both places.

    >>> portrait = {"skin": "tan", "hair_style": "bald", "expression": "sad", "eyewear": "none", "hat": "crown"}
    >>> rest = {"facial_hair": "beard", "clothing": "red", "background": "gray"}
    >>> [thing.phrase for thing in things(Scene("portrait", portrait | rest, 0))]
    ['a crown', 'a beard']
    """
    masks: dict[str, NDArray[np.bool_]] = {}
    for phrase, others in _without(scene):
        drawn = render(scene, size)
        seen = np.logical_or.reduce([_changed(drawn, render(other, size)) for other in others])
        masks[phrase] = masks.get(phrase, np.zeros_like(seen)) | seen
    return tuple(Thing(phrase, mask) for phrase, mask in masks.items() if mask.any())


def sentence(scene: Scene, shown: tuple[Thing, ...]) -> str:
    """A plain caption that names these things: `a person with a crown and glasses`."""
    return _HEADS[scene.kind] + " and ".join(thing.phrase for thing in shown)


def _without(scene: Scene) -> Iterator[tuple[str, list[Scene]]]:
    """The phrase of each thing, and the scenes in which it is gone or painted anew."""
    for name in _ABSENT[scene.kind]:
        value = scene.factors[name]
        floats = name == "water" and scene.factors["structure"] == "boat"  # a boat moves where there is no water
        if value != "none" and not floats:
            yield word(scene.kind, name, value), [change(scene, name, "none")]
    for name, paint in _REPAINTED.get(scene.kind, ()):
        if name in scene.factors:
            others = [change(scene, paint, each) for each in _PAINTS if each != scene.factors[paint]]
            yield word("object", "shape", scene.factors[name]), others


def _changed(a: object, b: object) -> NDArray[np.bool_]:
    difference = np.abs(np.asarray(a, dtype=np.int16) - np.asarray(b, dtype=np.int16))
    return np.asarray(difference.max(-1) > VISIBLE)
