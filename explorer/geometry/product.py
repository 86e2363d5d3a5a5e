"""The geometry of a product: a point is one point of each of several spaces, side by side in one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from ..errors import GeometryError
from .interpolation import INTERPOLANTS, Geometry, piecewise, squad
from .sphere import frechet_mean

OWN = "product"
"""The interpolant of a product that uses the default interpolant of each part."""

PATHS = (*INTERPOLANTS, "squad")
"""The names of the paths through points of one part."""


@dataclass(frozen=True)
class Product:
    """The product of several geometries: each part of a row is walked and averaged by its own.

    The distance is the root of the summed squares of the parts' distances, each in its own unit: for a sphere the
    angle in radians, for anything else the root mean squared difference, |a - b| / √d. Two unrelated directions or
    noises are then about equally far apart, π/2 and √2, whatever their widths, and so are the states of a text
    encoder, whose entries are of order one.

    Attributes:
        parts: geometry and width of each, in the order of the row.

    Raises:
        GeometryError: fewer than two parts, or one without a width.

    >>> product = Product(((Geometry.SPHERE, 2), (Geometry.EUCLIDEAN, 1)))
    >>> a, b = torch.tensor([1.0, 0.0, 3.0]), torch.tensor([0.0, 1.0, 5.0])
    >>> along(product, torch.stack([a, b]), 0.5, OWN)
    tensor([0.7071, 0.7071, 4.0000])
    >>> round(float(product.distance(a, b)) ** 2 - 2**2, 4)  # (π/2)²
    2.4674
    """

    parts: tuple[tuple[Geometry, int], ...]

    def __post_init__(self) -> None:
        if len(self.parts) < 2 or any(width < 1 for _, width in self.parts):
            raise GeometryError(
                f"Got parts {self.parts} of a product, expected two or more, each with a width of at least 1.",
                code="parts",
            )

    @property
    def default_interpolant(self) -> str:
        """`slerp` for parts of directions and of noise, `lerp` for the others."""
        return OWN

    def split(self, x: Tensor) -> Sequence[Tensor]:
        """`(..., d)` as its parts `(..., dᵢ)`.

        Raises:
            GeometryError: rows of another width.
        """
        widths = [width for _, width in self.parts]
        if x.ndim == 0 or x.shape[-1] != sum(widths):
            raise GeometryError(
                f"Got vectors of shape {tuple(x.shape)}, expected (..., {sum(widths)}); take them from one space.",
                code="width",
            )
        return x.split(widths, dim=-1)

    def mean(self, points: Tensor, weights: Tensor | None = None) -> Tensor:
        """Weighted mean of `(k, d)` under `(..., k)` weights: `frechet_mean` of directions and noise, else plain.

        Two points with weights `(1 - t, t)` give the path from one to the other at `t`.
        """
        parts = factors(self, points)
        return joined(
            [kind.mean(x, weights) if kind is Geometry.EUCLIDEAN else frechet_mean(x, weights) for kind, x in parts]
        )

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """`(..., d), (..., d) -> (...)`: the root of the summed squares of the parts' distances, each in its unit."""
        parts = zip(self.parts, self.split(a), self.split(b), strict=True)
        each = [
            kind.distance(x, y) / (1.0 if kind is Geometry.SPHERE else sqrt(width)) for (kind, width), x, y in parts
        ]
        return torch.stack(each).square().sum(0).sqrt()


AnyGeometry = Geometry | Product


def factors(geometry: AnyGeometry, x: Tensor) -> list[tuple[Geometry, Tensor]]:
    """The parts of `(..., d)`, each with its geometry; one part where the geometry is not a product."""
    if isinstance(geometry, Geometry):
        return [(geometry, x)]
    return [(kind, part) for (kind, _), part in zip(geometry.parts, geometry.split(x), strict=True)]


def joined(parts: Sequence[Tensor]) -> Tensor:
    """Parts `(..., dᵢ)` side by side again."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), dim=-1)


def interpolants(geometry: AnyGeometry) -> tuple[str, ...]:
    """The names of the paths through points: a product has one of its own, but not LOL, which is for noise."""
    return PATHS if isinstance(geometry, Geometry) else (OWN, *(name for name in PATHS if name != "lol"))


def part_interpolant(kind: Geometry, name: str) -> str:
    """The interpolant of one part under the interpolant `name` of the whole."""
    # Noise has slerp and not LOL. Two draws are nearly orthogonal, where both agree. But a noise part that is to stay
    # the same has one noise at both ends, and LOL of a noise with itself is longer than that noise by up to √2.
    return name if name != OWN else "lerp" if kind is Geometry.EUCLIDEAN else "slerp"


def along(geometry: AnyGeometry, stops: Tensor, t: float | Tensor, name: str) -> Tensor:
    """A path through stops `(k, d)` at `t`, each part by an interpolant of `interpolants`; see `geometry.piecewise`."""
    parts = [(part, part_interpolant(kind, name)) for kind, part in factors(geometry, stops)]
    return joined([squad(part, t) if own == "squad" else piecewise(part, t, INTERPOLANTS[own]) for part, own in parts])
