"""Landscapes: flat layered vector scenes, like travel posters.

The picture is zoned so that no value can hide another: the orb on one side of the upper sky and the clouds on
the other, the structure in the middle band, the water below it and the trees at the left and right edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, hypot, pi, sin

import numpy as np
from PIL import Image

from .canvas import Canvas, Color, Point, arc, darker, lighter, mix, smooth
from .factors import Factor

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
GAIN: dict[str, Color] = {
    "dawn": (1.00, 0.91, 0.94),
    "day": (1.00, 1.00, 1.00),
    "sunset": (0.96, 0.76, 0.66),
    "night": (0.51, 0.51, 0.61),
}
VEIL: dict[str, tuple[Color, float]] = {
    "dawn": ((0.90, 0.74, 0.86), 0.16),
    "day": ((1.00, 1.00, 1.00), 0.00),
    "sunset": ((0.90, 0.34, 0.30), 0.12),
    "night": ((0.06, 0.09, 0.26), 0.08),
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
SNOW: Color = (0.97, 0.98, 1.00)
BARK: Color = (0.44, 0.28, 0.18)
ROCK: Color = (0.46, 0.54, 0.68)
LEAVES: dict[str, Color] = {"pines": (0.07, 0.33, 0.25), "oaks": (0.27, 0.55, 0.16), "palms": (0.10, 0.52, 0.30)}
GLOW: Color = (1.00, 0.84, 0.38)
HORIZON = 0.57


@dataclass(frozen=True)
class _Jitter:
    """Everything that varies between two pictures of the same factors; arrays are uniform in [-1, 1]."""

    orb_side: int
    structure_side: int
    tone: np.ndarray
    orb: np.ndarray
    ridges: np.ndarray
    trees: np.ndarray
    clouds: np.ndarray
    water: np.ndarray
    structure: np.ndarray
    drops: np.ndarray

    @classmethod
    def sample(cls, generator: np.random.Generator) -> _Jitter:
        orb_side, structure_side = (int(s) for s in generator.choice((-1, 1), 2))
        shapes = ((3,), (3,), (3, 6), (4, 4), (3, 3), (4,), (4,), (32, 2))
        return cls(orb_side, structure_side, *(generator.uniform(-1, 1, shape) for shape in shapes))


@dataclass(frozen=True)
class _Scene:
    """What every part of a picture needs to know: where to draw, the hour, the snow and the jitter."""

    canvas: Canvas
    time: str
    snowy: bool
    jitter: _Jitter

    def lit(self, color: Color, share: float = 1.0) -> Color:
        """The colour in the light of the hour; a small `share` keeps more of the colour itself."""
        veil, amount = VEIL[self.time]
        r, g, b = (c * k + 0.025 * float(t) for c, k, t in zip(color, GAIN[self.time], self.jitter.tone, strict=True))
        return mix(color, mix((r, g, b), veil, amount), share)

    @property
    def snow(self) -> Color:
        return self.lit(SNOW, 0.45)

    @property
    def orb(self) -> Point:
        x, y, _ = self.jitter.orb
        return 0.5 + self.jitter.orb_side * (0.27 + 0.03 * x), 0.16 + 0.012 * y


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
    weather, water, structure = factors["weather"], factors["water"], factors["structure"]
    scene = _Scene(Canvas(size), factors["time"], weather == "snowy", _Jitter.sample(generator))
    _sky(scene, weather)
    _celestial(scene, factors["celestial"])
    _clouds(scene, weather, factors["terrain"])
    _terrain(scene, factors["terrain"])
    _water(scene, water)
    _drops(scene, weather)
    _structure(scene, structure, water)
    _trees(scene, factors["trees"])
    return scene.canvas.finish()


def _sky(s: _Scene, weather: str) -> None:
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


def _celestial(s: _Scene, kind: str) -> None:
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


def _clouds(s: _Scene, weather: str, terrain: str) -> None:
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


def _terrain(s: _Scene, kind: str) -> None:
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


def _ridge(s: _Scene, crest: tuple[Point, ...], wobble: np.ndarray, color: Color) -> None:
    """A smooth rise from its crest down, with a thick edge of snow when it snows."""
    line = smooth([(x, y + 0.018 * float(d)) for (x, y), d in zip(crest, wobble, strict=False)], closed=False)
    s.canvas.polygon([*line, (1, 1), (0, 1)], fill=s.snow if s.snowy else s.lit(color))
    if s.snowy:
        lower = [(x, y + 0.035 + 0.012 * sin(14 * x)) for x, y in line]
        s.canvas.polygon([*lower, (1, 1), (0, 1)], fill=s.lit(mix(color, SNOW, 0.15)))


def _peaks(s: _Scene) -> None:
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


def _dunes(s: _Scene, sand: Color) -> None:
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


def _ground(s: _Scene, kind: str, color: Color) -> None:
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


def _water(s: _Scene, kind: str) -> None:
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
        left, right = ([(x + side * (w + extra), y) for x, y, w in _course(s)] for side in (-1, 1))
        s.canvas.polygon([*smooth(left, closed=False), *reversed(smooth(right, closed=False))], fill=fill)
    for x, y, w in _course(s)[2:4]:
        s.canvas.stroke([(x - 0.4 * w, y), (x + 0.3 * w, y)], width=0.02, fill=shine)


def _course(s: _Scene) -> list[tuple[float, float, float]]:
    """Middle, height and half-width of the river, which springs on the side away from the structure."""
    side, (dx, dy, dw, dh) = s.jitter.structure_side, s.jitter.water
    bends = (
        (-0.14, 0.575, 0.020),
        (-0.23, 0.66, 0.042),
        (-0.08, 0.77, 0.080),
        (0.06, 0.88, 0.125),
        (-0.02, 1.03, 0.19),
    )
    shift = (0.02 * dx, 0.02 * dy, 0.025 * dw, 0.03 * dh, 0.03 * dx)
    return [(0.5 + side * x + d, y, w * (1 + 0.08 * dw)) for (x, y, w), d in zip(bends, shift, strict=True)]


def _drops(s: _Scene, weather: str) -> None:
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


def _structure(s: _Scene, kind: str, water: str) -> None:
    dx, dy, ds, turn = (float(v) for v in s.jitter.structure)
    x, y, scale = 0.5 + s.jitter.structure_side * (0.07 + 0.025 * dx), 0.70 + 0.008 * dy, 1 + 0.06 * ds
    if kind == "house":
        _house(s, (x, y), scale, s.jitter.structure_side)
    elif kind == "windmill":
        _windmill(s, (x, y), scale, turn)
    elif kind == "boat":
        if water == "river":  # where the river is wide enough to carry it
            x, y = _course(s)[3][0], _course(s)[3][1] - 0.01
        elif water == "lake":
            x, y = 0.5 + 0.04 * dx, 0.825 + 0.01 * dy
        _boat(s, (x, y), scale, s.jitter.structure_side)


def _house(s: _Scene, foot: Point, k: float, side: int) -> None:
    """Cream walls, a red roof, a door and a lit window; `side` is where the chimney is."""
    x, y = foot
    wall, roof, door = (s.lit(c, 0.6) for c in ((0.99, 0.92, 0.78), (0.86, 0.20, 0.16), (0.46, 0.25, 0.14)))
    chimney = x + side * 0.075 * k
    s.canvas.rectangle(chimney - 0.02 * k, y - 0.275 * k, chimney + 0.02 * k, y - 0.15 * k, fill=darker(roof, 0.35))
    s.canvas.rectangle(x - 0.115 * k, y - 0.15 * k, x + 0.115 * k, y, fill=wall)
    s.canvas.polygon([(x - 0.155 * k, y - 0.135 * k), (x, y - 0.275 * k), (x + 0.155 * k, y - 0.135 * k)], fill=roof)
    if s.snowy:  # on the ridge only: the roof stays red
        s.canvas.polygon(
            [(x - 0.055 * k, y - 0.225 * k), (x, y - 0.28 * k), (x + 0.055 * k, y - 0.225 * k)], fill=s.snow
        )
    a, b = x - side * 0.05 * k, x + side * 0.05 * k
    s.canvas.rectangle(a - 0.03 * k, y - 0.10 * k, a + 0.03 * k, y, fill=door)
    pane = GLOW if s.time in ("night", "sunset") else s.lit((0.36, 0.66, 0.84))
    s.canvas.rectangle(b - 0.03 * k, y - 0.10 * k, b + 0.03 * k, y - 0.045 * k, fill=pane)


def _windmill(s: _Scene, foot: Point, k: float, turn: float) -> None:
    """A tapering tower under a dark cap, with four broad sails; `turn` rotates them."""
    x, y = foot
    tower, cap, spar, sail = (
        s.lit(c, 0.40) for c in ((0.93, 0.90, 0.86), (0.36, 0.24, 0.32), (0.36, 0.22, 0.15), (1.0, 0.96, 0.86))
    )
    hub = (x, y - 0.25 * k)
    left = [(x - 0.085 * k, y), (x - 0.052 * k, y - 0.24 * k)]
    s.canvas.polygon([*left, (x + 0.052 * k, y - 0.24 * k), (x + 0.085 * k, y)], fill=tower)
    s.canvas.polygon(
        [(x + 0.01 * k, y), (x + 0.02 * k, y - 0.24 * k), (x + 0.052 * k, y - 0.24 * k), (x + 0.085 * k, y)],
        fill=darker(tower, 0.14),
    )
    s.canvas.polygon([*arc((x, y - 0.235 * k), 0.066 * k, 0.07 * k, 0.5, 1.0)], fill=cap)
    s.canvas.rectangle(x - 0.027 * k, y - 0.08 * k, x + 0.027 * k, y, radius=0.02 * k, fill=cap)
    for quarter in range(4):
        angle = 2 * pi * (quarter / 4 + 0.125 + 0.05 * turn)
        u, v = cos(angle), sin(angle)
        blade = ((0.045, -0.006), (0.165, -0.006), (0.165, 0.055), (0.045, 0.045))
        rim = ((0.032, -0.016), (0.178, -0.016), (0.178, 0.067), (0.032, 0.057))
        for shape, fill in ((rim, spar), (blade, sail)):
            s.canvas.polygon(
                [(hub[0] + k * (a * u - b * v), hub[1] + k * (a * v + b * u)) for a, b in shape], fill=fill
            )
        s.canvas.stroke([hub, (hub[0] + 0.17 * k * u, hub[1] + 0.17 * k * v)], width=0.02, fill=spar)
    s.canvas.ellipse(hub, 0.024 * k, fill=spar)


def _boat(s: _Scene, foot: Point, k: float, side: int) -> None:
    """A dark hull with a pale rail, a white mainsail and a red jib towards `side`."""
    x, y = foot
    hull, rail, white, red = (
        s.lit(c, 0.38) for c in ((0.40, 0.20, 0.14), (0.98, 0.86, 0.62), (1.0, 0.98, 0.94), (0.90, 0.20, 0.18))
    )
    s.canvas.polygon(
        [
            (x - 0.15 * k, y - 0.03 * k),
            (x + 0.15 * k, y - 0.03 * k),
            (x + 0.095 * k, y + 0.045 * k),
            (x - 0.095 * k, y + 0.045 * k),
        ],
        fill=hull,
    )
    s.canvas.stroke([(x - 0.14 * k, y - 0.03 * k), (x + 0.14 * k, y - 0.03 * k)], width=0.024, fill=rail)
    s.canvas.stroke([(x, y - 0.03 * k), (x, y - 0.29 * k)], width=0.024, fill=hull)
    s.canvas.polygon(
        [(x - side * 0.02, y - 0.29 * k), (x - side * 0.02, y - 0.06 * k), (x - side * 0.15 * k, y - 0.06 * k)],
        fill=white,
    )
    s.canvas.polygon(
        [(x + side * 0.02, y - 0.25 * k), (x + side * 0.02, y - 0.06 * k), (x + side * 0.125 * k, y - 0.06 * k)],
        fill=red,
    )


def _trees(s: _Scene, kind: str) -> None:
    """One big tree at each edge and a smaller one behind some of them."""
    if kind == "none":
        return
    plant = {"pines": _pine, "oaks": _oak, "palms": _palm}[kind]
    places = ((0.215, 0.755, 0.62), (0.785, 0.765, 0.62), (0.105, 0.89, 1.0), (0.895, 0.90, 1.0))
    for i, ((x, y, scale), (dx, dy, ds, chance)) in enumerate(zip(places, s.jitter.trees, strict=True)):
        if i < 2 and chance > 0.1:  # the small ones come and go
            continue
        foot = (x + 0.018 * float(dx), y + 0.015 * float(dy))
        plant(s, foot, scale * (1 + 0.08 * float(ds)), 1 if x < 0.5 else -1)


def _pine(s: _Scene, foot: Point, k: float, side: int) -> None:
    (x, y), leaf = foot, s.lit(LEAVES["pines"], 0.60)
    s.canvas.rectangle(x - 0.02 * k, y - 0.08 * k, x + 0.02 * k, y, fill=s.lit(BARK))
    for half, low, high, shade in ((0.115, 0.06, 0.24, 0.18), (0.095, 0.16, 0.33, 0.08), (0.07, 0.26, 0.43, 0.0)):
        tier = [(x - half * k, y - low * k), (x, y - high * k), (x + half * k, y - low * k)]
        s.canvas.polygon(tier, fill=darker(leaf, shade))
    if s.snowy:
        tip = [(x - 0.033 * k, y - 0.35 * k), (x, y - 0.435 * k), (x + 0.033 * k, y - 0.35 * k)]
        s.canvas.polygon(tip, fill=s.snow)


def _oak(s: _Scene, foot: Point, k: float, side: int) -> None:
    (x, y), leaf = foot, s.lit(LEAVES["oaks"], 0.65)
    s.canvas.polygon(
        [(x - 0.032 * k, y), (x - 0.018 * k, y - 0.2 * k), (x + 0.018 * k, y - 0.2 * k), (x + 0.032 * k, y)],
        fill=s.lit(BARK),
    )
    for a, b, r in ((-0.06, 0.20, 0.075), (0.06, 0.20, 0.075), (0.0, 0.27, 0.10)):
        s.canvas.ellipse((x + a * k, y - b * k), r * k, fill=darker(leaf, 0.22))
    for a, b, r in ((-0.045, 0.235, 0.05), (0.02, 0.29, 0.07)):
        s.canvas.ellipse((x + side * a * k, y - b * k), r * k, fill=leaf)
    if s.snowy:
        s.canvas.polygon(arc((x, y - 0.31 * k), 0.08 * k, 0.065 * k, 0.5, 1.0), fill=s.snow)


def _palm(s: _Scene, foot: Point, k: float, side: int) -> None:
    """A curved trunk that leans to the middle of the picture and six broad drooping fronds."""
    (x, y), leaf = foot, s.lit(LEAVES["palms"], 0.55)
    top = (x + side * 0.03 * k, y - 0.36 * k)
    trunk = [(x - side * 0.03 * k, y), (x - side * 0.025 * k, y - 0.18 * k), top]
    s.canvas.stroke(trunk, width=0.042 * k, fill=s.lit((0.60, 0.40, 0.24), 0.6))
    for reach, rise, fall in _FRONDS:
        for way in (-1, 1):
            frond = [(way * reach * a * k, (fall * a**3 - rise * b) * k) for a, b in _FROND]
            fill = darker(leaf, 0.28) if fall == 0.02 else leaf
            s.canvas.polygon([(top[0] + a, top[1] + b) for a, b in frond], fill=fill)
    s.canvas.ellipse((top[0], top[1] + 0.012 * k), 0.026 * k, fill=s.lit(BARK, 0.6))
    if s.snowy:
        s.canvas.polygon(arc((top[0], top[1] - 0.012 * k), 0.055 * k, 0.038 * k, 0.5, 1.0), fill=s.snow)


_FRONDS: tuple[tuple[float, float, float], ...] = ((0.165, 0.075, 0.02), (0.15, 0.05, 0.12), (0.10, 0.05, -0.09))
"""Reach, rise and fall of each pair of fronds."""
_FROND: tuple[Point, ...] = (
    (0.0, 0.0),
    (0.2, 0.75),
    (0.45, 1.05),
    (0.7, 0.95),
    (0.88, 0.6),
    (1.0, 0.0),
    (0.8, 0.2),
    (0.6, 0.35),
    (0.35, 0.25),
)
"""One leaf: along its reach and across its rise, out on the upper edge and back on the lower."""
