"""Clusters of a collection, with names, central items and outliers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .clusters import Clusters, cluster
from .density import Density, density
from .explain import encoded_words
from .names import Names, name_clusters

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer.collection.items import Kind
    from thoughtspace.explorer.collection.store import Collection


@dataclass(frozen=True, eq=False)
class ItemClusters:
    """Clusters of the items of a collection.

    Attributes:
        clusters: with their evidence.
        names: of the clusters; None if no vocabulary was given.
        density: how alone each item is.
        items: the items, in the rows of the above: `id, kind, source, caption`.
    """

    clusters: Clusters
    names: Names | None
    density: Density
    items: pd.DataFrame = field(repr=False)

    def table(self) -> pd.DataFrame:
        """A row for each cluster: `size`; `id, source, caption` of its central item; `name, p_value` if it is named."""
        table = self.items.iloc[self.clusters.central][["id", "source", "caption"]].reset_index(drop=True)
        table.insert(0, "size", self.clusters.sizes)
        if self.names is not None:
            best = [self.names.of(each, 1)[0] for each in range(len(table))]
            table["name"], table["p_value"] = [word for word, _, _ in best], [p for _, _, p in best]
        return table

    def plot(self) -> go.Figure:
        """The evidence of the clusters beside its null; `names.plot()` draws the names."""
        return self.clusters.plot()

    def to_json(self) -> dict[str, Any]:
        """The clusters with their central items and names, and the outliers, as JSON values."""
        names = self.names.to_json() if self.names is not None else [[]] * len(self.clusters.central)
        told = self.clusters.to_json()
        central = [{"size": size, **self._item(row)} for size, row in zip(told["sizes"], told["central"], strict=True)]
        alone = self.density.to_json()
        alone["outliers"] = [{**self._item(each["row"]), **each} for each in alone["outliers"]]
        return {
            **{key: value for key, value in told.items() if key not in ("sizes", "central")},
            "clusters": [{**item, "names": name} for item, name in zip(central, names, strict=True)],
            "density": alone,
        }

    def _item(self, row: int) -> dict[str, Any]:
        found = self.items.iloc[row]
        caption = found["caption"]
        return {"id": found["id"], "source": found["source"], "caption": caption if isinstance(caption, str) else None}


def cluster_items(
    collection: Collection,
    *,
    fit: Callable[..., Clusters] = cluster,
    space: str = "joint",
    kind: Kind = "image",
    vocabulary: Sequence[str] = (),
    random_state: int = 0,
) -> ItemClusters:
    """Cluster the items of a collection that was opened with its explorer.

    Args:
        fit: how, such as `partial(cluster, method="kmeans", n_clusters=12)`; it is given the points and their `metric`.
        space: whose points are clustered.
        vocabulary: words of which names are made, in the joint space; without any there are no names.
        random_state: of the draws that say how alone items are.

    Raises:
        CollectionError: a collection without its explorer, or items without a vector in the space.
        AnalysisError: as `cluster`, `density` and `name_clusters`.
    """
    metric = "cosine" if space == "joint" else "euclidean"
    x = collection.points(space, kind).flat.float().cpu().numpy()
    found = fit(x, metric=metric)
    words, names = list(dict.fromkeys(vocabulary)), None
    if words and np.ptp(found.labels):  # one cluster of all items has no rest to differ from
        pictures = x if space == "joint" else collection.points("joint", kind).flat.float().cpu().numpy()
        names = name_clusters(pictures, found.labels, encoded_words(collection.explorer, words), words)
    alone = density(x, metric=metric, random_state=random_state)
    items = collection.items(kind)[["id", "kind", "source", "caption"]]
    return ItemClusters(found, names, alone, items)
