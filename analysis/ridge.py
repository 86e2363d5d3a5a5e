"""Ridge regression in a spectral basis: linear or with a Gaussian kernel, its penalty chosen in closed form.

Both are one formula. With the basis vectors `u_j` of the rows fitted on and their spectrum `λ_j` (squared singular
values of the centred rows, or eigenvalues of the centred kernel), `ŷ(x) = ȳ + Σ_j f_j(x) uⱼᵀ(Y - ȳ) / (λ_j + α)`,
where `f_j(x_i) = λ_j u_ij`. The penalty `α` has the least leave-one-out error, which is in closed form (PRESS; Allen
1974) and needs no second split of the rows. Averages of the leverage, as in generalised cross-validation, will not do:
a row by itself has nearly all of its own, and a curved map then shrinks too little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Wide = NDArray[np.float64]

PENALTIES = np.logspace(-6, 3, 19)
"""Candidates for α, in units of the mean of the kernel's diagonal."""

WIDTHS = (0.25, 1.0, 4.0)
"""Candidates for the kernel's γ, in units of one over the median squared distance."""

_SKETCH = 64  # columns of the targets by which a penalty is chosen
_SAME = 1e-10  # of the largest squared distance: what is nearer is a copy


class Basis(Protocol):
    """What rows fitted on make of any row."""

    @property
    def u(self) -> Wide:
        """`(n, r)`, orthonormal."""
        ...

    @property
    def spectrum(self) -> Wide:
        """`(r,)`, none negative."""
        ...

    def features(self, x: Wide) -> Wide:
        """`(m, d) -> (m, r)`, on the fitted rows `u · spectrum`."""
        ...

    def derivative(self, x: Wide, v: Wide) -> Wide:
        """How the features change as each row of `x` moves along that of `v`: `(m, d), (m, d) -> (m, r)`."""
        ...


@dataclass(frozen=True, eq=False)
class LinearBasis:
    """`X - x̄ = U S Vᵀ`: features `(x - x̄) V S`; `r = min(n, d)`, so never a `d × d` matrix."""

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
    """`k(x, y) = exp(-γ|x - y|²)`, centred among the rows fitted on (Schölkopf, Smola & Müller 1998)."""

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
        # What is the same for all the rows fitted on is at right angles to u and need not be subtracted.
        return (np.exp(-self.gamma * squared(x, self.rows)) - self.mean) @ self.u

    def derivative(self, x: Wide, v: Wide) -> Wide:
        kernel = np.exp(-self.gamma * squared(x, self.rows))
        along = np.einsum("ij,ij->i", x, v)[:, None] - v @ self.rows.T
        return (-2 * self.gamma * kernel * along) @ self.u


@dataclass(frozen=True, eq=False)
class Ridge:
    """A fitted map of rows.

    Attributes:
        basis: of the rows fitted on.
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
        """The Jacobian at each row of `x` times that of `v`: `(m, d), (m, d) -> (m, t)`."""
        return self.basis.derivative(x, v) @ self.weights


def bases(x: Wide, kind: str) -> list[Basis]:
    """The bases to choose from: one for "linear", one for each of `WIDTHS` for "kernel"."""
    if kind == "linear":
        return [LinearBasis.of(x)]
    apart = squared(x, x)[np.triu_indices(len(x), 1)]
    middle = float(np.median(apart[apart > _SAME * apart.max()]))  # copies say nothing about the usual distance
    return [KernelBasis.of(x, width / middle) for width in WIDTHS]


def fit(candidates: Sequence[Basis], y: Wide) -> Ridge:
    """The map onto `y` `(n, t)` of the basis and the penalty with the least leave-one-out error."""
    mean = y.mean(0)
    centred = y - mean
    seen = centred
    if y.shape[1] > _SKETCH:  # random projections keep sums of squares on the average, and a choice needs no more
        seen = centred @ np.random.default_rng(0).normal(size=(y.shape[1], _SKETCH))
    choices = [(*_penalty(basis, seen), index) for index, basis in enumerate(candidates)]
    _, alpha, best = min(choices)
    basis = candidates[best]
    return Ridge(basis, alpha, mean, (basis.u.T @ centred) / (basis.spectrum + alpha)[:, None])


def _penalty(basis: Basis, centred: Wide) -> tuple[float, float]:
    """The least sum of squared leave-one-out errors, `(y - ŷ)_i/(1 - h_ii)`, and its penalty."""
    u, n = basis.u, len(centred)
    products, squares = u.T @ centred, np.square(u)
    alphas = PENALTIES * basis.spectrum.sum() / n
    errors = []
    for alpha in alphas:
        kept = basis.spectrum / (basis.spectrum + alpha)
        left = centred - u @ (kept[:, None] * products)
        errors.append(float(np.square(left / (1 - 1 / n - squares @ kept)[:, None]).sum()))
    best = int(np.argmin(errors))
    return errors[best], float(alphas[best])


def r2(y: Wide, predicted: Wide) -> float:
    """`1 - Σ|y - ŷ|²/Σ|y - ȳ|²`: the R² of each column weighted by its variance; 0 for the mean of these rows."""
    return 1 - float(np.square(y - predicted).sum() / np.square(y - y.mean(0)).sum())


def squared(x: Wide, y: Wide) -> Wide:
    """Squared distances of rows: `(m, d), (n, d) -> (m, n)`."""
    sums = np.square(x).sum(1)[:, None] + np.square(y).sum(1) - 2 * x @ y.T
    return np.maximum(sums, 0.0)
