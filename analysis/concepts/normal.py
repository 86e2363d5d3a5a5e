"""Items without clusters or outliers: normal draws with the mean and the covariance of others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import Matrix, prepare

Values = NDArray[np.float64]


def normal_like(x: Matrix, generator: np.random.Generator, *, sphere: bool = False) -> Matrix:
    """As many normal draws as there are rows, with their mean and covariance: `(n, d)`.

    Args:
        sphere: bring the draws to length 1, as the rows are.
    """
    mean = x.mean(0, dtype=np.float64)
    centred, n = x - mean, len(x)
    if n >= x.shape[1]:
        variances, axes = np.linalg.eigh(centred.T @ centred / n)
        spread = generator.standard_normal(x.shape) * np.sqrt(np.maximum(variances, 0)) @ axes.T
    else:  # sums of the rows with normal weights have their covariance too
        spread = generator.standard_normal((n, n)) @ centred / np.sqrt(n)
    return prepare(mean + spread, "cosine" if sphere else "euclidean")
