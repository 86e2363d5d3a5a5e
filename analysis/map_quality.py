"""How far a map can be trusted: neighbours kept, neighbours invented, distances in order; each with its null."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.errors import AnalysisError

from .arrays import Matrix, blocks, pairwise, prepare, rowwise
from .knn import Neighbors, at_hand

EXACT_RANKS = 20_000  # rows among which ranks are counted; of more, a random sample


@dataclass(frozen=True, eq=False)
class Quality:
    """What a map kept of its space. 1 is everything; `null` says what a map drawn at random would get.

    Attributes:
        trustworthiness: neighbours on the map that are near in the space (Venna & Kaski 2001).
        continuity: neighbours in the space that are near on the map.
        knn_recall: share of the `k` neighbours in the space that are among the `k` on the map.
        triplet_accuracy: share of random triplets whose nearer pair is nearer on the map too.
        k: neighbours counted.
        null: the expected value of each score for places that have nothing to do with the points, in closed form.
        per_point: `(n,)` float32, each point's own trustworthiness; their mean is the trustworthiness of the map.
    """

    trustworthiness: float
    continuity: float
    knn_recall: float
    triplet_accuracy: float
    k: int
    null: dict[str, float]
    per_point: NDArray[np.float32] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """The scores and their nulls, without the points."""
        scores = {name: float(getattr(self, name)) for name in self.null}
        return {**scores, "k": self.k, "null": dict(self.null)}


def quality(
    x: ArrayLike,
    coordinates: ArrayLike,
    *,
    k: int = 15,
    metric: str = "cosine",
    n_triplets: int = 50_000,
    random_state: int = 0,
    neighbors: Neighbors | None = None,
) -> Quality:
    """Score the map `coordinates` of the points `x`.

    Args:
        x: `(n, d)`.
        coordinates: `(n, c)`, compared by Euclidean distance.
        k: neighbours, below n/2.
        metric: of `x`.
        n_triplets: random triplets; the standard error is at most `0.5/√n_triplets`.
        random_state: seed of the triplets, and of the sample of ranks beyond 20,000 rows.
        neighbors: those of `x`, at least `k`, when they are at hand.

    Raises:
        AnalysisError: two lengths, no triplets, a `k` or neighbours that do not fit.

    >>> x = np.random.default_rng(0).normal(size=(60, 2))
    >>> quality(x, x, k=5, metric="euclidean").to_json()["trustworthiness"]
    1.0
    """
    rows, places = prepare(x, metric), prepare(coordinates, "euclidean", what="coordinates")
    _check(rows, places, k)
    if n_triplets < 1:
        raise AnalysisError(f"Got n_triplets={n_triplets}, expected at least 1; thousands give a steady figure.")
    near, near_on_map = at_hand(neighbors, rows, k, metric, random_state=random_state), map_neighbors(places, k)
    n, generator = len(rows), np.random.default_rng(random_state)
    sample = _rank_sample(n, generator)
    per_point = _kept(rows, near_on_map, metric, sample)
    continuity = float(_kept(places, near, "euclidean", sample).mean())
    shared = (near.indices[:, :, None] == near_on_map.indices[:, None, :]).any(2)
    chance = _null(n, k)
    return Quality(
        trustworthiness=float(per_point.mean()),
        continuity=continuity,
        knn_recall=float(shared.mean()),
        triplet_accuracy=_triplet_accuracy(rows, places, metric, n_triplets, generator),
        k=k,
        null={"trustworthiness": chance, "continuity": chance, "knn_recall": k / (n - 1), "triplet_accuracy": 0.5},
        per_point=per_point.astype(np.float32),
    )


def point_trust(
    x: ArrayLike, coordinates: ArrayLike, *, k: int = 15, metric: str = "cosine", random_state: int = 0
) -> NDArray[np.float32]:
    """Each point's own trustworthiness, `(n,)` in [0, 1]: 1 where all its `k` neighbours on the map are near in truth.

    `1 - 2 Σ max(0, r - k) / (k (2n - 3k - 1))` over its neighbours on the map, with `r` their rank in the space; the
    mean over all points is the map's trustworthiness.

    Raises:
        AnalysisError: as `quality`.
    """
    rows, places = prepare(x, metric), prepare(coordinates, "euclidean", what="coordinates")
    _check(rows, places, k)
    sample = _rank_sample(len(rows), np.random.default_rng(random_state))
    return _kept(rows, map_neighbors(places, k), metric, sample).astype(np.float32)


def map_neighbors(places: Matrix, k: int) -> Neighbors:
    """The `k` nearest others of each place, by a k-d tree."""
    from scipy.spatial import cKDTree

    n = len(places)
    found = cKDTree(places).query(places, k=k + 1)
    distances, indices = np.asarray(found[0]), np.asarray(found[1])
    own = indices == np.arange(n)[:, None]
    own[~own.any(1), -1] = True  # a place hidden behind its duplicates does not list itself
    return Neighbors(
        indices[~own].reshape(n, k).astype(np.int32), distances[~own].reshape(n, k).astype(np.float32), "euclidean"
    )


def _check(rows: Matrix, places: Matrix, k: int) -> None:
    if len(rows) != len(places):
        raise AnalysisError(
            f"Got {len(rows)} points and {len(places)} places, expected one place a point; pass both in full."
        )
    if not 1 <= k < len(rows) / 2:
        raise AnalysisError(f"Got k={k} for {len(rows)} points, expected 1 to below half of them; ask for a smaller k.")


def _triplets(n: int, n_triplets: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """`(3, n_triplets)` rows, the three of a column always different ones."""
    a, step, other = (generator.integers(high, size=n_triplets) for high in (n, n - 1, n - 2))
    b = (a + 1 + step) % n
    # The third counts past the two that are taken, the lower first.
    c = other + (other >= np.minimum(a, b))
    return np.stack([a, b, c + (c >= np.maximum(a, b))])


def _rank_sample(n: int, generator: np.random.Generator) -> NDArray[np.intp]:
    return np.sort(generator.permutation(n)[:EXACT_RANKS])


def _kept(space: Matrix, other: Neighbors, metric: str, sample: NDArray[np.intp]) -> NDArray[np.float64]:
    """For each point, how near in `space` its neighbours elsewhere are: `(n,)` in [0, 1].

    A rank is counted, 1 + how many of the sampled rows are nearer, rather than sorted for: `k` comparisons of a row
    of distances.
    """
    n, k = other.indices.shape
    lost = np.empty(n)
    for block in blocks(n, len(sample)):
        distances = pairwise(space[block], space[sample], metric)
        here = np.arange(block.start, block.stop)
        column = np.minimum(np.searchsorted(sample, here), len(sample) - 1)
        own = sample[column] == here
        distances[own, column[own]] = np.inf
        scale = (n - 1) / (len(sample) - own)
        if len(sample) == n:  # the same rounding on both sides of the comparison
            reached = np.take_along_axis(distances, other.indices[block], axis=1)
        else:
            reached = rowwise(space[block, None], space[other.indices[block]], metric)
        nearer = np.stack([np.count_nonzero(distances < reached[:, j, None], axis=1) for j in range(k)], axis=1)
        lost[block] = np.maximum(1 + scale[:, None] * nearer - k, 0).sum(axis=1)
    return 1 - lost * 2 / (k * (2 * n - 3 * k - 1))


def _null(n: int, k: int) -> float:
    """Expected trustworthiness of random places, whose neighbours' ranks are uniform on 1..n-1."""
    return 1 - (n - 1 - k) * (n - k) / ((n - 1) * (2 * n - 3 * k - 1))


def _triplet_accuracy(
    rows: Matrix, places: Matrix, metric: str, n_triplets: int, generator: np.random.Generator
) -> float:
    triplets = _triplets(len(rows), n_triplets, generator)
    right = 0
    for block in blocks(n_triplets, rows.shape[1]):
        a, b, c = triplets[:, block]
        nearer = rowwise(rows[a], rows[b], metric) < rowwise(rows[a], rows[c], metric)
        nearer_on_map = rowwise(places[a], places[b], "euclidean") < rowwise(places[a], places[c], "euclidean")
        right += int((nearer == nearer_on_map).sum())
    return right / n_triplets
