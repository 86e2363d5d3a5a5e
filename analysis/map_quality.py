"""Quality of a map: neighbours lost, false neighbours, the order of distances; each score with its null."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from .arrays import Matrix, blocks, pairwise, prepare, rowwise
from .knn import Neighbors, at_hand, shared

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

EXACT_RANKS = 20_000  # most rows among which ranks are counted; above, a random sample


@dataclass(frozen=True, eq=False)
class Quality:
    """How well a map keeps the neighbours and distances of its space. 1 is best; `null` is the score of a random map.

    Attributes:
        trustworthiness: neighbours on the map that are near in the space (Venna & Kaski 2001).
        continuity: neighbours in the space that are near on the map.
        knn_recall: share of the `k` neighbours in the space that are among the `k` on the map.
        triplet_accuracy: share of random triplets whose nearer pair is nearer on the map too.
        k: the number of neighbours.
        null: the expected value of each score for places that are independent of the points, in closed form.
        per_point: `(n,)` float32, the trustworthiness of each point; their mean is that of the map.
    """

    trustworthiness: float
    continuity: float
    knn_recall: float
    triplet_accuracy: float
    k: int
    null: dict[str, float]
    per_point: NDArray[np.float32] = field(repr=False)

    def table(self) -> pd.DataFrame:
        """A row for each score: `value, null`."""
        import pandas as pd

        values = {name: float(getattr(self, name)) for name in self.null}
        return pd.DataFrame({"value": values, "null": self.null})

    def plot(self) -> go.Figure:
        """The scores as bars; grey, those of a random map."""
        import plotly.graph_objects as go

        table, figure = self.table(), go.Figure(layout={"template": "plotly_white", "barmode": "overlay"})
        figure.add_bar(x=table.index, y=table["value"], name="map", marker_color="#4f5bd5")
        figure.add_bar(x=table.index, y=table["null"], name="random map", marker_color="#9aa0a8", width=0.4)
        return figure.update_yaxes(range=[0, 1])

    def to_json(self) -> dict[str, Any]:
        """The scores and their nulls as JSON values, without `per_point`."""
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
        random_state: seed of the triplets, and of the sample of ranks above 20,000 rows.
        neighbors: at least `k` neighbours of `x`, if they are already computed.

    Raises:
        AnalysisError: arrays of unequal length, no triplets, a `k` out of range, or neighbours of other points.

    >>> x = np.random.default_rng(0).normal(size=(60, 2))
    >>> quality(x, x, k=5, metric="euclidean").to_json()["trustworthiness"]
    1.0
    """
    rows, places = prepare(x, metric), prepare(coordinates, "euclidean", what="coordinates")
    _check(rows, places, k)
    if n_triplets < 1:
        message = f"Got n_triplets={n_triplets}, expected at least 1; thousands give a stable score."
        raise AnalysisError(message, code="n_triplets")
    near, near_on_map = at_hand(neighbors, rows, k, metric, random_state=random_state), map_neighbors(places, k)
    n, generator = len(rows), np.random.default_rng(random_state)
    sample = _rank_sample(n, generator)
    per_point = _kept(rows, near_on_map, metric, sample)
    continuity = float(_kept(places, near, "euclidean", sample).mean())
    recall = float(shared(near.indices, near_on_map.indices).mean())
    chance = _null(n, k)
    return Quality(
        trustworthiness=float(per_point.mean()),
        continuity=continuity,
        knn_recall=recall,
        triplet_accuracy=_triplet_accuracy(rows, places, metric, n_triplets, generator),
        k=k,
        null={"trustworthiness": chance, "continuity": chance, "knn_recall": k / (n - 1), "triplet_accuracy": 0.5},
        per_point=per_point.astype(np.float32),
    )


def point_trust(
    x: ArrayLike, coordinates: ArrayLike, *, k: int = 15, metric: str = "cosine", random_state: int = 0
) -> NDArray[np.float32]:
    """The trustworthiness of each point, `(n,)` in [0, 1]: 1 if its `k` neighbours on the map are those in the space.

    `1 - 2 Σ max(0, r - k) / (k (2n - 3k - 1))` over the neighbours on the map, with `r` their rank in the space. The
    mean over all points is the trustworthiness of the map.

    Raises:
        AnalysisError: as `quality`.
    """
    rows, places = prepare(x, metric), prepare(coordinates, "euclidean", what="coordinates")
    _check(rows, places, k)
    sample = _rank_sample(len(rows), np.random.default_rng(random_state))
    return _kept(rows, map_neighbors(places, k), metric, sample).astype(np.float32)


def map_neighbors(places: Matrix, k: int) -> Neighbors:
    """The `k` nearest other places of each place, by a k-d tree."""
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
        message = f"Got {len(rows)} points and {len(places)} places, expected one place per point."
        raise AnalysisError(message, code="number of points")
    whole("k", k, 1, (len(rows) - 1) // 2, error=AnalysisError, hint="it must be below half the number of points")


def _triplets(n: int, n_triplets: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """`(3, n_triplets)` row numbers; the three of a column are different."""
    a, step, other = (generator.integers(high, size=n_triplets) for high in (n, n - 1, n - 2))
    b = (a + 1 + step) % n
    # Skip the two rows that are taken, the lower one first.
    c = other + (other >= np.minimum(a, b))
    return np.stack([a, b, c + (c >= np.maximum(a, b))])


def _rank_sample(n: int, generator: np.random.Generator) -> NDArray[np.intp]:
    return np.sort(generator.permutation(n)[:EXACT_RANKS])


def _kept(space: Matrix, other: Neighbors, metric: str, sample: NDArray[np.intp]) -> NDArray[np.float64]:
    """For each point, how near its neighbours in the `other` space are in `space`: `(n,)` in [0, 1].

    A rank is counted, as 1 + the number of sampled rows that are nearer. That costs `k` comparisons with a row of
    distances, and no sorting.
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
        if len(sample) == n:  # both sides of the comparison need the same rounding
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
