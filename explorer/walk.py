"""Walks and blends: decode points between stops; the steps of a walk are equal as the model's encoder sees them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .checks import whole
from .errors import SpaceError
from .geometry.grids import grid_shape
from .geometry.spacing import coefficient_of_variation
from .geometry.sphere import angle
from .models.model import Model
from .options import Attention, Decoding, Walking
from .paths import Path, equal_paths, grid, path
from .points import Points
from .progress import Progress
from .records.images import Blend, Images
from .records.provenance import Provenance
from .records.video import save_video
from .spaces.between import render_between
from .spaces.records import record
from .spaces.rendering import DecodingSpace, OnBatch

MAX_FRAMES = 5000
MAX_GRID = 50


@dataclass(frozen=True, eq=False)
class Walk:
    """A path, its pictures and how far apart they are.

    Attributes:
        path: `n` points through the stops.
        images: `n` pictures; each carries a record of its own.
        distances: `(n-1,)` from each picture to the next, by the model's encoder; see `adjacent_distances`.
        cv: coefficient of variation of the distances; 0 is equal steps.
        rounds: how many times the path was decoded.
        provenance: the record of the walk.
    """

    path: Path
    images: Images
    distances: NDArray[np.float64]
    cv: float
    rounds: int
    provenance: Provenance

    def save(
        self, target: str | os.PathLike[str], *, fps: float = 24, scale: int = 1, progress: Progress | None = None
    ) -> None:
        """Write a video that carries its record: `.mp4`, `.webm` or `.gif` by the name; the options of `save_video`.

        Raises:
            VideoError: another ending, an option out of range, or a file that cannot be written.
        """
        save_video(list(self.images), target, fps=fps, scale=scale, provenance=self.provenance, progress=progress)


OnRound = Callable[[Path, NDArray[np.float64]], None]
"""Called with the path of a round and the distances `(n-1,)` between its pictures."""


def make_walk(
    space: DecodingSpace,
    stops: Points,
    frames: int,
    walking: Walking | None = None,
    how: Decoding | None = None,
    *,
    progress: Progress | None = None,
    on_batch: OnBatch | None = None,
    on_round: OnRound | None = None,
) -> Walk:
    """Decode a path through `stops`; see `Explorer.walk`.

    `"uniform"` spacing decodes each frame once, at evenly spaced places. `"equal"` decodes, measures and moves the
    frames until the distances vary by no more than the tolerance, or the rounds are used up. In every round,
    `progress` wraps the steps, and `on_batch` gets the frames of each batch as soon as they are decoded.
    """
    walking, how = walking or Walking(), one_seed(how or Decoding())
    stops = space.owned(stops)
    check_frames(frames, len(stops))
    rendered: list[tuple[Path, Images]] = []

    def measure(walked: Path) -> NDArray[np.float64]:
        images = decode_walk(space, walked, how, attention=walking.attention, progress=progress, on_batch=on_batch)
        rendered.append((walked, images))
        distances = adjacent_distances(space.model, images)
        if on_round is not None:
            on_round(walked, distances)
        return distances

    if walking.spacing == "uniform":
        walked = path(stops, frames, interpolant=walking.interpolant)
        distances = measure(walked)
    else:
        walked, distances = equal_paths(
            stops, frames, measure, tolerance=walking.tolerance, rounds=walking.rounds, interpolant=walking.interpolant
        )
    images = next(images for each, images in reversed(rendered) if each is walked)
    # Stops and places instead of points: they give the same path to the last bit, and the record stays small.
    kept = {"t": walked.t.tolist(), "interpolant": walked.interpolant, "spacing": walking.spacing}
    if walking.attention:
        kept["attention"] = walking.attention
    provenance = _record("walk", space, walked.stops, images, path=kept)
    return Walk(walked, images, distances, coefficient_of_variation(distances), len(rendered), provenance)


def decode_walk(
    space: DecodingSpace,
    walked: Path,
    how: Decoding,
    *,
    attention: Attention | None = None,
    progress: Progress | None = None,
    on_batch: OnBatch | None = None,
) -> Images:
    """Decode the frames of a path, each alone, or with its attention interpolated between its stops."""
    if attention is None:
        return space.render(walked.points, how, progress=progress, on_batch=on_batch)
    return render_between(space, walked, how, mode=attention, progress=progress, on_batch=on_batch)


def check_frames(frames: int, stops: int = 2) -> None:
    """Raise SpaceError unless a walk through so many stops can have this number of frames."""
    whole("frames", frames, 2, MAX_FRAMES, error=SpaceError)
    if frames < stops:
        raise SpaceError(
            f"Got {frames} frames for {stops} stops, expected at least one for each stop; ask for {stops} or more, or "
            "leave stops out.",
            code="frames",
        )


def blend_points(corners: Points, size: int) -> Points:
    """The cells of a grid between corners, as in `paths.grid`; a SpaceError if there are too many to decode."""
    return grid(corners, whole("grid", size, 2, MAX_GRID, error=SpaceError))


def make_blend(
    space: DecodingSpace,
    corners: Points,
    size: int,
    how: Decoding | None = None,
    *,
    progress: Progress | None = None,
    on_batch: OnBatch | None = None,
) -> Blend:
    """Decode a grid between corners; see `Explorer.blend`."""
    cells = blend_points(corners, size)
    images = space.render(cells, one_seed(how or Decoding()), progress=progress, on_batch=on_batch)
    columns = grid_shape(len(corners), size)[1]
    provenance = _record("blend", space, corners, images, grid={"size": size, "columns": columns})
    return Blend(images.pictures, images.provenances, columns, provenance, unrounded=images.unrounded)


def one_seed(how: Decoding) -> Decoding:
    """Raise SpaceError for several seeds: more than the point would change along the path."""
    if isinstance(how.seed, Sequence):
        raise SpaceError(f"Got {len(how.seed)} seeds for a walk or a blend, expected one whole number.", code="seed")
    return how


def adjacent_distances(model: Model, images: Images) -> NDArray[np.float64]:
    """Distances between neighbouring pictures, `n` -> `(n-1,)`.

    They are angles between CLIP's vectors in radians; in a model without CLIP, root mean squared differences of the
    autoencoder's latents; in a model without either, those of the pixels in [-1, 1].
    """
    if model.opened_clip is not None:
        vectors = model.clip.encode_images(images.pictures).double().cpu()
        return angle(vectors[:-1], vectors[1:]).numpy()
    if model.opened_autoencoder is not None:
        seen = model.autoencoder.encode(images.pictures).double().cpu().flatten(1)
    else:
        pixels = np.stack([np.asarray(picture, dtype=np.float64) for picture in images.pictures])
        seen = torch.from_numpy(pixels / 127.5 - 1).flatten(1)
    return (seen.diff(dim=0).square().mean(1).sqrt()).numpy()


def _record(kind: str, space: DecodingSpace, stops: Points, images: Images, **more: Any) -> Provenance:
    """The record of several pictures, whose points follow from `stops`."""
    first = images.provenances[0].record
    batch = {"size": first["batch"]["size"]}
    return record(kind, stops, space.model, first["options"], images.pictures, batch=batch, **more)
