"""How well a map keeps classes together and distances in proportion: neighbourhood hit and stress, with nulls."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from .arrays import Matrix, blocks, prepare, rowwise
from .evidence import Score, half_samples, interval
from .map_quality import map_neighbors

Values = NDArray[np.float64]


def neighborhood_hit(
    coordinates: ArrayLike, labels: ArrayLike, *, k: int = 15, n_null: int = 199, random_state: int = 0
) -> tuple[Score, Values]:
    """The mean share of the `k` neighbours on the map that have an item's own label (Paulovich et al., 2008).

    The null is that of shuffled labels. Its mean is the chance that two items have the same label.

    Args:
        coordinates: `(n, c)`.
        labels: `(n,)` of any type; equal ones are of one class.

    Returns:
        the score, and the share of each item, `(n,)`.

    Raises:
        AnalysisError: labels of another number, missing ones, one class alone, or a `k` out of range.
    """
    places = prepare(coordinates, "euclidean", what="coordinates")
    given = np.asarray(labels)
    missing = sum(each is None or each != each for each in given.tolist())
    if missing:
        message = f"Got {missing} places without a label, expected one for each; leave those out."
        raise AnalysisError(message, code="missing labels")
    classes, codes = np.unique(given.astype(str), return_inverse=True)
    if len(codes) != len(places):
        message = f"Got {len(codes)} labels for {len(places)} places, expected one for each."
        raise AnalysisError(message, code="number of labels")
    if len(classes) < 2:
        raise AnalysisError("Got labels of one class, expected at least two to tell apart.", code="one class")
    whole("k", k, 1, (len(places) - 1) // 2, error=AnalysisError, hint="it must be below half the number of points")
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="199 allows p-values down to .005")
    near = map_neighbors(places, k).indices

    def shares(given: NDArray[np.intp]) -> Values:
        return np.asarray((given[near] == given[:, None]).mean(1))

    generator = np.random.default_rng(random_state)
    own = shares(codes)
    null = np.array([shares(generator.permutation(codes)).mean() for _ in range(n_null)])
    drawn = [float(own[half].mean()) for half in half_samples(len(own), n_null, generator)]
    return Score(float(own.mean()), null, interval(float(own.mean()), drawn, best=1.0)), own


def stress(
    x: ArrayLike,
    coordinates: ArrayLike,
    *,
    metric: str = "cosine",
    n_pairs: int = 50_000,
    n_null: int = 99,
    random_state: int = 0,
) -> Score:
    """How far the distances of a map are in proportion to those of the space: 1 - scale-normalised stress.

    The stress is `√(1 - (Σ d δ)² / (Σ d² Σ δ²))` over pairs with distance d in the space and δ on the map: what is left
    after the best common scale (Smelser et al., 2024). Without that scale, stress can be made small by shrinking a map.
    The null is that of shuffled places.

    Args:
        n_pairs: random pairs of items, the same for the null.

    Raises:
        AnalysisError: arrays of unequal length, fewer than three items, or items or places that all coincide.
    """
    rows, places = prepare(x, metric), prepare(coordinates, "euclidean", what="coordinates")
    n = len(rows)
    if n != len(places):
        message = f"Got {n} points and {len(places)} places, expected one place per point."
        raise AnalysisError(message, code="number of points")
    whole("n_pairs", n_pairs, 1, 10**9, error=AnalysisError, hint="50000 is usual")
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="99 allows p-values down to .01")
    if n < 3:
        raise AnalysisError(f"Got {n} items, expected at least 3; add some.", code="too few")
    generator = np.random.default_rng(random_state)
    if n * (n - 1) // 2 <= n_pairs:
        first, second = np.triu_indices(n, 1)
    else:
        first = generator.integers(n, size=n_pairs)
        second = (first + 1 + generator.integers(n - 1, size=n_pairs)) % n
    apart = _lengths(rows, first, second, metric)
    if metric == "cosine":
        apart = np.sqrt(2 * apart)  # chords, as the map has lengths

    def kept(order: NDArray[np.intp]) -> float:
        on_map = _lengths(places[order], first, second, "euclidean")
        size = float((apart**2).sum() * (on_map**2).sum())
        if not size > 0:
            message = "Got items or places that all coincide, which have no distances to compare."
            raise AnalysisError(message, code="no variation")
        return 1 - float(np.sqrt(max(0.0, 1 - float((apart * on_map).sum()) ** 2 / size)))

    null = np.array([kept(generator.permutation(n)) for _ in range(n_null)])
    return Score(kept(np.arange(n)), null)


def _lengths(rows: Matrix, first: NDArray[np.intp], second: NDArray[np.intp], metric: str) -> Values:
    found = np.empty(len(first))
    for block in blocks(len(first), rows.shape[1]):
        found[block] = rowwise(rows[first[block]], rows[second[block]], metric)
    return found
