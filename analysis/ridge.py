"""Ridge regression in a spectral basis, linear or with a Gaussian kernel; its penalty is chosen in closed form.

Both kinds have one formula. With the basis vectors `u_j` of the fitted rows and their spectrum `λ_j` (squared singular
values of the centred rows, or eigenvalues of the centred kernel), `ŷ(x) = ȳ + Σ_j f_j(x) uⱼᵀ(Y - ȳ) / (λ_j + α)`,
where `f_j(x_i) = λ_j u_ij`. The penalty `α` minimises the leave-one-out error, see `geometry.ridge`. Generalised
cross-validation, which averages the leverages, does not work here: an isolated row has a leverage near 1, and a kernel
map then shrinks too little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.geometry.ridge import least_left_out

Wide = NDArray[np.float64]

PENALTIES = np.logspace(-6, 3, 19)
"""Candidates for α, in units of the mean of the kernel's diagonal."""

WIDTHS = (0.25, 1.0, 4.0)
"""Candidates for the kernel's γ, in units of one over the median squared distance."""

_SKETCH = 64  # columns of the targets that choose the penalty
_SAME = 1e-10  # rows nearer than this share of the largest squared distance are copies


class Basis(Protocol):
    """The features of a row with respect to the fitted rows."""

    @property
    def u(self) -> Wide:
        """`(n, r)`, orthonormal."""
        ...

    @property
    def spectrum(self) -> Wide:
        """`(r,)`, not negative."""
        ...

    def features(self, x: Wide) -> Wide:
        """`(m, d) -> (m, r)`; for the fitted rows `u · spectrum`."""
        ...

    def derivative(self, x: Wide, v: Wide) -> Wide:
        """The derivative of the features as each row of `x` moves along that of `v`: `(m, d), (m, d) -> (m, r)`."""
        ...


@dataclass(frozen=True, eq=False)
class LinearBasis:
    """`X - x̄ = U S Vᵀ`: features `(x - x̄) V S`, with `r = min(n, d)`, so no `d × d` matrix is needed."""

    u: Wide
    spectrum: Wide
    mean: Wide
    axes: Wide

    @classmethod
    def of(cls, x: Wide) -> LinearBasis:
        mean = x.mean(0)
        u, s, vt = np.linalg.svd(x - mean, full_matrices=False)
        return cls(u, s**2, mean, vt.T * s)

    def features(self, x: Wide) -> Wide:
        return (x - self.mean) @ self.axes

    def derivative(self, x: Wide, v: Wide) -> Wide:
        return v @ self.axes


@dataclass(frozen=True, eq=False)
class KernelBasis:
    """`k(x, y) = exp(-γ|x - y|²)`, centred on the fitted rows (Schölkopf, Smola & Müller 1998)."""

    u: Wide
    spectrum: Wide
    rows: Wide
    gamma: float
    mean: Wide

    @classmethod
    def of(cls, x: Wide, gamma: float) -> KernelBasis:
        kernel = np.exp(-gamma * squared(x, x))
        mean = kernel.mean(0)
        spectrum, u = np.linalg.eigh(kernel - mean - mean[:, None] + mean.mean())
        return cls(u, np.maximum(spectrum, 0.0), x, gamma, mean)  # below zero is rounding

    def features(self, x: Wide) -> Wide:
        # A term that is the same for all fitted rows is orthogonal to u and need not be subtracted.
        return (np.exp(-self.gamma * squared(x, self.rows)) - self.mean) @ self.u

    def derivative(self, x: Wide, v: Wide) -> Wide:
        kernel = np.exp(-self.gamma * squared(x, self.rows))
        along = np.einsum("ij,ij->i", x, v)[:, None] - v @ self.rows.T
        return (-2 * self.gamma * kernel * along) @ self.u


@dataclass(frozen=True, eq=False)
class Ridge:
    """A fitted regression.

    Attributes:
        basis: that of the fitted rows.
        alpha: the penalty, in units of the spectrum.
        mean: `(t,)`.
        weights: `(r, t)`.
    """

    basis: Basis
    alpha: float
    mean: Wide
    weights: Wide

    def predict(self, x: Wide) -> Wide:
        """`(m, d) -> (m, t)`."""
        return self.mean + self.basis.features(x) @ self.weights

    def derivative(self, x: Wide, v: Wide) -> Wide:
        """The Jacobian at each row of `x` times the row of `v`: `(m, d), (m, d) -> (m, t)`."""
        return self.basis.derivative(x, v) @ self.weights


def bases(x: Wide, kind: str) -> list[Basis]:
    """The candidate bases: one for "linear", one for each of `WIDTHS` for "kernel"."""
    if kind == "linear":
        return [LinearBasis.of(x)]
    apart = squared(x, x)[np.triu_indices(len(x), 1)]
    middle = float(np.median(apart[apart > _SAME * apart.max()]))  # copies would lower the usual distance
    return [KernelBasis.of(x, width / middle) for width in WIDTHS]


def fit(candidates: Sequence[Basis], y: Wide) -> Ridge:
    """Fit `y` `(n, t)` with the basis and the penalty of least leave-one-out error."""
    mean = y.mean(0)
    centred = y - mean
    seen = centred
    if y.shape[1] > _SKETCH:  # random projections keep sums of squares on average, which is enough
        seen = centred @ np.random.default_rng(0).normal(size=(y.shape[1], _SKETCH))
    choices = []
    for index, basis in enumerate(candidates):
        penalties = PENALTIES * basis.spectrum.sum() / len(y)
        choices.append((*least_left_out(basis.u, basis.spectrum, seen, penalties), index))
    _, alpha, best = min(choices)
    basis = candidates[best]
    return Ridge(basis, alpha, mean, (basis.u.T @ centred) / (basis.spectrum + alpha)[:, None])


def r2(y: Wide, predicted: Wide) -> float:
    """`1 - Σ|y - ŷ|²/Σ|y - ȳ|²`: the R² of each column weighted by its variance; 0 for predicting the mean."""
    return 1 - float(np.square(y - predicted).sum() / np.square(y - y.mean(0)).sum())


def squared(x: Wide, y: Wide) -> Wide:
    """Squared distances between rows: `(m, d), (n, d) -> (m, n)`."""
    sums = np.square(x).sum(1)[:, None] + np.square(y).sum(1) - 2 * x @ y.T
    return np.maximum(sums, 0.0)
