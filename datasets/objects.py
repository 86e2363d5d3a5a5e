"""Objects: one or two bold wooden shapes resting on a softly lit sheet of paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, pi, radians, sin

import numpy as np
from PIL import Image

from .canvas import Canvas, Color, Point, darker, lighter
from .factors import Factor

SHAPES = ("circle", "square", "triangle", "star", "heart", "cross")
COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "black", "white")

FACTORS: tuple[Factor, ...] = (
    Factor("shape", SHAPES),
    Factor("color", COLORS),
    Factor("size", ("small", "large")),
    Factor("texture", ("plain", "striped", "dotted")),
    Factor("relation", ("alone", "left", "above")),
    Factor("second_shape", SHAPES, absent_when={"relation": ("alone",)}),
    Factor("second_color", COLORS, absent_when={"relation": ("alone",)}),
    Factor("background", ("gray", "pink", "sky", "cream", "navy")),
)


@dataclass(frozen=True)
class Paint:
    """The three tones of a toy: its face, the stripes or dots on it, and the lit edge."""

    face: Color
    mark: Color
    edge: Color

    def moved(self, by: np.ndarray) -> Paint:
        """The paint with all three tones moved together, so that their contrast stays."""
        return Paint(_moved(self.face, by), _moved(self.mark, by), _moved(self.edge, by))


PAINTS: dict[str, Paint] = {
    "red": Paint((0.87, 0.13, 0.17), (1.00, 0.64, 0.64), (0.90, 0.26, 0.28)),
    "orange": Paint((0.98, 0.47, 0.05), (1.00, 0.82, 0.62), (0.99, 0.56, 0.18)),
    "yellow": Paint((1.00, 0.83, 0.08), (0.68, 0.50, 0.02), (0.96, 0.76, 0.08)),
    "green": Paint((0.11, 0.58, 0.27), (0.60, 0.90, 0.62), (0.22, 0.66, 0.37)),
    "blue": Paint((0.10, 0.41, 0.93), (0.62, 0.82, 1.00), (0.26, 0.54, 0.96)),
    "purple": Paint((0.53, 0.19, 0.74), (0.86, 0.68, 0.97), (0.62, 0.33, 0.80)),
    "black": Paint((0.10, 0.10, 0.12), (0.52, 0.52, 0.56), (0.26, 0.26, 0.29)),
    "white": Paint((0.97, 0.97, 0.98), (0.55, 0.58, 0.64), (0.88, 0.89, 0.91)),
}

BACKGROUNDS: dict[str, Color] = {
    "gray": (0.60, 0.62, 0.64),
    "pink": (0.97, 0.66, 0.76),
    "sky": (0.52, 0.80, 0.96),
    "cream": (0.96, 0.87, 0.68),
    "navy": (0.13, 0.19, 0.38),
}

ALONE_RADIUS = {"small": 0.165, "large": 0.31}
PAIR_RADIUS = {"small": 0.125, "large": 0.205}
SECOND_RADIUS = 0.166
MARGIN = 0.035  # Free paper around a pair; shadows may fall into it.
BEVEL = 0.115  # Width of the slanted edge, in radii.
THICKNESS = 0.15  # Height of the wood below the edge, in radii.
DOWN = np.array([0.0, 1.0])
LIGHT = np.array([-0.5, -0.866])  # Towards the lamp, at the upper left.

# Where the dots of each shape sit, in radii: every one whole, none cut by the outline.
DOTS: dict[str, tuple[Point, ...]] = {
    "circle": ((0.0, 0.0), *((0.58 * cos(k * pi / 3), 0.58 * sin(k * pi / 3)) for k in range(6))),
    "square": ((0.0, 0.0), (-0.47, -0.47), (0.47, -0.47), (0.47, 0.47), (-0.47, 0.47)),
    "triangle": ((0.0, -0.50), (-0.25, 0.0), (0.25, 0.0), (-0.55, 0.47), (0.0, 0.47), (0.55, 0.47)),
    "star": ((0.0, 0.0), *((0.54 * sin(k * 0.4 * pi), -0.54 * cos(k * 0.4 * pi)) for k in range(5))),
    "heart": ((-0.52, -0.46), (0.52, -0.46), (0.0, -0.18), (-0.40, 0.13), (0.40, 0.13), (0.0, 0.47)),
    "cross": ((0.0, 0.0), (0.0, -0.64), (0.64, 0.0), (0.0, 0.64), (-0.64, 0.0)),
}
DOT_RADIUS = 0.175


@dataclass(frozen=True)
class Jitter:
    """Everything that differs between two pictures of the same factors; each number in [-1, 1]."""

    scale: np.ndarray
    tilt: np.ndarray
    across: np.ndarray
    along: np.ndarray
    hue: np.ndarray
    stripes: np.ndarray
    beam: np.ndarray

    @classmethod
    def drawn(cls, generator: np.random.Generator) -> Jitter:
        """Draws equally many random numbers for every scene, so that changing one factor keeps the rest."""
        u = generator.uniform(-1, 1, 24)
        return cls(u[0:2], u[2:4], u[4:6], u[6:9], u[9:18].reshape(3, 3), u[18:20], u[20:24])


@dataclass(frozen=True)
class Toy:
    """A shape with its place: `axes` turns and scales from radii to the picture, `center` moves."""

    shape: str
    paint: Paint
    axes: np.ndarray
    center: np.ndarray
    radius: float

    def placed(self, points: np.ndarray) -> np.ndarray:
        return points @ self.axes + self.center


def draw(factors: Mapping[str, str], size: int, generator: np.random.Generator) -> Image.Image:
    """The picture of `factors`, the same at every size but for its resolution.

    Raises:
        ValueError: a factor that is missing, or has a value it does not know.
    """
    _check(factors)
    jitter = Jitter.drawn(generator)
    paper = _moved(BACKGROUNDS[factors["background"]], 0.016 * jitter.hue[2])
    canvas = Canvas(size, paper)
    _paper(canvas, paper, jitter)
    toys = _toys(factors, jitter)
    for toy in toys:  # All shadows first: none may darken a neighbour's face.
        _shadow(canvas, toy, paper)
    for toy in toys:
        _body(canvas, toy)
    if factors["texture"] == "striped":
        _stripes(canvas, toys[0], jitter)
    elif factors["texture"] == "dotted":
        _dots(canvas, toys[0])
    return canvas.finish()


def _check(factors: Mapping[str, str]) -> None:
    for factor in FACTORS:
        if factor.present(factors) and factors.get(factor.name) not in factor.values:
            raise ValueError(f"Got {factor.name}={factors.get(factor.name)!r}, expected one of {factor.values}.")


def _toys(factors: Mapping[str, str], jitter: Jitter) -> list[Toy]:
    """One toy near the middle, or two in a row (`left`) or a column (`above`)."""
    relation = factors["relation"]
    radius = (ALONE_RADIUS if relation == "alone" else PAIR_RADIUS)[factors["size"]] * (1 + 0.04 * jitter.scale[0])
    first = _toy(factors["shape"], factors["color"], radius, 0, jitter)
    if relation == "alone":
        reach = 0.5 - MARGIN - 1.15 * radius  # A small toy may move further.
        return [_centered(first, 0.5 + min(reach, 0.12) * jitter.along[:2])]

    radius = SECOND_RADIUS * (1 + 0.04 * jitter.scale[1])
    second = _toy(factors["second_shape"], factors["second_color"], radius, 1, jitter)
    axis = 0 if relation == "left" else 1
    a, b = _extent(first, axis), _extent(second, axis)
    free = 1 - 2 * MARGIN - a - b
    gap = free * (0.42 + 0.10 * jitter.along[0])
    start = MARGIN + (free - gap) * (0.5 + 0.3 * jitter.along[1])
    sides = 0.5 + 0.05 * jitter.across
    along = (start + a / 2, start + a + gap + b / 2)
    places = [(m, s) if axis == 0 else (s, m) for m, s in zip(along, sides, strict=True)]
    return [_centered(toy, np.array(place)) for toy, place in zip((first, second), places, strict=True)]


def _toy(shape: str, color: str, radius: float, index: int, jitter: Jitter) -> Toy:
    angle = radians(8) * jitter.tilt[index]
    axes = radius * np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])
    return Toy(shape, PAINTS[color].moved(0.022 * jitter.hue[index]), axes, np.zeros(2), radius)


def _extent(toy: Toy, axis: int) -> float:
    """Width (axis 0) or height including the side below (axis 1)."""
    return float(np.ptp(toy.placed(OUTLINES[toy.shape])[:, axis])) + axis * THICKNESS * toy.radius


def _centered(toy: Toy, place: np.ndarray) -> Toy:
    """The toy, moved so that the middle of its bounding box, including its side, is at `place`."""
    outline = toy.placed(OUTLINES[toy.shape])
    middle = (outline.min(axis=0) + outline.max(axis=0) + THICKNESS * toy.radius * DOWN) / 2
    return Toy(toy.shape, toy.paint, toy.axes, toy.center + place - middle, toy.radius)


def _paper(canvas: Canvas, paper: Color, jitter: Jitter) -> None:
    """A sheet lit from above, and across it one broad, slanted beam of window light."""
    canvas.gradient(lighter(paper, 0.06), darker(paper, 0.05))
    left, width, slope = 0.18 + 0.16 * jitter.beam[0], 0.46 + 0.08 * jitter.beam[1], 0.25 + 0.08 * jitter.beam[2]
    right = left + width
    beam = [(left + slope, -0.01), (right + slope, -0.01), (right - slope, 1.01), (left - slope, 1.01)]
    canvas.polygon(beam, fill=lighter(paper, 0.11))


def _shadow(canvas: Canvas, toy: Toy, paper: Color) -> None:
    """A soft shadow: copies of the outline shifted away from the lamp, the farthest and palest first."""
    outline = toy.placed(OUTLINES[toy.shape])
    for t in np.linspace(1, 0, 10):
        reach = toy.radius * (THICKNESS + 0.04 + 0.17 * t)
        canvas.polygon(_points(outline + reach * np.array([0.45, 1.0])), fill=darker(paper, 0.42 - 0.30 * t))


def _body(canvas: Canvas, toy: Toy) -> None:
    """The wood: a dark side below, a slanted edge shaded by its orientation, and the flat face on top."""
    outer, inner = toy.placed(OUTLINES[toy.shape]), toy.placed(INSETS[toy.shape])
    side = darker(toy.paint.edge, 0.42)
    for t in np.linspace(1, 0, 4):
        canvas.polygon(_points(outer + t * THICKNESS * toy.radius * DOWN), fill=side)
    canvas.polygon(_points(outer), fill=toy.paint.edge)
    lit = (toy.placed(NORMALS[toy.shape]) - toy.center) @ LIGHT / toy.radius
    quads = np.stack([outer, np.roll(outer, -1, axis=0), np.roll(inner, -1, axis=0), inner], axis=1)
    for quad, light in zip(quads, lit.tolist(), strict=True):
        tone = lighter(toy.paint.edge, 0.5 * light) if light > 0 else darker(toy.paint.edge, -0.3 * light)
        canvas.polygon(_points(quad), fill=tone)
    canvas.polygon(_points(inner), fill=toy.paint.face)


def _stripes(canvas: Canvas, toy: Toy, jitter: Jitter) -> None:
    """Three or four slanted bands across the face."""
    angle = radians(-35 + 8 * jitter.stripes[0])
    turn = np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])
    bands = []
    for k in range(-2, 3):
        y = 0.60 * (k + 0.15 * jitter.stripes[1])
        band = np.array([(-1.5, y - 0.15), (1.5, y - 0.15), (1.5, y + 0.15), (-1.5, y + 0.15)])
        bands.append(_points(toy.placed(band @ turn)))
    canvas.pattern(_points(toy.placed(INSETS[toy.shape])), bands, fill=toy.paint.mark)


def _dots(canvas: Canvas, toy: Toy) -> None:
    for x, y in toy.placed(np.array(DOTS[toy.shape])):
        canvas.ellipse((x, y), DOT_RADIUS * toy.radius, fill=toy.paint.mark)


def _corners(shape: str) -> tuple[list[Point], float]:
    """The clockwise corners in radii, about as large for every shape, and how much of each to sand off."""
    if shape == "circle":
        return [(1.035 * cos(k * pi / 6), 1.035 * sin(k * pi / 6)) for k in range(12)], 1.0
    if shape == "square":
        return _turned([(-0.88, -0.88)]), 0.26
    if shape == "triangle":
        return [(0.0, -1.18), (1.20, 0.92), (-1.20, 0.92)], 0.36
    if shape == "star":
        return [(r * sin(k * pi / 5), 0.05 - r * cos(k * pi / 5)) for k, r in enumerate((1.22, 0.63) * 5)], 0.24
    if shape == "heart":
        right = [(0.26, -1.02), (0.86, -1.02), (1.16, -0.42), (0.92, 0.16)]
        return [(0.0, -0.58), *right, (0.0, 1.06), *((-x, y) for x, y in reversed(right))], 0.30
    return _turned([(-0.38, -1.0), (0.38, -1.0), (0.38, -0.38)]), 0.16


def _turned(points: list[Point]) -> list[Point]:
    """The points in all four quarter turns."""
    turns = (((x, y), (-y, x), (-x, -y), (y, -x)) for x, y in points)
    return [point for turn in zip(*turns, strict=True) for point in turn]


def _rounded(corners: np.ndarray, cut: float, n: int = 7) -> np.ndarray:
    """The polygon with each corner replaced by a parabola that starts `cut` (at most half an edge) before it."""
    t = np.linspace(0, 1, n)[:, None]
    curves = []
    for before, at, after in zip(np.roll(corners, 1, axis=0), corners, np.roll(corners, -1, axis=0), strict=True):
        start, stop = (at + (q - at) * min(0.495, cut / np.linalg.norm(q - at)) for q in (before, after))
        curves.append((1 - t) ** 2 * start + 2 * t * (1 - t) * at + t**2 * stop)
    return np.concatenate(curves)


def _normals(outline: np.ndarray) -> np.ndarray:
    """Outward unit normals of the edges from each point to the next."""
    edge = np.roll(outline, -1, axis=0) - outline
    return np.stack([edge[:, 1], -edge[:, 0]], axis=1) / np.linalg.norm(edge, axis=1, keepdims=True)


def _inset(outline: np.ndarray, by: float) -> np.ndarray:
    """The polygon with every edge moved inwards, each corner along the bisector of its two edges."""
    after = _normals(outline)
    before = np.roll(after, 1, axis=0)
    return outline - by * (before + after) / (1 + np.sum(before * after, axis=1, keepdims=True))


def _points(array: np.ndarray) -> list[Point]:
    return [(x, y) for x, y in array.tolist()]


def _moved(color: Color, by: np.ndarray) -> Color:
    r, g, b = np.clip(np.add(color, by), 0, 1).tolist()
    return (r, g, b)


# Cut once: every toy is a turned, scaled and moved copy. The face is sanded less than the edge, so they stay parallel.
OUTLINES: dict[str, np.ndarray] = {}
INSETS: dict[str, np.ndarray] = {}
for _shape in SHAPES:
    _sharp, _cut = _corners(_shape)
    OUTLINES[_shape] = _rounded(np.array(_sharp), _cut)
    INSETS[_shape] = _rounded(_inset(np.array(_sharp), BEVEL), 0.7 * _cut)
NORMALS: dict[str, np.ndarray] = {shape: _normals(outline) for shape, outline in OUTLINES.items()}
