"""Landscapes: flat layered vector scenes, like travel posters.

The picture is zoned so that no value can hide another: the orb on one side of the upper sky and the clouds on
the other, the structure in the middle band, the water below it and the trees at the left and right edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, hypot, pi, sin

import numpy as np
from PIL import Image

from .canvas import Canvas, Color, Point, arc, darker, lighter, mix, smooth
from .factors import Factor
from .landmarks import structure, trees
from .view import SNOW, Jitter, View, course

FACTORS: tuple[Factor, ...] = (
    Factor("time", ("dawn", "day", "sunset", "night")),
    Factor("terrain", ("plain", "hills", "mountains", "dunes")),
    Factor("trees", ("none", "pines", "oaks", "palms")),
    Factor("water", ("none", "lake", "river")),
    Factor("weather", ("clear", "cloudy", "rainy", "snowy")),
    Factor("celestial", ("none", "sun", "moon")),
    Factor("structure", ("none", "house", "windmill", "boat")),
)

SKY: dict[str, tuple[Color, Color]] = {
    "dawn": ((0.69, 0.64, 0.90), (1.00, 0.86, 0.74)),
    "day": ((0.20, 0.60, 0.95), (0.72, 0.91, 1.00)),
    "sunset": ((0.66, 0.14, 0.48), (1.00, 0.56, 0.16)),
    "night": ((0.04, 0.06, 0.19), (0.13, 0.19, 0.42)),
}
WATER: dict[str, Color] = {
    "dawn": (0.42, 0.58, 0.88),
    "day": (0.10, 0.50, 0.88),
    "sunset": (0.31, 0.36, 0.76),
    "night": (0.13, 0.36, 0.78),
}
RAIN: dict[str, Color] = {  # dark against a pale sky, pale against a dark one
    "dawn": (0.42, 0.46, 0.78),
    "day": (0.20, 0.40, 0.76),
    "sunset": (0.92, 0.72, 0.80),
    "night": (0.42, 0.54, 0.82),
}
GROUND: dict[str, Color] = {
    "plain": (0.50, 0.75, 0.30),
    "hills": (0.42, 0.70, 0.34),
    "mountains": (0.47, 0.66, 0.43),
    "dunes": (0.95, 0.79, 0.50),
}
ROCK: Color = (0.46, 0.54, 0.68)
HORIZON = 0.57


def draw(factors: Mapping[str, str], size: int, generator: np.random.Generator) -> Image.Image:
    """A landscape with these factors.

    Args:
        factors: a value for each of `FACTORS`.
        size: side in pixels.
        generator: the source of every variation; the same state gives the same picture at every size.

    Raises:
        ValueError: a factor that is missing or has an unknown value, or a bad size.
    """
    for factor in FACTORS:
        if factors.get(factor.name) not in factor.values:
            raise ValueError(f"Got {factor.name} {factors.get(factor.name)!r}, expected one of {factor.values}.")
    weather, water = factors["weather"], factors["water"]
    view = View(Canvas(size), factors["time"], weather == "snowy", Jitter.sample(generator))
    _sky(view, weather)
    _celestial(view, factors["celestial"])
    _clouds(view, weather, factors["terrain"])
    _terrain(view, factors["terrain"])
    _water(view, water)
    _drops(view, weather)
    structure(view, factors["structure"], water)
    trees(view, factors["trees"])
    return view.canvas.finish()


def _sky(s: View, weather: str) -> None:
    """The gradient of the hour, a little duller in bad weather, and stars at night."""
    dull = {"rainy": 0.22, "snowy": 0.10}.get(weather, 0.0)
    grey = (0.15, 0.17, 0.24) if s.time == "night" else (0.52, 0.55, 0.62)
    top, bottom = (mix(s.lit(c, 0.3), grey, dull) for c in SKY[s.time])
    s.canvas.gradient(top, bottom, stop=HORIZON + 0.04)
    if s.time != "night":
        return
    for (x, y), (dx, dy) in zip(_STARS, s.jitter.drops, strict=False):
        center = (x + 0.03 * dx, y + 0.02 * dy)
        if hypot(center[0] - s.orb[0], center[1] - s.orb[1]) > 0.17:
            s.canvas.polygon(_star(center, 0.034, 0.012, 4, turn=0.25), fill=(1.0, 0.95, 0.70))


_STARS: tuple[Point, ...] = (
    (0.07, 0.30),
    (0.93, 0.30),
    (0.50, 0.07),
    (0.24, 0.10),
    (0.76, 0.10),
    (0.34, 0.33),
    (0.66, 0.33),
)


def _star(center: Point, outer: float, inner: float, tips: int, *, turn: float = 0.0) -> list[Point]:
    """A star polygon; `turn` rotates it, in turns."""
    angles = [2 * pi * (turn + i / (2 * tips)) for i in range(2 * tips)]
    radii = [outer, inner] * tips
    return [(center[0] + r * cos(a), center[1] + r * sin(a)) for r, a in zip(radii, angles, strict=True)]


def _celestial(s: View, kind: str) -> None:
    """A sun of broad rays, or a crescent on a dark disc: pale on pale would be lost at dawn."""
    scale, (x, y) = 1 + 0.08 * s.jitter.orb[2], s.orb
    if kind == "sun":
        s.canvas.polygon(
            _star((x, y), 0.135 * scale, 0.092 * scale, 10, turn=0.05 * s.jitter.orb[0]), fill=(1.0, 0.70, 0.16)
        )
        s.canvas.ellipse((x, y), 0.085 * scale, fill=(1.0, 0.89, 0.33))
    elif kind == "moon":
        r, tilt = 0.105 * scale, 0.04 * s.jitter.orb[0] - 0.06
        s.canvas.ellipse((x, y), r, fill=mix(SKY[s.time][0], (0.24, 0.26, 0.50), 0.65))
        u, v = cos(2 * pi * tilt), sin(2 * pi * tilt)
        crescent = arc((0, 0), r, r, 0.25, 0.75) + arc((0, 0), 0.38 * r, r, 0.75, 0.25)
        s.canvas.polygon([(x + a * u - b * v, y + a * v + b * u) for a, b in crescent], fill=(1.0, 0.97, 0.84))


def _clouds(s: View, weather: str, terrain: str) -> None:
    """White or dark puffs away from the orb; two before mountains, whose white caps need a plain sky, else three."""
    if weather not in ("cloudy", "rainy"):
        return
    color = s.lit((1.0, 1.0, 1.0), 0.35) if weather == "cloudy" else s.lit((0.34, 0.37, 0.46), 0.3)
    if weather == "rainy" and s.time == "night":
        color = (0.38, 0.40, 0.52)
    side = s.jitter.orb_side
    places = ((0.5 - 0.28 * side, 0.13, 1.0), (0.5 - 0.08 * side, 0.24, 0.72), (0.5 + 0.36 * side, 0.375, 0.68))
    for (x, y, scale), (dx, dy, ds) in zip(places[: 2 if terrain == "mountains" else 3], s.jitter.clouds, strict=False):
        _cloud(s.canvas, (x + 0.025 * dx, y + 0.015 * dy), scale * (1 + 0.08 * ds), dx, color)


def _cloud(canvas: Canvas, center: Point, scale: float, lean: float, color: Color) -> None:
    (x, y), k = center, scale
    for fill, drop in ((darker(color, 0.13), 0.018 * k), (color, 0.0)):
        canvas.rectangle(
            x - 0.17 * k, y - 0.01 * k + drop, x + 0.17 * k, y + 0.055 * k + drop, radius=0.032 * k, fill=fill
        )
        if drop:
            continue
        canvas.ellipse((x - 0.085 * k, y - 0.005 * k), 0.06 * k, fill=fill)
        canvas.ellipse((x + (0.01 + 0.02 * lean) * k, y - 0.035 * k), 0.08 * k, fill=fill)
        canvas.ellipse((x + 0.10 * k, y + 0.005 * k), 0.05 * k, fill=fill)


def _terrain(s: View, kind: str) -> None:
    """The far relief, then the near ground in front of it."""
    ground = GROUND[kind]
    if kind == "mountains":
        _peaks(s)
    elif kind == "hills":
        _ridge(
            s, ((0, 0.46), (0.22, 0.41), (0.48, 0.50), (0.76, 0.40), (1, 0.47)), s.jitter.ridges[0], (0.38, 0.64, 0.46)
        )
        _ridge(
            s, ((0, 0.55), (0.20, 0.53), (0.42, 0.47), (0.68, 0.55), (1, 0.49)), s.jitter.ridges[1], (0.56, 0.78, 0.34)
        )
    elif kind == "dunes":
        _dunes(s, ground)
    _ground(s, kind, ground)


def _ridge(s: View, crest: tuple[Point, ...], wobble: np.ndarray, color: Color) -> None:
    """A smooth rise from its crest down, with a thick edge of snow when it snows."""
    line = smooth([(x, y + 0.018 * float(d)) for (x, y), d in zip(crest, wobble, strict=False)], closed=False)
    s.canvas.polygon([*line, (1, 1), (0, 1)], fill=s.snow if s.snowy else s.lit(color))
    if s.snowy:
        lower = [(x, y + 0.035 + 0.012 * sin(14 * x)) for x, y in line]
        s.canvas.polygon([*lower, (1, 1), (0, 1)], fill=s.lit(mix(color, SNOW, 0.15)))


def _peaks(s: View) -> None:
    """Three angular peaks, each with a shaded flank and a ragged cap of snow."""
    for (x, top, half), (dx, dy, dz, *_) in zip(_PEAKS, s.jitter.ridges, strict=True):
        x, top, base, cap = x + 0.03 * dx, top + 0.02 * dy, HORIZON + 0.04, 0.55 if s.snowy else 0.38
        ridge = x + 0.25 * half * (0.4 + 0.4 * dz)  # the foot of the line between the light and the dark flank
        s.canvas.polygon([(x - half, base), (x, top), (x + half, base)], fill=s.lit(ROCK))
        s.canvas.polygon([(ridge, base), (x, top), (x + half, base)], fill=s.lit(darker(ROCK, 0.24)))
        high, w, foot = base - top, half * cap, ridge - x
        snow_y = top + high * cap
        ragged = [(x + w, snow_y), (x + 0.5 * w, snow_y - 0.030), (x + foot * cap, snow_y + 0.016)]
        s.canvas.polygon([(x, top), *ragged, (x - 0.5 * w, snow_y - 0.030), (x - w, snow_y)], fill=s.snow)
        s.canvas.polygon([(x, top), *ragged], fill=mix(s.snow, s.lit(ROCK), 0.30))


_PEAKS: tuple[tuple[float, float, float], ...] = ((0.16, 0.345, 0.32), (0.86, 0.325, 0.34), (0.51, 0.295, 0.35))


def _dunes(s: View, sand: Color) -> None:
    """Two ridges of sand, each with a lee side in shadow below an S-shaped edge."""
    crests = (((0, 0.50), (0.30, 0.41), (0.62, 0.51), (1, 0.45)), ((0, 0.56), (0.36, 0.56), (0.72, 0.46), (1, 0.54)))
    for crest, wobble, shade, top in zip(crests, s.jitter.ridges, (0.24, 0.08), (1, 2), strict=False):
        color = darker(mix(sand, (0.93, 0.60, 0.36), 0.3), shade)
        _ridge(s, crest, wobble, color)
        x, y = crest[top][0], crest[top][1] + 0.018 * float(wobble[top])
        edge = smooth([(x, y), (x + 0.05, y + 0.05), (x - 0.01, y + 0.10), (x + 0.05, 0.66)], closed=False)
        lee = smooth([(x, y), (x + 0.13, y + 0.045), (x + 0.30, 0.66)], closed=False)
        if s.snowy:
            edge, lee = ([(a, b + 0.04) for a, b in line] for line in (edge, lee))
        s.canvas.polygon([*edge, *reversed(lee)], fill=s.lit(darker(color, 0.22)))


def _ground(s: View, kind: str, color: Color) -> None:
    """The near ground in broad bands; snow lies on it in drifts and leaves the ground itself in sight."""
    level, wave = HORIZON + 0.006 * float(s.jitter.ridges[2][3]), 0.0 if kind == "plain" else 0.016
    base = mix(color, SNOW, 0.12) if s.snowy else color
    bands = ((0.0, darker(base, 0.10)), (0.055, lighter(base, 0.12)), (0.17, base), (0.32, darker(base, 0.07)))
    for i, (depth, fill) in enumerate(bands):
        phase = 2 * float(s.jitter.ridges[2][4]) + 2.4 * i
        swell = wave if i else 0.4 * wave
        line = [(x / 12, level + depth + swell * sin(5 * x / 12 + phase)) for x in range(13)]
        s.canvas.polygon([*line, (1, 1), (0, 1)], fill=s.lit(fill))
        if s.snowy:
            drift = [(x, y + 0.022 + 0.016 * sin(9 * x + phase) + 0.035 * depth) for x, y in reversed(line)]
            s.canvas.polygon([*line, *drift], fill=s.snow)


def _water(s: View, kind: str) -> None:
    """A lake in the foreground, or a river from the horizon to the bottom edge, with a bright shore."""
    if kind == "none":
        return
    color = s.lit(WATER[s.time], 0.12 if s.time == "day" else 0.0)
    shore, shine = mix(color, (1.0, 1.0, 1.0), 0.55), mix(color, (1.0, 1.0, 1.0), 0.30)
    dx, dy, dw, dh = (float(v) for v in s.jitter.water)
    if kind == "lake":
        x, y = 0.5 + 0.02 * dx, 0.825 + 0.01 * dy
        rx, ry = 0.345 + 0.025 * dw, 0.105 + 0.008 * dh
        s.canvas.ellipse((x, y), rx + 0.022, ry + 0.018, fill=shore)
        s.canvas.ellipse((x, y), rx, ry, fill=color)
        for a, b, half in ((-0.16, -0.035, 0.055), (0.15, 0.02, 0.07), (-0.10, 0.055, 0.06)):
            s.canvas.stroke([(x + a - half, y + b), (x + a + half, y + b)], width=0.02, fill=shine)
        return
    for extra, fill in ((0.016, shore), (0.0, color)):
        left, right = ([(x + side * (w + extra), y) for x, y, w in course(s)] for side in (-1, 1))
        s.canvas.polygon([*smooth(left, closed=False), *reversed(smooth(right, closed=False))], fill=fill)
    for x, y, w in course(s)[2:4]:
        s.canvas.stroke([(x - 0.4 * w, y), (x + 0.3 * w, y)], width=0.02, fill=shine)


def _drops(s: View, weather: str) -> None:
    """Streaks of rain or flakes of snow all over, except on the orb; trees and structure come in front."""
    if weather not in ("rainy", "snowy"):
        return
    for i, (dx, dy) in enumerate(s.jitter.drops):
        row, column = divmod(i, 5)
        x = 0.10 + 0.20 * column + (0.05 if row % 2 else -0.05) + 0.03 * dx
        y = 0.10 + 0.15 * row + 0.025 * dy
        if hypot(x - s.orb[0], y - s.orb[1]) < 0.19:
            continue
        if weather == "snowy":
            s.canvas.ellipse((x, y), 0.019 + 0.003 * dx, fill=(1.0, 1.0, 1.0))
        else:
            s.canvas.stroke([(x + 0.018, y - 0.042), (x - 0.018, y + 0.042)], width=0.022, fill=RAIN[s.time])
