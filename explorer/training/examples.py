"""What the denoiser learns from: a scene, what may be said of it, and a scene that differs from it in one word.

Objects come twice as often as the other kinds, for their shapes are the hardest to draw. The scene that differs is what
makes arithmetic of words learnable: its vector, less the word that it shows and more the word that this scene shows,
should be drawn as this scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thoughtspace.datasets import captions, plain, world
from thoughtspace.datasets.changes import other_value

from .pictures import Arrays, render
from .words import encode

TURNS = ("object", "portrait", "object", "landscape")
"""Kinds in turn: objects twice as often as the others."""
SAID = 4
"""Captions of each scene."""
CHANGED = 0.25
"""Share of scenes that come with one that differs in one word."""
PLAIN = 0.25
"""Share of captions in plain words, outside the grammar."""
FULL = 0.8
"""Share of the others that name every factor; what remains leaves some, or most, to chance."""
WORDS = tuple((kind, factor.name, value) for kind, factor in world.HEADS for value in factor.values)
"""Every value of every factor; a change is two places in it."""
NONE = -1
ORDER, SENTENCES = 1, 2


@dataclass(frozen=True)
class Change:
    """Another scene, and the places in `WORDS` of what it shows and of what is shown instead."""

    row: int
    before: world.Scene
    less: int
    more: int


def drawn(n: int, *, start: int) -> list[world.Scene]:
    """Scenes `start … start + n` of the training split, their kinds by `TURNS`."""
    return [
        next(world.sample(1, "train", start=index, kind=TURNS[index % len(TURNS)])) for index in range(start, start + n)
    ]


def changes(scenes: Sequence[world.Scene]) -> list[Change]:
    """For some of the scenes, one that differs in one word; none that is held out of training."""
    found = []
    for row, scene in enumerate(scenes):
        generator = np.random.default_rng([scene.seed, ORDER])
        other = other_value(scene, generator) if generator.random() < CHANGED else None
        if other is None:
            continue
        name, value = other
        before = world.change(scene, name, value)
        if not world.is_held_out(before.kind, before.factors):
            less, more = ((scene.kind, name, each) for each in (value, scene.factors[name]))
            found.append(Change(row, before, WORDS.index(less), WORDS.index(more)))
    return found


def weights(scenes: Sequence[world.Scene]) -> NDArray[np.float64]:
    """How often each scene is drawn: evenly, but for objects, whose held-out pairs make some shapes rarer."""
    shapes = np.array([scene.factors.get("shape", "") for scene in scenes])
    names, which, counts = np.unique(shapes, return_inverse=True, return_counts=True)
    objects = names != ""
    even = np.where(objects, counts[objects].sum() / max(1, objects.sum()), counts)
    return (even / counts)[which]


def say(scene: world.Scene, generator: np.random.Generator) -> str:
    """A caption to learn from: most name everything, for what is left unsaid teaches nothing of how to draw it."""
    if generator.random() < PLAIN:
        return plain.plain_caption(scene, generator).text
    make = captions.full_caption if generator.random() < FULL else captions.caption
    return make(scene, generator).text


@dataclass(frozen=True)
class Prepare:
    """Renders scenes and writes their captions, in whatever process it is sent to.

    Attributes:
        size: of the pictures in pixels.
        tokenizer: its folder.
        context: longest caption in tokens.
    """

    size: int
    tokenizer: Path
    context: int

    def __call__(self, scenes: Sequence[world.Scene]) -> Arrays:
        """Pixels `(n, 3, size, size)` uint8, and tokens `(n, SAID, context)` int16, padded with zeros."""
        said = [say(scene, np.random.default_rng([scene.seed, SENTENCES, k])) for scene in scenes for k in range(SAID)]
        tokens = encode(_tokenizer(self.tokenizer), said, context=self.context).numpy()
        padded = np.zeros((len(scenes), SAID, self.context), dtype=np.int16)
        padded[:, :, : tokens.shape[1]] = tokens.reshape(len(scenes), SAID, -1)
        return render(scenes, self.size), padded


@cache
def _tokenizer(folder: Path) -> Any:
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(folder)
