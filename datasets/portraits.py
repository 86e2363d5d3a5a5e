"""Portraits: the head and shoulders of one person, who varies in skin, hair, expression and clothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image

from .canvas import Canvas, arc, darker, jitter, lighter, mix, smooth
from .factors import Factor
from .heads import facial_hair, hair_back, hair_front, hat
from .person import BACKGROUND, BALD_BEARD, CLOTHING, HAIR, INK, SKIN, THROAT, WHITE, Pen, Person, mirrored

BALD = ("bald",)
FACTORS: tuple[Factor, ...] = (
    Factor("skin", ("pale", "tan", "brown", "dark")),
    Factor("hair_style", ("bald", "short", "long", "curly", "pigtails")),
    Factor("hair_color", ("black", "brown", "blond", "red", "white", "blue"), absent_when={"hair_style": BALD}),
    Factor("expression", ("smiling", "neutral", "sad", "surprised", "angry")),
    Factor("eyewear", ("none", "glasses", "sunglasses")),
    Factor("hat", ("none", "cap", "beanie", "top hat", "crown")),
    Factor("facial_hair", ("none", "moustache", "beard")),
    Factor("clothing", ("red", "green", "blue", "yellow", "purple", "white")),
    Factor("background", ("gray", "green", "blue", "pink", "orange", "cream")),
)


def draw(factors: Mapping[str, str], size: int, generator: np.random.Generator) -> Image.Image:
    """One portrait.

    Args:
        factors: a value for every present factor of `FACTORS`.
        size: side of the picture in pixels; the same generator state gives the same picture at every size.
        generator: moves, leans and tints the person a little.

    Raises:
        ValueError: a factor that is missing or has an unknown value.
    """
    person = _person(factors, generator)
    w = person.wobble
    canvas = Canvas(size)
    scale = 1.05 + 0.03 * w[2]
    center = (0.5 + 0.025 * w[0], 0.525 + 0.01 * w[1])
    head = Pen(canvas, center, scale * (1 + 0.035 * w[4]), scale, 0.06 * w[3])
    body = Pen(canvas, (0.5 + 0.015 * w[0], center[1]), 1 + 0.05 * w[10])
    _backdrop(canvas, person)
    hair_back(head, person)
    _body(body, head, person)
    _face(head, person)
    facial_hair(head, person)
    _mouth(head, person)
    _eyes(head, person)
    hair_front(head, person)
    _eyewear(head, person)
    hat(head, person)
    _brows(head, person)  # last: the mood shows over glasses and under every hat
    return canvas.finish()


def _person(factors: Mapping[str, str], generator: np.random.Generator) -> Person:
    for factor in FACTORS:
        if factor.present(factors) and factors.get(factor.name) not in factor.values:
            value = factors.get(factor.name)
            raise ValueError(f"Got {factor.name}={value!r}, expected one of {', '.join(factor.values)}.")
    wobble = tuple(float(v) for v in generator.uniform(-1, 1, 12))
    hair = BALD_BEARD if factors["hair_style"] == "bald" else HAIR[factors["hair_color"]]
    return Person(
        factors,
        skin=jitter(SKIN[factors["skin"]], generator, 0.02),
        hair=jitter(hair, generator, 0.025),
        shirt=jitter(CLOTHING[factors["clothing"]], generator, 0.03),
        backdrop=jitter(BACKGROUND[factors["background"]], generator, 0.02),
        wobble=wobble,
    )


def _backdrop(canvas: Canvas, person: Person) -> None:
    canvas.gradient(person.backdrop, darker(person.backdrop, 0.05))
    canvas.ellipse((0.5 - 0.03 * person.wobble[0], 0.53), 0.44, fill=lighter(person.backdrop, 0.25))


def _body(body: Pen, head: Pen, person: Person) -> None:
    """Shoulders, the neck with the chin's shade, and a collar on top."""
    shirt, shade = person.shirt, darker(person.shirt, 0.16)
    right = [(0.09, 0.285), (0.20, 0.315), (0.32, 0.36), (0.385, 0.44), (0.40, 0.60)]
    outline = smooth(right, closed=False, steps=6)
    body.polygon(mirrored(outline), shirt)
    if person.factors["hair_style"] == "long":  # locks fall over the shoulders, either side of the collar
        for s in (-1, 1):
            lock = [(0.18, -0.1), (0.249, -0.03), (0.268, 0.13), (0.285, 0.32), (0.24, 0.40), (0.18, 0.34), (0.15, 0.1)]
            head.blob([(s * x, y) for x, y in lock], person.hair)
    body.polygon([(-0.085, 0.15), (0.085, 0.15), (0.10, 0.30), (0.0, 0.375), (-0.10, 0.30)], darker(person.skin, 0.15))
    for s in (-1, 1):
        flap = [(0.085, 0.262), (0.135, 0.30), (0.115, 0.42), (0.0, 0.375)]
        body.polygon([(s * x, y) for x, y in flap], shade)


def _face(head: Pen, person: Person) -> None:
    skin = person.skin
    for s in () if person.factors["hair_style"] == "long" else (-1, 1):
        head.ellipse((s * 0.205, 0.035), 0.042, 0.052, skin)
        head.ellipse((s * 0.21, 0.037), 0.02, 0.028, darker(skin, 0.16))
    right = [(0.0, -0.24), (0.125, -0.205), (0.195, -0.10), (0.203, 0.04), (0.165, 0.17), (0.085, 0.243), (0.0, 0.258)]
    head.blob(mirrored(right), skin)
    for s in (-1, 1):
        head.ellipse((s * 0.132, 0.105), 0.036, 0.027, mix(skin, (0.95, 0.30, 0.32), 0.28))
    head.ellipse((0.0, 0.063), 0.024, 0.02, darker(skin, 0.16))


def _mouth(head: Pen, person: Person) -> None:
    mood, y, grow = person.factors["expression"], 0.165, 1 + 0.06 * person.wobble[8]
    lips = (0.86, 0.42, 0.42) if person.factors["skin"] == "dark" else (0.60, 0.12, 0.17)
    if mood == "smiling":
        head.polygon(arc((0.0, y - 0.022), 0.085 * grow, 0.078, 0.0, 0.5), THROAT)
        head.polygon(arc((0.0, y - 0.022), 0.072 * grow, 0.036, 0.0, 0.5), WHITE)
        head.ellipse((0.0, y + 0.033), 0.035, 0.014, (0.92, 0.38, 0.40))
    elif mood == "neutral":
        head.stroke([(-0.055 * grow, y), (0.055 * grow, y)], 0.028, lips)
    elif mood == "sad":
        head.stroke(arc((0.0, y + 0.033), 0.068 * grow, 0.055, 0.53, 0.97, n=16), 0.03, lips)
    elif mood == "surprised":
        head.ellipse((0.0, y + 0.01), 0.05 * grow, 0.056 * grow, lips)
        head.ellipse((0.0, y + 0.01), 0.033 * grow, 0.039 * grow, THROAT)
    else:
        outline = [(-0.065, y - 0.03), (0.065, y - 0.03), (0.09, y + 0.04), (-0.09, y + 0.04)]
        teeth = [(-0.053, y - 0.013), (0.053, y - 0.013), (0.066, y + 0.023), (-0.066, y + 0.023)]
        head.polygon(outline, THROAT)
        head.polygon(teeth, WHITE)
        for x in (-0.024, 0.024):
            head.stroke([(x, y - 0.02), (1.2 * x, y + 0.03)], 0.016, THROAT)


def _eyes(head: Pen, person: Person) -> None:
    apart, gaze = 0.088 + 0.004 * person.wobble[5], 0.007 * person.wobble[6]
    wide = person.factors["expression"] == "surprised"
    lens = mix(person.skin, WHITE, 0.45)
    for s in (-1, 1):
        if person.factors["eyewear"] == "glasses":
            head.ellipse((s * 0.092, 0.01), 0.085, 0.085, INK)
            head.ellipse((s * 0.092, 0.01), 0.06, 0.06, lens)
        head.ellipse((s * apart, 0.01), 0.042, 0.05 if wide else 0.043, WHITE)
        head.ellipse((s * apart + gaze, 0.013), 0.026, 0.026 if wide else 0.032, INK)
        head.ellipse((s * apart + gaze + 0.009, 0.002), 0.01, 0.01, WHITE)


def _eyewear(head: Pen, person: Person) -> None:
    """Temples and bridge over the hair, and dark glasses (the clear lenses lie under the eyes)."""
    kind = person.factors["eyewear"]
    if kind == "none":
        return
    for s in (-1, 1):
        head.stroke([(s * 0.165, -0.008), (s * 0.205, -0.018)], 0.026, INK)
    head.stroke([(-0.025, 0.0), (0.025, 0.0)], 0.026, INK)
    if kind == "sunglasses":
        right = [(0.012, -0.045), (0.185, -0.052), (0.178, 0.035), (0.115, 0.083), (0.045, 0.062), (0.02, 0.01)]
        for s in (-1, 1):
            head.blob([(s * x, y) for x, y in right], INK)
            head.stroke([(s * 0.095 - 0.02, 0.025), (s * 0.095 + 0.025, -0.022)], 0.022, (0.50, 0.56, 0.68))


def _brows(head: Pen, person: Person) -> None:
    mood = person.factors["expression"]
    inner, outer, bend = {
        "smiling": (-0.090, -0.088, -0.022),
        "neutral": (-0.088, -0.088, 0.0),
        "sad": (-0.128, -0.082, -0.004),
        "surprised": (-0.118, -0.116, -0.026),
        "angry": (-0.066, -0.132, 0.0),
    }[mood]
    lift = 0.004 * person.wobble[7]
    for s in (-1, 1):
        along = [i / 6 for i in range(7)]
        points = [(0.042 + 0.096 * t, inner + t * (outer - inner) + 4 * bend * t * (1 - t) + lift) for t in along]
        head.stroke([(s * x, y) for x, y in points], 0.03, INK)
