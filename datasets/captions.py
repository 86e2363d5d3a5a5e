"""Captions: a grammar that describes scenes, with synonyms, free order and factors left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from .factors import Factor
from .phrases import (
    ADJECTIVES,
    CLAUSES,
    COLOR_WORDS,
    HAIR_STYLES,
    HEADS,
    RELATIONS,
    REVERSED,
    SIZES,
    TEXTURES,
    Words,
    article,
)
from .world import FACTORS, Scene


@dataclass(frozen=True)
class Caption:
    """A sentence and the factors it names."""

    text: str
    named: tuple[str, ...]


def caption(scene: Scene, generator: np.random.Generator, *, named: Collection[str] | None = None) -> Caption:
    """One of the many sentences that are true of a scene.

    Args:
        generator: chooses synonyms, order and, unless `named` says, what to leave out.
        named: the factors to say; by default a random choice, from one to all of them.
    """
    visible = [factor.name for factor in FACTORS[scene.kind] if factor.name in scene.factors]
    if named is None:
        # A third of all captions name every factor; the others keep each factor with one common probability.
        keep = 1.0 if generator.random() < 1 / 3 else generator.uniform(0.15, 0.9)
        kept = [name for name in visible if generator.random() < keep]
        chosen = set(kept or [visible[int(generator.integers(len(visible)))]])
    else:
        chosen = set(named)
    facts = {name: scene.factors[name] for name in visible if name in chosen}
    text = _object(facts, generator) if scene.kind == "object" else _sentence(scene.kind, facts, generator)
    return Caption(text, tuple(facts))


def full_caption(scene: Scene, generator: np.random.Generator) -> Caption:
    """A sentence that names every factor the scene shows."""
    return caption(scene, generator, named=scene.factors)


def word(kind: str, name: str, value: str) -> str:
    """The plainest phrase for one value: `word("portrait", "hat", "crown")` is `a crown`."""
    return synonyms(kind, name, value)[0]


def synonyms(kind: str, name: str, value: str) -> tuple[str, ...]:
    """Every phrase for one value, the plainest first."""
    if name == "hair_color":
        return tuple(f"{color} hair" for color in COLOR_WORDS.get(value, (value,)))
    if name == "hair_style":
        return (
            ("a bald head", "no hair")
            if value == "bald"
            else tuple(style.format("").replace("  ", " ").strip() for style in HAIR_STYLES[value])
        )
    if kind == "object" and name != "background":
        return _object_words(name, value)
    return CLAUSES[kind][name].words[value]


def _sentence(kind: str, facts: dict[str, str], generator: np.random.Generator) -> str:
    adjectives = [
        _choose(ADJECTIVES[name][value], generator)
        for name, value in facts.items()
        if name in ADJECTIVES and generator.random() < 0.5
    ]
    before_noun = {
        name
        for name, value in facts.items()
        if name in ADJECTIVES and any(adjective in ADJECTIVES[name][value] for adjective in adjectives)
    }
    clauses = [
        _join(_choose(clause.joins, generator), _choose(clause.words[facts[name]], generator))
        for name, clause in CLAUSES[kind].items()
        if name in facts and name not in before_noun
    ]
    if "hair_style" in facts or "hair_color" in facts:
        clauses.append(_hair(facts, generator))
    generator.shuffle(clauses)
    listed = generator.random() < 0.2  # the comma-separated style in which many prompts are written
    if listed and (adjectives or clauses):
        return ", ".join([*adjectives, *(_without_join(clause) for clause in clauses)])
    head = _with_adjectives(_choose(HEADS[kind], generator), adjectives)
    return _flow(head, clauses, generator)


def _flow(head: str, clauses: list[str], generator: np.random.Generator) -> str:
    text = head
    for index, clause in enumerate(clauses):
        joined = "" if clause.startswith("and ") else ("and " if index and generator.random() < 0.3 else "")
        text += (", " if index and generator.random() < 0.5 else " ") + joined + clause
    return text


def _hair(facts: Mapping[str, str], generator: np.random.Generator) -> str:
    style, color = facts.get("hair_style"), facts.get("hair_color")
    if style == "bald":
        return "with " + _choose(("a bald head", "no hair"), generator)
    tint = _choose(COLOR_WORDS.get(color, (color,)), generator) if color else ""
    pattern = _choose(HAIR_STYLES[style], generator) if style else "{} hair"
    return "with " + pattern.format(tint).replace("  ", " ").strip()


def _object(facts: Mapping[str, str], generator: np.random.Generator) -> str:
    first = _thing(facts.get("size"), facts.get("texture"), facts.get("color"), facts.get("shape"), generator)
    names_second = "second_shape" in facts or "second_color" in facts
    relation = facts.get("relation")
    if relation == "alone":
        text = first + _choose((" alone", " by itself"), generator)
    elif relation is not None or names_second:
        second = _thing(None, None, facts.get("second_color"), facts.get("second_shape"), generator)
        if relation is None:
            text = f"{first} beside {second}"
        elif generator.random() < 0.7:
            text = f"{first} {_choose(RELATIONS[relation], generator)} {second}"
        else:
            text = f"{second} {_choose(REVERSED[relation], generator)} {first}"
    else:
        text = first
    if "background" not in facts:
        return text
    clause = CLAUSES["object"]["background"]
    ground = _join(_choose(clause.joins, generator), _choose(clause.words[facts["background"]], generator))
    return f"{ground}, {text}" if generator.random() < 0.3 else f"{text} {ground}"


def _thing(
    size: str | None, texture: str | None, color: str | None, shape: str | None, generator: np.random.Generator
) -> str:
    words = [_choose(table[value], generator) for table, value in ((SIZES, size), (TEXTURES, texture)) if value]
    if color:
        words.append(_choose(COLOR_WORDS.get(color, (color,)), generator))
    phrase = " ".join([*words, shape or "shape"])
    return article(phrase)


def _object_words(name: str, value: str) -> tuple[str, ...]:
    if name == "relation":
        if value == "alone":
            return ("a shape alone", "a shape by itself")
        return tuple(f"a shape {phrase} a shape" for phrase in (*RELATIONS[value], *REVERSED[value]))
    if name == "shape":
        return (article(value),)
    if name == "second_shape":
        return (f"a shape beside {article(value)}",)
    if name == "second_color":
        return tuple(f"a shape beside {article(c)} shape" for c in COLOR_WORDS.get(value, (value,)))
    tables: Mapping[str, Words] = {"size": SIZES, "texture": TEXTURES, "color": COLOR_WORDS}
    return tuple(article(f"{w} shape") for w in tables[name].get(value, (value,)))


def _with_adjectives(head: str, adjectives: list[str]) -> str:
    if not adjectives:
        return head
    phrase = " ".join(adjectives)
    if head == "someone":
        return f"someone {phrase}"
    before, _, noun = head.rpartition("a ")
    return f"{before}{article(phrase)} {noun}"


def _without_join(clause: str) -> str:
    first, _, rest = clause.partition(" ")
    return rest if first in ("with", "wearing", "and", "of") else clause


def _join(join: str, phrase: str) -> str:
    return f"{join} {phrase}" if join else phrase


def _choose(options: tuple[str, ...], generator: np.random.Generator) -> str:
    return options[int(generator.integers(len(options)))]


def concepts() -> tuple[str, ...]:
    """The plainest phrase for each value that a picture can show, each once; what is not there, as `no hat`, has none.

    >>> concepts()[:3]
    ('a person', 'a landscape', 'pale skin')
    """
    heads = [HEADS[kind][0] for kind in FACTORS if kind in HEADS]
    phrases = [
        word(kind, factor.name, value)
        for kind, factors in FACTORS.items()
        for factor in factors
        for value in factor.values
        if value not in ("none", "alone")
    ]
    return tuple(dict.fromkeys((*heads, *phrases)))


def vocabulary() -> tuple[str, ...]:
    """Every phrase of one value, over all kinds: those that a small tokenizer should know as a whole."""
    return tuple(
        phrase
        for kind, factors in FACTORS.items()
        for f in factors
        for v in f.values
        for phrase in _phrases_of(kind, f, v)
    )


def _phrases_of(kind: str, factor: Factor, value: str) -> tuple[str, ...]:
    return synonyms(kind, factor.name, value)
