"""A person: their colours, their variation beyond the factors, and a pen in the coordinates of their head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, sin

from .canvas import Canvas, Color, Point, arc, smooth

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


@dataclass(frozen=True)
class Person:
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
class Pen:
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


def mirrored(points: Sequence[Point]) -> list[Point]:
    """The right half of an outline, from top to bottom, closed by its mirror image."""
    return [*points, *((-x, y) for x, y in reversed(points) if x)]
