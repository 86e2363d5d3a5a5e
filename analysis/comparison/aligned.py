"""Aligned maps of two spaces of a collection, or of two collections of the same items by different models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ..aligned_maps import AlignedMaps, align_maps
from ..knn import neighbors
from ..map_quality import quality
from .collections import Common, common_items

if TYPE_CHECKING:
    import pandas as pd

    from thoughtspace.explorer.collection.items import Kind
    from thoughtspace.explorer.collection.maps import SavedMap
    from thoughtspace.explorer.collection.store import Collection

K = 15
NAME = "aligned"


@dataclass(frozen=True, eq=False)
class ItemAlignment:
    """Aligned maps of the items that are in two spaces.

    Attributes:
        common: the items, with their vectors on both sides.
        aligned: the maps, with rows of `common.items`.
    """

    common: Common = field(repr=False)
    aligned: AlignedMaps

    def table(self) -> pd.DataFrame:
        """The items that moved farthest first, with the columns of `AlignedMaps.table`."""
        return self.common.items.join(self.aligned.table()).sort_values("distance", ascending=False, kind="stable")

    def plot(self) -> Any:
        """See `AlignedMaps.plot`."""
        return self.aligned.plot().update_layout(title=f"{self.common.sides[0]} and {self.common.sides[1]}")

    def to_json(self) -> dict[str, Any]:
        """The sides, the numbers, and the ten items that moved farthest, as JSON values."""
        most = self.table().iloc[:10][["id", "source", "caption", "distance", "kept"]]
        rows = most.astype(object).where(most.notna(), None).to_dict("records")
        return {"sides": list(self.common.sides), **self.aligned.to_json(), "most": rows}


def align_items(
    first: Collection,
    second: Collection | None = None,
    *,
    by: Callable[..., AlignedMaps] = align_maps,
    spaces: tuple[str, str] = ("joint", "latent"),
    kind: Kind = "image",
) -> ItemAlignment:
    """Draw aligned maps of two spaces of the items that have a vector in both; see `common_items` for the arguments.

    Args:
        by: how, such as `partial(align_maps, k=30, alignment=0.1)`; it is given both sides and their `metrics`.

    Raises:
        CollectionError, AnalysisError: as `common_items`, or as `align_maps`.
    """
    common = common_items(first, second, spaces=spaces, kind=kind)
    return ItemAlignment(common, by(*common.vectors, metrics=common.metrics))


def save_aligned(
    found: ItemAlignment, first: Collection, second: Collection | None = None
) -> tuple[SavedMap, SavedMap]:
    """Save both maps, each in its collection under `{space}-aligned`, for the dashboard and for `CollectionMap.open`.

    Items can be coloured by `moved`, how far each moved from map to map, and by `trust`.

    Raises:
        CollectionError: maps that cannot be written.
    """
    common, saved = found.common, []
    for side, collection in enumerate((first, second or first)):
        places, metric, space = found.aligned.maps[side], common.metrics[side], common.spaces[side]
        near = neighbors(common.vectors[side], min(K, len(places) - 1), metric=metric)
        scores = quality(common.vectors[side], places, k=min(K, (len(places) - 1) // 2), metric=metric)
        options = {"method": "umap", "metric": metric, "n_components": 2, **found.aligned.options}
        # Raw vectors were aligned: the map is opened with the gap open, as it was drawn.
        options |= {"aligned_with": common.sides[1 - side]} | ({"gap": "open"} if space == "joint" else {})
        columns: dict[str, NDArray[Any]] = {
            "trust": scores.per_point,
            "moved": found.aligned.movement.distances,
            "neighbors": near.indices,
        }
        ids = list(common.items["id"])
        name = f"{space}-{NAME}"
        saved.append(
            collection.save_map(
                name, places, ids=ids, space=space, options=options, quality=scores.to_json(), columns=columns
            )
        )
    return saved[0], saved[1]
