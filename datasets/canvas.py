"""A small vector canvas on Pillow: unit coordinates, antialiased by supersampling, crisp at any size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import cos, pi, sin

import numpy as np
from PIL import Image, ImageDraw

Color = tuple[float, float, float]
"""Red, green, blue, each in [0, 1]."""
Point = tuple[float, float]
"""`x` to the right and `y` downwards, both in [0, 1] across the picture."""

SMALLEST, LARGEST = 16, 2048


class Canvas:
    """Draws shapes on a larger grid and averages them down, so that edges are antialiased.

    Args:
        size: side of the finished picture in pixels.
        background: what is there before the first shape.

    Raises:
        ValueError: a size that is not a whole number from 16 to 2048.
    """

    def __init__(self, size: int, background: Color = (1.0, 1.0, 1.0)) -> None:
        if not isinstance(size, int) or not SMALLEST <= size <= LARGEST:
            raise ValueError(f"Got picture size {size!r}; give a whole number of pixels from {SMALLEST} to {LARGEST}.")
        self.size = size
        self._factor = 4 if size <= 256 else 2
        self._side = size * self._factor
        self._image = Image.new("RGB", (self._side, self._side), _rgb(background))
        self._draw = ImageDraw.Draw(self._image)

    def ellipse(self, center: Point, rx: float, ry: float | None = None, *, fill: Color) -> None:
        """An axis-aligned ellipse of half-widths `rx`, `ry` (a circle without `ry`)."""
        (x, y), ry = center, rx if ry is None else ry
        self._draw.ellipse(self._box(x - rx, y - ry, x + rx, y + ry), fill=_rgb(fill))

    def polygon(self, points: Sequence[Point], *, fill: Color) -> None:
        """A filled polygon through three or more points."""
        self._draw.polygon([self._at(p) for p in points], fill=_rgb(fill))

    def blob(self, points: Sequence[Point], *, fill: Color, steps: int = 10) -> None:
        """A filled closed curve that passes smoothly through its points (Catmull-Rom)."""
        self.polygon(smooth(points, closed=True, steps=steps), fill=fill)

    def rectangle(
        self, left: float, top: float, right: float, bottom: float, *, fill: Color, radius: float = 0
    ) -> None:
        """A rectangle whose corners are rounded by `radius`."""
        self._draw.rounded_rectangle(self._box(left, top, right, bottom), radius * self._side, fill=_rgb(fill))

    def stroke(self, points: Sequence[Point], *, width: float, fill: Color, curved: bool = True) -> None:
        """A line with round ends through the points, smooth unless `curved` is false."""
        path = smooth(points, closed=False) if curved and len(points) > 2 else list(points)
        thickness = max(1, round(width * self._side))
        ends = [self._at(p) for p in path]
        self._draw.line(ends, fill=_rgb(fill), width=thickness, joint="curve")
        r = thickness / 2
        for x, y in (ends[0], ends[-1]):
            self._draw.ellipse((x - r, y - r, x + r, y + r), fill=_rgb(fill))

    def gradient(self, top: Color, bottom: Color, *, start: float = 0.0, stop: float = 1.0) -> None:
        """A vertical blend over the full width, from height `start` to height `stop`."""
        first, last = round(start * self._side), round(stop * self._side)
        if last <= first:
            return
        t = np.linspace(0, 1, last - first)[:, None]
        column = np.round(255 * ((1 - t) * np.array(top) + t * np.array(bottom))).clip(0, 255).astype(np.uint8)
        band = Image.fromarray(column[:, None, :], "RGB").resize((self._side, last - first), Image.Resampling.NEAREST)
        self._image.paste(band, (0, first))

    def pattern(self, mask: Sequence[Point], shapes: Iterable[Sequence[Point]], *, fill: Color) -> None:
        """Polygons painted only inside the polygon `mask`: stripes or dots on a shape."""
        stencil = Image.new("L", self._image.size, 0)
        ImageDraw.Draw(stencil).polygon([self._at(p) for p in mask], fill=255)
        marks = Image.new("L", self._image.size, 0)
        pen = ImageDraw.Draw(marks)
        for shape in shapes:
            pen.polygon([self._at(p) for p in shape], fill=255)
        both = Image.composite(marks, Image.new("L", marks.size, 0), stencil)
        self._image.paste(_rgb(fill), (0, 0, *self._image.size), both)

    def finish(self) -> Image.Image:
        """The picture, `size` x `size`, RGB."""
        return self._image.reduce(self._factor)

    def _at(self, point: Point) -> tuple[float, float]:
        return point[0] * self._side, point[1] * self._side

    def _box(self, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return left * self._side, top * self._side, right * self._side, bottom * self._side


def smooth(points: Sequence[Point], *, closed: bool, steps: int = 10) -> list[Point]:
    """Points of the uniform Catmull-Rom spline through `points` (Catmull & Rom, 1974)."""
    p = np.asarray(points, dtype=float)
    ring = (
        np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    )
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    spans = []
    for a, b, c, d in zip(ring[:-3], ring[1:-2], ring[2:-1], ring[3:], strict=True):
        spans.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    curve = np.concatenate(spans if closed else [*spans, p[-1:]])
    return [(float(x), float(y)) for x, y in curve]


def arc(center: Point, rx: float, ry: float, start: float, stop: float, *, n: int = 24) -> list[Point]:
    """Points of an elliptic arc; angles in turns, clockwise from three o'clock."""
    angles = (start + (stop - start) * i / (n - 1) for i in range(n))
    return [(center[0] + rx * cos(2 * pi * a), center[1] + ry * sin(2 * pi * a)) for a in angles]


def mix(a: Color, b: Color, t: float) -> Color:
    """Linear interpolation from colour `a` (t = 0) to `b` (t = 1)."""
    return (a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]), a[2] + t * (b[2] - a[2]))


def darker(color: Color, by: float = 0.25) -> Color:
    return mix(color, (0.0, 0.0, 0.0), by)


def lighter(color: Color, by: float = 0.25) -> Color:
    return mix(color, (1.0, 1.0, 1.0), by)


def jitter(color: Color, generator: np.random.Generator, amount: float = 0.03) -> Color:
    """The colour with each channel moved by at most `amount`."""
    r, g, b = (min(1.0, max(0.0, c + generator.uniform(-amount, amount))) for c in color)
    return (r, g, b)


def _rgb(color: Color) -> tuple[int, int, int]:
    r, g, b = (round(255 * min(1.0, max(0.0, c))) for c in color)
    return (r, g, b)
