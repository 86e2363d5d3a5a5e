"""Principal directions of a collection, saved under names: in what its items vary most (GANSpace)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.collection.directions import SavedDirection, check_name
from thoughtspace.explorer.errors import AnalysisError

from .. import evidence
from ..evidence import Score, half_samples
from .fit import principal_directions

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer import Collection
    from thoughtspace.explorer.collection.items import Kind

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Principal:
    """Directions of largest variance, largest first.

    Attributes:
        vectors: `(k, d)` unit vectors.
        deviations: `(k,)` standard deviations of the items along them, which are one step each.
        shares: of the whole variance; the null has the numbers of each dimension shuffled among items (Horn, 1965).
        stability: `(k,)` mean absolute cosine of a direction of one random half of the items with that of the other. It
            is low where two directions have about the same variance, since either may then come first.
    """

    vectors: Values = field(repr=False)
    deviations: Values
    shares: tuple[Score, ...]
    stability: Values

    @property
    def steps(self) -> Values:
        """`(k, d)` one standard deviation along each."""
        return np.asarray(self.vectors * self.deviations[:, None])

    def table(self) -> pd.DataFrame:
        """A row for each direction: `deviation, stability`, and its share as `Score.to_json` has it."""
        found = evidence.table(self._named())
        found.insert(0, "stability", self.stability)
        found.insert(0, "deviation", self.deviations)
        return found

    def plot(self) -> go.Figure:
        """The shares beside their nulls."""
        return evidence.plot(self._named(), title="Share of the variance over items")

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values."""
        told = zip(self.deviations.tolist(), self.stability.tolist(), self.shares, strict=True)
        return {
            "principal": [
                {"deviation": deviation, "stability": stability, "share": share.to_json()}
                for deviation, stability, share in told
            ]
        }

    def _named(self) -> dict[str, Score]:
        return {f"direction {row}": share for row, share in enumerate(self.shares, start=1)}


def principal(x: Any, n: int = 4, *, n_null: int = 19, n_samples: int = 10, random_state: int = 0) -> Principal:
    """Fit the directions of largest variance, with their evidence; see `principal_directions`.

    Raises:
        AnalysisError: more directions than half of the items have, or items that are all alike.
    """
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="19 allows p-values down to .05")
    rows = np.asarray(x, np.float64)
    vectors, deviations = principal_directions(rows, n)
    if n >= len(rows) // 2:
        message = (
            f"Got {len(rows)} items for {n} directions, expected more than {2 * n + 1}; add some, or ask for fewer."
        )
        raise AnalysisError(message, code="too few")
    total = float(rows.var(0, ddof=1).sum())
    if not total > 1e-12:
        raise AnalysisError(
            "Got items that are all alike, which vary in no direction; add others.", code="no variation"
        )
    generator = np.random.default_rng(random_state)
    null = np.array([_variances(generator.permuted(rows, axis=0), n) for _ in range(n_null)]) / total
    shares = [Score(float(each**2 / total), drawn) for each, drawn in zip(deviations, null.T, strict=True)]
    agreed = []
    for half in half_samples(len(rows), n_samples, generator):
        parts = (rows[half], np.delete(rows, half, axis=0))
        first, second = (principal_directions(part, n)[0] for part in parts)
        agreed.append(np.abs((first * second).sum(1)))
    return Principal(vectors, deviations, tuple(shares), np.mean(agreed, axis=0))


def principal_of(
    collection: Collection,
    n: int = 4,
    *,
    space: str = "joint",
    kind: Kind = "image",
    n_null: int = 19,
    random_state: int = 0,
) -> Principal:
    """The directions in which the points of a collection vary most; see `principal`.

    Raises:
        CollectionError, SpaceError: as `Collection.points`.
        AnalysisError: as `principal`.
    """
    rows = collection.points(space, kind).flat.double().cpu().numpy()
    return principal(rows, n, n_null=n_null, random_state=random_state)


def save_principal(
    collection: Collection, name: str, found: Principal, *, space: str, kind: Kind = "image"
) -> list[SavedDirection]:
    """Save each under the name and its number, so that `dir("pc1")` is one standard deviation along the first.

    Raises:
        CollectionError: an invalid name, or a folder that cannot be written.
    """
    names = [f"{name}{row}" for row in range(1, len(found.shares) + 1)]
    for each in names:
        check_name(each)
    shape = collection.explorer.space(space).shape
    told = found.to_json()["principal"]
    return [
        collection.directions.save(
            SavedDirection(
                each,
                space,
                step.astype(np.float32).reshape(shape),
                {"principal": row, "of": kind},
                {"method": "principal", **its},
            )
        )
        for row, (each, step, its) in enumerate(zip(names, found.steps, told, strict=True), start=1)
    ]


def _variances(rows: Values, n: int) -> Values:
    """The largest variances, largest first, by the smaller of both products."""
    centred = rows - rows.mean(0)
    product = centred.T @ centred if centred.shape[1] <= len(centred) else centred @ centred.T
    return np.asarray(np.linalg.eigvalsh(product)[::-1][:n] / (len(rows) - 1))
