"""Sentences with what they name, and how much of it the reader finds in pictures of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness.intervals import Rows
from thoughtspace.datasets import captions, world
from thoughtspace.explorer.training.reader import Reader

FILE = Path(__file__).with_name("plain_sentences.tsv")
Make = Callable[[world.Scene, np.random.Generator], captions.Caption]
SECOND = {"shape": "second_shape", "color": "second_color"}


@dataclass(frozen=True)
class Sentence:
    """A text, the kind of scene it is about and the values that it names."""

    text: str
    kind: str
    named: Mapping[str, str]

    @cached_property
    def readings(self) -> list[Mapping[str, str]]:
        """The values to look for: two orders where two things are named and their places are not."""
        if "second_shape" not in self.named or "relation" in self.named:
            return [self.named]
        swapped = dict(self.named)
        for first, second in SECOND.items():
            if first in self.named and second in self.named:
                swapped |= {first: self.named[second], second: self.named[first]}
        return [self.named, swapped]


def plain_sentences(each: int | None = None) -> list[Sentence]:
    """The sentences of the file, or the first few of each kind."""
    found = []
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            kind, named, text = line.split("\t")
            found.append(Sentence(text, kind, dict(pair.split("=") for pair in named.split(","))))
    return [one for kind in world.KINDS for one in [s for s in found if s.kind == kind][:each]]


def captioned(scenes: Sequence[world.Scene], make: Make, generator: np.random.Generator) -> list[Sentence]:
    """A caption of each scene, by `captions.full_caption` or another of its kind."""
    made = [make(scene, generator) for scene in scenes]
    return [
        Sentence(caption.text, scene.kind, {name: scene.factors[name] for name in caption.named})
        for scene, caption in zip(scenes, made, strict=True)
    ]


def of_two_factors(scene: world.Scene, generator: np.random.Generator) -> captions.Caption:
    """A caption of two factors that every scene of the kind shows."""
    always = [factor.name for factor in world.FACTORS[scene.kind] if not factor.absent_when]
    return captions.caption(scene, generator, named=generator.choice(always, size=2, replace=False))


def seen(reader: Reader, pictures: Sequence[Image.Image], sentences: Sequence[Sentence], name: str) -> dict[str, Rows]:
    """`{name}_kind`, `{name}_agreement` and the latter of each kind of scene: hits and trials of each sentence.

    A factor counts as seen only in a scene of the right kind.
    """
    kinds, labels = reader.labels(pictures)
    rows: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for found, row, sentence in zip(kinds, labels, sentences, strict=True):
        right_kind = world.KINDS[int(found)] == sentence.kind
        values = {f.name: f.values[row[i]] for i, (k, f) in enumerate(world.HEADS) if k == sentence.kind}
        hits = max(sum(values[name] == value for name, value in reading.items()) for reading in sentence.readings)
        rows[f"{name}_kind"].append((right_kind, 1))
        for each in (f"{name}_agreement", f"{name}_agreement_{sentence.kind}"):
            rows[each].append((hits * right_kind, len(sentence.named)))
    return {each: np.array(counts, dtype=np.float64) for each, counts in rows.items()}


def variety(reader: Reader, draws: Sequence[Sequence[Image.Image]], sentences: Sequence[Sentence]) -> float:
    """Entropy of what sentences leave open, over draws of each, as a share of the world's own.

    The world's own is that of as many scenes of the kind with the named values, drawn as the world draws them. Only
    factors that every one of the draws shows are counted, in both.
    """
    ours = theirs = 0.0
    for pictures, sentence in zip(draws, sentences, strict=True):
        _, labels = reader.labels(pictures)
        own = world.labels(like(sentence, len(pictures)))
        for column, (kind, factor) in enumerate(world.HEADS):
            if kind == sentence.kind and factor.name not in sentence.named and not factor.absent_when:
                ours += entropy(labels[:, column])
                theirs += entropy(own[:, column])
    return ours / theirs


def like(sentence: Sentence, n: int) -> list[world.Scene]:
    """`n` scenes of the world of which the sentence is true."""
    found: list[world.Scene] = []
    for scene in world.sample(40 * n, "fresh", start=500_000, kind=sentence.kind):
        try:
            changed = scene
            for name, value in sentence.named.items():
                changed = world.change(changed, name, value)
        except ValueError:  # a factor that this scene does not show
            continue
        found.append(changed)
        if len(found) == n:
            break
    return found


def entropy(values: NDArray[np.int64]) -> float:
    """In nats, of the values as they were drawn."""
    _, counts = np.unique(values, return_counts=True)
    p = counts / counts.sum()
    return float(-(p * np.log(p)).sum())
