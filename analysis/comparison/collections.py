"""Compare the spaces of a collection, or those of two collections of the same items by different models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.errors import AnalysisError

from .compare import Comparison, compare

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer.collection.items import Kind
    from thoughtspace.explorer.collection.store import Collection


@dataclass(frozen=True, eq=False)
class ItemComparison:
    """Two spaces compared on the items that are in both.

    Attributes:
        sides: what either side is: model and space.
        comparison: the scores, with rows of `items`.
        items: the items, of the first collection: `id, kind, source, caption`.
    """

    sides: tuple[str, str]
    comparison: Comparison
    items: pd.DataFrame = field(repr=False)

    def least(self, n: int = 10) -> pd.DataFrame:
        """The items that agree least, least first, with their `agreement`."""
        rows = self.comparison.least(n)
        agreement = dict(zip(self.comparison.rows.tolist(), self.comparison.agreement.tolist(), strict=True))
        return self.items.iloc[rows].assign(agreement=[agreement[row] for row in rows.tolist()])

    def table(self) -> pd.DataFrame:
        """As `Comparison.table`."""
        return self.comparison.table()

    def plot(self) -> go.Figure:
        """As `Comparison.plot`."""
        return self.comparison.plot()

    def to_json(self) -> dict[str, Any]:
        """The sides, the scores, and the items that agree least, as JSON values."""
        found = self.least()
        told = found.astype(object).where(found.notna(), None).to_dict("records")
        return {"sides": list(self.sides), **self.comparison.to_json(), "least": told}


@dataclass(frozen=True, eq=False)
class Common:
    """The items that have a vector in two spaces.

    Attributes:
        sides: what either side is: model and space.
        spaces: their names.
        vectors: `(n, d)` and `(n, e)`, of which row i is the same item.
        metrics: of each side, the cosine in `joint` and the Euclidean distance elsewhere.
        items: `id, kind, source, caption` of each, as the first collection has them.
    """

    sides: tuple[str, str]
    spaces: tuple[str, str]
    vectors: tuple[NDArray[np.float32], NDArray[np.float32]] = field(repr=False)
    metrics: tuple[str, str]
    items: pd.DataFrame = field(repr=False)


def common_items(
    first: Collection,
    second: Collection | None = None,
    *,
    spaces: tuple[str, str] = ("joint", "latent"),
    kind: Kind = "image",
) -> Common:
    """The items of a kind that have a vector in both spaces; of two collections, those of the same content.

    No model is needed: the stored vectors are taken.

    Args:
        second: a collection of another model; by default the first one, of which two spaces are taken.
        spaces: of the first and of the second.
        kind: pictures or texts; only one kind, since the gap between kinds would count for all pairs.

    Raises:
        CollectionError: a space without vectors.
        AnalysisError: the same space twice, or nothing in common.
    """
    sides = (first, second or first)
    if second is None and spaces[0] == spaces[1]:
        message = f"Got the space {spaces[0]!r} twice, expected two spaces of a collection, or two collections."
        raise AnalysisError(message, code="same space")
    found = [_vectors(each, space, kind) for each, space in zip(sides, spaces, strict=True)]
    common = [id for id in found[0] if id in found[1]]
    if not common:
        raise AnalysisError(
            f"Got collections {first.path.name} and {sides[1].path.name} without a common {kind} that has a vector in "
            f"{spaces[0]} and {spaces[1]}, expected the same files in both.",
            code="nothing in common",
        )
    x, y = (np.stack([each[id] for id in common]) for each in found)
    items = first.items(kind).set_index("id", drop=False).loc[common, ["id", "kind", "source", "caption"]]
    names = tuple(f"{each.model_name} {space}" for each, space in zip(sides, spaces, strict=True))
    metrics = _metric(spaces[0]), _metric(spaces[1])
    return Common((names[0], names[1]), spaces, (x, y), metrics, items.reset_index(drop=True))


def compare_items(
    first: Collection,
    second: Collection | None = None,
    *,
    by: Callable[..., Comparison] = compare,
    spaces: tuple[str, str] = ("joint", "latent"),
    kind: Kind = "image",
) -> ItemComparison:
    """Compare two spaces on the items that have a vector in both; see `common_items` for all arguments but one.

    Args:
        by: how, such as `partial(compare, measures=["cka"], n_null=999)`; it is given both sides and their `metrics`.

    Raises:
        CollectionError, AnalysisError: as `common_items`, or as `compare`.
    """
    common = common_items(first, second, spaces=spaces, kind=kind)
    return ItemComparison(common.sides, by(*common.vectors, metrics=common.metrics), common.items)


def _vectors(collection: Collection, space: str, kind: Kind) -> dict[str, NDArray[np.float32]]:
    vectors = collection.vectors(space, kind)
    ids = collection.items(kind)["id"].tolist()
    return {id: vector for id, vector in zip(ids, vectors, strict=True) if np.isfinite(vector).all()}


def _metric(space: str) -> str:
    return "cosine" if space == "joint" else "euclidean"
