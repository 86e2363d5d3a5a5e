"""Equal steps: where to put the frames of a path so that each picture differs as much from the one before.

A path is measured at some places `t`, which gives distances between neighbours; the next places are read off the
inverse of the path's length (de Boor's equidistribution). Three things make it converge where the textbook loop
does not:

- *Memory.* A step that one round located between two frames is lost again when the frames move. So each round refines
  the lengths of all earlier ones, which still say how the length runs inside an interval.
- *Scale.* Not every distance adds up along a path: squared ones (LPIPS, 1 - cos) grow as `Δt²`, rough ones as `√Δt`,
  and on `Δt²` the loop oscillates for ever. The exponent `p` is estimated from two rounds, and `d^(1/p)` adds up.
- *Plateaus* have no inverse: each interval keeps a sliver of length, and the monotone interpolant (PCHIP) jumps there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import GeometryError

Array = NDArray[np.float64]

SLIVER = 1e-9
"""Least length of an interval, as a share of the mean one, so that the length has an inverse."""

EXPONENTS = (0.5, 3.0)
"""Range of plausible exponents: as rough as Brownian motion, and beyond any squared distance."""


def coefficient_of_variation(distances: ArrayLike) -> float:
    """Standard deviation over mean of `(n,)` distances: 0 for equal steps, `√(n-1)` for all change in one step.

    >>> coefficient_of_variation([2.0, 2.0, 2.0])
    0.0
    >>> coefficient_of_variation([0.0, 0.0, 5.0, 0.0, 0.0])
    2.0
    """
    values = np.asarray(distances, dtype=np.float64)
    mean = values.mean() if values.size else 0.0
    return float(values.std() / mean) if mean > 0 else 0.0


class Odometer:
    """How much the pictures change along a path from 0 to `end`, learned round by round."""

    def __init__(self, end: float) -> None:
        self._ts = self._length = np.array([0.0, end])
        self._last: tuple[Array, Array] | None = None
        self._exponents: list[float] = []

    @property
    def exponent(self) -> float:
        """The `p` of `d ∝ Δt^p`: 1 for distances that add up, 2 for squared ones; the mean over rounds."""
        return float(np.exp(np.mean(np.log(self._exponents)))) if self._exponents else 1.0

    def places(self, frames: int) -> Array:
        """`(frames,)` places with equal steps, as far as all rounds tell: not decreasing, from 0 to `end` exactly."""
        from scipy.interpolate import PchipInterpolator  # half a second to import, and only walks need it

        ts, length = self._ts, self._length
        if length[-1] <= 0:
            return np.linspace(ts[0], ts[-1], frames)
        steps = np.maximum(np.diff(length), SLIVER * length[-1] / len(ts))
        along = np.concatenate([[0.0], np.cumsum(steps)])
        places = PchipInterpolator(along / along[-1], ts)(np.linspace(0, 1, frames))
        places = np.maximum.accumulate(places.clip(ts[0], ts[-1]))
        places[0], places[-1] = ts[0], ts[-1]
        return places

    def learn(self, ts: ArrayLike, distances: ArrayLike) -> None:
        """Learn from the distances `(n-1,)` between the frames at `ts` `(n,)`, which reach from end to end.

        These measurements replace the earlier ones, which still say how the length runs inside each interval.

        Raises:
            GeometryError: shapes that do not match, distances that are negative or not finite, places out of order.
        """
        ts, distances = _checked(ts, distances)
        if not distances.any():
            return
        if self._last is not None and (exponent := _exponent(*self._last, ts, distances)) is not None:
            self._exponents.append(exponent)
        self._last = ts, distances
        lengths = (distances / distances.max()) ** (1 / self.exponent)
        before = np.interp(ts, self._ts, self._length)
        grid = np.union1d(self._ts, ts)
        interval = np.clip(np.searchsorted(ts, grid, side="right") - 1, 0, len(lengths) - 1)
        known, span = np.diff(before)[interval], np.diff(ts)[interval]
        within = _share(np.interp(grid, self._ts, self._length) - before[interval], known)
        within = np.where(known > 0, within, _share(grid - ts[interval], span))
        start = np.concatenate([[0.0], np.cumsum(lengths)])
        # At the grid's own places the next interval begins at 0 exactly, so the curve stays monotone.
        self._ts, self._length = grid, start[interval] + lengths[interval] * within.clip(0, 1)


def _share(part: Array, whole: Array) -> Array:
    return part / np.where(whole > 0, whole, 1.0)


def _exponent(old_ts: Array, old: Array, ts: Array, distances: Array) -> float | None:
    """How distances grow with the interval, from the same stretch of path measured at two widths.

    The median over intervals of `log(d/d_old) / log(Δt/Δt_old)`, weighted by how much the width changed; `None`
    where fewer than three intervals changed it by a tenth.
    """
    middle = (ts[1:] + ts[:-1]) / 2
    covering = np.clip(np.searchsorted(old_ts, middle) - 1, 0, len(old) - 1)
    width, old_width = np.diff(ts), np.diff(old_ts)[covering]
    usable = (np.minimum(width, old_width) > 0) & (np.minimum(distances, old[covering]) > 1e-9 * distances.max())
    wider = np.log(width[usable] / old_width[usable])
    farther = np.log(distances[usable] / old[covering][usable])
    changed = np.abs(wider) > 0.1
    if changed.sum() < 3:
        return None
    slopes, weights = farther[changed] / wider[changed], np.abs(wider[changed])
    order = np.argsort(slopes)
    cumulative = np.cumsum(weights[order])
    median = slopes[order][np.searchsorted(cumulative, cumulative[-1] / 2)]
    return float(np.clip(median, *EXPONENTS))


def _checked(ts: ArrayLike, distances: ArrayLike) -> tuple[Array, Array]:
    places, values = np.asarray(ts, dtype=np.float64), np.asarray(distances, dtype=np.float64)
    if places.ndim != 1 or len(places) < 2 or values.shape != (len(places) - 1,):
        raise GeometryError(
            f"Got distances of shape {values.shape} for places of shape {places.shape}, expected (n-1,) for (n,) with "
            "n ≥ 2; measure each frame against the one before.",
            code="shape",
        )
    if not np.isfinite(values).all() or (values < 0).any():
        raise GeometryError(
            "Got a distance that is negative or not finite, expected finite ones of at least 0.", code="distances"
        )
    if not np.isfinite(places).all() or (np.diff(places) < 0).any() or places[0] == places[-1]:
        raise GeometryError(
            "Got places that do not increase, expected a path from its first t to its last; sort them.", code="places"
        )
    return places, values
