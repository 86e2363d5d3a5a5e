"""The two halves of UMAP (McInnes, Healy & Melville 2018): a fuzzy graph of neighbours, and its layout.

Written again here, function for function after umap-learn 0.5 (BSD 3-Clause) and tested against it, because importing
that library compiles for a quarter of a minute on a fresh machine and its own graph for six seconds in every process;
because its threads do not live with forked workers; and because its loop can be neither watched nor stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .knn import Neighbors

Progress = Callable[..., Any]
Coordinates = NDArray[np.float32]

_SMALLEST_SCALE = 1e-3  # of the mean distance: umap-learn's MIN_K_DIST_SCALE
_BISECTIONS = 64
_NEGATIVES = 5  # repelled points for each attracted one


@dataclass(frozen=True, eq=False)
class Graph:
    """A symmetric graph of `n` points: edge `i` joins `head[i]` to `tail[i]` with `weight[i]` in (0, 1]."""

    head: NDArray[np.int32]
    tail: NDArray[np.int32]
    weight: NDArray[np.float32]
    n: int


def memberships(distances: NDArray[np.floating], *, target: float) -> NDArray[np.float64]:
    """How surely each neighbour belongs to a point's neighbourhood (UMAP eq. 1-2): `(n, k) -> (n, k)` in [0, 1].

    `exp(-(d - ρ) / σ)`, with ρ the first positive distance, so that every point is joined to one other, and σ found
    by bisection so that a row sums to `target`.

    Args:
        distances: nearest first, a point itself left out.
        target: sum of a row; umap-learn uses log2 of the number of neighbours with the point itself counted.
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


def fuzzy_graph(near: Neighbors) -> Graph:
    """The union of all neighbourhoods, `a + b - ab` of the two directions (UMAP section 3.1).

    `near.k + 1` is umap-learn's `n_neighbors`, which counts the point itself.
    """
    from scipy.sparse import coo_array

    n, k = near.indices.shape
    weight = memberships(near.distances, target=np.log2(k + 1)).astype(np.float32)
    rows = np.repeat(np.arange(n, dtype=np.int32), k)
    directed = coo_array((weight.ravel(), (rows, near.indices.ravel())), shape=(n, n)).tocsr()
    union = (directed + directed.T - directed.multiply(directed.T)).tocoo()
    return Graph(union.row.astype(np.int32), union.col.astype(np.int32), union.data.astype(np.float32), n)


def curve(min_dist: float, *, spread: float = 1.0) -> tuple[float, float]:
    """`(a, b)` of the closeness `1 / (1 + a d^2b)` on the map that best fits `min_dist` (UMAP definition 11)."""
    from scipy.optimize import curve_fit

    d = np.linspace(0, 3 * spread, 300)
    wanted = np.where(d < min_dist, 1.0, np.exp(-(d - min_dist) / spread))
    (a, b), _ = curve_fit(lambda d, a, b: 1 / (1 + a * d ** (2 * b)), d, wanted)
    return float(a), float(b)


def optimize(
    start: Coordinates,
    graph: Graph,
    *,
    a: float,
    b: float,
    n_epochs: int,
    generator: np.random.Generator,
    progress: Progress | None = None,
) -> Coordinates:
    """Pull joined points together and push random ones apart (UMAP algorithm 5): `(n, c) -> (n, c)`.

    One thread, so that a seed gives the same bits again. An edge is drawn in proportion to its weight.

    Args:
        start: `(n, c)` first places, about 10 wide.
        n_epochs: passes over the edges; the step shrinks from 1 to 0.
        progress: wraps the passes; may raise `Cancelled`.
    """
    weight = graph.weight.astype(np.float64)
    kept = weight >= weight.max() / n_epochs  # an edge weaker than this would never be drawn
    every = weight.max() / weight[kept]
    state = generator.integers(-(2**31) + 1, 2**31 - 1, size=(graph.n, 3), dtype=np.int64)
    passes: Any = range(n_epochs)
    if progress is not None:
        passes = progress(passes, total=n_epochs, desc="layout")
    y, head, tail = start.astype(np.float32, order="C", copy=True), graph.head[kept], graph.tail[kept]
    due, due_negative = every.copy(), every / _NEGATIVES
    epoch = compiled_epoch()
    for n in passes:
        epoch(y, head, tail, every, due, due_negative, state, a, b, 1.0 - max(0, n - 1) / n_epochs, n)
    return y


@cache
def compiled_epoch() -> Callable[..., None]:
    """`_epoch` as machine code, kept on disk beside this file or in the user's cache: three seconds, once."""
    import numba

    try:
        return numba.njit(cache=True, fastmath=True, nogil=True)(_epoch)
    except RuntimeError:  # no folder that can be written to
        return numba.njit(fastmath=True, nogil=True)(_epoch)


def _epoch(  # type: ignore[no-untyped-def]  # compiled for the types it is called with
    y, head, tail, every, due, due_negative, state, a, b, alpha, n
):
    n_points, dim = y.shape
    for i in range(every.shape[0]):
        if due[i] > n:
            continue
        j, k = head[i], tail[i]
        squared = np.float32(0.0)
        for d in range(dim):
            squared += (y[j, d] - y[k, d]) * (y[j, d] - y[k, d])
        pull = 0.0
        if squared > 0.0:
            pull = -2.0 * a * b * squared ** (b - 1.0) / (a * squared**b + 1.0)
        for d in range(dim):
            step = min(4.0, max(-4.0, pull * (y[j, d] - y[k, d]))) * alpha
            y[j, d] += step
            y[k, d] -= step
        due[i] += every[i]
        n_pushes = int((n - due_negative[i]) * 5 / every[i])
        for _ in range(n_pushes):
            # Three combined Tausworthe generators (L'Ecuyer 1996), one state a point, as in umap-learn.
            s = state[j]
            s[0] = (((s[0] & 4294967294) << 12) & 0xFFFFFFFF) ^ ((((s[0] << 13) & 0xFFFFFFFF) ^ s[0]) >> 19)
            s[1] = (((s[1] & 4294967288) << 4) & 0xFFFFFFFF) ^ ((((s[1] << 2) & 0xFFFFFFFF) ^ s[1]) >> 25)
            s[2] = (((s[2] & 4294967280) << 17) & 0xFFFFFFFF) ^ ((((s[2] << 3) & 0xFFFFFFFF) ^ s[2]) >> 11)
            other = np.int32(s[0] ^ s[1] ^ s[2]) % n_points
            squared = np.float32(0.0)
            for d in range(dim):
                squared += (y[j, d] - y[other, d]) * (y[j, d] - y[other, d])
            if squared > 0.0:
                push = 2.0 * b / ((0.001 + squared) * (a * squared**b + 1.0))
                for d in range(dim):
                    y[j, d] += min(4.0, max(-4.0, push * (y[j, d] - y[other, d]))) * alpha
        due_negative[i] += n_pushes * every[i] / 5
