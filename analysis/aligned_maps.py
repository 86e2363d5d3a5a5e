"""Two aligned maps of the same items in two spaces: which items moved, and how far beyond what chance moves them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import number, whole
from thoughtspace.explorer.errors import AnalysisError

from .arrays import prepare
from .evidence import ALPHA, LAYOUT
from .knn import neighbors, shared
from .map_comparison import Movement, movement
from .projection.aligned import draw_aligned

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Values = NDArray[np.float64]
Places = NDArray[np.float32]

FEWEST = 40
SHIFT = 0.01
"""Standard deviation of the noise of the null, in mean distances to the nearest neighbour: too little to change any
neighbourhood."""
SHOWN = 40
"""Most items whose movement is drawn as a line."""


@dataclass(frozen=True, eq=False)
class AlignedMaps:
    """Two maps of the same items, drawn together so that items lie at the same places as far as their spaces allow.

    Attributes:
        maps: `(n, 2)` of the first and of the second space.
        movement: from the first map to the second.
        still: `(n,)` distances that items move when the first space is aligned with itself, but for noise that changes
            no neighbourhood: the null of `movement.distances`.
        kept: `(n,)` the share of an item's neighbours in the first space that are its neighbours in the second: no map
            has a part in it.
        options: of both maps, and of their alignment.
    """

    maps: tuple[Places, Places] = field(repr=False)
    movement: Movement
    still: Values = field(repr=False)
    kept: Values = field(repr=False)
    options: dict[str, Any]

    @property
    def threshold(self) -> float:
        """The distance that 95 % of items stay below where nothing has changed."""
        return float(np.quantile(self.still, 1 - ALPHA))

    @property
    def moved(self) -> NDArray[np.bool_]:
        """`(n,)` which items moved farther than the threshold; 5 % do where nothing has changed."""
        return self.movement.distances > self.threshold

    def most(self, n: int = 10) -> NDArray[np.intp]:
        """The rows of the items that moved farthest, farthest first."""
        return np.argsort(-self.movement.distances, kind="stable")[:n]

    def table(self) -> pd.DataFrame:
        """A row for each item: `distance, moved, kept` and its places `x_first, y_first, x_second, y_second`."""
        import pandas as pd

        (a, b), found = self.maps, self.movement
        columns = {"distance": found.distances, "moved": self.moved, "kept": self.kept}
        places = {"x_first": a[:, 0], "y_first": a[:, 1], "x_second": b[:, 0], "y_second": b[:, 1]}
        return pd.DataFrame(columns | places)

    def plot(self) -> go.Figure:
        """Both maps, lines for the items that moved farthest, and how far all moved beside the null."""
        from plotly.subplots import make_subplots

        figure = make_subplots(1, 2, column_widths=[0.65, 0.35], subplot_titles=("both maps", "how far items moved"))
        for name, places, colour in zip(("first", "second"), self.maps, ("#9aa0a8", "#4f5bd5"), strict=True):
            mark = {"size": 5, "color": colour, "opacity": 0.7}
            figure.add_scattergl(x=places[:, 0], y=places[:, 1], mode="markers", marker=mark, name=f"{name} map")
        far = [row for row in self.most(SHOWN) if self.moved[row]]
        ends = np.full((len(far), 3, 2), np.nan)
        ends[:, 0], ends[:, 1] = self.maps[0][far], self.maps[1][far]
        x, y = ends.reshape(-1, 2).T
        figure.add_scattergl(x=x, y=y, mode="lines", line={"width": 1, "color": "#d2574a"}, name="moved farthest")
        for name, values, colour in (
            ("nothing changed", self.still, "#9aa0a8"),
            ("all items", self.movement.distances, "#4f5bd5"),
        ):
            look = {"marker_color": colour, "opacity": 0.6, "histnorm": "probability", "bingroup": "distances"}
            figure.add_histogram(x=values, name=name, row=1, col=2, **look)
        figure.update_xaxes(visible=False, row=1, col=1)
        figure.update_yaxes(visible=False, scaleanchor="x", row=1, col=1)
        figure.update_xaxes(title="distance, in radii of the first map", row=1, col=2)
        return figure.update_layout(template="plotly_white", barmode="overlay", margin=LAYOUT["margin"])

    def to_json(self) -> dict[str, Any]:
        """How many moved, how far, and what of the neighbourhoods is kept on the maps and in the spaces."""
        distances = self.movement.distances
        return {
            "n": len(distances),
            "moved": float(self.moved.mean()),
            "moved_where_nothing_changed": ALPHA,
            "threshold": self.threshold,
            "distance": {"median": float(np.median(distances)), "most": float(distances.max())},
            "kept_on_the_maps": self.movement.agreement.to_json(),
            "kept_in_the_spaces": float(self.kept.mean()),
            "options": self.options,
        }


def align_maps(
    first: ArrayLike,
    second: ArrayLike,
    *,
    metrics: tuple[str, str] = ("cosine", "cosine"),
    k: int = 15,
    alignment: float = 0.01,
    random_state: int = 0,
) -> AlignedMaps:
    """Draw aligned maps of the same items in two spaces, by AlignedUMAP of umap-learn.

    Four maps are drawn: two more for the null, of the first space with itself.

    Args:
        first: `(n, d)`, at least 40 items.
        second: `(n, e)`, of which row i is the same item.
        metrics: of each space, "cosine" or "euclidean".
        k: neighbours of an item, counting the item itself; below n/2.
        alignment: how strongly an item is held at its place on the other map, 0 to 1; `alignment_regularisation` of
            umap-learn.
        random_state: the same seed gives the same maps.

    Raises:
        AnalysisError: rows that do not match, too few items, items without neighbours, or an option out of range.
    """
    a, b = (prepare(each, metric) for each, metric in zip((first, second), metrics, strict=True))
    if len(a) != len(b):
        message = f"Got {len(a)} and {len(b)} rows, expected the same items row by row."
        raise AnalysisError(message, code="shape")
    if len(a) < FEWEST:
        raise AnalysisError(f"Got {len(a)} items, expected at least {FEWEST}; add some.", code="too few")
    whole("k", k, 3, (len(a) - 1) // 2, error=AnalysisError, hint="15 is usual; it must be below half the items")
    number("alignment", alignment, 0, 1, error=AnalysisError, hint="0.01 is usual")
    near = [neighbors(each, k, metric="euclidean", random_state=random_state) for each in (a, b)]
    generator = np.random.default_rng(random_state)
    spread = SHIFT * float(near[0].distances[:, 0].mean()) / np.sqrt(a.shape[1])
    shifted = (a + spread * generator.standard_normal(a.shape)).astype(np.float32)
    draw = partial(draw_aligned, a, n_neighbors=k, alignment=alignment, random_state=random_state)
    (maps, options), (again, _) = draw(b), draw(shifted)
    if not all(np.isfinite(places).all() for places in maps + again):
        message = "Got items without neighbours, which have no place on a map; leave them out, or raise k."
        raise AnalysisError(message, code="no neighbours")
    kept = shared(near[0].indices, near[1].indices)
    still = movement(*again, k=k, n_null=1).distances
    return AlignedMaps(maps, movement(*maps, k=k, random_state=random_state), still, np.asarray(kept), options)
