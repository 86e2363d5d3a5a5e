"""What the worker does for the Walk page: render a path, show frames as they come, write the videos."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..requests import WalkRequest

if TYPE_CHECKING:
    from PIL.Image import Image

    from thoughtspace.explorer.points import Points
    from thoughtspace.explorer.records.images import Images
    from thoughtspace.explorer.spaces.rendering import DecodingSpace

    from ..serving.worker import Progress, Work

TILES = 12
"""Pictures of a walk's preview strip."""

ROUNDS = 6
"""At most so many renderings until the steps of a walk are equal."""

KINDS = ("mp4", "webm", "gif")
VIDEO_SIDE = 384
"""Pixels that a video has at least: 4:2:0 halves the resolution of colour, so small frames are enlarged."""


def render(work: Work) -> dict[str, Any]:
    """Render the walk of a `WalkRequest` in the joint space and write it as MP4, WebM and GIF.

    While it runs, `{"tiles": [...]}` is shown: the strip's pictures as `data:` addresses, `None` for those to come.

    Returns:
        `frames, fps, seed, spacing, interpolant, rounds, cv, steps, uniform: {cv, steps} | None, stops: [frame of
        each], sources, tiles, expression`; distances are in radians. The files are `walk.mp4` and so on.

    Raises:
        ThoughtspaceError: stops that cannot be walked.
        Cancelled: when it is time.
    """
    from thoughtspace.explorer.walk import make_walk

    request = WalkRequest.from_json(work.request)
    work.progress.report(0, None, "Encoding the stops")
    stops = work.workspace.points(list(request.stops))
    equal = request.spacing == "equal"
    space = _Watched(work.workspace.explorer.joint, work.progress, rounds=ROUNDS if equal else 1)
    with work.workspace.lock:
        walk = make_walk(
            cast("DecodingSpace", space),
            stops,
            request.frames,
            spacing=cast(Any, request.spacing),
            interpolant=request.interpolant,
            rounds=ROUNDS,
            seed=request.seed,
        )
        rounds = len(space.rendered)
        uniform = _uniform(space, stops, request) if equal else None
    scale = -(-VIDEO_SIDE // max(walk.images[0].size))
    for kind in KINDS:
        walk.save(work.file(f"walk.{kind}"), fps=request.fps, scale=scale, progress=work.progress)
    return {
        **request.to_json(),
        "interpolant": walk.path.interpolant,
        "rounds": rounds,
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


def picture_address(picture: Image, side: int = 160) -> str:
    """A picture, made small, as a `data:` address of one or two kilobytes."""
    small, buffer = picture.copy(), io.BytesIO()
    small.thumbnail((side, side))
    small.save(buffer, "WEBP", quality=88)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


class _Watched:
    """Stands in for a decoding space: decodes the very batches that it would, and shows each when it is done."""

    def __init__(self, space: DecodingSpace, progress: Progress, *, rounds: int) -> None:
        self.space, self.model, self.owned = space, space.model, space.owned
        self.progress, self.rounds = progress, rounds
        self.stage: Callable[[int], str] = lambda done: (
            f"Round {done + 1} of at most {rounds}" if rounds > 1 else "Decoding"
        )
        self.shown = True
        self.rendered: list[tuple[Points, Images]] = []
        self.tiles: list[str | None] = []

    def decode(self, points: Points, **options: Any) -> Images:
        """What the space itself would answer, to the last bit."""
        from thoughtspace.explorer.records.images import Images
        from thoughtspace.explorer.spaces.batches import batch_size

        n, start = len(points), 0
        size = batch_size(n, None, self.model.batch.largest)
        done: list[Images] = []
        while start < n:
            watching = self._watching(start, min(size, n - start), n)
            done.append(
                self.space.decode(points[start : start + size], **{**options, "batch": size, "progress": watching})
            )
            self._show(done[-1], start, n)
            start += size
            size = min(size, done[-1].provenances[0].record["batch"]["size"])  # halved if it was too large
        images = Images(
            tuple(picture for some in done for picture in some.pictures),
            tuple(record for some in done for record in some.provenances),
        )
        self.rendered.append((points, images))
        return images

    def _watching(self, start: int, size: int, n: int) -> Callable[..., Iterator[Any]]:
        message = self.stage(len(self.rendered))

        def progress(ticks: Iterable[Any], *, total: int, desc: str) -> Iterator[Any]:
            for tick, item in enumerate(ticks, start=1):
                self.progress.check()
                self.progress.report(start + size * tick // total, n, message)
                yield item

        return progress

    def _show(self, images: Images, start: int, n: int) -> None:
        frames = tile_frames(n)
        self.tiles = self.tiles or [None] * len(frames)
        for tile, frame in enumerate(frames):
            if start <= frame < start + len(images):
                self.tiles[tile] = picture_address(images[frame - start])
        if self.shown:
            self.progress.show({"tiles": list(self.tiles)})


def _uniform(space: _Watched, stops: Points, request: WalkRequest) -> Mapping[str, Any]:
    """The steps of the same walk at even places along its stops, which the first round often was already."""
    import torch

    from thoughtspace.explorer.paths import coefficient_of_variation, path
    from thoughtspace.explorer.walk import adjacent_distances

    even = path(stops, request.frames, interpolant=request.interpolant)
    first, images = space.rendered[0]
    if not torch.allclose(first.values, even.points.values, atol=1e-4):
        space.shown = False  # the strip goes on showing the walk that was asked for
        space.stage = lambda done: "Uniform spacing, to compare"
        images = space.decode(even.points, seed=request.seed)
    distances = adjacent_distances(space.model, images)
    return {"cv": coefficient_of_variation(distances), "steps": distances.tolist()}
