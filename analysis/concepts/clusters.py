"""Clusters, with what speaks for them: how apart and how stable they are, beside items without clusters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import choice, whole
from thoughtspace.explorer.errors import AnalysisError

from .. import evidence
from ..arrays import Matrix, blocks, pairwise, prepare
from ..evidence import Score, half_samples, interval
from ..knn import neighbors
from .normal import normal_like

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Values = NDArray[np.float64]
Rows = NDArray[np.intp]

METHODS = ("hdbscan", "kmeans")
"""`hdbscan` finds dense regions, leaves items out and decides how many there are; `kmeans` cuts all items in `n`."""

SAMPLE = 2000
"""Items of the silhouette: all pairs of them are compared."""

PAIRS = 4000
"""Items of which `hdbscan` compares all pairs. Of more, it finds the clusters of so many, and the others join them."""

HALVES = 4
"""Half-samples of the stability, of the items and of each draw of the null."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """A clustering with its evidence.

    Attributes:
        labels: `(n,)` the cluster of each item, the largest is 0; -1 for items that are in none.
        central: `(k,)` the row of the item of each cluster that is nearest to its mean.
        scores: `silhouette`, how much nearer items are to their own cluster than to the next, of 1, where those in none
            count as 0; and `stability`,
            the adjusted Rand index of clusters of random halves with those of all items. Each beside the same of
            normal draws with the mean and covariance of the items, which have no clusters.
        method: one of `METHODS`.
        sampled: items that the clusters and the scores are of; the others joined the cluster of the nearest of these.
    """

    labels: Rows = field(repr=False)
    central: Rows
    scores: Mapping[str, Score]
    method: str
    sampled: int

    @property
    def sizes(self) -> Rows:
        """Items of each cluster, the most first."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self.central))

    @property
    def outside(self) -> float:
        """The share of items that are in no cluster."""
        return float((self.labels < 0).mean())

    def table(self) -> pd.DataFrame:
        """A row for each score; see `Score.to_json` for the columns."""
        return evidence.table(self.scores)

    def plot(self) -> go.Figure:
        """The scores beside those of draws without clusters."""
        return evidence.plot(self.scores, title=f"{len(self.central)} clusters by {self.method}")

    def to_json(self) -> dict[str, Any]:
        """The sizes, the central rows and the scores as JSON values."""
        return {
            "method": self.method,
            "n": len(self.labels),
            "sampled": self.sampled,
            "outside": self.outside,
            "sizes": self.sizes.tolist(),
            "central": self.central.tolist(),
            "scores": {name: score.to_json() for name, score in self.scores.items()},
        }


def cluster(
    x: ArrayLike,
    *,
    method: str = "hdbscan",
    n_clusters: int = 8,
    min_size: int = 15,
    metric: str = "cosine",
    n_null: int = 19,
    random_state: int = 0,
) -> Clusters:
    """Cluster items by scikit-learn, and hold the clusters against those of items without any.

    Both methods cluster whatever they are given: only beside the null does a cluster mean something. Under the cosine
    they see unit vectors, whose Euclidean distances are in the same order.

    Of more than 4,000 items `hdbscan` clusters a random 4,000: a cluster with fewer than `min_size` of them is not
    found. Each other item joins the cluster of the nearest of these, or none where that is further than any item of the
    cluster is from its own nearest.

    Args:
        x: `(n, d)`.
        method: one of `METHODS`.
        n_clusters: of `kmeans`.
        min_size: of `hdbscan`, the fewest items of a cluster.
        n_null: draws without clusters.
        random_state: seed of the starts, the halves and the draws.

    Raises:
        AnalysisError: too few items for the clusters, items that are all alike, or no cluster at all.
    """
    choice("method", method, METHODS, error=AnalysisError)
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="19 allows p-values down to .05")
    whole("n_clusters", n_clusters, 2, 10**4, error=AnalysisError)
    whole("min_size", min_size, 2, 10**6, error=AnalysisError)
    rows = prepare(x, metric)
    fewest = 4 * (n_clusters if method == "kmeans" else min_size)
    if len(rows) < fewest:
        message = f"Got {len(rows)} items, expected at least {fewest} for such clusters; add some, or ask for smaller."
        raise AnalysisError(message, code="too few")
    if len(np.unique(rows, axis=0)) <= (n_clusters if method == "kmeans" else 2):
        raise AnalysisError("Got items of which nearly all are alike, which have no clusters.", code="no variation")
    generator = np.random.default_rng(random_state)
    size = n_clusters if method == "kmeans" else min_size
    everything, rows = rows, _sample(rows, method, generator)
    labels = _ordered(_labels(rows, method, size, random_state))
    if labels.max() < 0:
        message = (
            f"Got items of which no {min_size} lie closer together than the rest, so there are no clusters; lower "
            'min_size, or cut them by method="kmeans".'
        )
        raise AnalysisError(message, code="no clusters")
    value, halves = _judged(rows, labels, method, size, generator)
    null = []
    for _ in range(n_null):
        drawn = normal_like(rows, generator, sphere=metric == "cosine")
        null.append(_judged(drawn, _labels(drawn, method, size, random_state), method, size, generator)[0])
    scores = {
        name: Score(value[name], np.array([each[name] for each in null]), interval(value[name], drawn, best=1.0))
        for name, drawn in halves.items()
    }
    if len(everything) > len(rows):
        labels = _ordered(_joined(everything, rows, labels))
    return Clusters(labels, _central(everything, labels), scores, method, len(rows))


def _sample(rows: Matrix, method: str, generator: np.random.Generator) -> Matrix:
    if method == "kmeans" or len(rows) <= PAIRS:
        return rows
    return np.asarray(rows[np.sort(generator.permutation(len(rows))[:PAIRS])])


def _labels(rows: Matrix, method: str, size: int, seed: int) -> Rows:
    from sklearn.cluster import HDBSCAN, KMeans

    if method == "kmeans":
        return np.asarray(KMeans(size, n_init=3, random_state=seed).fit_predict(rows), np.intp)
    # Trees are slow in wide spaces; there are few enough items for all pairs.
    return np.asarray(HDBSCAN(min_cluster_size=size, algorithm="brute", copy=True).fit_predict(rows), np.intp)


def _joined(rows: Matrix, known: Matrix, labels: Rows) -> Rows:
    """The cluster of the nearest known item; -1 where that is further than any of its cluster is from its nearest."""
    reach = np.zeros(len(labels))
    for each in range(int(labels.max()) + 1):
        members = np.flatnonzero(labels == each)
        reach[members] = neighbors(known[members], 1, metric="euclidean").distances.max()
    found = np.empty(len(rows), np.intp)
    for block in blocks(len(rows), len(known)):
        apart = pairwise(rows[block], known, "euclidean")
        nearest = apart.argmin(1)
        near = apart[np.arange(len(nearest)), nearest] <= reach[nearest] + 1e-5
        found[block] = np.where(near, labels[nearest], -1)
    return found


def _ordered(labels: Rows) -> Rows:
    """The same clusters, the largest first."""
    found, counts = np.unique(labels[labels >= 0], return_counts=True)
    place = np.full(int(labels.max()) + 2, -1)
    place[found[np.argsort(-counts, kind="stable")]] = np.arange(len(found))
    return np.asarray(place[labels], np.intp)


def _central(rows: Matrix, labels: Rows) -> Rows:
    found = []
    for each in range(int(labels.max()) + 1):
        members = np.flatnonzero(labels == each)
        apart = rows[members] - rows[members].mean(0, dtype=np.float64)
        found.append(members[np.einsum("nd,nd->n", apart, apart).argmin()])
    return np.asarray(found, np.intp)


def _judged(
    rows: Matrix, labels: Rows, method: str, size: int, generator: np.random.Generator
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """The silhouette and the stability of a clustering, and both of each half."""
    from sklearn.metrics import adjusted_rand_score

    silhouettes, agreed = [], []
    kept = min(len(rows) // 2, PAIRS) / min(len(rows), PAIRS)
    half_size = size if method == "kmeans" else max(2, int(size * kept))  # halves are half as dense
    for half in half_samples(len(rows), HALVES, generator):
        again = _labels(rows[half], method, half_size, int(generator.integers(2**31)))
        # Where no clusters are found, twice nothing would agree wholly.
        found = labels.max() > 0 and again.max() > 0
        agreed.append(float(adjusted_rand_score(labels[half], again)) if found else 0.0)
        silhouettes.append(_silhouette(rows[half], labels[half], generator))
    value = {"silhouette": _silhouette(rows, labels, generator), "stability": float(np.mean(agreed))}
    return value, {"silhouette": silhouettes, "stability": agreed}


def _silhouette(rows: Matrix, labels: Rows, generator: np.random.Generator) -> float:
    """The mean over all items, of which those in no cluster count as 0, and all do if there is one cluster alone."""
    from sklearn.metrics import silhouette_score

    inside = generator.permutation(np.flatnonzero(labels >= 0))[:SAMPLE]
    if not 2 <= len(np.unique(labels[inside])) < len(inside):
        return 0.0
    return float(silhouette_score(rows[inside], labels[inside]) * (labels >= 0).mean())
