"""Walks of a model measured: how they run, whether they stay near data, and which space morphs real pictures best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.errors import AnalysisError

from ..resampling import mean_interval, rows_drawn
from .geodesic import Geodesic, pullback_geodesic
from .nearness import Nearness, nearness
from .perceptual_length import PathLength, perceptual_length
from .steps import Steps, measure_steps

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer import Collection, Explorer
    from thoughtspace.explorer.points import Points
    from thoughtspace.explorer.progress import Progress

Values = NDArray[np.float64]
MEASURES = ("ends", "length", "detour", "cv", "turn", "ppl")


def steps_of(explorer: Explorer, pictures: Sequence[Any]) -> Steps:
    """How a walk runs, by its pictures in the joint space, such as `ex.walk([…]).images`; see `measure_steps`."""
    return measure_steps(explorer.space("joint").image(*pictures).flat.double().cpu().numpy())


def nearness_of(collection: Collection, pictures: Sequence[Any], *, k: int = 5) -> Nearness:
    """How long a walk stays near the pictures of a collection, by its pictures in the joint space; see `nearness`."""
    rows = collection.explorer.space("joint").image(*pictures).flat.double().cpu().numpy()
    return nearness(rows, collection.points("joint", "image").flat.double().cpu().numpy(), k=k)


def path_length_of(
    explorer: Explorer,
    a: Points,
    b: Points,
    *,
    step: float = 1e-2,
    where: str = "full",
    random_state: int = 0,
    progress: Progress | None = None,
) -> PathLength:
    """The perceptual path length of a space between pairs of its points; see `perceptual_length`.

    Points are interpolated in the space's own way. What is seen is the picture's vector in the joint space. Both
    pictures of a pair come from one seed.

    Raises:
        SpaceError: points of two spaces, or of one that does not decode.
    """
    import torch

    from thoughtspace.explorer.options import Decoding
    from thoughtspace.explorer.paths import path
    from thoughtspace.explorer.points import Points as Made

    space, joint = explorer.space(a.space.name), explorer.space("joint")
    a, b = space.owned(a), space.owned(b)

    def between(first: Values, second: Values, at: Values) -> Values:
        ends = [torch.from_numpy(each).to(a.values).view(-1, *space.shape) for each in (first, second)]
        rows = []
        for row, place in enumerate(at.tolist()):
            stops = Made.given(torch.stack([ends[0][row], ends[1][row]]), space.info, "an end")
            rows.append(path(stops, 2, ts=[place, place]).points.flat[:1])
        return np.asarray(torch.cat(rows).double().cpu().numpy())

    def see(points: Values) -> Values:
        values = torch.from_numpy(points).to(a.values).view(-1, *space.shape)
        seeds = [random_state + row for row in range(len(points))]
        how = Decoding(seed=seeds)
        images = space.render(Made.given(values, space.info, "between"), how, progress=progress)
        return np.asarray(joint.image(*images).flat.double().cpu().numpy())

    first, second = (each.flat.double().cpu().numpy() for each in (a, b))
    return perceptual_length(first, second, between, see, step=step, where=where, random_state=random_state)


def latent_geodesic(
    explorer: Explorer, stops: Points, frames: int = 16, *, iterations: int = 30
) -> tuple[Points, Geodesic]:
    """The path between two latents on which the decoded pixels change least; see `pullback_geodesic`.

    Returns:
        The points, to be decoded in `latent`; and the geodesic.

    Raises:
        AnalysisError: not two stops.
        SpaceError: points of another space.
    """
    import torch

    space = explorer.space("latent")
    stops = space.owned(stops)
    if len(stops) != 2:
        raise AnalysisError(f"Got {len(stops)} stops, expected two: a geodesic joins two points.", code="stops")
    ends = stops.values.clone()  # points may have been made in inference mode, where nothing has gradients
    with torch.enable_grad():
        found = pullback_geodesic(
            explorer.model.autoencoder.decode_with_gradients, ends[0], ends[1], frames, iterations=iterations
        )
    return space.points(found.points, "on a geodesic"), found


def geodesic_stops(explorer: Explorer, stops: Points, knots: int = 9, *, iterations: int = 30) -> Points:
    """Stops of a walk that follows the geodesic from each latent to the next, `((k - 1) * (knots - 1) + 1, …)`.

    `ex.walk(geodesic_stops(ex, stops), 48, space="latent")` joins them by straight lines and makes its steps equal.

    Args:
        knots: points of each geodesic, both ends included.

    Raises:
        AnalysisError: one stop, two that are equal, or fewer than three knots.
        SpaceError: points of another space.
    """
    import torch

    stops = explorer.space("latent").owned(stops)
    if len(stops) < 2:
        raise AnalysisError(f"Got {len(stops)} stops, expected two or more to go between; add some.", code="stops")
    pairs = [stops[[at, at + 1]] for at in range(len(stops) - 1)]
    parts = [latent_geodesic(explorer, pair, knots, iterations=iterations)[0].values for pair in pairs]
    joined = torch.cat([parts[0][:1], *(part[1:] for part in parts)])
    return explorer.space("latent").points(joined, "on geodesics")


@dataclass(frozen=True, eq=False)
class Morphs:
    """Walks between pairs of real pictures, in several spaces.

    Attributes:
        spaces: their names.
        pairs: the number of pairs.
        values: `(spaces, pairs)` by measure. `ends` is the mean distance of the first and last frame from the
            pictures; `length`, `detour`, `cv` and `turn` are as in `Steps`; `ppl` is `n · Σ d²` of n steps, which is
            length² if they are equal.
    """

    spaces: tuple[str, ...]
    pairs: int
    values: dict[str, Values] = field(repr=False)

    def table(self) -> pd.DataFrame:
        """A row for each space and measure: `space, measure, value, low, high`; means over pairs, 95 % by bootstrap."""
        import pandas as pd

        drawn, rows = rows_drawn(self.pairs, 0), []
        for measure, values in self.values.items():
            for space, each in zip(self.spaces, values, strict=True):
                low, high = mean_interval(each, drawn)
                rows.append((space, measure, each.mean(), low, high))
        return pd.DataFrame(rows, columns=["space", "measure", "value", "low", "high"])

    def plot(self) -> go.Figure:
        """Each measure of each space, with its interval."""
        import plotly.graph_objects as go
        from plotly.subplots import make_subplots

        figure, table = make_subplots(cols=len(self.values), subplot_titles=list(self.values)), self.table()
        for column, measure in enumerate(self.values, start=1):
            here = table[table["measure"] == measure]
            around = {"array": here["high"] - here["value"], "arrayminus": here["value"] - here["low"]}
            bar = go.Bar(x=here["space"], y=here["value"], error_y=around, marker_color="#4f5bd5")
            figure.add_trace(bar, row=1, col=column)
        return figure.update_layout(template="plotly_white", showlegend=False)

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values."""
        return {"pairs": self.pairs, "morphs": self.table().to_dict("records")}


def morphs(
    explorer: Explorer,
    pairs: Sequence[tuple[Any, Any]],
    *,
    spaces: Sequence[str] = ("latent", "joint", "noise"),
    frames: int = 8,
    progress: Progress | None = None,
) -> Morphs:
    """Walk between pairs of real pictures in each space, and measure the frames, as FreeMorph's protocol does.

    Cao et al. (2025) report LPIPS and PPL between neighbouring frames, and FID to the two pictures, on pairs of real
    pictures. Here distances are angles of the model's own image encoder, whose weights are at hand, and `ends` stands
    for fidelity: two pictures make no FID.

    Args:
        pairs: of PIL pictures or their paths, two pairs at least.
        frames: of each walk, in equal places between the ends.

    Raises:
        AnalysisError: fewer than two pairs.
        SpaceError: a space that does not encode pictures, or does not decode.
    """
    from thoughtspace.explorer.options import Decoding
    from thoughtspace.explorer.paths import path

    if len(pairs) < 2:
        raise AnalysisError(
            f"Got {len(pairs)} pairs of pictures, expected two or more for an interval.", code="too few"
        )
    joint = explorer.space("joint")
    rows: dict[str, list[list[float]]] = {name: [] for name in MEASURES}
    for name in spaces:
        space = explorer.space(name)
        measured: dict[str, list[float]] = {each: [] for each in MEASURES}
        for pair in pairs:
            walked = path(space.image(*pair), frames).points
            images = space.render(walked, Decoding(), progress=progress)
            x = joint.image(*images).flat.double().cpu().numpy()
            real = joint.image(*pair).flat.double().cpu().numpy()
            run = measure_steps(x, n_null=1)
            cosines = (x[[0, -1]] * real).sum(1) / (np.linalg.norm(x[[0, -1]], axis=1) * np.linalg.norm(real, axis=1))
            measured["ends"].append(float(np.arccos(np.clip(cosines, -1, 1)).mean()))
            measured["length"].append(run.length)
            measured["ppl"].append(float(len(run.lengths) * np.square(run.lengths).sum()))
            for each in ("detour", "cv", "turn"):
                measured[each].append(run.measures[each].value)
        for each, values in measured.items():
            rows[each].append(values)
    return Morphs(tuple(spaces), len(pairs), {name: np.array(each) for name, each in rows.items()})
