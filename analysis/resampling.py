"""Intervals and nulls of means over independent items: the bootstrap, and signs turned at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .evidence import ALPHA

Values = NDArray[Any]

RESAMPLED = 2000


def rows_drawn(n: int, random_state: int) -> NDArray[np.intp]:
    """`(RESAMPLED, n)` rows of bootstrap samples. The same for all that is measured on these items, so it is paired."""
    return np.random.default_rng(random_state).integers(n, size=(RESAMPLED, n))


def mean_interval(values: Values, rows: NDArray[np.intp]) -> tuple[float, float]:
    """The 95 % interval of the mean of `(n,)` values.

    The spread over bootstrap samples is widened by √(n/(n-1)), without which it is too narrow for few items.
    """
    n, middle = len(values), float(values.mean())
    low, high = np.quantile(values[rows].mean(1), [ALPHA / 2, 1 - ALPHA / 2])
    wider = np.sqrt(n / (n - 1)) if n > 1 else 1.0
    return middle + wider * (float(low) - middle), middle + wider * (float(high) - middle)


def sign_flips(values: Values, random_state: int, n_null: int = RESAMPLED) -> Values:
    """`(n_null,)` means of `(n,)` values whose signs are random: the null of a mean difference of pairs."""
    generator = np.random.default_rng(random_state)
    signs = generator.integers(2, size=(n_null, len(values))) * 2 - 1
    return np.asarray((signs * values).mean(1))
