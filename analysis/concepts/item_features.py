"""Features of a collection: their top items, their words, and points that are steered by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from thoughtspace.explorer.errors import AnalysisError

from .decomposition import Decomposition, decompose
from .explain import encoded_words
from .features import Features, fit_features

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from numpy.typing import ArrayLike

    from thoughtspace.explorer.collection.items import Kind
    from thoughtspace.explorer.collection.store import Collection
    from thoughtspace.explorer.points import Points, SpaceInfo


@dataclass(frozen=True, eq=False)
class ItemFeatures:
    """Features of the items of a collection.

    Attributes:
        features: with their evidence.
        order: the features that items use, the most used first.
        words: of the directions of these features, in this order; None without a vocabulary, or outside of `joint`.
        items: the items, in the rows of the codes: `id, kind, source, caption`.
        space: whose points were encoded.
    """

    features: Features
    order: tuple[int, ...]
    words: Decomposition | None = field(repr=False)
    items: pd.DataFrame = field(repr=False)
    space: SpaceInfo

    def top(self, feature: int, n: int = 10) -> pd.DataFrame:
        """The items with most of a feature, most first, with how much: `amount`."""
        rows = self.features.top(feature, n)
        return self.items.iloc[rows].assign(amount=self.features.codes[rows, feature])

    def steer(self, points: Points, feature: int, amount: float = 1.0) -> Points:
        """Points with a feature added, to be decoded: `amount` 1 is what items that use it have of it, on average.

        Decode a random direction of the same length beside it: what both change is no work of the feature.

        Raises:
            AnalysisError: points of another space, or a feature that no item uses.
        """
        import torch

        from thoughtspace.explorer.language.nodes import Given
        from thoughtspace.explorer.points import Points

        if points.space != self.space:
            message = f"Got points of the {points.space}, expected the {self.space}, whose features these are."
            raise AnalysisError(message, code="other space")
        step = torch.from_numpy(amount * self.features.step(feature)).reshape(self.space.shape)
        values = points.values + step.to(points.values)
        return Points(
            values, points.space, tuple(Given(f"{node} + {amount:g} × feature {feature}") for node in points.origin)
        )

    def table(self) -> pd.DataFrame:
        """A row for each feature that is used: `feature, active, words, id, caption` of its top item."""
        import pandas as pd

        rows = []
        for place, feature in enumerate(self.order):
            best = self.top(feature, 1).iloc[0]
            rows.append(
                (feature, float(self.features.active[feature]), self._words(place), best["id"], best["caption"])
            )
        return pd.DataFrame(rows, columns=["feature", "active", "words", "id", "caption"])

    def plot(self) -> go.Figure:
        """The evidence beside its null; see `Features.plot`."""
        return self.features.plot()

    def to_json(self, n: int = 20, items: int = 5) -> dict[str, Any]:
        """The evidence, and the `n` features that are used most with their words and top items, as JSON values."""
        told = []
        for place, feature in enumerate(self.order[:n]):
            top = self.top(feature, items)[["id", "source", "caption", "amount"]]
            told.append(
                {
                    "feature": feature,
                    "active": float(self.features.active[feature]),
                    "words": self._words(place),
                    "top": top.astype(object).where(top.notna(), None).to_dict("records"),
                }
            )
        return {**self.features.to_json(), "features": told}

    def _words(self, place: int) -> list[str]:
        return [] if self.words is None else [word for word, _ in self.words.top(place, 3)]


def item_features(
    collection: Collection,
    *,
    fit: Callable[[ArrayLike], Features] = fit_features,
    space: str = "joint",
    kind: Kind = "image",
    vocabulary: Sequence[str] = (),
) -> ItemFeatures:
    """Fit features to the points of a collection that was opened with its explorer.

    Args:
        fit: how, such as `partial(fit_features, k=16, kind="matryoshka")`.
        space: whose points are encoded.
        vocabulary: words in which the features of `joint` are written, as `decompose` does; by default in none. A
            feature with no word is closer to none than random directions are.

    Raises:
        CollectionError: a collection without its explorer, or items without a vector in the space.
        AnalysisError: as `fit_features`.
    """
    points = collection.points(space, kind)
    found = fit(points.flat.float().cpu().numpy())
    order = tuple(int(each) for each in np.argsort(-found.active, kind="stable") if found.active[each] > 0)
    chosen, words = list(dict.fromkeys(vocabulary)), None
    if chosen and space == "joint":
        directions = np.stack([found.step(each) for each in order])
        words = decompose(directions, encoded_words(collection.explorer, chosen), chosen)
    items = collection.items(kind)[["id", "kind", "source", "caption"]]
    return ItemFeatures(found, order, words, items, points.space)
