"""How alike prompts are: their cosines, in the order of a dendrogram, beside those of unrelated texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import choice, whole
from thoughtspace.explorer.errors import AnalysisError

from ..arrays import prepare
from ..evidence import LAYOUT

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

LINKAGES = ("average", "complete", "single")
Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Similarity:
    """Cosines of prompts with each other, and the tree in which near ones are joined first.

    Attributes:
        names: of the prompts.
        cosines: `(n, n)`.
        null: `(n * m,)` cosines of the prompts with unrelated texts; empty if there are none.
        linkage: `(n - 1, 4)` the joins, as `scipy.cluster.hierarchy.linkage` has them; heights are 1 - cosine.
        order: `(n,)` the prompts in the order of the tree's leaves.
        cophenetic: the correlation of the tree's distances with the true ones: how far to believe the tree.
    """

    names: tuple[str, ...]
    cosines: Values = field(repr=False)
    null: Values = field(repr=False)
    linkage: Values = field(repr=False)
    order: NDArray[np.intp] = field(repr=False)
    cophenetic: float

    def groups(self, k: int) -> NDArray[np.intp]:
        """The tree cut into at most `k` groups: the number of each prompt's group, in the order of the leaves."""
        from scipy.cluster.hierarchy import fcluster

        whole("k", k, 1, len(self.names), error=AnalysisError, hint="there is a group for each prompt at most")
        found = fcluster(self.linkage, k, criterion="maxclust")
        number = {group: index for index, group in enumerate(dict.fromkeys(found[self.order]))}
        return np.array([number[group] for group in found])

    def table(self) -> pd.DataFrame:
        """The cosines, in the order of the leaves; rows and columns are the prompts."""
        import pandas as pd

        names = [self.names[row] for row in self.order]
        return pd.DataFrame(self.cosines[np.ix_(self.order, self.order)], index=names, columns=names)

    def plot(self) -> go.Figure:
        """The tree above the cosines in its order; the null is said in the title."""
        import plotly.graph_objects as go
        from plotly.subplots import make_subplots
        from scipy.cluster.hierarchy import dendrogram

        figure = make_subplots(rows=2, cols=1, row_heights=[0.25, 0.75], shared_xaxes=True, vertical_spacing=0.01)
        tree = dendrogram(self.linkage, no_plot=True)
        for x, y in zip(tree["icoord"], tree["dcoord"], strict=True):
            line = {"color": "#6b717a", "width": 1}
            figure.add_scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", row=1, col=1)
        names = [self.names[row] for row in self.order]
        places = 10 * np.arange(len(names)) + 5  # where scipy draws the leaves
        grid = go.Heatmap(z=self.table().to_numpy(), x=places, y=names, zmin=-1, zmax=1, colorscale="RdBu", zmid=0)
        figure.add_trace(grid, row=2, col=1)
        figure.update_xaxes(tickvals=places, ticktext=names, row=2, col=1).update_yaxes(autorange="reversed", row=2)
        said = f"; unrelated texts {self.null.mean():.2f}" if len(self.null) else ""
        title = f"Cosines of prompts{said}"
        return figure.update_layout(template="plotly_white", showlegend=False, title=title, margin=LAYOUT["margin"])

    def to_json(self) -> dict[str, Any]:
        """The cosines, the order and the null's mean and upper 95 % as JSON values."""
        return {
            "prompts": list(self.names),
            "cosines": self.cosines.tolist(),
            "order": self.order.tolist(),
            "cophenetic": self.cophenetic,
            "null_mean": float(self.null.mean()) if len(self.null) else None,
            "null_high": float(np.quantile(self.null, 0.95)) if len(self.null) else None,
        }


def similarity(
    x: ArrayLike, names: Sequence[str], *, unrelated: ArrayLike | None = None, method: str = "average"
) -> Similarity:
    """Compare prompts by their vectors.

    Args:
        x: `(n, d)`, three prompts or more.
        names: of the prompts.
        unrelated: `(m, d)` texts that have nothing to do with them, for the null.
        method: one of `LINKAGES`, how the distance of two groups is that of their prompts.

    Raises:
        AnalysisError: fewer than three prompts, a wrong number of names, or another width of `unrelated`.
    """
    from scipy.cluster.hierarchy import cophenet, leaves_list, linkage
    from scipy.spatial.distance import squareform

    choice("method", method, LINKAGES, error=AnalysisError)
    rows = prepare(x, "cosine").astype(np.float64)
    if len(rows) < 3 or len(names) != len(rows):
        message = f"Got {len(rows)} prompts and {len(names)} names, expected three prompts or more and a name for each."
        raise AnalysisError(message, code="too few" if len(rows) < 3 else "names")
    others = np.empty((0, rows.shape[1])) if unrelated is None else prepare(unrelated, "cosine", what="unrelated")
    if others.shape[1] != rows.shape[1]:
        message = f"Got unrelated texts of {others.shape[1]} numbers, expected {rows.shape[1]}: those of one space."
        raise AnalysisError(message, code="width")
    cosines = np.clip(rows @ rows.T, -1, 1)
    np.fill_diagonal(cosines, 1)
    distances = squareform(1 - cosines, checks=False)
    joins = linkage(distances, cast(Any, method))
    flat = np.ptp(distances) < 1e-12  # no tree is better than another where all distances are equal
    agreed = 1.0 if flat else float(cophenet(joins, distances)[0])
    return Similarity(
        tuple(names), cosines, (rows @ others.T).ravel(), joins, leaves_list(joins).astype(np.intp), agreed
    )
