"""Explain points of a model in words of a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.errors import AnalysisError

from .decomposition import Decomposition, decompose

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer import Explorer
    from thoughtspace.explorer.points import Points
    from thoughtspace.explorer.spaces.of_a_model import Named

_BATCH = 256  # words that are encoded at once


@dataclass(frozen=True, eq=False)
class Explanation:
    """Points as sparse sums of words.

    Attributes:
        points: what is explained.
        found: their words and what is left; row i is of point i.
    """

    points: Points
    found: Decomposition

    @property
    def in_words(self) -> Points:
        """The sums of the words as points, to be decoded beside the points themselves.

        Raises:
            AnalysisError: a point without words.
        """
        empty = np.flatnonzero(~self.found.weights.any(1))
        if len(empty):
            message = f"Got point {empty[0]} to which no word is close, expected some words; lower the penalty."
            raise AnalysisError(message, code="no words")
        values = vectors_of(self.points) - self.found.rest
        return self._made(values, "in words")

    @property
    def rest(self) -> Points:
        """What the words leave of each point, as a direction to add to others."""
        return self._made(self.found.rest, "without its words")

    def table(self) -> pd.DataFrame:
        """As `Decomposition.table`, with the expression of each point in `point`."""
        table = self.found.table()
        return table.assign(point=[self.points.expressions[row] for row in table["point"]])

    def plot(self, row: int = 0, k: int = 12) -> go.Figure:
        """The words of a point; see `Decomposition.plot`."""
        return self.found.plot(row, k).update_layout(title=self.points.expressions[row])

    def to_json(self) -> dict[str, Any]:
        """As `Decomposition.to_json`, with the expression of each point."""
        told = self.found.to_json()
        pairs = zip(self.points.expressions, told["points"], strict=True)
        return {**told, "points": [{"expression": expression, **point} for expression, point in pairs]}

    def _made(self, values: NDArray[np.float64], label: str) -> Points:
        import torch

        from thoughtspace.explorer.language.nodes import Given
        from thoughtspace.explorer.points import Points

        origin = tuple(Given(f"{expression} {label}") for expression in self.points.expressions)
        return Points(torch.from_numpy(values).float(), self.points.space, origin)


def explain(
    explorer: Explorer,
    expressions: str | Points | Sequence[str | Points],
    vocabulary: Sequence[str],
    *,
    items: Named | None = None,
    penalty: float | None = None,
    n_null: int = 99,
    random_state: int = 0,
) -> Explanation:
    """Write points of the joint space as sparse sums of the words of a vocabulary, with what is left of each.

    Args:
        expressions: one or more, as `Explorer.points` takes them.
        vocabulary: words or phrases; `thoughtspace.datasets.captions.concepts()` is that of the pocket world.
        items: looks up `item("…")`.
        penalty, n_null, random_state: see `decompose`.

    Raises:
        SpaceError: a model without a joint space, or one that reads no texts.
        ExpressionError: an expression that cannot be read.
        AnalysisError: as `decompose`.
    """
    points = explorer.points(expressions, "joint", items=items)
    words = list(vocabulary)
    if not words:
        raise AnalysisError("Got an empty vocabulary, expected at least two words; add some.", code="too few")
    concepts = encoded_words(explorer, words)
    found = decompose(vectors_of(points), concepts, words, penalty=penalty, n_null=n_null, random_state=random_state)
    return Explanation(points, found)


def encoded_words(explorer: Explorer, words: Sequence[str]) -> NDArray[np.float32]:
    """The vectors of texts in the joint space, `(v, d)`, some at a time."""
    joint = explorer.joint
    parts = [words[start : start + _BATCH] for start in range(0, len(words), _BATCH)]
    return np.concatenate([joint.text(*part).numpy() for part in parts]).astype(np.float32)


def vectors_of(points: Points) -> NDArray[np.float64]:
    """The points as unit rows `(n, d)`.

    Raises:
        AnalysisError: a point without a direction, such as `"a" - "a"`.
    """
    rows = points.flat.double().cpu().numpy()
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (lengths > 1e-9).all():
        message = f"Got the point {points.expressions[int(lengths.argmin())]}, which is zero and has no direction."
        raise AnalysisError(message, code="zero vector")
    return np.asarray(rows / lengths)
