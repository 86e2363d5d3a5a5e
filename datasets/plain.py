"""Plain sentences, as people type them who do not know the grammar of `captions`: other words, orders, half sentences.

They are true of their scenes like any caption, and teach a model that a disc is a circle and that somebody who grins is
smiling. Figures that say how well a model reads such sentences are measured on others, written by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .captions import Caption
from .phrases import COLOR_WORDS, Words, article
from .world import FACTORS, Scene

WORDS: dict[str, Any] = json.loads(Path(__file__).with_name("plain_words.json").read_text(encoding="utf-8"))
"""What people call each value, beside the words of the grammar in `phrases`; lists of phrases by value."""

TRAITS: Mapping[str, Mapping[str, Words]] = WORDS["traits"]
"""The words after `with`, for every value that is not a colour, hair, time or shape."""
ADJECTIVES: Words = WORDS["adjectives"]
SHAPES: Words = WORDS["shapes"]
BEHIND = ("with", "that", "full")
"""How a pattern begins that is said behind its shape."""

ASIDE = 0.15
"""Share of sentences with an aside."""
NO_ARTICLES = 0.15
"""Share of sentences as they are typed in haste, without articles."""


def plain_caption(scene: Scene, generator: np.random.Generator, *, named: Collection[str] | None = None) -> Caption:
    """One of the many plain sentences that are true of a scene.

    Args:
        generator: chooses words, order and, unless `named` says, what to leave out: mostly what is not there, such as
            a hat on a bare head.
        named: the factors to say.
    """
    visible = [factor.name for factor in FACTORS[scene.kind] if factor.name in scene.factors]
    if named is None:
        keep = 1.0 if generator.random() < 0.5 else generator.uniform(0.2, 0.9)
        absent = [name for name in visible if scene.factors[name] == "none"]
        kept = [name for name in visible if generator.random() < (0.3 * keep if name in absent else keep)]
        named = kept or [visible[int(generator.integers(len(visible)))]]
    facts = {name: scene.factors[name] for name in visible if name in named}
    make = {"portrait": _portrait, "landscape": _landscape, "object": _object}[scene.kind]
    return Caption(_as_typed(make(facts, generator), generator), tuple(facts))


def _as_typed(text: str, generator: np.random.Generator) -> str:
    """The sentence with what people add to it, or without its articles."""
    if generator.random() < ASIDE:
        aside = _one(WORDS["asides"], generator)
        text = f"{text}, {aside}" if generator.random() < 0.7 else f"{aside}, {text}"
    if generator.random() < NO_ARTICLES:
        text = re.sub(r"\b(a|an|the) ", "", text)
    return text


def _portrait(facts: Mapping[str, str], generator: np.random.Generator) -> str:
    feeling, clothing, ground = (facts.get(name) for name in ("expression", "clothing", "background"))
    head, implied = _one(WORDS["heads"]["portrait"], generator), set()
    if facts.get("hat") == "crown" and generator.random() < 0.4:
        head = _one(WORDS["crowned"], generator)
        implied.add("hat")
    if feeling and generator.random() < 0.5:
        head = _described(head, _one(ADJECTIVES[feeling], generator))
        implied.add("expression")
    parts = _traits("portrait", {name: value for name, value in facts.items() if name not in implied}, generator)
    if "hair_style" in facts or "hair_color" in facts:
        parts.append(_hair(facts, generator))
    if clothing:
        parts.append(_tinted(WORDS["clothes"], clothing, generator))
    if ground:
        parts.append(_tinted(WORDS["grounds"], ground, generator))
    return _joined(head, parts, generator)


def _landscape(facts: Mapping[str, str], generator: np.random.Generator) -> str:
    parts = _traits("landscape", facts, generator)
    if "time" in facts:
        parts.append(_one(WORDS["times"][facts["time"]], generator))
    return _joined(_one(WORDS["heads"]["landscape"], generator), parts, generator)


def _object(facts: Mapping[str, str], generator: np.random.Generator) -> str:
    first = _thing(facts, ("shape", "color", "size", "texture"), generator)
    second = _thing(facts, ("second_shape", "second_color", "", ""), generator)
    paired = "second_shape" in facts or "second_color" in facts
    relation = facts.get("relation", "" if paired else None)
    text = first if relation is None else _one(WORDS["sides"][relation], generator).format(first=first, second=second)
    if "background" not in facts:
        return _one((text, text, text, f"there is {text}", f"a picture of {text}"), generator)
    tint = _tint(facts["background"], generator)
    around = (f"{tint} background with {text}", f"{tint} paper, {text}", f"{text}, {tint} behind")
    return (
        _one(around, generator) if generator.random() < 0.5 else f"{text} {_tinted(WORDS['grounds'], tint, generator)}"
    )


def _traits(kind: str, facts: Mapping[str, str], generator: np.random.Generator) -> list[str]:
    return [f"with {_one(words[facts[name]], generator)}" for name, words in TRAITS[kind].items() if name in facts]


def _hair(facts: Mapping[str, str], generator: np.random.Generator) -> str:
    color, style = facts.get("hair_color"), facts.get("hair_style")
    tint = f"{_one(WORDS['hair_tints'].get(color) or _tints(color), generator)} " if color else ""
    return _one(WORDS["hair"][style] if style else ("with {}hair", "whose hair is {}"), generator).format(tint).strip()


def _thing(facts: Mapping[str, str], names: tuple[str, str, str, str], generator: np.random.Generator) -> str:
    shape, color, size, texture = (facts.get(name) for name in names)
    noun = _one(SHAPES[shape], generator) if shape else "shape"
    mark = _one(WORDS["marks"][texture], generator) if texture else ""
    before = [_one(WORDS["sizes"][size], generator)] if size else []
    before += [mark] if mark and not mark.startswith(BEHIND) else []
    before += [_tint(color, generator)] if color else []
    behind = f" {mark}" if mark.startswith(BEHIND) else ""
    if color and generator.random() < 0.15:
        return article(" ".join([*before[:-1], noun])) + behind + f" that is {before[-1]}"
    return article(" ".join([*before, noun])) + behind


def _joined(head: str, parts: list[str], generator: np.random.Generator) -> str:
    generator.shuffle(parts)
    if generator.random() < 0.3 and parts:  # a list of wishes, without a head
        return ", ".join(part.removeprefix("with ") for part in parts)
    text = head
    for index, part in enumerate(parts):
        again = index and part.startswith("with ") and generator.random() < 0.5
        part = f"and {part.removeprefix('with ')}" if again and generator.random() < 0.7 else part
        text += f"{', ' if index and generator.random() < 0.5 else ' '}{part}"
    return text


def _described(head: str, adjective: str) -> str:
    return article(f"{adjective} {head.removeprefix('a ')}") if head.startswith("a ") else f"{head}, {adjective}"


def _tinted(forms: tuple[str, ...], color: str, generator: np.random.Generator) -> str:
    form, tint = _one(forms, generator), _tint(color, generator)
    return form.replace("a {}", article(tint)).format(tint)


def _tint(color: str, generator: np.random.Generator) -> str:
    return _one(_tints(color), generator)


def _tints(color: str) -> tuple[str, ...]:
    return (*COLOR_WORDS.get(color, (color,)), *WORDS["tints"].get(color, ()))


def _one(options: tuple[str, ...], generator: np.random.Generator) -> str:
    return options[int(generator.integers(len(options)))]
