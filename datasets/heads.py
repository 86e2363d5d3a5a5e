"""Heads: hair, beards and moustaches, and the hats that hold the hair down."""

from __future__ import annotations

from math import dist

from .canvas import Color, Point, arc, darker, lighter, mix, smooth
from .person import WHITE, Pen, Person, mirrored

HAT_LINE = -0.165
"""Hats end here, above the highest brow; hair above it is tucked in."""


def _dome(person: Person, rx: float, ry: float) -> list[Point]:
    """The top of the hair from left to right, pressed flat by a closed hat."""
    top = HAT_LINE - 0.03 if person.tucked else -1.0
    return [(x, max(y, top)) for x, y in arc((0.0, -0.03), rx, ry, 0.5, 1.0)]


def hair_back(head: Pen, person: Person) -> None:
    """The hair behind the neck and ears."""
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


def hair_front(head: Pen, person: Person) -> None:
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
        head.polygon([*_dome(person, 0.25, 0.26), *mirrored(line)], hair)
    elif style == "curly" and not person.tucked:
        for i in range(5):
            x = 0.07 * (i - 2)
            head.ellipse((x, -0.232 + 2.2 * x * x), 0.06, 0.06, hair)
    if style == "pigtails":
        _tails(head, person)
    if style not in ("bald", "curly") and not person.tucked:
        shine = lighter(hair, 0.3) if person.factors["hair_color"] != "white" else darker(hair, 0.12)
        head.stroke(arc((0.0, -0.03), 0.2, 0.215, *((0.61, 0.68) if s > 0 else (0.82, 0.89)), n=8), 0.028, shine)


def _tails(head: Pen, person: Person) -> None:
    for s in (-1, 1):
        tail = [(0.225, 0.02), (0.30, -0.03), (0.375, 0.04), (0.385, 0.17), (0.33, 0.30), (0.285, 0.20), (0.25, 0.11)]
        head.blob([(s * x, y) for x, y in tail], person.hair)
        head.ellipse((s * 0.25, 0.02), 0.034, 0.034, (0.93, 0.25, 0.52))


def _apart(color: Color, skin: Color) -> Color:
    """The colour, darkened slightly, or until it contrasts with the skin."""
    warm = [mix(color, (0.25, 0.10, 0.04), by) for by in (0.12, 0.25, 0.4)]  # plain black would turn blond to olive
    shades = [*warm, darker(color, 0.6), darker(color, 0.75)]
    return next((shade for shade in shades if dist(shade, skin) > 0.28), shades[-1])


def facial_hair(head: Pen, person: Person) -> None:
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


def hat(head: Pen, person: Person) -> None:
    kind = person.factors["hat"]
    if kind == "cap":
        _cap(head, person.side)
    elif kind != "none":
        {"beanie": _beanie, "top hat": _top_hat, "crown": _crown}[kind](head)


def _cap(head: Pen, side: int) -> None:
    blue = (0.12, 0.25, 0.72)
    head.polygon(arc((0.0, HAT_LINE), 0.24, 0.205, 0.5, 1.0), blue)
    head.ellipse((0.0, -0.372), 0.025, 0.018, darker(blue, 0.35))
    brim = [(-0.10, -0.20), (0.20, -0.222), (0.33, -0.20), (0.385, -0.165), (0.24, -0.152), (-0.10, -0.157)]
    head.blob([(side * x, y) for x, y in brim], darker(blue, 0.35))
    head.ellipse((0.0, -0.272), 0.045, 0.045, WHITE)


def _beanie(head: Pen) -> None:
    teal = (0.04, 0.58, 0.53)
    head.ellipse((0.0, -0.375), 0.062, 0.062, (0.98, 0.45, 0.40))
    head.polygon(arc((0.0, HAT_LINE - 0.03), 0.225, 0.17, 0.5, 1.0), teal)
    band = [(-0.232, -0.235), (0.232, -0.235), (0.24, HAT_LINE + 0.008), (-0.24, HAT_LINE + 0.008)]
    head.polygon(band, mix(teal, WHITE, 0.35))


def _top_hat(head: Pen) -> None:
    black, edge = (0.15, 0.13, 0.19), -0.19
    head.polygon([(-0.185, -0.435), (0.185, -0.435), (0.16, edge), (-0.16, edge)], black)
    head.ellipse((0.0, -0.435), 0.185, 0.022, lighter(black, 0.14))
    head.polygon([(-0.168, -0.262), (0.168, -0.262), (0.16, edge), (-0.16, edge)], (0.87, 0.14, 0.18))
    head.stroke([(-0.255, edge + 0.008), (0.255, edge + 0.008)], 0.042, black)


def _crown(head: Pen) -> None:
    gold = (1.0, 0.78, 0.10)
    head.polygon(mirrored([(0.0, -0.40), (0.115, -0.27), (0.235, -0.36), (0.205, -0.16)]), gold)
    head.polygon([(-0.205, -0.16), (-0.212, -0.205), (0.212, -0.205), (0.205, -0.16)], darker(gold, 0.2))
    for tip in ((-0.235, -0.36), (0.0, -0.40), (0.235, -0.36)):
        head.ellipse(tip, 0.028, 0.028, (0.87, 0.14, 0.25))
    head.ellipse((0.0, -0.262), 0.034, 0.038, (0.16, 0.45, 0.90))
