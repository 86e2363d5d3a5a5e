"""Lift: from a place on a map back to a point of the space, with a confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import GeometryError, MapError

from .arrays import Matrix, blocks, prepare

if TYPE_CHECKING:
    from thoughtspace.explorer.geometry.product import AnyGeometry

    from .projection import Projection

_CALIBRATION = 1000  # items, and random sets of items, that calibrate the confidence
_ORDINARY = 0.95  # share of the items that have confidence 1 in each part


@dataclass(frozen=True, eq=False)
class Lift:
    """Places on a map, lifted.

    Attributes:
        vectors: `(m, d)` float32 points of the space.
        confidence: `(m,)` float32 in [0, 1]: about 1 among the data, low in the gaps.
        neighbors: `(m, k)` int32, the items averaged into each vector, nearest on the map first.
        weights: `(m, k)` float64, their weights, rounded to six digits, with sum 1 up to that rounding. If the items
            have no mean (they point in all directions), the nearest item has weight 1.
    """

    vectors: NDArray[np.float32]
    confidence: NDArray[np.float32]
    neighbors: NDArray[np.int32]
    weights: NDArray[np.float64]


class Lifter:
    """Lifts places of one map. It keeps the k-d tree and the calibration, so that one place takes a millisecond.

    The vector of a place is the mean, in the geometry of the space, of the vectors of its `k` nearest items, weighted
    by `1/d` of their distance on the map (Shepard 1968). On an item it is that item's vector, bit for bit. The weights
    are rounded to six digits before they are used, so that the mean can be written down exactly.

    The confidence is the product of two parts, each 1 for at least 95 % of the items (each lifted without itself):

    - nearness, `min(1, (r₉₅/r)²)`, where `r` is the mean distance to the `k` items, relative to the same mean at those
      items. Far from the data, in units of the local density, it falls with the square of the distance.
    - agreement, `(s₀ - s)/(s₀ - s₉₅)` within [0, 1], where `s` is the weighted standard deviation of the neighbours'
      vectors (unit vectors on a sphere) and `s₀` its median for `k` random items. It is low between unrelated items.

    Args:
        projection: the map.
        k: neighbours, 2 to n - 1.
        geometry: that of the space of the points.
        random_state: seed of the samples for the calibration.

    Raises:
        MapError: a `k` out of range.
    """

    def __init__(self, projection: Projection, *, geometry: AnyGeometry, k: int = 8, random_state: int = 0) -> None:
        from scipy.spatial import cKDTree

        vectors = projection.points
        whole("k", k, 2, len(vectors) - 1, error=MapError, hint="ask for fewer neighbours, or map more items")
        self.k, self.geometry = k, geometry
        self._vectors = vectors
        self._compared = prepare(vectors, "cosine") if geometry == "sphere" else vectors
        self._tree = cKDTree(projection.coordinates)
        self._calibrate(projection.coordinates, np.random.default_rng(random_state))

    def __call__(self, places: ArrayLike) -> Lift:
        """Lift places `(m, c)`, or one place `(c,)`, of the map.

        Raises:
            MapError: places of another width, or not finite.
        """
        asked = np.atleast_2d(np.asarray(places, dtype=np.float64))
        if not np.isfinite(asked).all():
            raise MapError("Got places that are not finite, expected coordinates on this map.", code="not finite")
        if asked.shape[1:] != (self._tree.m,):
            message = f"Got places of {asked.shape[-1]} numbers, expected {self._tree.m} on this map."
            raise MapError(message, code="width")
        distances, indices = self._near(asked, self.k)
        weights = _shares(distances)
        confidence = self._nearness(distances, indices) * self._agreement(indices, weights)
        vectors = np.empty((len(asked), self._vectors.shape[1]), dtype=np.float32)
        for row, (chosen, share) in enumerate(zip(indices, weights, strict=True)):
            mixed = self._mean(chosen, share)
            if mixed is None:  # no mean exists: use the nearest item, with confidence 0
                mixed, confidence[row] = self._vectors[chosen[0]], 0.0
                weights[row] = np.arange(self.k) == 0
            vectors[row] = mixed
        return Lift(vectors, confidence.astype(np.float32), indices.astype(np.int32), weights)

    def _near(self, places: NDArray[np.floating], k: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        distances, indices = self._tree.query(places, k=k)
        return np.asarray(distances), np.asarray(indices, dtype=np.intp)

    def _mean(self, chosen: NDArray[np.intp], share: NDArray[np.float64]) -> Matrix | None:
        import torch

        if share.max() == 1.0:
            return self._vectors[chosen[share.argmax()]]
        chosen, share = chosen[share > 0], share[share > 0]
        try:
            return self.geometry.mean(torch.from_numpy(self._vectors[chosen]), torch.from_numpy(share)).numpy()
        except GeometryError:
            return None

    def _calibrate(self, coordinates: NDArray[np.float32], generator: np.random.Generator) -> None:
        distances, indices = self._near(coordinates, self.k + 1)
        distances, indices = distances[:, 1:], indices[:, 1:]  # the first is the item itself, or one at the same place
        self._spacing = np.maximum(distances.mean(1), np.finfo(np.float32).tiny)
        sample = generator.permutation(len(coordinates))[:_CALIBRATION]
        ratio = self._ratio(distances[sample], indices[sample])
        self._ordinary_ratio = float(np.quantile(ratio, _ORDINARY))
        spread = self._spread(indices[sample], _shares(distances[sample]))
        self._ordinary_spread = float(np.quantile(spread, _ORDINARY))
        random_sets = generator.integers(len(coordinates), size=(_CALIBRATION, self.k))
        chance = self._spread(random_sets, _shares(distances[generator.integers(len(distances), size=_CALIBRATION)]))
        self._chance_spread = float(np.median(chance))

    def _ratio(self, distances: NDArray[np.float64], indices: NDArray[np.intp]) -> NDArray[np.float64]:
        return distances.mean(1) / np.median(self._spacing[indices], axis=1)

    def _nearness(self, distances: NDArray[np.float64], indices: NDArray[np.intp]) -> NDArray[np.float64]:
        ratio = np.maximum(self._ratio(distances, indices), np.finfo(np.float32).tiny)
        return np.minimum(1.0, np.square(self._ordinary_ratio / ratio))

    def _spread(self, indices: NDArray[np.intp], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        spread = np.empty(len(indices))
        for block in blocks(len(indices), indices.shape[1] * self._compared.shape[1]):
            vectors, share = self._compared[indices[block]], weights[block, :, None]
            mean = (share * vectors).sum(1, keepdims=True)
            spread[block] = np.sqrt((share * np.square(vectors - mean)).sum((1, 2)))
        return spread

    def _agreement(self, indices: NDArray[np.intp], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        scale = self._chance_spread - self._ordinary_spread
        if scale <= 0:  # neighbours on this map are as dissimilar as random items
            return np.zeros(len(indices))
        return np.clip((self._chance_spread - self._spread(indices, weights)) / scale, 0.0, 1.0)


def _shares(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights `1/d` with sum 1, rounded to six digits; items at distance 0 share the whole weight."""
    at = distances == 0
    inverse = 1 / np.where(at, 1.0, distances)
    raw = np.where(at.any(1, keepdims=True), at, inverse)
    return np.round(raw / raw.sum(1, keepdims=True), 6)
