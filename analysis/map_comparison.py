"""Compare maps of the same items: which items moved, how far, and how far they move between seeds alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from .arrays import Matrix, prepare
from .evidence import LAYOUT, Score
from .knn import Neighbors, shared
from .map_agreement import neighborhood_hit, stress
from .map_quality import map_neighbors, quality

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Values = NDArray[np.float64]

_SHUFFLES = 9  # for the mean of a null, which each map adds to


@dataclass(frozen=True, eq=False)
class Movement:
    """How the places of items differ between two maps.

    Attributes:
        fitted: `(n, c)` the second map, turned, mirrored, scaled and shifted onto the first.
        distances: `(n,)` from each place of the first map to that of `fitted`; 1 is the root mean square distance of
            the first map's places from their centre.
        kept: `(n,)` the share of each item's neighbours on the first map that are its neighbours on the second.
        agreement: the mean of `kept`, beside that of shuffled items.
    """

    fitted: NDArray[np.float64] = field(repr=False)
    distances: Values = field(repr=False)
    kept: Values = field(repr=False)
    agreement: Score

    def most(self, n: int = 10) -> NDArray[np.intp]:
        """The rows of the items that moved most: those whose neighbours changed most, then the farthest."""
        return np.lexsort((-self.distances, self.kept))[:n]


def movement(first: ArrayLike, second: ArrayLike, *, k: int = 15, n_null: int = 99, random_state: int = 0) -> Movement:
    """Compare two maps of the same items, after the best fit of the second onto the first (Procrustes).

    A distance says how far an item moved against the others. UMAP may set whole groups elsewhere without a reason in
    the data; the neighbours, `kept`, do not depend on that.

    Args:
        first, second: `(n, c)` places, of which row i is the same item.
        k: neighbours, below n/2.
        n_null: shuffles of the items.

    Raises:
        AnalysisError: maps of other shapes, a `k` out of range, or places that all coincide.
    """
    a, b = (prepare(each, "euclidean", what="coordinates") for each in (first, second))
    if a.shape != b.shape:
        message = f"Got maps of shapes {a.shape} and {b.shape}, expected places of the same items."
        raise AnalysisError(message, code="shape")
    whole("k", k, 1, (len(a) - 1) // 2, error=AnalysisError, hint="it must be below half the number of points")
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="99 allows p-values down to .01")
    fitted, size = _fitted(a, b)
    near_a, near_b = (map_neighbors(each, k).indices for each in (a, b))
    kept = shared(near_a, near_b)
    generator = np.random.default_rng(random_state)
    null = []
    for _ in range(n_null):
        order = generator.permutation(len(a))
        place = np.argsort(order)
        null.append(float(shared(near_a, place[near_b[order]]).mean()))
    return Movement(
        fitted, np.linalg.norm(fitted - a, axis=1) / size, kept, Score(float(kept.mean()), np.asarray(null))
    )


@dataclass(frozen=True, eq=False)
class MapComparison:
    """Several maps of the same points, each drawn with several seeds.

    Attributes:
        scores: `scores[name][seed]` the quality of a map: its scores by name.
        null: the scores of a random map.
        kept: `kept[name]` `(n,)` the mean share of each item's neighbours that it keeps from seed to seed: how far its
            place is that of the data, and not of the seed. NaN if there is one seed.
    """

    scores: Mapping[str, Sequence[Mapping[str, float]]]
    null: Mapping[str, float]
    kept: Mapping[str, Values] = field(repr=False)

    def table(self) -> pd.DataFrame:
        """A row for each map and score: `map, score, mean, low, high, null, n_seeds`, over its seeds."""
        import pandas as pd

        rows = []
        for name, seeds in self.scores.items():
            for score, null in self.null.items():
                values = [each[score] for each in seeds]
                ends = {"low": min(values), "high": max(values), "null": null, "n_seeds": len(values)}
                rows.append({"map": name, "score": score, "mean": float(np.mean(values)), **ends})
        return pd.DataFrame(rows)

    def plot(self) -> go.Figure:
        """The scores of each map with their range over seeds, and a tick at what a random map has."""
        import plotly.graph_objects as go

        figure = go.Figure(layout={"template": "plotly_white"})
        table = self.table()
        for name, part in table.groupby("map", sort=False):
            figure.add_bar(
                x=part["score"],
                y=part["mean"],
                name=str(name),
                error_y={"array": part["high"] - part["mean"], "arrayminus": part["mean"] - part["low"]},
            )
        figure.add_scatter(
            x=list(self.null),
            y=list(self.null.values()),
            mode="markers",
            name="random map",
            marker={"symbol": "line-ew", "size": 60, "line": {"width": 2, "color": "#333"}},
        )
        return figure.update_layout(**LAYOUT)

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values, and the mean of `kept` of each map."""
        kept = {name: None if np.isnan(values).all() else float(values.mean()) for name, values in self.kept.items()}
        return {"scores": self.table().to_dict("records"), "kept_between_seeds": kept}


def compare_maps(
    x: ArrayLike,
    maps: Mapping[str, Sequence[ArrayLike]],
    *,
    k: int = 15,
    metric: str = "cosine",
    labels: ArrayLike | None = None,
    neighbors: Neighbors | None = None,
) -> MapComparison:
    """Compare maps of the points `x`, such as those of several methods or spaces, by their quality over seeds.

    Beside the scores of `map_quality.quality` there are `one_minus_stress`, and with labels
    `neighborhood_hit`; see `map_agreement`.

    Args:
        x: `(n, d)`.
        maps: for each name, the maps `(n, c)` of one or more seeds.
        k: neighbours, below n/2.
        labels: `(n,)` of classes that a map should keep together.
        neighbors: at least `k` neighbours of `x`, if they are already computed.

    Raises:
        AnalysisError: no maps, or as `map_quality.quality`, `stress` and `neighborhood_hit`.
    """
    if not maps or not all(maps.values()):
        raise AnalysisError("Got no maps, expected at least one of each name.", code="no maps")
    found = {
        name: [quality(x, each, k=k, metric=metric, neighbors=neighbors) for each in drawn]
        for name, drawn in maps.items()
    }
    scores = {name: [{score: getattr(each, score) for score in each.null} for each in of] for name, of in found.items()}
    null, chance = dict(next(iter(found.values()))[0].null), dict[str, list[float]]()
    for name, drawn in maps.items():
        for seed, places in enumerate(drawn):
            for score, measured in _agreements(x, places, k, metric, labels).items():
                scores[name][seed][score] = measured.value
                chance.setdefault(score, []).append(float(measured.null.mean()))
    null |= {score: float(np.mean(values)) for score, values in chance.items()}
    kept = {name: _kept_between(drawn, k) for name, drawn in maps.items()}
    return MapComparison(scores, null, kept)


def _agreements(x: ArrayLike, places: ArrayLike, k: int, metric: str, labels: ArrayLike | None) -> dict[str, Score]:
    found = {"one_minus_stress": stress(x, places, metric=metric, n_null=_SHUFFLES)}
    if labels is not None:
        found["neighborhood_hit"] = neighborhood_hit(places, labels, k=k, n_null=_SHUFFLES)[0]
    return found


def _kept_between(maps: Sequence[ArrayLike], k: int) -> Values:
    near = [map_neighbors(prepare(each, "euclidean", what="coordinates"), k).indices for each in maps]
    pairs = [(a, b) for at, a in enumerate(near) for b in near[at + 1 :]]
    if not pairs:
        return np.full(len(near[0]), np.nan)
    return np.mean([shared(a, b) for a, b in pairs], axis=0)


def _fitted(a: Matrix, b: Matrix) -> tuple[NDArray[np.float64], float]:
    """`b` fitted onto `a`, and the root mean square distance of `a` from its centre."""
    from scipy.linalg import orthogonal_procrustes

    centre, other = a.mean(0, dtype=np.float64), b.mean(0, dtype=np.float64)
    ours, theirs = a - centre, b - other
    size, theirs_size = float(np.linalg.norm(ours)), float(np.linalg.norm(theirs))
    if not size > 0 or not theirs_size > 0:
        raise AnalysisError("Got places that all coincide, which cannot be fitted.", code="no variation")
    turn, scale = orthogonal_procrustes(theirs, ours)
    return theirs @ turn * (scale / theirs_size**2) + centre, size / np.sqrt(len(a))
