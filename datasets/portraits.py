"""Portraits: one friendly person, head and shoulders, told apart by skin, hair, mood and what they wear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, dist, sin

import numpy as np
from PIL import Image

from .canvas import Canvas, Color, Point, arc, darker, jitter, lighter, mix, smooth
from .factors import Factor

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

SKIN: dict[str, Color] = {
    "pale": (1.00, 0.86, 0.76),
    "tan": (0.87, 0.64, 0.43),
    "brown": (0.66, 0.43, 0.29),
    "dark": (0.42, 0.26, 0.20),
}
HAIR: dict[str, Color] = {
    "black": (0.10, 0.10, 0.19),
    "brown": (0.57, 0.31, 0.13),
    "blond": (0.99, 0.82, 0.33),
    "red": (0.95, 0.40, 0.08),
    "white": (0.90, 0.91, 0.96),
    "blue": (0.15, 0.53, 0.97),
}
CLOTHING: dict[str, Color] = {
    "red": (0.86, 0.17, 0.20),
    "green": (0.12, 0.57, 0.32),
    "blue": (0.15, 0.32, 0.78),
    "yellow": (0.98, 0.80, 0.13),
    "purple": (0.50, 0.21, 0.67),
    "white": (0.97, 0.97, 0.98),
}
BACKGROUND: dict[str, Color] = {
    "gray": (0.73, 0.73, 0.75),
    "green": (0.68, 0.88, 0.66),
    "blue": (0.58, 0.80, 0.98),
    "pink": (0.98, 0.72, 0.82),
    "orange": (1.00, 0.73, 0.47),
    "cream": (0.99, 0.94, 0.76),
}
INK: Color = (0.11, 0.08, 0.11)
WHITE: Color = (1.0, 1.0, 1.0)
THROAT: Color = (0.36, 0.05, 0.09)
BALD_BEARD: Color = (0.36, 0.20, 0.12)
HAT_LINE = -0.165
"""Hats end here, above the highest brow; hair above it is tucked in."""


@dataclass(frozen=True)
class _Person:
    """One scene: its factors, and everything about it that no factor names."""

    factors: Mapping[str, str]
    skin: Color
    hair: Color
    shirt: Color
    backdrop: Color
    wobble: tuple[float, ...]
    """Numbers in [-1, 1]: x, y, scale, tilt, width, eyes, gaze, brows, mouth, curls, shoulders, which side."""

    @property
    def side(self) -> int:
        """Which way the parting and the cap point."""
        return 1 if self.wobble[11] > 0 else -1

    @property
    def tucked(self) -> bool:
        """Whether a closed hat holds the hair down (a crown lets it through)."""
        return self.factors["hat"] not in ("none", "crown")


@dataclass(frozen=True)
class _Pen:
    """Draws on the canvas in the head's own frame: (0, 0) is between the eyes, and it may lean."""

    canvas: Canvas
    center: Point
    across: float = 1.0
    down: float = 1.0
    tilt: float = 0.0

    def at(self, point: Point) -> Point:
        x, y, c, s = point[0] * self.across, point[1] * self.down, cos(self.tilt), sin(self.tilt)
        return self.center[0] + c * x - s * y, self.center[1] + s * x + c * y

    def polygon(self, points: Sequence[Point], fill: Color) -> None:
        self.canvas.polygon([self.at(p) for p in points], fill=fill)

    def blob(self, points: Sequence[Point], fill: Color) -> None:
        self.polygon(smooth(points, closed=True, steps=8), fill)

    def ellipse(self, center: Point, rx: float, ry: float, fill: Color) -> None:
        if max(rx, ry) > 0.08:  # large enough for its lean to be seen
            self.polygon(arc(center, rx, ry, 0, 1, n=48), fill)
        else:
            self.canvas.ellipse(self.at(center), rx * self.across, ry * self.down, fill=fill)

    def stroke(self, points: Sequence[Point], width: float, fill: Color) -> None:
        self.canvas.stroke([self.at(p) for p in points], width=width * self.down, fill=fill, curved=False)


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
    head = _Pen(canvas, center, scale * (1 + 0.035 * w[4]), scale, 0.06 * w[3])
    body = _Pen(canvas, (0.5 + 0.015 * w[0], center[1]), 1 + 0.05 * w[10])
    _backdrop(canvas, person)
    _hair_back(head, person)
    _body(body, head, person)
    _face(head, person)
    _facial_hair(head, person)
    _mouth(head, person)
    _eyes(head, person)
    _hair_front(head, person)
    _eyewear(head, person)
    _hat(head, person)
    _brows(head, person)  # last: the mood shows over glasses and under every hat
    return canvas.finish()


def _person(factors: Mapping[str, str], generator: np.random.Generator) -> _Person:
    for factor in FACTORS:
        if factor.present(factors) and factors.get(factor.name) not in factor.values:
            value = factors.get(factor.name)
            raise ValueError(f"Got {factor.name}={value!r}, expected one of {', '.join(factor.values)}.")
    wobble = tuple(float(v) for v in generator.uniform(-1, 1, 12))
    hair = BALD_BEARD if factors["hair_style"] == "bald" else HAIR[factors["hair_color"]]
    return _Person(
        factors,
        skin=jitter(SKIN[factors["skin"]], generator, 0.02),
        hair=jitter(hair, generator, 0.025),
        shirt=jitter(CLOTHING[factors["clothing"]], generator, 0.03),
        backdrop=jitter(BACKGROUND[factors["background"]], generator, 0.02),
        wobble=wobble,
    )


def _mirrored(points: Sequence[Point]) -> list[Point]:
    """The right half of an outline, from top to bottom, closed by its mirror image."""
    return [*points, *((-x, y) for x, y in reversed(points) if x)]


def _backdrop(canvas: Canvas, person: _Person) -> None:
    canvas.gradient(person.backdrop, darker(person.backdrop, 0.05))
    canvas.ellipse((0.5 - 0.03 * person.wobble[0], 0.53), 0.44, fill=lighter(person.backdrop, 0.25))


def _body(body: _Pen, head: _Pen, person: _Person) -> None:
    """Shoulders, the neck with the chin's shade, and a collar on top."""
    shirt, shade = person.shirt, darker(person.shirt, 0.16)
    right = [(0.09, 0.285), (0.20, 0.315), (0.32, 0.36), (0.385, 0.44), (0.40, 0.60)]
    outline = smooth(right, closed=False, steps=6)
    body.polygon(_mirrored(outline), shirt)
    if person.factors["hair_style"] == "long":  # locks fall over the shoulders, either side of the collar
        for s in (-1, 1):
            lock = [(0.18, -0.1), (0.249, -0.03), (0.268, 0.13), (0.285, 0.32), (0.24, 0.40), (0.18, 0.34), (0.15, 0.1)]
            head.blob([(s * x, y) for x, y in lock], person.hair)
    body.polygon([(-0.085, 0.15), (0.085, 0.15), (0.10, 0.30), (0.0, 0.375), (-0.10, 0.30)], darker(person.skin, 0.15))
    for s in (-1, 1):
        flap = [(0.085, 0.262), (0.135, 0.30), (0.115, 0.42), (0.0, 0.375)]
        body.polygon([(s * x, y) for x, y in flap], shade)


def _face(head: _Pen, person: _Person) -> None:
    skin = person.skin
    for s in () if person.factors["hair_style"] == "long" else (-1, 1):
        head.ellipse((s * 0.205, 0.035), 0.042, 0.052, skin)
        head.ellipse((s * 0.21, 0.037), 0.02, 0.028, darker(skin, 0.16))
    right = [(0.0, -0.24), (0.125, -0.205), (0.195, -0.10), (0.203, 0.04), (0.165, 0.17), (0.085, 0.243), (0.0, 0.258)]
    head.blob(_mirrored(right), skin)
    for s in (-1, 1):
        head.ellipse((s * 0.132, 0.105), 0.036, 0.027, mix(skin, (0.95, 0.30, 0.32), 0.28))
    head.ellipse((0.0, 0.063), 0.024, 0.02, darker(skin, 0.16))


def _dome(person: _Person, rx: float, ry: float) -> list[Point]:
    """The top of the hair from left to right, pressed flat by a closed hat."""
    top = HAT_LINE - 0.03 if person.tucked else -1.0
    return [(x, max(y, top)) for x, y in arc((0.0, -0.03), rx, ry, 0.5, 1.0)]


def _hair_back(head: _Pen, person: _Person) -> None:
    """What falls behind the neck and ears."""
    style, shade = person.factors["hair_style"], darker(person.hair, 0.2)
    if style == "long":
        head.polygon([*_dome(person, 0.25, 0.26), (0.275, 0.15), (0.27, 0.32), (-0.27, 0.32), (-0.275, 0.15)], shade)
    elif style == "curly":
        head.polygon([*_dome(person, 0.25, 0.25), (0.24, 0.12), (-0.24, 0.12)], person.hair)
        for i in range(11):
            ((x, y),) = arc((0.0, -0.015), 0.245, 0.235, 0.39 + 0.072 * i, 1.0, n=2)[:1]
            if not person.tucked or y > HAT_LINE + 0.05:
                r = 0.07 + 0.006 * person.wobble[9] + 0.008 * (i % 2)
                head.ellipse((x, y), r, r, person.hair)


def _hair_front(head: _Pen, person: _Person) -> None:
    """The hairline, which stays above the brows, and the sides, which stay below every hat."""
    style, hair, s = person.factors["hair_style"], person.hair, person.side
    if style == "short":
        line = [(0.245, 0.0), (0.205, 0.035), (0.178, -0.01), (0.165, -0.12), (0.07, -0.205), (-0.06, -0.175)]
        line += [(-0.165, -0.12), (-0.178, -0.01), (-0.205, 0.035), (-0.245, 0.0)]
        outline = [*_dome(person, 0.245, 0.265), *smooth(line, closed=False, steps=5)]
        head.polygon([(s * x, y) for x, y in outline], hair)
    elif style in ("long", "pigtails"):
        low = 0.13 if style == "long" else 0.03
        right = [(0.25, 0.0), (0.225, low), (0.19, low), (0.182, -0.03), (0.16, -0.125), (0.09, -0.185), (0.0, -0.215)]
        line = smooth(right, closed=False, steps=5)
        head.polygon([*_dome(person, 0.25, 0.26), *_mirrored(line)], hair)
    elif style == "curly" and not person.tucked:
        for i in range(5):
            x = 0.07 * (i - 2)
            head.ellipse((x, -0.232 + 2.2 * x * x), 0.06, 0.06, hair)
    if style == "pigtails":
        _tails(head, person)
    if style not in ("bald", "curly") and not person.tucked:
        shine = lighter(hair, 0.3) if person.factors["hair_color"] != "white" else darker(hair, 0.12)
        head.stroke(arc((0.0, -0.03), 0.2, 0.215, *((0.61, 0.68) if s > 0 else (0.82, 0.89)), n=8), 0.028, shine)


def _tails(head: _Pen, person: _Person) -> None:
    for s in (-1, 1):
        tail = [(0.225, 0.02), (0.30, -0.03), (0.375, 0.04), (0.385, 0.17), (0.33, 0.30), (0.285, 0.20), (0.25, 0.11)]
        head.blob([(s * x, y) for x, y in tail], person.hair)
        head.ellipse((s * 0.25, 0.02), 0.034, 0.034, (0.93, 0.25, 0.52))


def _apart(color: Color, skin: Color) -> Color:
    """The colour slightly darkened, or as much as it takes to stand out on the skin."""
    warm = [mix(color, (0.25, 0.10, 0.04), by) for by in (0.12, 0.25, 0.4)]  # plain black would turn blond to olive
    shades = [*warm, darker(color, 0.6), darker(color, 0.75)]
    return next((shade for shade in shades if dist(shade, skin) > 0.28), shades[-1])


def _facial_hair(head: _Pen, person: _Person) -> None:
    kind, color = person.factors["facial_hair"], _apart(person.hair, person.skin)
    if kind == "beard":
        outer = [(0.205, 0.01), (0.212, 0.10), (0.185, 0.20), (0.10, 0.285), (0.0, 0.302)]
        inner = [(0.0, 0.102), (0.065, 0.095), (0.12, 0.125), (0.165, 0.085), (0.178, 0.01)]
        left_outer = [(-x, y) for x, y in reversed(outer[:-1])]
        left_inner = [(-x, y) for x, y in reversed(inner[1:])]
        head.blob([*outer, *left_outer, *left_inner, *inner], color)
        head.ellipse((0.0, 0.17), 0.09, 0.055, person.skin)
    elif kind == "moustache":
        for s in (-1, 1):
            wing = [(0.0, 0.09), (0.06, 0.08), (0.105, 0.115), (0.14, 0.105), (0.11, 0.148), (0.05, 0.135), (0.0, 0.12)]
            head.blob([(s * x, y) for x, y in wing], color)


def _mouth(head: _Pen, person: _Person) -> None:
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


def _eyes(head: _Pen, person: _Person) -> None:
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


def _eyewear(head: _Pen, person: _Person) -> None:
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


def _brows(head: _Pen, person: _Person) -> None:
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


def _hat(head: _Pen, person: _Person) -> None:
    kind = person.factors["hat"]
    if kind == "cap":
        _cap(head, person.side)
    elif kind != "none":
        {"beanie": _beanie, "top hat": _top_hat, "crown": _crown}[kind](head)


def _cap(head: _Pen, side: int) -> None:
    blue = (0.12, 0.25, 0.72)
    head.polygon(arc((0.0, HAT_LINE), 0.24, 0.205, 0.5, 1.0), blue)
    head.ellipse((0.0, -0.372), 0.025, 0.018, darker(blue, 0.35))
    brim = [(-0.10, -0.20), (0.20, -0.222), (0.33, -0.20), (0.385, -0.165), (0.24, -0.152), (-0.10, -0.157)]
    head.blob([(side * x, y) for x, y in brim], darker(blue, 0.35))
    head.ellipse((0.0, -0.272), 0.045, 0.045, WHITE)


def _beanie(head: _Pen) -> None:
    teal = (0.04, 0.58, 0.53)
    head.ellipse((0.0, -0.375), 0.062, 0.062, (0.98, 0.45, 0.40))
    head.polygon(arc((0.0, HAT_LINE - 0.03), 0.225, 0.17, 0.5, 1.0), teal)
    band = [(-0.232, -0.235), (0.232, -0.235), (0.24, HAT_LINE + 0.008), (-0.24, HAT_LINE + 0.008)]
    head.polygon(band, mix(teal, WHITE, 0.35))


def _top_hat(head: _Pen) -> None:
    black, edge = (0.15, 0.13, 0.19), -0.19
    head.polygon([(-0.185, -0.435), (0.185, -0.435), (0.16, edge), (-0.16, edge)], black)
    head.ellipse((0.0, -0.435), 0.185, 0.022, lighter(black, 0.14))
    head.polygon([(-0.168, -0.262), (0.168, -0.262), (0.16, edge), (-0.16, edge)], (0.87, 0.14, 0.18))
    head.stroke([(-0.255, edge + 0.008), (0.255, edge + 0.008)], 0.042, black)


def _crown(head: _Pen) -> None:
    gold = (1.0, 0.78, 0.10)
    head.polygon(_mirrored([(0.0, -0.40), (0.115, -0.27), (0.235, -0.36), (0.205, -0.16)]), gold)
    head.polygon([(-0.205, -0.16), (-0.212, -0.205), (0.212, -0.205), (0.205, -0.16)], darker(gold, 0.2))
    for tip in ((-0.235, -0.36), (0.0, -0.40), (0.235, -0.36)):
        head.ellipse(tip, 0.028, 0.028, (0.87, 0.14, 0.25))
    head.ellipse((0.0, -0.262), 0.034, 0.038, (0.16, 0.45, 0.90))
