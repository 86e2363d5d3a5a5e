"""Ridge regression from one kind of vectors to another, such as from a caption's vector to its picture's.

All shrinkages come from one decomposition, and each is judged by the error it makes on every row when that row is left
out (Golub, Heath and Wahba, 1979). What the map explains is measured on rows that it was not fitted to, beside the same
with the pairs shuffled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError

SHRINKAGES = tuple(10.0 ** np.arange(-4, 4.5, 0.5))
"""Tried for the penalty, each times the mean square of the centred inputs over all rows."""
HELD_OUT = 0.2
"""Share of the rows on which the map is judged before it is fitted to all."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LinearMap:
    """`y = x @ weight + offset`, with how far it can be trusted.

    Attributes:
        weight: `(d, e)`.
        offset: `(e,)`.
        penalty: λ in |y - xW|² + λ|W|², of centred x and y.
        explained: R² over held-out rows and all columns: 1 is perfect, 0 no better than the mean.
        by_chance: the same of a map fitted to shuffled pairs.
    """

    weight: Array
    offset: Array
    penalty: float
    explained: float
    by_chance: float

    def __call__(self, x: Array) -> Array:
        """`(n, d)` -> `(n, e)`."""
        return x @ self.weight + self.offset


def fit_linear_map(x: Array, y: Array, *, generator: np.random.Generator) -> LinearMap:
    """The ridge from the rows of `x` to those of `y`, its penalty chosen by leaving one row out.

    Args:
        x: `(n, d)`.
        y: `(n, e)`.
        generator: chooses the held-out rows, and shuffles for the null.

    Raises:
        ModelError: rows that do not pair, numbers that are not finite, or fewer than twice as many rows as `x` has
            columns: what is held out would say nothing.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ModelError(
            f"Got arrays of shapes {x.shape} and {y.shape}; expected two matrices of as many rows.", code="shape"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ModelError("Got vectors with NaN or infinite numbers; leave those rows out.", code="not finite")
    if len(x) < 2 * x.shape[1]:
        raise ModelError(
            f"Got {len(x)} pairs for vectors of width {x.shape[1]}; expected at least {2 * x.shape[1]}.", code="too few"
        )
    order = generator.permutation(len(x))
    test, train = np.split(order, [round(HELD_OUT * len(x))])
    shuffled = generator.permutation(train)
    explained, by_chance = (_explained(x[test], y[test], _solve(x[train], y[pairs])) for pairs in (train, shuffled))
    weight, offset, penalty = _solve(x, y)
    return LinearMap(weight, offset, penalty, explained, by_chance)


def _solve(x: Array, y: Array) -> tuple[Array, Array, float]:
    """Weight, offset and penalty.

    With x - x̄ = U S Vᵀ the fitted values are ȳ + U h Uᵀ y, h = s² / (s² + λ); the error of a row left out is its
    error divided by one minus its leverage, 1/n of it the mean's.
    """
    x_mean, y_mean = x.mean(0), y.mean(0)
    u, s, vt = np.linalg.svd(x - x_mean, full_matrices=False)
    uy = u.T @ (y - y_mean)
    scale = float(np.square(s).mean()) or 1.0
    errors = []
    for shrinkage in SHRINKAGES:
        kept = np.square(s) / (np.square(s) + shrinkage * scale)
        leverage = np.square(u) @ kept + 1 / len(x)
        missed = (y - y_mean - u @ (kept[:, None] * uy)) / np.maximum(1 - leverage, 1e-9)[:, None]
        errors.append(float(np.square(missed).mean()))
    penalty = SHRINKAGES[int(np.argmin(errors))] * scale
    weight = vt.T @ ((s / (np.square(s) + penalty))[:, None] * uy)
    return weight, y_mean - x_mean @ weight, penalty


def _explained(x: Array, y: Array, solved: tuple[Array, Array, float]) -> float:
    weight, offset, _ = solved
    return float(1 - np.square(y - x @ weight - offset).sum() / np.square(y - y.mean(0)).sum())
