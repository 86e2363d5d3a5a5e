"""Ridge regression from vectors to vectors, its penalty chosen by the error that each row makes when it is left out.

With the centred rows `X = U S Vᵀ` the fitted values are `ȳ + U h Uᵀ(y - ȳ)` with `h = s² / (s² + α)`. The error of a
row that is left out is its error divided by one minus its leverage, 1/n of it the mean's (PRESS; Allen 1974): a closed
form that needs no second split of the rows. So do other orthonormal bases with a spectrum, such as that of a kernel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import GeometryError

Array = NDArray[np.float64]

SHRINKAGES = 10.0 ** np.arange(-4, 4.5, 0.5)
"""Candidates for the penalty, in units of the mean of the spectrum."""


@dataclass(frozen=True, eq=False)
class LinearMap:
    """`y = x @ weight + offset`.

    Attributes:
        weight: `(d, e)`.
        offset: `(e,)`.
        penalty: α in |y - xW|² + α|W|², of centred x and y.
    """

    weight: Array
    offset: Array
    penalty: float

    def __call__(self, x: Array) -> Array:
        """`(n, d)` -> `(n, e)`."""
        return x @ self.weight + self.offset


def fit_linear_map(x: Array, y: Array) -> LinearMap:
    """The ridge from the rows of `x` `(n, d)` to those of `y` `(n, e)`, such as from texts' vectors to pictures'.

    Raises:
        GeometryError: rows that do not pair, numbers that are not finite, or fewer than twice as many rows as columns.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or len(x) < 2 * x.shape[1]:
        raise GeometryError(
            f"Got arrays of shapes {x.shape} and {y.shape}, expected two matrices of equally many rows, at least two "
            "rows per column of the first; take more pairs.",
            code="shape",
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise GeometryError("Got vectors with NaN or infinite numbers; leave those rows out.", code="not finite")
    x_mean, y_mean = x.mean(0), y.mean(0)
    u, s, vt = np.linalg.svd(x - x_mean, full_matrices=False)
    scale = float(np.square(s).mean()) or 1.0
    _, penalty = least_left_out(u, np.square(s), y - y_mean, SHRINKAGES * scale)
    weight = vt.T @ ((s / (np.square(s) + penalty))[:, None] * (u.T @ (y - y_mean)))
    return LinearMap(weight, y_mean - x_mean @ weight, penalty)


def least_left_out(u: Array, spectrum: Array, y: Array, penalties: Array) -> tuple[float, float]:
    """The least sum of squared errors of rows that are left out, and the penalty that has it.

    Args:
        u: `(n, r)`, orthonormal, of the centred rows.
        spectrum: `(r,)`, not negative: squared singular values, or eigenvalues of a centred kernel.
        y: `(n, t)`, centred.
        penalties: the candidates, in units of the spectrum.
    """
    products, squares = u.T @ y, np.square(u)
    errors = []
    for penalty in penalties:
        kept = spectrum / (spectrum + penalty)
        missed = y - u @ (kept[:, None] * products)
        errors.append(float(np.square(missed / (1 - 1 / len(y) - squares @ kept)[:, None]).sum()))
    best = int(np.argmin(errors))
    return errors[best], float(penalties[best])
