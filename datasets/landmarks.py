"""Landmarks: the house, windmill or boat of a landscape, and its trees."""

from __future__ import annotations

from math import cos, pi, sin

from .canvas import Color, Point, arc, darker
from .view import View, course

BARK: Color = (0.44, 0.28, 0.18)
LEAVES: dict[str, Color] = {"pines": (0.07, 0.33, 0.25), "oaks": (0.27, 0.55, 0.16), "palms": (0.10, 0.52, 0.30)}
GLOW: Color = (1.00, 0.84, 0.38)


def structure(s: View, kind: str, water: str) -> None:
    """The house or the windmill on its side of the middle, or the boat on the water."""
    dx, dy, ds, turn = (float(v) for v in s.jitter.structure)
    x, y, scale = 0.5 + s.jitter.structure_side * (0.07 + 0.025 * dx), 0.70 + 0.008 * dy, 1 + 0.06 * ds
    if kind == "house":
        _house(s, (x, y), scale, s.jitter.structure_side)
    elif kind == "windmill":
        _windmill(s, (x, y), scale, turn)
    elif kind == "boat":
        if water == "river":  # where the river is wide enough to carry it
            x, y = course(s)[3][0], course(s)[3][1] - 0.01
        elif water == "lake":
            x, y = 0.5 + 0.04 * dx, 0.825 + 0.01 * dy
        _boat(s, (x, y), scale, s.jitter.structure_side)


def _house(s: View, foot: Point, k: float, side: int) -> None:
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


def _windmill(s: View, foot: Point, k: float, turn: float) -> None:
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


def _boat(s: View, foot: Point, k: float, side: int) -> None:
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


def trees(s: View, kind: str) -> None:
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


def _pine(s: View, foot: Point, k: float, side: int) -> None:
    (x, y), leaf = foot, s.lit(LEAVES["pines"], 0.60)
    s.canvas.rectangle(x - 0.02 * k, y - 0.08 * k, x + 0.02 * k, y, fill=s.lit(BARK))
    for half, low, high, shade in ((0.115, 0.06, 0.24, 0.18), (0.095, 0.16, 0.33, 0.08), (0.07, 0.26, 0.43, 0.0)):
        tier = [(x - half * k, y - low * k), (x, y - high * k), (x + half * k, y - low * k)]
        s.canvas.polygon(tier, fill=darker(leaf, shade))
    if s.snowy:
        tip = [(x - 0.033 * k, y - 0.35 * k), (x, y - 0.435 * k), (x + 0.033 * k, y - 0.35 * k)]
        s.canvas.polygon(tip, fill=s.snow)


def _oak(s: View, foot: Point, k: float, side: int) -> None:
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


def _palm(s: View, foot: Point, k: float, side: int) -> None:
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
