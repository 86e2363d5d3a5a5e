"""The view that all parts of a landscape share: the canvas, the time of day, snow and jitter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .canvas import Canvas, Color, Point, mix

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
SNOW: Color = (0.97, 0.98, 1.00)


@dataclass(frozen=True)
class Jitter:
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
    def sample(cls, generator: np.random.Generator) -> Jitter:
        orb_side, structure_side = (int(s) for s in generator.choice((-1, 1), 2))
        shapes = ((3,), (3,), (3, 6), (4, 4), (3, 3), (4,), (4,), (32, 2))
        return cls(orb_side, structure_side, *(generator.uniform(-1, 1, shape) for shape in shapes))


@dataclass(frozen=True)
class View:
    """The canvas, the time of day, snow and jitter, which all parts of a picture share."""

    canvas: Canvas
    time: str
    snowy: bool
    jitter: Jitter

    def lit(self, color: Color, share: float = 1.0) -> Color:
        """The colour in the light of the time of day; a small `share` keeps more of the colour itself."""
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


def course(s: View) -> list[tuple[float, float, float]]:
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
