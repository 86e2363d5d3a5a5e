"""Small synthetic data with known structure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[np.float32]


@pytest.fixture(scope="session")
def clusters() -> Callable[..., tuple[Array, NDArray[np.intp]]]:
    """Unit vectors `(n, d)` around a few random directions, and the cluster `(n,)` of each."""

    def make(n: int, *, seed: int = 0, d: int = 24, n_clusters: int = 6, noise: float = 0.25):
        rng = np.random.default_rng(seed)
        centres = rng.normal(size=(n_clusters, d))
        label = rng.integers(n_clusters, size=n)
        x = centres[label] + noise * rng.normal(size=(n, d))
        return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), label

    return make


@pytest.fixture(scope="session")
def plane() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """400 points `(n, 20)` on a plane through a wider space, and their places `(n, 2)` in it."""
    rng = np.random.default_rng(7)
    turn, _ = np.linalg.qr(rng.normal(size=(20, 20)))
    places = rng.uniform(-1, 1, size=(400, 2)) * [2.0, 1.0]
    return places @ turn[:2] + 5 * turn[2], places
