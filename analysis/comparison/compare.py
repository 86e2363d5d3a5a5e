"""Compare two spaces on the same items, with a null, an interval and the items that agree least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import choice, whole
from thoughtspace.explorer.errors import AnalysisError

from .. import evidence
from ..arrays import Matrix, prepare
from ..evidence import Score, half_samples
from .measures import CKA, RSA, SVCCA, Measure, MutualKNN, Procrustes

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

MEASURES = ("cka", "rsa", "procrustes", "mutual_knn", "svcca")
"""The names of the measures."""

MOST = 2000
"""Items that are compared at once: all pairs of them are in memory. Of more, a random sample is taken."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """How alike two spaces are.

    Attributes:
        scores: by the name of the measure.
        agreement: `(n,)` for each compared item, the correlation of its distances to all others in the two spaces; NaN
            where all of them are equal.
        rows: `(n,)` the compared items.
        n_items: the number of items that there were.
    """

    scores: Mapping[str, Score]
    agreement: NDArray[np.float64] = field(repr=False)
    rows: NDArray[np.intp] = field(repr=False)
    n_items: int

    def least(self, n: int = 10) -> NDArray[np.intp]:
        """The rows of the items that agree least, least first."""
        return self.rows[np.argsort(self.agreement, kind="stable")[:n]]

    def table(self) -> pd.DataFrame:
        """A row for each measure; see `Score.to_json` for the columns."""
        return evidence.table(self.scores)

    def plot(self) -> go.Figure:
        """The scores with their intervals beside their nulls."""
        return evidence.plot(self.scores, title=f"Two spaces on {len(self.rows):,} items")

    def to_json(self) -> dict[str, Any]:
        """The scores as JSON values, and the rows that agree least."""
        return {
            "n": len(self.rows),
            "n_items": self.n_items,
            "scores": {name: score.to_json() for name, score in self.scores.items()},
            "least": self.least().tolist(),
        }


def compare(
    x: ArrayLike,
    y: ArrayLike,
    *,
    measures: Sequence[str] = MEASURES,
    metrics: tuple[str, str] = ("cosine", "cosine"),
    k: int = 10,
    n_null: int = 200,
    n_samples: int = 100,
    random_state: int = 0,
) -> Comparison:
    """Compare two spaces by the items that are in both.

    The null is that of shuffled pairs. The interval is that of half-samples (see `evidence.half_samples`): it tells of
    the choice of items, not of the spaces.

    Args:
        x, y: `(n, p)` and `(n, q)`, of which row i is the same item.
        metrics: of the distances in either space.
        k: neighbours of `mutual_knn`.
        n_null: permutations; the p-value is at least 1 / (1 + n_null).
        n_samples: half-samples for the intervals; 0 for none.
        random_state: seed of the permutations and samples.

    Raises:
        AnalysisError: arrays of unequal length, too few items, or items that are all alike.

    >>> x = np.random.default_rng(0).normal(size=(60, 8))
    >>> compare(x, 3 * x[:, ::-1], measures=["cka"], n_samples=0).scores["cka"].value.__round__(6)
    1.0
    """
    a, b = (prepare(each, metric, what=what) for each, metric, what in zip((x, y), metrics, "xy", strict=True))
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="199 allows p-values down to .005")
    whole("n_samples", n_samples, 0, 10**6, error=AnalysisError, hint="100 gives a rough interval, 0 none")
    whole("k", k, 1, 10**4, error=AnalysisError, hint="10 is usual")
    named = {
        choice("measure", name, MEASURES, error=AnalysisError): measure_pair(name, metrics, k) for name in measures
    }
    require_same_items([a], [b], fewest=max(each.least for pair in named.values() for each in pair))
    generator = np.random.default_rng(random_state)
    rows = sample(len(a), generator)
    a, b = a[rows], b[rows]
    scores = {
        name: _score(pair, a, b, n_null=n_null, n_samples=n_samples, generator=generator)
        for name, pair in named.items()
    }
    return Comparison(scores, agreement(a, b, metrics), rows, len(np.asarray(x)))


def sample(n: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """All of `n` rows, or `MOST` of them at random, in order."""
    return np.arange(n) if n <= MOST else np.sort(generator.permutation(n)[:MOST])


def require_same_items(xs: Sequence[Matrix], ys: Sequence[Matrix], *, fewest: int) -> None:
    """Raise AnalysisError unless all arrays have as many rows, and enough of them."""
    counts = sorted({len(each) for each in (*xs, *ys)})
    if len(counts) > 1:
        message = f"Got spaces of {' and '.join(map(str, counts))} items, expected the same items in each, row by row."
        raise AnalysisError(message, code="number of items")
    if counts[0] < fewest:
        raise AnalysisError(f"Got {counts[0]} items, expected at least {fewest} to compare; add some.", code="too few")


def agreement(a: Matrix, b: Matrix, metrics: tuple[str, str]) -> NDArray[np.float64]:
    """For each item, Spearman's correlation of its distances to all others in the two spaces: `(n,)`."""
    from scipy.stats import rankdata

    from ..arrays import pairwise

    n = len(a)
    others = ~np.eye(n, dtype=bool)
    ranks = []
    for rows, metric in zip((a, b), metrics, strict=True):
        distances = pairwise(rows, rows, metric)[others].reshape(n, n - 1)
        centred = rankdata(distances, axis=1) - n / 2
        norms = np.linalg.norm(centred, axis=1, keepdims=True)
        ranks.append(np.divide(centred, norms, out=np.full_like(centred, np.nan), where=norms > 0))
    return (ranks[0] * ranks[1]).sum(1)


def measure_pair(name: str, metrics: tuple[str, str], k: int) -> tuple[Measure, Measure]:
    """The measure for either space; they differ in the metric alone."""
    if name == "rsa":
        return RSA(metrics[0]), RSA(metrics[1])
    if name == "mutual_knn":
        return MutualKNN(k, metrics[0]), MutualKNN(k, metrics[1])
    of_vectors: Mapping[str, Measure] = {"cka": CKA(), "procrustes": Procrustes(), "svcca": SVCCA()}
    return of_vectors[name], of_vectors[name]


def _score(
    pair: tuple[Measure, Measure],
    a: Matrix,
    b: Matrix,
    *,
    n_null: int,
    n_samples: int,
    generator: np.random.Generator,
) -> Score:
    first, second = pair
    n, left, right = len(a), first.summary(a), second.summary(b)
    value = first.score(left, right)
    null = [first.score(left, second.reordered(right, generator.permutation(n))) for _ in range(n_null)]
    interval = None
    if n_samples and n // 2 >= first.least:
        halves = half_samples(n, n_samples, generator)
        interval = evidence.interval(
            value, [first.score(first.summary(a[half]), second.summary(b[half])) for half in halves], best=1.0
        )
    return Score(value, np.asarray(null), interval)
