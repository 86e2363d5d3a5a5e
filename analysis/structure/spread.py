"""How a space is filled: its effective rank, how even its directions are, and where its norms lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.errors import AnalysisError

from ..arrays import Matrix, prepare

Values = NDArray[np.float64]


def spectrum(x: ArrayLike) -> Values:
    """The variances along the principal axes, largest first: `(min(n - 1, d),)`, in squared units of `x`.

    Raises:
        AnalysisError: fewer than two rows, or rows that are all alike.
    """
    rows = prepare(x, "euclidean")
    if len(rows) < 2:
        raise AnalysisError(f"Got {len(rows)} items, expected at least 2; add some.", code="too few")
    centred = rows - rows.mean(0, dtype=np.float64)
    singular = np.linalg.svd(centred, compute_uv=False)[: min(len(rows) - 1, rows.shape[1])]
    if not singular[0] > 0:
        raise AnalysisError("Got items that are all alike, which have no spread; add others.", code="no variation")
    return singular**2 / (len(rows) - 1)


def effective_rank(x: ArrayLike) -> float:
    """The exponential of the entropy of the singular values (Roy & Vetterli, 2007): 1 to `min(n - 1, d)`.

    Raises:
        AnalysisError: as `spectrum`.

    >>> round(effective_rank(np.vstack([np.eye(4), -np.eye(4)])), 6)
    4.0
    """
    singular = np.sqrt(spectrum(x))
    share = singular[singular > 0] / singular.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def participation_ratio(x: ArrayLike) -> float:
    """`(Σλ)² / Σλ²` of the variances λ along the principal axes: how many axes share the variance.

    Raises:
        AnalysisError: as `spectrum`.
    """
    variances = spectrum(x)
    return float(variances.sum() ** 2 / (variances**2).sum())


def isotropy(x: ArrayLike) -> float:
    """IsoScore (Rudman et al., 2022, algorithm 1): 1 if the variance is even over all directions, 0 if one has it all.

    The share of dimensions that are used evenly is about this value. With few items for the dimension it is too low.

    Raises:
        AnalysisError: as `spectrum`, or one dimension only.
    """
    variances = spectrum(x)
    d = np.shape(x)[1]
    if d < 2:
        raise AnalysisError("Got items of one dimension, expected at least 2 to compare.", code="shape")
    full = np.zeros(d)
    full[: len(variances)] = variances
    evened = np.sqrt(d) * full / np.linalg.norm(full)
    defect = np.linalg.norm(evened - 1) / np.sqrt(2 * (d - np.sqrt(d)))
    share = (d - defect**2 * (d - np.sqrt(d))) ** 2 / d**2
    return float((d * share - 1) / (d - 1))


@dataclass(frozen=True, eq=False)
class Norms:
    """Lengths of vectors beside those of independent normal ones, which lie on a thin shell of radius about √d.

    Attributes:
        lengths: `(n,)`, divided by √d.
        d: the dimension.
        p_value: of the test of Kolmogorov and Smirnov that the lengths are those of N(0, I).
    """

    lengths: Values
    d: int
    p_value: float

    @property
    def expected(self) -> tuple[float, float]:
        """Mean and standard deviation of the lengths of N(0, I), divided by √d."""
        from scipy.stats import chi

        shell = chi(self.d)
        return float(shell.mean()) / np.sqrt(self.d), float(shell.std()) / np.sqrt(self.d)


def norms(x: ArrayLike) -> Norms:
    """The lengths of vectors such as noise or latents, held against the shell of N(0, I).

    Raises:
        AnalysisError: an array that is not `(n, d)` finite numbers.
    """
    from scipy.stats import chi, kstest

    rows: Matrix = prepare(x, "euclidean")
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    d = rows.shape[1]
    return Norms(lengths / np.sqrt(d), d, float(kstest(lengths, chi(d).cdf).pvalue))
