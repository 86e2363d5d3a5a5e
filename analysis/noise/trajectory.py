"""What a decode predicts at each of its steps, x̂0, as a path among the pictures of the joint space."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.errors import AnalysisError

from ..arrays import numbers
from ..resampling import mean_interval, rows_drawn
from .errors import Level
from .latents import pictures_of

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from PIL.Image import Image
    from torch import Tensor

    from thoughtspace.explorer import Explorer
    from thoughtspace.explorer.models.generator import Denoiser
    from thoughtspace.explorer.options import Keywords, Settled
    from thoughtspace.explorer.points import Points
    from thoughtspace.explorer.progress import Progress
    from thoughtspace.explorer.spaces.batches import Batch
    from thoughtspace.explorer.spaces.rendering import DecodingSpace

    from ..collection_map import CollectionMap

Values = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Paths `(k, n, d)` of `n` decodes of `k` steps, in unit vectors.

    Attributes:
        timesteps, snr: `(k,)` of the steps, from the most noise to the least.
        to_end: `(k, n)` cosine of each x̂0 with the last one of its own path.
        to_other: `(k, n)` the same with the last one of another path: the null.
        moved: `(k, n)` angle in radians from the step before; 0 for the first.
    """

    timesteps: Values
    snr: Values
    to_end: Values = field(repr=False)
    to_other: Values = field(repr=False)
    moved: Values = field(repr=False)

    def table(self) -> pd.DataFrame:
        """A row for each step: `step, t, snr, to_end, low, high, to_other, other_low, other_high, moved`.

        Means over paths with their 95 % intervals, by the bootstrap over paths.
        """
        import pandas as pd

        drawn, rows = rows_drawn(self.to_end.shape[1], 0), []
        for step, (t, snr) in enumerate(zip(self.timesteps, self.snr, strict=True)):
            own, other = self.to_end[step], self.to_other[step]
            (low, high), (other_low, other_high) = mean_interval(own, drawn), mean_interval(other, drawn)
            moved = self.moved[step].mean()
            rows.append((step, t, snr, own.mean(), low, high, other.mean(), other_low, other_high, moved))
        named = ["step", "t", "snr", "to_end", "low", "high", "to_other", "other_low", "other_high", "moved"]
        return pd.DataFrame(rows, columns=named)

    def plot(self) -> go.Figure:
        """How near the end each step is, over the end of another path in grey."""
        import plotly.graph_objects as go

        figure, table = go.Figure(layout={"template": "plotly_white"}), self.table()
        series = (
            ("to_other", "other_low", "other_high", "end of another", "#9aa0a8"),
            ("to_end", "low", "high", "own end", "#4f5bd5"),
        )
        for name, low, high, label, colour in series:
            around = {"array": table[high] - table[name], "arrayminus": table[name] - table[low]}
            figure.add_scatter(x=table["step"], y=table[name], error_y=around, name=label, line_color=colour)
        return figure.update_layout(xaxis_title="step", yaxis_title="cosine of x̂0 with the end")

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values."""
        return {"n": self.to_end.shape[1], "steps": self.table().to_dict("records")}


@dataclass(frozen=True, eq=False)
class DecodeTrajectories(Trajectories):
    """The paths of decodes.

    Attributes:
        points: `k·n` joint points of x̂0, step by step.
        pictures: `k·n` pictures of x̂0, step by step.
    """

    points: Points = field(kw_only=True, repr=False)
    pictures: tuple[Image, ...] = field(kw_only=True, repr=False)

    def on(self, shown: CollectionMap) -> MapPaths:
        """The paths on a map of a collection in the joint space, which stays as it is.

        Raises:
            SpaceError: a map of another space or model.
        """
        here, there = self.points.space, shown.points.space
        # A map of pictures alone has the gap open, where the same pictures have other vectors.
        opened = there.model_hash == here.model_hash and {here.name, there.name} == {"joint", "joint-raw"}
        landing = shown.place(shown.of_pictures(self.pictures) if opened else self.points)
        k, n = self.to_end.shape
        return MapPaths(shown, landing.places.reshape(k, n, -1), landing.agreement.reshape(k, n))

    def sheet(self) -> Image:
        """A row for each path, from the first step to the last."""
        from thoughtspace.explorer.records.images import contact_sheet

        k, n = self.to_end.shape
        return contact_sheet([self.pictures[step * n + path] for path in range(n) for step in range(k)], k)


@dataclass(frozen=True, eq=False)
class MapPaths:
    """Paths on a map.

    Attributes:
        shown: the map.
        places: `(k, n, c)` of each step and path.
        agreement: `(k, n)` in [0, 1], how far the map can show them there; see `Landing`.
    """

    shown: CollectionMap
    places: NDArray[np.float32]
    agreement: NDArray[np.float32]

    def plot(self) -> go.Figure:
        """The first two coordinates: items in grey, and each path with its end marked."""
        import plotly.graph_objects as go

        items = self.shown.coordinates
        figure = go.Figure(layout={"template": "plotly_white"})
        dots = {"size": 4, "color": "#d0d3d8"}
        figure.add_scatter(x=items[:, 0], y=items[:, 1], mode="markers", marker=dots, name="items", hoverinfo="skip")
        for path in range(self.places.shape[1]):
            places, agreement = self.places[:, path], self.agreement[:, path]
            sizes = [6] * (len(places) - 1) + [12]
            hover = [f"step {step}, agreement {each:.2f}" for step, each in enumerate(agreement)]
            figure.add_scatter(
                x=places[:, 0],
                y=places[:, 1],
                mode="lines+markers",
                marker={"size": sizes},
                name=f"path {path}",
                text=hover,
                hoverinfo="text",
            )
        return figure

    def table(self) -> pd.DataFrame:
        """A row for each path and step: `path, step, x, y, agreement`."""
        import pandas as pd

        k, n = self.agreement.shape
        order = {"path": np.repeat(np.arange(n), k), "step": np.tile(np.arange(k), n)}
        x, y = (self.places[..., axis].T.ravel() for axis in (0, 1))
        return pd.DataFrame({**order, "x": x, "y": y, "agreement": self.agreement.T.ravel()})

    def to_json(self) -> dict[str, Any]:
        """The name of the map, and of each path its places and their agreement."""
        paths = [
            {"places": self.places[:, path].tolist(), "agreement": self.agreement[:, path].tolist()}
            for path in range(self.places.shape[1])
        ]
        return {"map": self.shown.saved.name, "paths": paths}


def trajectories(paths: ArrayLike, timesteps: ArrayLike, snr: ArrayLike) -> Trajectories:
    """Measure paths of unit vectors, `(k, n, d)`, of at least two decodes.

    Raises:
        AnalysisError: another shape, fewer than two paths, numbers that are not finite, or a zero vector.
    """
    x = numbers(paths, "paths")
    if x.ndim != 3 or 0 in x.shape or x.shape[0] != np.shape(timesteps)[0]:
        message = f"Got paths of shape {x.shape} for {np.shape(timesteps)} steps, expected (steps, paths, d)."
        raise AnalysisError(message, code="shape")
    if x.shape[1] < 2:
        message = f"Got {x.shape[1]} path, expected two or more, each the null of another; give more seeds or points."
        raise AnalysisError(message, code="too few")
    lengths = np.linalg.norm(x, axis=2, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        message = "Got paths with a vector that is zero or not finite; check the pictures."
        raise AnalysisError(message, code="not finite")
    x = x / lengths
    end = x[-1]
    to_end, to_other = (np.einsum("knd,nd->kn", x, each) for each in (end, np.roll(end, 1, axis=0)))
    # 2 arcsin(|a - b|/2) is exact for close vectors, of which arccos is not.
    steps = 2 * np.arcsin(np.clip(np.linalg.norm(np.diff(x, axis=0), axis=2) / 2, 0, 1))
    moved = np.concatenate([np.zeros((1, x.shape[1])), steps])
    return Trajectories(np.asarray(timesteps, float), np.asarray(snr, float), to_end, to_other, moved)


def decode_trajectories(
    explorer: Explorer,
    points: str | Points | Sequence[str],
    *,
    space: str | None = None,
    progress: Progress | None = None,
    **how: Unpack[Keywords],
) -> DecodeTrajectories:
    """Decode points, and keep what is predicted at each step, as a path in the joint space.

    Args:
        points: expressions or points; with `seed=[...]` one point has a path for each seed.
        space: where text is read, by default the usual one.
        how: the options of `Explorer.decode`.

    Raises:
        AnalysisError: fewer than two paths.
        ModelError: a model whose own loop runs the network.
        SpaceError: a model without a joint space, or points that are not denoised.
    """
    import torch

    from thoughtspace.explorer.language.nodes import Given
    from thoughtspace.explorer.options import Decoding
    from thoughtspace.explorer.points import Points
    from thoughtspace.explorer.progress import run
    from thoughtspace.explorer.spaces.batches import batch_size, full_batches, seeds_for

    denoiser, joint, asked = explorer.model.denoiser, explorer.space("joint"), Decoding(**how)
    given = explorer.points(points, points.space.name if isinstance(points, Points) else space)
    where = explorer.space(given.space.name)
    given, seeds = seeds_for(asked, given)
    if len(given) < 2:
        message = f"Got {len(given)} path, expected two or more, each the null of another; give more seeds or points."
        raise AnalysisError(message, code="too few")
    if "steps" not in where.takes:
        message = f"Got points of the {where.info}, which are not denoised, expected prompt, joint or noise ones."
        raise AnalysisError(message, code="not denoised")
    settled = where.settled(given, asked)
    batches = full_batches(given, seeds, batch_size(len(given), asked.batch, explorer.model.batch.largest))

    steps = run(
        _followed(denoiser, where, batches, settled), progress, total=len(batches) * settled.steps, desc="decoding"
    )
    timesteps = [t for t, _ in steps[0]]
    latents = [torch.cat([batch[step][1] for batch in steps]) for step in range(len(timesteps))]
    pictures = [picture for each in latents for picture in pictures_of(explorer, each.numpy())]
    vectors = torch.cat([joint.image(*pictures[at : at + _AT_ONCE]).values for at in range(0, len(pictures), _AT_ONCE)])
    labels = [f"x̂0 at step {step} of {node}" for step in range(len(timesteps)) for node in given.origin]
    made = Points(vectors, joint.info, tuple(map(Given, labels)))
    paths = made.flat.double().cpu().numpy().reshape(len(timesteps), len(given), -1)
    found = trajectories(paths, timesteps, _snr(denoiser, settled, timesteps))
    return DecodeTrajectories(
        found.timesteps,
        found.snr,
        found.to_end,
        found.to_other,
        found.moved,
        points=made,
        pictures=tuple(pictures),
    )


def _followed(
    denoiser: Denoiser, where: DecodingSpace, batches: Sequence[Batch], settled: Settled
) -> Generator[None, None, list[list[tuple[float, Tensor]]]]:
    """The timestep and x̂0 of each step of each batch."""
    from thoughtspace.explorer.diffusion.sampling import sampled

    found = []
    for batch in batches:
        steps = []
        for step in sampled(denoiser, where.guide(batch.values, settled), batch.seeds, settled):
            steps.append((float(step.t), step.x0[: len(batch.rows)].float().cpu()))
            yield
        found.append(steps)
    return found


_AT_ONCE = 64


def _snr(denoiser: Denoiser, how: Settled, timesteps: Sequence[float]) -> list[float]:
    from thoughtspace.explorer.diffusion.schedule import alpha_sigma

    scheduler = denoiser.scheduler(how.scheduler)
    denoiser.set_timesteps(scheduler, how.steps)
    pairs = (alpha_sigma(copy(scheduler), t) for t in timesteps)
    return [Level(t, float(alpha), float(sigma)).snr for t, (alpha, sigma) in zip(timesteps, pairs, strict=True)]
