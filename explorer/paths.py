"""Paths through stops, evenly spaced or with equal steps, and grids that blend corners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .checks import choice
from .errors import GeometryError
from .geometry.grids import grid_weights
from .geometry.interpolation import Geometry
from .geometry.product import OWN, along, factors, interpolants, part_interpolant
from .geometry.spacing import Odometer, coefficient_of_variation
from .geometry.sphere import angle
from .language.nodes import Call, Node, Number, bounded
from .points import Points
from .progress import Progress

Measure = Callable[[Points], ArrayLike]
"""Pictures of `n` points -> `(n-1,)` distances between neighbours."""

FINE_PLACES = 16
"""Places per segment at which the distance in the space is measured, before anything is decoded."""


@dataclass(frozen=True, eq=False)
class Path:
    """A walk through stops.

    Attributes:
        points: `n` points in the order of the walk; the origin of each is an expression for it.
        t: `(n,)` float64, the place of each on the path: 0 is the first stop, 1 the second, ...
        stops: the `k` points that the walk passes through.
        interpolant: the name of the interpolation between them.
    """

    points: Points
    t: Tensor
    stops: Points
    interpolant: str

    def __len__(self) -> int:
        return len(self.points)


def path(stops: Points, frames: int, *, interpolant: str | None = None, ts: ArrayLike | None = None) -> Path:
    """Walk through `stops` in `frames` points.

    Args:
        stops: at least two points.
        frames: at least 2.
        interpolant: `lerp`, `nlerp`, `slerp`, `lol` or `squad`; by default that of the space's geometry, in a
            product that of each part. Noises that are not independent draws get slerp instead of LOL.
        ts: `(frames,)` places of the frames, within [0, k-1]; evenly spaced by default.

    Raises:
        GeometryError: too few stops or frames, an unknown interpolant, places off the path, or neighbouring stops
            that point in opposite directions where the interpolant needs a shortest arc.
    """
    name = interpolant or _usual_interpolant(stops)
    last = len(stops) - 1
    if last < 1:
        raise GeometryError(f"Got {len(stops)} stops, expected at least two.", code="stops")
    if frames < 2:
        raise GeometryError(f"Got {frames} frames, expected at least 2.", code="frames")
    choice("interpolant", name, interpolants(stops.space.geometry), error=GeometryError)
    places = np.linspace(0, last, frames) if ts is None else np.asarray(ts, dtype=np.float64)
    if places.shape != (frames,):
        raise GeometryError(
            f"Got ts of shape {places.shape}, expected one place for each of {frames} frames.", code="ts"
        )
    t = torch.from_numpy(places.copy())
    for kind, part in factors(stops.space.geometry, stops.flat):
        if part_interpolant(kind, name) in ("slerp", "nlerp", "squad"):
            _refuse_opposite_neighbours(stops, part)
    walked = along(stops.space.geometry, stops.flat, t, name)
    origin = tuple(_origin(stops, name, place) for place in places.tolist())
    return Path(Points(walked.reshape(frames, *stops.space.shape), stops.space, origin), t, stops, name)


def equal_steps(
    stops: Points,
    frames: int,
    measure: Measure,
    *,
    tolerance: float = 0.1,
    rounds: int = 6,
    interpolant: str | None = None,
    progress: Progress | None = None,
) -> tuple[Path, NDArray[np.float64]]:
    """Walk through `stops` so that each picture differs equally from the one before.

    Each round decodes and measures the points, then moves them along the path (pictures are never mixed), until the
    coefficient of variation (CV) of the distances is at most `tolerance` or the rounds are used up. The best round is
    returned. Where the decoder jumps between two points however close, the jump cannot be divided and the CV stays
    higher.

    The first round has equal steps in the space itself. `measure` is called once per round, and the returned points
    are the same object that one of the calls received, so its pictures can be kept instead of decoded again.

    Args:
        stops: at least two points.
        frames: at least 2; the first and the last stop are the ends, exactly.
        measure: the distances between neighbouring pictures, `n` points -> `(n-1,)`. Any distance that grows with
            the difference will do: distances that add up along the path (angles) and squared ones (LPIPS) are
            recognised.
        tolerance: the CV at which to stop.
        rounds: the most rounds.
        interpolant: as in `path`.
        progress: wraps the rounds.

    Returns:
        The path, and its measured distances `(frames-1,)`.

    Raises:
        GeometryError: as `path`, or distances that are negative, not finite, or not one for each pair.
    """
    return equal_paths(
        stops,
        frames,
        lambda walk: measure(walk.points),
        tolerance=tolerance,
        rounds=rounds,
        interpolant=interpolant,
        progress=progress,
    )


def equal_paths(
    stops: Points,
    frames: int,
    measure: Callable[[Path], ArrayLike],
    *,
    tolerance: float = 0.1,
    rounds: int = 6,
    interpolant: str | None = None,
    progress: Progress | None = None,
) -> tuple[Path, NDArray[np.float64]]:
    """As `equal_steps`, but `measure` takes the whole path: the points and their places between the stops."""
    if rounds < 1:
        raise GeometryError(
            f"Got {rounds} rounds, expected at least 1: the distances are measured in each.", code="rounds"
        )
    coarse, length = _own_length(stops, interpolant)
    odometer = Odometer(length[-1])
    wrapped = progress(range(rounds), total=rounds, desc="Equal steps") if progress else range(rounds)
    best: tuple[float, Path, NDArray[np.float64]] | None = None
    for _ in wrapped:
        places = odometer.places(frames)
        walk = path(stops, frames, interpolant=interpolant, ts=np.interp(places, length, coarse))
        distances = np.array(measure(walk), dtype=np.float64)
        odometer.learn(places, distances)
        cv = coefficient_of_variation(distances)
        if best is None or cv < best[0]:
            best = cv, walk, distances
        if cv <= tolerance:
            break
    if best is None:
        raise GeometryError(
            "Got a progress that yielded no rounds; it must yield the items that it wraps.", code="progress"
        )
    return best[1], best[2]


def grid(corners: Points, size: int) -> Points:
    """Blend corners over a grid: each cell is their weighted mean in the geometry of the space; the corners are exact.

    Args:
        corners: 2 for a row, 3 for a triangle (the first is the whole top row), 4 for a square in reading order
            (top left, top right, bottom left, bottom right), more for a ring round the square, clockwise.
        size: cells a side, at least 2.

    Returns:
        `rows * cols` points, row by row; `geometry.grids.grid_shape(len(corners), size)` is `(rows, cols)`.

    Raises:
        GeometryError: fewer than two corners, too small a size, or corners that have no mean.
    """
    weights = grid_weights(len(corners), size)
    values = corners.space.geometry.mean(corners.flat, weights)
    origin = tuple(_blend_origin(corners, row) for row in weights.tolist())
    return Points(values.reshape(len(weights), *corners.space.shape), corners.space, origin)


def _usual_interpolant(stops: Points) -> str:
    """The default of the geometry, but slerp between noises that resemble each other, as those of similar pictures do.

    LOL mixes independent draws: from a noise and itself it would make one that is √2 times as long.
    """
    geometry = stops.space.geometry
    if geometry is not Geometry.GAUSSIAN or len(stops) < 2:
        return geometry.default_interpolant
    unit = torch.nn.functional.normalize(stops.flat.double(), dim=1)
    likeness = (unit[:-1] * unit[1:]).sum(1).abs().max()
    independent = 5 / unit.shape[1] ** 0.5  # five standard deviations of the cosine of two draws
    return geometry.default_interpolant if float(likeness) <= independent else "slerp"


def _own_length(stops: Points, interpolant: str | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places along the path, and the length of the path in the space up to each; the places again if it is 0.

    Frames are moved along this length: it needs no decoding, is smooth where `t` has corners, and does not stay at
    repeated stops.
    """
    fine = path(stops, FINE_PLACES * max(1, len(stops) - 1) + 1, interpolant=interpolant)
    t, flat = fine.t.numpy(), fine.points.flat
    steps = stops.space.geometry.distance(flat[:-1], flat[1:]).cpu().double().numpy()
    return t, np.concatenate([[0.0], np.cumsum(steps)]) if steps.any() else t


def _origin(stops: Points, name: str, place: float) -> Node:
    piece = min(int(place), len(stops) - 2)
    local = place - piece
    if local in (0, 1):
        return stops.origin[piece + int(local)]
    if name == "squad":
        return bounded(Call(name, (*stops.origin, Number(place))))
    if name == OWN:  # the expression language writes it as a mean with these weights
        weights = Number(1 - local), Number(local)
        return bounded(Call("mean", (stops.origin[piece], stops.origin[piece + 1], *weights)))
    return bounded(Call(name, (stops.origin[piece], stops.origin[piece + 1], Number(local))))


def _blend_origin(corners: Points, weights: list[float]) -> Node:
    used = [(node, weight) for node, weight in zip(corners.origin, weights, strict=True) if weight > 0]
    if len(used) == 1:
        return used[0][0]
    return bounded(Call("mean", (*(node for node, _ in used), *(Number(weight) for _, weight in used))))


def _refuse_opposite_neighbours(stops: Points, flat: Tensor) -> None:
    between = angle(flat[:-1], flat[1:]).cpu().double()
    limit = np.pi - torch.finfo(stops.dtype).eps ** 0.5
    for i in torch.nonzero(between > limit)[:1, 0].tolist():
        first, second = (f"{i + j + 1} ({str(stops.origin[i + j])[:60]})" for j in (0, 1))
        raise GeometryError(
            f"Got stops {first} and {second} in opposite directions, expected less than 180° between neighbours; "
            "put a stop between them, or walk by lerp.",
            code="opposite",
        )
