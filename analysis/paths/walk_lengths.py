"""The perceptual path length of a walk, anywhere on it and at its stops, beside a straight decoder's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from .of_models import path_length_of
from .perceptual_length import PathLength

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer import Explorer
    from thoughtspace.explorer.points import Points
    from thoughtspace.explorer.progress import Progress


@dataclass(frozen=True, eq=False)
class WalkLengths:
    """How fast pictures change on a walk, as they are decoded from several seeds.

    Attributes:
        full: at random places.
        end: at the stops that stretches start from.
        straight: the mean squared distance of the ends of a stretch: both would have it if pictures changed evenly and
            straight ahead.
    """

    full: PathLength
    end: PathLength
    straight: float

    def table(self) -> pd.DataFrame:
        """The rows `full` and `end`, with the columns of `PathLength.table` and `straight`."""
        import pandas as pd

        rows = {name: {**each.to_json(), "straight": self.straight} for name, each in self._both().items()}
        return pd.DataFrame.from_dict(rows, orient="index")

    def plot(self) -> go.Figure:
        """The squared speeds anywhere and at stops; a line is where a straight decoder would have all of them."""
        import plotly.graph_objects as go

        figure = go.Figure(layout={"template": "plotly_white", "xaxis_title": "squared speed"})
        for (name, each), colour in zip(self._both().items(), ("#4f5bd5", "#e0812f"), strict=True):
            figure.add_box(x=each.speeds, name=name, boxpoints="all", marker_color=colour)
        return figure.add_vline(x=self.straight, line_dash="dot", annotation_text="straight")

    def to_json(self) -> dict[str, Any]:
        """Both lengths with their standard errors, and the straight one, as JSON values."""
        return {**{name: each.to_json() for name, each in self._both().items()}, "straight": self.straight}

    def _both(self) -> dict[str, PathLength]:
        return {"full": self.full, "end": self.end}


def walk_lengths(
    explorer: Explorer,
    stops: Points,
    n: int = 16,
    *,
    step: float = 1e-2,
    random_state: int = 0,
    progress: Progress | None = None,
) -> WalkLengths:
    """The perceptual path length from each stop to the next; see `path_length_of`.

    Args:
        stops: two or more points of a space that decodes.
        n: places, and seeds, of each stretch.

    Raises:
        AnalysisError: fewer than two stops.
        SpaceError: a space that does not decode.
    """
    from thoughtspace.explorer.options import Decoding

    whole("n", n, 2, 10_000, error=AnalysisError, hint="16 shows the size")
    if len(stops) < 2:
        raise AnalysisError(f"Got {len(stops)} stops, expected two or more to go between; add some.", code="stops")
    rows = [row for row in range(len(stops) - 1) for _ in range(n)]
    a, b = stops[rows], stops[[row + 1 for row in rows]]
    how: dict[str, Any] = {"step": step, "random_state": random_state, "progress": progress}
    full, end = (path_length_of(explorer, a, b, where=where, **how) for where in ("full", "end"))
    space, joint = explorer.space(stops.space.name), explorer.space("joint")
    seeds = [random_state + row for row in range(len(rows))]
    decoding = Decoding(seed=seeds)
    first, second = (
        joint.image(*space.render(each, decoding, progress=progress)).flat.double().cpu().numpy() for each in (a, b)
    )
    return WalkLengths(full, end, float(np.square(second - first).sum(1).mean()))
