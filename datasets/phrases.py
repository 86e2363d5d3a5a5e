"""Phrases: the words and synonyms for each value of each factor, and the words that join them to a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .world import FACTORS

Words = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Clause:
    """How a factor is named: words that join it to the sentence, and synonyms for each value, the plain one first."""

    joins: tuple[str, ...]
    words: Words


COLOR_WORDS: Words = {
    "gray": ("gray", "grey"),
    "purple": ("purple", "violet"),
    "sky": ("light blue", "sky blue"),
    "cream": ("cream", "beige"),
    "navy": ("navy", "dark blue"),
    "blond": ("blond", "blonde"),
    "red": ("red",),
}
HEADS: Words = {
    "portrait": ("a person", "a portrait of a person", "a drawing of a person", "someone", "a portrait"),
    "landscape": ("a landscape", "a drawing of a landscape", "a scene", "a view", "a picture of a landscape"),
}
ADJECTIVES: Mapping[str, Words] = {
    "expression": {
        "smiling": ("smiling", "happy", "cheerful"),
        "neutral": ("neutral", "calm"),
        "sad": ("sad", "unhappy"),
        "surprised": ("surprised", "astonished"),
        "angry": ("angry", "furious"),
    },
    "weather": {
        "clear": ("clear",),
        "cloudy": ("cloudy", "overcast"),
        "rainy": ("rainy", "wet"),
        "snowy": ("snowy", "wintry"),
    },
}
"""Values that may stand before the noun: `a smiling person`; otherwise they are clauses as below."""


def _colored(noun: str, other_noun: str, values: tuple[str, ...]) -> Words:
    """`a red shirt`, `a red top` for each colour."""
    return {
        value: tuple(
            article(f"{color} {thing}") for thing in (noun, other_noun) for color in COLOR_WORDS.get(value, (value,))
        )
        for value in values
    }


def article(phrase: str) -> str:
    """The phrase behind `a` or `an`."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def _values(kind: str, name: str) -> tuple[str, ...]:
    return next(factor.values for factor in FACTORS[kind] if factor.name == name)


CLAUSES: Mapping[str, Mapping[str, Clause]] = {
    "portrait": {
        "skin": Clause(("with",), {tone: (f"{tone} skin",) for tone in _values("portrait", "skin")}),
        "expression": Clause(
            ("with", "and"),
            {
                "smiling": ("a smile", "a smiling face", "a happy face"),
                "neutral": ("a neutral face", "a calm face"),
                "sad": ("a sad face", "an unhappy face"),
                "surprised": ("a surprised face", "an astonished face"),
                "angry": ("an angry face", "a furious face"),
            },
        ),
        "eyewear": Clause(
            ("with", "wearing"),
            {
                "none": ("no glasses", "no eyewear"),
                "glasses": ("glasses", "spectacles"),
                "sunglasses": ("sunglasses", "dark glasses"),
            },
        ),
        "hat": Clause(
            ("with", "wearing"),
            {
                "none": ("no hat", "nothing on the head"),
                "cap": ("a cap", "a baseball cap"),
                "beanie": ("a beanie", "a woolly hat"),
                "top hat": ("a top hat", "a tall black hat"),
                "crown": ("a crown", "a golden crown"),
            },
        ),
        "facial_hair": Clause(
            ("with",),
            {
                "none": ("no beard", "a shaven chin"),
                "moustache": ("a moustache", "a mustache"),
                "beard": ("a beard", "a full beard"),
            },
        ),
        "clothing": Clause(("wearing", "in"), _colored("shirt", "top", _values("portrait", "clothing"))),
        "background": Clause(
            ("on", "against", "in front of"), _colored("background", "backdrop", _values("portrait", "background"))
        ),
    },
    "landscape": {
        "time": Clause(
            ("",),
            {
                "dawn": ("at dawn", "in the early morning"),
                "day": ("by day", "in the daytime"),
                "sunset": ("at sunset", "in the evening"),
                "night": ("at night", "in the dark"),
            },
        ),
        "terrain": Clause(
            ("with", "of"),
            {
                "plain": ("a plain", "flat land"),
                "hills": ("hills", "rolling hills"),
                "mountains": ("mountains", "high peaks"),
                "dunes": ("dunes", "a desert"),
            },
        ),
        "trees": Clause(
            ("with", "and"),
            {
                "none": ("no trees",),
                "pines": ("pines", "fir trees"),
                "oaks": ("oaks", "round trees"),
                "palms": ("palms", "palm trees"),
            },
        ),
        "water": Clause(
            ("with", "beside"), {"none": ("no water",), "lake": ("a lake", "a pond"), "river": ("a river", "a stream")}
        ),
        "weather": Clause(
            ("in", "with"),
            {
                "clear": ("clear weather", "a clear sky"),
                "cloudy": ("cloudy weather", "clouds"),
                "rainy": ("rainy weather", "rain"),
                "snowy": ("snowy weather", "snow"),
            },
        ),
        "celestial": Clause(
            ("with", "under"),
            {"none": ("an empty sky", "no sun or moon"), "sun": ("the sun", "a sun"), "moon": ("the moon", "a moon")},
        ),
        "structure": Clause(
            ("with", "and"),
            {
                "none": ("no building", "nothing built"),
                "house": ("a house", "a cottage"),
                "windmill": ("a windmill", "a mill"),
                "boat": ("a boat", "a sailing boat"),
            },
        ),
    },
    "object": {
        "background": Clause(("on", "against"), _colored("background", "backdrop", _values("object", "background"))),
    },
}
HAIR_STYLES: Words = {
    "bald": ("bald", "no hair"),
    "short": ("short {} hair",),
    "long": ("long {} hair",),
    "curly": ("curly {} hair", "{} curls"),
    "pigtails": ("{} pigtails", "{} hair in pigtails"),
}
RELATIONS: Words = {
    "left": ("to the left of", "left of"),
    "above": ("above", "on top of"),
}
REVERSED: Words = {
    "left": ("to the right of", "right of"),
    "above": ("below", "under"),
}
TEXTURES: Words = {"plain": ("plain",), "striped": ("striped",), "dotted": ("dotted", "spotted")}
SIZES: Words = {"small": ("small", "little"), "large": ("large", "big")}
