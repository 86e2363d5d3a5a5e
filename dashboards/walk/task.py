"""The task of the Walk page: render a path, show its frames as they come, write the videos."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ..tiles import picture_address
from .form import WalkRequest

if TYPE_CHECKING:
    from PIL.Image import Image

    from thoughtspace.explorer.paths import Path
    from thoughtspace.explorer.points import Points
    from thoughtspace.explorer.spaces.rendering import DecodingSpace

    from ..serving.worker import Progress, Work

TILES = 12
"""Most pictures in the preview strip of a walk."""

ROUNDS = 6
"""Most renderings until the steps of a walk are equal."""

KINDS = ("mp4", "webm", "gif")
VIDEO_SIDE = 384
"""Smallest side of a video in pixels. 4:2:0 halves the resolution of colour, so small frames are enlarged."""


def render(work: Work) -> dict[str, Any]:
    """Render the walk of a `WalkRequest` in the joint space and write it as MP4, WebM and GIF.

    While it runs it shows `{"tiles": [...]}`: the pictures of the strip as `data:` addresses, `None` where there is no
    picture yet.

    Returns:
        `frames, fps, seed, spacing, interpolant, rounds, cv, steps, uniform: {cv, steps} | None, stops: [frame of
        each], sources, tiles, expression`; distances are in radians. The files are `walk.mp4` and so on.

    Raises:
        ThoughtspaceError: the stops have no path between them.
        Cancelled: the job was cancelled.
    """
    from thoughtspace.explorer.options import Decoding, Walking
    from thoughtspace.explorer.walk import make_walk

    request = WalkRequest.from_json(work.request)
    work.progress.report(0, None, "Encoding the stops")
    stops = work.workspace.points(list(request.stops))
    equal = request.spacing == "equal"
    space = work.workspace.explorer.joint
    preview = _Preview(work.progress, request.frames, rounds=ROUNDS if equal else 1)
    walking = Walking(spacing=cast(Any, request.spacing), interpolant=request.interpolant, rounds=ROUNDS)
    with work.workspace.lock:
        preview.sketch(space, stops, request)
        walk = make_walk(
            space,
            stops,
            request.frames,
            walking,
            Decoding(seed=request.seed),
            progress=preview.watch,
            on_batch=preview.add,
            on_round=preview.end_round,
        )
        uniform = _uniform(space, stops, request, preview) if equal else None
    scale = -(-VIDEO_SIDE // max(walk.images[0].size))
    for kind in KINDS:
        walk.save(work.file(f"walk.{kind}"), fps=request.fps, scale=scale, progress=work.progress)
    return {
        **request.to_json(),
        "interpolant": walk.path.interpolant,
        "rounds": walk.rounds,
        "cv": walk.cv,
        "steps": walk.distances.tolist(),
        "uniform": uniform,
        "stops": [int(np.abs(walk.path.t.numpy() - place).argmin()) for place in range(len(stops))],
        "sources": list(stops.expressions),
        "tiles": [picture_address(walk.images[frame]) for frame in tile_frames(request.frames)],
    }


def tile_frames(frames: int) -> list[int]:
    """The frames that a preview strip shows, first and last among them.

    >>> tile_frames(4), tile_frames(100)[:3]
    ([0, 1, 2, 3], [0, 9, 18])
    """
    return np.linspace(0, frames - 1, min(frames, TILES)).round().astype(int).tolist()


class _Preview:
    """Shows a walk while it is rendered: how far it is, and the pictures of its strip."""

    def __init__(self, progress: Progress, frames: int, *, rounds: int) -> None:
        self.progress, self.frames, self.rounds = progress, frames, rounds
        self.stage = ""
        self.first: tuple[Path, NDArray[np.float64]] | None = None
        self.done = 0
        self.tiles: list[str | None] = [None] * len(tile_frames(frames))

    def sketch(self, space: DecodingSpace, stops: Points, request: WalkRequest) -> None:
        """Fill the strip at once, where the model has few-step weights; the true frames then take their places."""
        from thoughtspace.explorer.options import Decoding
        from thoughtspace.explorer.paths import path

        if "few_steps" not in space.takes:
            return
        walked = path(stops, self.frames, interpolant=request.interpolant).points
        images = space.render(walked[tile_frames(self.frames)], Decoding(seed=request.seed, few_steps=True))
        self.tiles = [picture_address(each) for each in images]
        self.progress.show({"tiles": list(self.tiles)})

    def watch(self, ticks: Iterable[Any], /, *, total: int, desc: str) -> Iterator[Any]:
        """Report the steps of one rendering."""
        message = self.stage or (f"Round {self.done + 1} of at most {self.rounds}" if self.rounds > 1 else "Decoding")
        for tick, item in enumerate(ticks, start=1):
            self.progress.check()
            self.progress.report(self.frames * tick // total, self.frames, message)
            yield item

    def add(self, rows: range, pictures: Sequence[Image]) -> None:
        """Show those pictures of a batch that are in the strip."""
        for tile, frame in enumerate(tile_frames(self.frames)):
            if frame in rows:
                self.tiles[tile] = picture_address(pictures[frame - rows.start])
        self.progress.show({"tiles": list(self.tiles)})

    def end_round(self, walked: Path, distances: NDArray[np.float64]) -> None:
        """Keep the path and the distances of the first round."""
        self.first = self.first or (walked, distances)
        self.done += 1


def _uniform(space: DecodingSpace, stops: Points, request: WalkRequest, preview: _Preview) -> Mapping[str, Any]:
    """The steps of the same walk with uniform spacing; the first round has often rendered them already."""
    import torch

    from thoughtspace.explorer.geometry.spacing import coefficient_of_variation
    from thoughtspace.explorer.options import Decoding
    from thoughtspace.explorer.paths import path
    from thoughtspace.explorer.walk import adjacent_distances

    even = path(stops, request.frames, interpolant=request.interpolant)
    if preview.first and torch.allclose(preview.first[0].points.values, even.points.values, atol=1e-4):
        distances = preview.first[1]
    else:
        preview.stage = "Uniform spacing, to compare"
        images = space.render(even.points, Decoding(seed=request.seed), progress=preview.watch)
        distances = adjacent_distances(space.model, images)
    return {"cv": coefficient_of_variation(distances), "steps": distances.tolist()}
