"""Plain sentences, as people type them who do not know the grammar of `captions`: other words, orders, half sentences.

They are true of their scenes like any caption, and teach a model that a disc is a circle and that somebody who grins is
smiling. Figures that say how well a model reads such sentences are measured on others, written by hand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from .captions import Caption
from .phrases import COLOR_WORDS, Words, article
from .world import FACTORS, Scene

TRAITS: Mapping[str, Mapping[str, Words]] = {
    "portrait": {
        "skin": {
            "pale": ("pale skin", "fair skin", "light skin", "a pale face"),
            "tan": ("tan skin", "tanned skin", "a tanned face"),
            "brown": ("brown skin", "a brown face"),
            "dark": ("dark skin", "very dark skin", "a dark face"),
        },
        "expression": {
            "smiling": ("a big smile", "a grin", "a cheerful look", "a laughing face", "a friendly smile"),
            "neutral": ("a serious face", "a blank face", "no expression", "a straight face"),
            "sad": ("a frown", "a gloomy face", "a sad look", "an unhappy look"),
            "surprised": ("an open mouth", "a shocked face", "an amazed look", "a surprised look"),
            "angry": ("an angry look", "a grumpy face", "a mad face", "a scowl"),
        },
        "eyewear": {
            "none": ("nothing on the eyes",),
            "glasses": ("eyeglasses", "a pair of glasses", "round glasses", "reading glasses"),
            "sunglasses": ("shades", "a pair of sunglasses", "black sunglasses", "cool sunglasses"),
        },
        "hat": {
            "none": ("a bare head",),
            "cap": ("a baseball hat", "a sports cap", "a peaked cap"),
            "beanie": ("a knitted hat", "a winter hat", "a wool cap", "a knit cap"),
            "top hat": ("a tall hat", "a magician's hat", "a gentleman's hat", "a black top hat"),
            "crown": ("a king's crown", "a royal crown", "a gold crown", "a shiny crown"),
        },
        "facial_hair": {
            "none": ("a clean shaven face", "no facial hair"),
            "moustache": ("a big moustache", "a dark moustache", "a thick mustache"),
            "beard": ("a bushy beard", "a long beard", "a thick beard"),
        },
    },
    "landscape": {
        "terrain": {
            "plain": ("a flat field", "a meadow", "flat country", "grassland"),
            "hills": ("green hills", "a hill", "hilly country", "low hills"),
            "mountains": ("a mountain", "mountain peaks", "tall mountains", "high mountains"),
            "dunes": ("sand dunes", "sand", "a sandy desert", "desert sand"),
        },
        "trees": {
            "none": ("not a single tree",),
            "pines": ("pine trees", "a pine forest", "firs", "evergreen trees"),
            "oaks": ("oak trees", "leafy trees", "a few oaks", "bushy trees"),
            "palms": ("a palm tree", "coconut palms", "tall palms", "tropical trees"),
        },
        "water": {
            "none": ("dry land",),
            "lake": ("a blue lake", "a small lake", "a lake in front", "still water"),
            "river": ("a winding river", "a brook", "a blue river", "flowing water"),
        },
        "weather": {
            "clear": ("fine weather", "no clouds", "a cloudless sky"),
            "cloudy": ("a cloudy sky", "gray clouds", "an overcast sky", "many clouds"),
            "rainy": ("rain falling", "heavy rain", "a shower", "raindrops"),
            "snowy": ("snow falling", "snowflakes", "falling snow", "a snowstorm"),
        },
        "celestial": {
            "none": ("nothing in the sky",),
            "sun": ("a bright sun", "sunshine", "the yellow sun", "the sun in the sky"),
            "moon": ("a full moon", "moonlight", "the white moon", "the moon in the sky"),
        },
        "structure": {
            "none": ("no houses",),
            "house": ("a little house", "a cabin", "a hut", "a small home"),
            "windmill": ("an old windmill", "a wind mill", "a big windmill"),
            "boat": ("a sailboat", "a small boat", "a boat on the water", "a ship with a sail"),
        },
    },
}
"""The words after `with`, for every value that is not a colour, hair, time or shape."""

HEADS: Words = {
    "portrait": (
        "a man",
        "a woman",
        "a face",
        "somebody",
        "a boy",
        "a girl",
        "a guy",
        "a lady",
        "a head",
        "a character",
    ),
    "landscape": ("a picture", "a painting", "nature", "the countryside", "a place", "scenery", "an outdoor scene"),
}
ADJECTIVES: Words = {
    "smiling": ("grinning", "laughing", "joyful", "friendly"),
    "neutral": ("serious", "expressionless"),
    "sad": ("gloomy", "miserable", "frowning"),
    "surprised": ("amazed", "shocked", "startled"),
    "angry": ("mad", "grumpy", "scowling"),
}
TIMES: Words = {
    "dawn": ("sunrise", "at sunrise", "early in the day", "at daybreak"),
    "day": ("at noon", "in full daylight", "during the day", "at midday"),
    "sunset": ("sunset", "at dusk", "in the evening light", "as the sun goes down"),
    "night": ("nighttime", "late at night", "after dark", "during the night"),
}
HAIR: Words = {
    "bald": ("bald", "without hair", "with a shaved head", "hairless"),
    "short": ("with short {}hair", "with a short {}haircut", "whose {}hair is short"),
    "long": ("with long {}hair", "with long {}locks", "whose {}hair is long"),
    "curly": ("with {}curls", "with curly {}hair", "whose {}hair is curly", "with frizzy {}hair"),
    "pigtails": ("with {}pigtails", "with {}braids", "with two {}tails of hair"),
}
SHAPES: Words = {
    "circle": ("circle", "disc", "ball", "disk", "round shape"),
    "square": ("square", "box", "block", "cube"),
    "triangle": ("triangle", "three-cornered shape", "pyramid"),
    "star": ("star", "five-pointed star", "star shape"),
    "heart": ("heart", "love heart", "heart shape"),
    "cross": ("cross", "plus sign", "plus", "cross shape"),
}
MARKS: Words = {
    "plain": ("plain", "solid", "without a pattern"),
    "striped": ("stripy", "striped", "with stripes", "with a striped pattern"),
    "dotted": ("polka dot", "dotted", "with dots", "with spots"),
}
SIZES: Words = {"small": ("tiny", "small", "little", "mini"), "large": ("huge", "big", "large", "giant")}
SIDES: Words = {
    "left": ("{first} on the left and {second} on the right", "{first}, and right of it {second}"),
    "above": ("{first} over {second}", "{first} at the top and {second} below", "{second} beneath {first}"),
}
TINTS: Words = {"red": ("red", "bright red"), "purple": ("purple", "lilac"), "sky": ("sky blue", "pale blue")}


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
    return Caption(make(facts, generator), tuple(facts))


def _portrait(facts: Mapping[str, str], generator: np.random.Generator) -> str:
    feeling, clothing, ground = (facts.get(name) for name in ("expression", "clothing", "background"))
    head = _one(HEADS["portrait"], generator)
    parts = _traits("portrait", facts, generator)
    if feeling and generator.random() < 0.5:
        parts = _traits("portrait", {name: value for name, value in facts.items() if name != "expression"}, generator)
        head = _described(head, _one(ADJECTIVES[feeling], generator))
    if "hair_style" in facts or "hair_color" in facts:
        parts.append(_hair(facts, generator))
    if clothing:
        tint = _tint(clothing, generator)
        parts.append(_one((f"dressed in {tint}", f"in {tint} clothes", f"in {article(tint)} sweater"), generator))
    if ground:
        tint = _tint(ground, generator)
        parts.append(_one((f"on {tint}", f"with {tint} behind", f"in front of {article(tint)} wall"), generator))
    return _joined(head, parts, generator)


def _landscape(facts: Mapping[str, str], generator: np.random.Generator) -> str:
    parts = _traits("landscape", facts, generator)
    if "time" in facts:
        parts.append(_one(TIMES[facts["time"]], generator))
    return _joined(_one(HEADS["landscape"], generator), parts, generator)


def _object(facts: Mapping[str, str], generator: np.random.Generator) -> str:
    first = _thing(facts, ("shape", "color", "size", "texture"), generator)
    second = _thing(facts, ("second_shape", "second_color", "", ""), generator)
    relation, paired = facts.get("relation"), "second_shape" in facts or "second_color" in facts
    if relation and relation in SIDES:
        text = _one(SIDES[relation], generator).format(first=first, second=second)
    elif paired:
        text = _one((f"{first} and {second}", f"{first} next to {second}", f"{first}, {second}"), generator)
    else:
        text = _one((f"just {first}", f"only {first}", f"a single shape, {first}"), generator) if relation else first
    if "background" not in facts:
        return _one((text, text, f"there is {text}", f"a picture of {text}"), generator)
    tint = _tint(facts["background"], generator)
    return _one((f"{text} on {tint}", f"{text}, {tint} behind", f"{tint} background with {text}"), generator)


def _traits(kind: str, facts: Mapping[str, str], generator: np.random.Generator) -> list[str]:
    return [f"with {_one(words[facts[name]], generator)}" for name, words in TRAITS[kind].items() if name in facts]


def _hair(facts: Mapping[str, str], generator: np.random.Generator) -> str:
    color, style = facts.get("hair_color"), facts.get("hair_style")
    tint = f"{_tint(color, generator)} " if color else ""
    return _one(HAIR[style] if style else ("with {}hair", "whose hair is {}"), generator).format(tint).strip()


def _thing(facts: Mapping[str, str], names: tuple[str, str, str, str], generator: np.random.Generator) -> str:
    shape, color, size, texture = (facts.get(name) for name in names)
    noun = _one(SHAPES[shape], generator) if shape else "shape"
    mark = _one(MARKS[texture], generator) if texture else ""
    before = [_one(SIZES[size], generator)] if size else []
    before += [mark] if mark and not mark.startswith("with") else []
    before += [_tint(color, generator)] if color else []
    behind = f" {mark}" if mark.startswith("with") else ""
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
    return f"{head}, {adjective}" if head == "somebody" else article(f"{adjective} {head.removeprefix('a ')}")


def _tint(color: str, generator: np.random.Generator) -> str:
    return _one((*COLOR_WORDS.get(color, (color,)), *TINTS.get(color, ())), generator)


def _one(options: tuple[str, ...], generator: np.random.Generator) -> str:
    return options[int(generator.integers(len(options)))]
