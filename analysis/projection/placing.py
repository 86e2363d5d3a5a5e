"""Place new points on a fixed map: each settles where its neighbours pull it.

The `transform` of umap-learn draws random numbers for a whole batch and optimises its points together, so that the
place of a point depends on the others (its issues 1224 and 515), and it needs the search index of the fit. The
functions here need only the known points and their places, and treat each new point by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import Matrix, blocks

Places = NDArray[np.float32]
Values = NDArray[np.float64]

_STEPS = 32  # re-weighted means; each lowers the cost, and the last move a place by less than a thousandth
_SMALLEST_SCALE = 1e-3  # of the mean distance: umap-learn's MIN_K_DIST_SCALE
_BISECTIONS = 64


@dataclass(frozen=True)
class Attraction:
    """The cost of a projection method for two neighbours, as a function of their squared distance on the map.

    Attributes:
        cost: increasing and concave.
        slope: its derivative, up to a constant factor.
    """

    cost: Callable[[Values], Values]
    slope: Callable[[Values], Values]


def settle(places: Places, neighbors: NDArray[np.int32], weights: Values, attraction: Attraction) -> Places:
    """The place `p` that minimises `Σ w cost(|p - y|²)` for the neighbours' places `y`: `(m, k), (m, k) -> (m, c)`.

    Starts at the best of the `y` and takes re-weighted means. Each lowers the cost, which is concave in the squared
    distance (majorise-minimise). So a point between two clusters settles in one of them; a plain mean would fall into
    the empty middle.
    """
    result = np.empty((len(neighbors), places.shape[1]), dtype=np.float32)
    for block in blocks(len(neighbors), neighbors.shape[1] ** 2 * 4):
        y = places[neighbors[block]].astype(np.float64)
        w = weights[block]
        between = np.square(y[:, :, None] - y[:, None]).sum(-1)
        cost = (w[:, None] * attraction.cost(between)).sum(-1)
        p = y[np.arange(len(y)), cost.argmin(1)]
        for _ in range(_STEPS):
            pull = w * attraction.slope(np.square(y - p[:, None]).sum(-1))
            p = (pull[:, :, None] * y).sum(1) / pull.sum(1)[:, None]
        result[block] = p
    return result


def umap_attraction(a: float, b: float) -> Attraction:
    """The attraction of UMAP, `log(1 + a d^2b)` (McInnes et al. 2018, section 3.2)."""

    def slope(squared: Values) -> Values:
        guarded = squared + 1e-3  # UMAP's own guard against a zero distance
        return guarded ** (b - 1) / (1 + a * guarded**b)

    return Attraction(lambda squared: np.log1p(a * squared**b), slope)


PACMAP_ATTRACTION = Attraction(lambda squared: (1 + squared) / (11 + squared), lambda squared: 10 / (11 + squared) ** 2)
"""The attraction of PaCMAP's near pairs, `(1 + d²) / (11 + d²)` (Wang et al. 2021, section 4)."""


def memberships(distances: NDArray[np.floating], *, target: float) -> Values:
    """Membership of each neighbour in the neighbourhood of a point (UMAP eq. 1-2): `(n, k) -> (n, k)` in [0, 1].

    `exp(-(d - ρ) / σ)`, where ρ is the first positive distance, so that every point has one full neighbour, and σ is
    found by bisection so that a row sums to `target`.

    Args:
        distances: nearest first, without the point itself.
        target: sum of a row; umap-learn uses log2 of the number of neighbours, counting the point itself.
    """
    d = np.asarray(distances, dtype=np.float64)
    positive = np.where(d > 0, d, np.inf).min(axis=1)
    rho = np.where(np.isfinite(positive), positive, 0.0)
    beyond = np.maximum(d - rho[:, None], 0.0)
    low, high, sigma = np.zeros(len(d)), np.full(len(d), np.inf), np.ones(len(d))
    for _ in range(_BISECTIONS):
        too_many = np.exp(-beyond / sigma[:, None]).sum(1) > target
        high, low = np.where(too_many, sigma, high), np.where(too_many, low, sigma)
        sigma = np.where(np.isinf(high), 2 * sigma, (low + np.where(np.isinf(high), 0, high)) / 2)
    own_mean = d.sum(1) / (d.shape[1] + 1)  # counts the point itself, at distance 0, as umap-learn's table does
    sigma = np.maximum(sigma, _SMALLEST_SCALE * own_mean)
    return np.where(beyond > 0, np.exp(-beyond / np.where(sigma > 0, sigma, 1.0)[:, None]), 1.0)


def linear(places: Places, rows: Matrix, new: Matrix) -> Places:
    """The linear map of a PCA, recovered from points and places: `axes = (YᵀY)⁻¹ YᵀX` for centred X and Y."""
    mean = rows.mean(0, dtype=np.float64)
    y = places.astype(np.float64)
    axes = np.linalg.pinv(y.T @ y) @ (y.T @ (rows - mean))
    # Not a matrix product, which rounds differently with the size of the batch.
    return np.einsum("md,cd->mc", new - mean, axes).astype(np.float32)
