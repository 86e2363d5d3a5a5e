"""Points for measurements: from a file, or synthetic pictures and captions."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def read_points(path: str | None, n_items: int, *, d: int = 256, seed: int = 0) -> Array:
    """Unit vectors `(n, d)`: the rows of an `.npy`, or `n_items` synthetic pictures and the same number of captions.

    A synthetic picture is the sum of one vector for each of seven factors, of five smooth vectors and of noise. Its
    caption lacks a fifth of the factors and all smooth vectors.
    """
    x = _synthetic(n_items, d, np.random.default_rng(seed)) if path is None else np.load(path, allow_pickle=False)
    if x.ndim != 2:
        sys.exit(f"Got an array of shape {x.shape}, expected (n, d); save one vector per row.")
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def _synthetic(n: int, d: int, rng: np.random.Generator) -> NDArray[np.float64]:
    strengths = (3.0, 1.2, 1.0, 0.9, 0.7, 0.5, 0.4)
    pictures, captions = np.zeros((n, d)), np.zeros((n, d))
    for strength, n_values in zip(strengths, (3, 6, 5, 4, 4, 3, 3), strict=True):
        values = strength * rng.normal(size=(n_values, d))[rng.integers(n_values, size=n)]
        pictures += values
        captions += values * (rng.random((n, 1)) < 0.8)
    pictures += rng.normal(size=(n, 5)) @ rng.normal(size=(5, d)) * 0.5
    x = np.concatenate([side + 0.35 * rng.normal(size=(n, d)) for side in (pictures, captions)])
    return x - x.mean(axis=0)
