"""Which token of one prompt stands where in another: the alignment of two sequences of states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.errors import AnalysisError

from ..arrays import prepare
from ..evidence import Score

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Alignment:
    """The tokens of two prompts, each with the one of the other that is most like it.

    Attributes:
        names: of the tokens of either prompt.
        cosines: `(p, q)` of their states.
        pairs: `(min(p, q), 2)` the one-to-one pairs of tokens with the largest sum of cosines, in order.
        precision: the mean, over the tokens of the first, of the largest cosine with one of the second.
        recall: the same the other way round.
        f1: their harmonic mean, which is BERTScore (Zhang et al., 2020) without weights; its null is that of the first
            prompt with unrelated ones, if there are some.
    """

    names: tuple[tuple[str, ...], tuple[str, ...]]
    cosines: Values = field(repr=False)
    pairs: NDArray[np.intp] = field(repr=False)
    precision: float
    recall: float
    f1: Score

    def table(self) -> pd.DataFrame:
        """A row for each pair: `first, second, cosine`, in the order of the first prompt."""
        import pandas as pd

        rows = [(self.names[0][a], self.names[1][b], self.cosines[a, b]) for a, b in self.pairs]
        return pd.DataFrame(rows, columns=["first", "second", "cosine"])

    def plot(self) -> go.Figure:
        """The cosines as colours; the pairs are marked."""
        import plotly.graph_objects as go

        rows, columns = (list(range(len(each))) for each in self.names)
        figure = go.Figure(layout={"template": "plotly_white", "showlegend": False})
        figure.add_heatmap(z=self.cosines, x=columns, y=rows, zmin=-1, zmax=1, zmid=0, colorscale="RdBu")
        mark = {"symbol": "square-open", "size": 14, "color": "black"}
        figure.add_scatter(x=self.pairs[:, 1], y=self.pairs[:, 0], mode="markers", marker=mark, hoverinfo="skip")
        figure.update_xaxes(tickvals=columns, ticktext=self.names[1])
        return figure.update_yaxes(tickvals=rows, ticktext=self.names[0], autorange="reversed")

    def to_json(self) -> dict[str, Any]:
        """The pairs and the scores as JSON values."""
        f1 = self.f1.to_json() if len(self.f1.null) else {"value": self.f1.value}
        return {
            "pairs": self.table().to_dict("records"),
            "precision": self.precision,
            "recall": self.recall,
            "f1": f1,
        }


def align(
    first: ArrayLike,
    second: ArrayLike,
    names: tuple[Sequence[str], Sequence[str]],
    *,
    unrelated: Sequence[ArrayLike] = (),
) -> Alignment:
    """Align the tokens of two prompts by the cosines of their states.

    States carry their surroundings: the same word has another state in another sentence, and position alone makes
    states alike. The null shows how much.

    Args:
        first, second: `(p, d)` and `(q, d)` states of the tokens, without start, end and filling.
        names: the tokens of each.
        unrelated: `(r, d)` states of the tokens of other prompts, for the null.

    Raises:
        AnalysisError: states of two widths, or a wrong number of names.
    """
    from scipy.optimize import linear_sum_assignment

    a, b = (
        prepare(each, "cosine", what=what).astype(np.float64) for each, what in ((first, "first"), (second, "second"))
    )
    if a.shape[1] != b.shape[1]:
        message = f"Got states of {a.shape[1]} and {b.shape[1]} numbers, expected those of one space."
        raise AnalysisError(message, code="width")
    told = (tuple(names[0]), tuple(names[1]))
    if (len(told[0]), len(told[1])) != (len(a), len(b)):
        message = f"Got {len(told[0])} and {len(told[1])} names for {len(a)} and {len(b)} tokens, expected as many."
        raise AnalysisError(message, code="names")
    cosines = np.clip(a @ b.T, -1, 1)
    pairs = np.stack(linear_sum_assignment(cosines, maximize=True), axis=1)
    others = [prepare(each, "cosine", what="unrelated").astype(np.float64) for each in unrelated]
    null = np.array([_f1(np.clip(a @ each.T, -1, 1))[2] for each in others])
    precision, recall, f1 = _f1(cosines)
    return Alignment(told, cosines, pairs[np.argsort(pairs[:, 0])], precision, recall, Score(f1, null))


def _f1(cosines: Values) -> tuple[float, float, float]:
    precision, recall = float(cosines.max(1).mean()), float(cosines.max(0).mean())
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total > 0 else 0.0
