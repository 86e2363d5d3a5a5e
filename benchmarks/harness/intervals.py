"""Shares of hits with their 95 % bootstrap intervals, alone and as paired differences.

`rows` is `(n, 2)`: hits and trials of each scene or sentence. A share is all hits over all trials, and the rows are
resampled whole, since the factors of one picture are not independent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

Rows = NDArray[np.float64]
RESAMPLES = 2000


def counted(right: NDArray[np.bool_], shown: NDArray[np.bool_]) -> Rows:
    """Hits and trials of each row of two `(n, heads)` tables: what was found, and what there was to find."""
    return np.stack([(right & shown).sum(1), shown.sum(1)], axis=1).astype(np.float64)


def share(rows: Rows) -> float:
    """All hits over all trials."""
    return float(_share(*rows.T))


def interval(rows: Rows) -> list[float]:
    """The 95 % percentile interval of the share."""
    return _interval(_share, rows)


def paired_interval(rows: Rows, others: Rows) -> list[float]:
    """The 95 % interval of the share of `rows` less that of `others`, which were counted on the same scenes."""

    def difference(*columns: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
        return _share(*columns[:2], axis=axis) - _share(*columns[2:], axis=axis)

    return _interval(difference, np.hstack([rows, others]))


def _share(hits: NDArray[np.float64], trials: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    return hits.sum(axis) / trials.sum(axis)


def _interval(statistic, rows: NDArray[np.float64]) -> list[float]:
    found = bootstrap(
        tuple(rows.T), statistic, n_resamples=RESAMPLES, paired=True, vectorized=True, method="percentile", rng=0
    ).confidence_interval
    return [float(found.low), float(found.high)]
