"""A few controls of a collection: groups of its features that go together, with their words and top items."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .decomposition import Decomposition, decompose
from .explain import encoded_words
from .features import Controls, fit_controls

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer import Explorer

    from .item_features import ItemFeatures


@dataclass(frozen=True, eq=False)
class ItemControls:
    """Controls of the items of a collection.

    Attributes:
        controls: with their evidence.
        words: of what each control adds; None without a vocabulary, or outside of `joint`.
        items: the items, in the rows of the amounts: `id, kind, source, caption`.
    """

    controls: Controls
    words: Decomposition | None = field(repr=False)
    items: pd.DataFrame = field(repr=False)

    def top(self, control: int, n: int = 5) -> pd.DataFrame:
        """The items with most of a control, most first, with how much: `amount`."""
        amounts = self.controls.amounts[:, control]
        rows = np.argsort(-amounts, kind="stable")[:n]
        return self.items.iloc[rows].assign(amount=amounts[rows])

    def table(self) -> pd.DataFrame:
        """A row for each control: `features`, its strongest; `words`; `id, caption` of its top item."""
        import pandas as pd

        rows = []
        for control, each in enumerate(self.controls.to_json()["controls"]):
            best = self.top(control, 1).iloc[0]
            rows.append((each["features"], self._words(control), best["id"], best["caption"]))
        return pd.DataFrame(rows, columns=["features", "words", "id", "caption"])

    def plot(self) -> go.Figure:
        """The evidence beside its null; see `Controls.plot`."""
        return self.controls.plot()

    def to_json(self, items: int = 5) -> dict[str, Any]:
        """The score, and each control with its features, words and top items, as JSON values."""
        told = self.controls.to_json()
        for control, each in enumerate(told["controls"]):
            top = self.top(control, items)[["id", "source", "caption", "amount"]]
            each["words"] = self._words(control)
            each["top"] = top.astype(object).where(top.notna(), None).to_dict("records")
        return told

    def _words(self, control: int) -> list[str]:
        return [] if self.words is None else [word for word, _ in self.words.top(control, 3)]


def item_controls(
    found: ItemFeatures,
    explorer: Explorer,
    n: int = 8,
    *,
    vocabulary: Sequence[str] = (),
    n_null: int = 19,
    random_state: int = 0,
) -> ItemControls:
    """Group the features of a collection into a few controls, and name them; see `fit_controls`.

    Args:
        explorer: of the collection's model.
        vocabulary: words in which what a control of `joint` adds is written; by default in none.

    Raises:
        AnalysisError: as `fit_controls`.
    """
    controls = fit_controls(found.features, n, n_null=n_null, random_state=random_state)
    chosen, words = list(dict.fromkeys(vocabulary)), None
    if chosen and found.space.name == "joint":
        words = decompose(controls.steps, encoded_words(explorer, chosen), chosen)
    return ItemControls(controls, words, found.items)
