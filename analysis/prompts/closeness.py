"""How close each picture is to its own prompt, beside the prompts of others, and by where it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.errors import AnalysisError

from ..arrays import blocks, prepare
from ..resampling import mean_interval, rows_drawn

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Values = NDArray[np.float64]

MOST = 5000
"""Different prompts that each picture is compared with; of more, a random sample is taken."""


@dataclass(frozen=True, eq=False)
class Closeness:
    """Cosines of pictures with prompts.

    Attributes:
        own: `(n,)` of each picture with its own prompt.
        others: `(n,)` its mean cosine with all different prompts: the null.
        rank: `(n,)` the share of different prompts that are closer to the picture than its own: ½ is nothing. Of more
            than 5,000 a random 5,000 are compared, with a standard error of at most .007 for each picture.
        groups: `(n,)` where each picture came from, such as its model.
    """

    own: Values = field(repr=False)
    others: Values = field(repr=False)
    rank: Values = field(repr=False)
    groups: tuple[str, ...] = field(repr=False)

    def farthest(self, n: int = 10) -> NDArray[np.intp]:
        """The pictures that are farthest from their prompts for what others are, farthest first."""
        return np.argsort(self.own - self.others, kind="stable")[:n]

    def table(self) -> pd.DataFrame:
        """A row for each group, and for all: `n, own, others, above, low, high, rank`.

        `above` is the mean of own - others, `low` to `high` its 95 % interval over pictures.
        """
        import pandas as pd

        named = np.asarray(self.groups)
        rows = {}
        for group in [*dict.fromkeys(self.groups), "all"]:
            here = np.ones(len(named), bool) if group == "all" else named == group
            above = (self.own - self.others)[here]
            low, high = mean_interval(above, rows_drawn(len(above), 0))
            rows[group] = {
                "n": len(above),
                "own": self.own[here].mean(),
                "others": self.others[here].mean(),
                "above": above.mean(),
                "low": low,
                "high": high,
                "rank": self.rank[here].mean(),
            }
        return pd.DataFrame.from_dict(rows, orient="index")

    def plot(self) -> go.Figure:
        """The cosines of each group beside those with other prompts."""
        import plotly.graph_objects as go

        figure = go.Figure(layout={"template": "plotly_white", "boxmode": "group", "yaxis_title": "cosine"})
        series = (("others' prompts", self.others, "#9aa0a8"), ("own prompt", self.own, "#4f5bd5"))
        for name, values, colour in series:
            figure.add_box(x=list(self.groups), y=values, name=name, marker_color=colour)
        return figure

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values."""
        return {"groups": self.table().reset_index(names="group").to_dict("records")}


def closeness(
    pictures: ArrayLike,
    texts: ArrayLike,
    prompts: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    random_state: int = 0,
) -> Closeness:
    """Compare pictures with their prompts.

    Args:
        pictures, texts: `(n, d)` vectors of one space, row i being one picture and its prompt.
        prompts: the prompts themselves, of which equal ones are no null of each other.
        groups: where each picture came from; by default all are one.
        random_state: seed of the sample of prompts.

    Raises:
        AnalysisError: arrays that do not fit, or one prompt for all pictures.
    """
    x, y = prepare(pictures, "cosine", what="pictures"), prepare(texts, "cosine", what="texts")
    named = ("pictures",) * len(x) if groups is None else tuple(map(str, groups))
    if x.shape != y.shape or len(prompts) != len(x) or len(named) != len(x):
        got = f"{x.shape} pictures, {y.shape} texts, {len(prompts)} prompts and {len(named)} groups"
        raise AnalysisError(f"Got {got}, expected one of each for each picture, in one space.", code="shape")
    number: dict[str, int] = {}
    first: list[int] = []  # the row of each different prompt
    for row, prompt in enumerate(prompts):
        if number.setdefault(prompt, len(number)) == len(first):
            first.append(row)
    if len(number) < 2:
        raise AnalysisError("Got one prompt for all pictures, expected two or more to compare.", code="too few")
    which = np.array([number[prompt] for prompt in prompts])
    known = y[first]
    own = np.einsum("nd,nd->n", x, known[which], dtype=np.float64)
    others = (x @ known.sum(0, dtype=np.float64) - own) / (len(known) - 1)
    some = np.sort(np.random.default_rng(random_state).permutation(len(known))[:MOST])
    rank = np.empty(len(x))
    for part in blocks(len(x), len(some)):
        different = some != which[part, None]
        closer = x[part] @ known[some].T > own[part, None]
        rank[part] = (closer & different).sum(1) / different.sum(1)
    return Closeness(own, others, rank, named)
