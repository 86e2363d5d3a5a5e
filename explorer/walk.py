"""Walks and blends: points between stops, decoded; a walk's steps are of equal size in the model's own eyes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from .diffusion.interpolation import Mode
from .errors import SpaceError
from .geometry.grids import grid_shape
from .geometry.interpolation import angle
from .models.model import Model
from .paths import Path, coefficient_of_variation, equal_paths, grid, path
from .points import Points
from .records.images import Blend, Images
from .records.provenance import Provenance
from .spaces.between import InterpolatingSpace
from .spaces.records import record
from .spaces.rendering import DecodingSpace
from .spaces.space import Progress

MAX_FRAMES = 5000
MAX_GRID = 50

Spacing = Literal["equal", "uniform"]


@dataclass(frozen=True, eq=False)
class Walk:
    """A path, its pictures and how far apart they are.

    Attributes:
        path: `n` points through the stops.
        images: `n` pictures; each carries a record of its own.
        distances: `(n-1,)` from each picture to the next, in the model's own eyes; see `adjacent_distances`.
        cv: coefficient of variation of the distances; 0 is equal steps.
        provenance: the record of the whole.
    """

    path: Path
    images: Images
    distances: NDArray[np.float64]
    cv: float
    provenance: Provenance

    def save(
        self, target: str | os.PathLike[str], *, fps: float = 24, scale: int = 1, progress: Progress | None = None
    ) -> None:
        """Write a video that carries its record: `.mp4`, `.webm` or `.gif` by the name.

        Args:
            fps: frames a second.
            scale: whole number by which each pixel is enlarged.
            progress: wraps the frames; if it raises, nothing is left behind.

        Raises:
            VideoError: another kind of name, an option out of range, or a place that cannot be written.
        """
        from .records.video import save_video

        save_video(list(self.images), target, fps=fps, scale=scale, provenance=self.provenance, progress=progress)


def make_walk(
    space: DecodingSpace,
    stops: Points,
    frames: int,
    *,
    spacing: Spacing = "equal",
    interpolant: str | None = None,
    attention: Mode | None = None,
    tolerance: float = 0.1,
    rounds: int = 6,
    progress: Progress | None = None,
    **options: Any,
) -> Walk:
    """Decode a path through `stops`.

    Args:
        spacing: `"uniform"` walks at even places and decodes each frame once; `"equal"` decodes, measures and moves
            the places until the distances vary by no more than `tolerance`, in at most `rounds` decodes of the path.
        interpolant: the space's own by default; see `paths.path`.
        attention: `"inner"`, `"outer"` or `"fused"` interpolates the attention of each frame between its stops, in the
            prompt and joint spaces of models with a UNet; see `diffusion.interpolation`.
        options: of `DecodingSpace.decode`.
        progress: wraps the steps of each round.

    Raises:
        SpaceError, GeometryError, ModelError: stops, frames or options that cannot be walked.
    """
    _one_seed(options.get("seed", 0))
    if spacing not in ("equal", "uniform"):
        raise SpaceError(f"Got spacing {spacing!r}, expected 'equal' or 'uniform'; choose one.")
    check_frames(frames)
    stops = space.owned(stops)
    rendered: list[tuple[Path, Images]] = []

    def measure(walked: Path) -> NDArray[np.float64]:
        images = decode_walk(space, walked, attention=attention, progress=progress, **options)
        rendered.append((walked, images))
        return adjacent_distances(space.model, images)

    if spacing == "uniform":
        walked = path(stops, frames, interpolant=interpolant)
        distances = measure(walked)
    else:
        walked, distances = equal_paths(
            stops, frames, measure, tolerance=tolerance, rounds=rounds, interpolant=interpolant
        )
    images = next(images for each, images in reversed(rendered) if each is walked)
    provenance = _record(space, walked, images, {"spacing": spacing} | ({"attention": attention} if attention else {}))
    return Walk(walked, images, distances, coefficient_of_variation(distances), provenance)


def decode_walk(
    space: DecodingSpace,
    walked: Path,
    *,
    attention: Mode | None = None,
    seed: int = 0,
    batch: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Images:
    """The frames of a path, each alone, or with its attention interpolated between its stops.

    Raises:
        SpaceError, ModelError: options that cannot be met; attention in a space or a model that has none to offer.
    """
    if attention is None:
        return space.decode(walked.points, seed=seed, batch=batch, progress=progress, **options)
    return _interpolating(space, attention).decode_between(
        walked, mode=attention, seed=seed, options=options, batch=batch, progress=progress
    )


def frame_again(
    space: DecodingSpace,
    point: Points,
    *,
    seed: int,
    options: Mapping[str, Any],
    batch: Mapping[str, Any],
    attention: Mapping[str, Any],
) -> list[Any]:
    """A frame of a walk with interpolated attention, made again alone from its record.

    Raises:
        SpaceError, ModelError, ProvenanceError: a record that asks for what cannot be.
    """
    room = _interpolating(space, attention["mode"])
    return room.decode_between_again(point, seed=seed, options=options, batch=batch, attention=attention)


def _interpolating(space: DecodingSpace, mode: str) -> InterpolatingSpace:
    if isinstance(space, InterpolatingSpace):
        return space
    raise SpaceError(
        f"Got attention {mode!r} in the {space.info}, expected the space 'prompt' or 'joint', whose points guide a "
        "network from one noise; walk there, or with attention=None."
    )


def check_frames(frames: int) -> None:
    """Raises SpaceError where a number of frames cannot be meant."""
    if isinstance(frames, bool) or not isinstance(frames, int) or not 2 <= frames <= MAX_FRAMES:
        raise SpaceError(f"Got {frames!r} frames, expected a whole number from 2 to {MAX_FRAMES}; ask for another.")


def blend_points(corners: Points, size: int) -> Points:
    """The cells of a grid between corners, as `paths.grid` places them, of a size that can be decoded.

    Raises:
        SpaceError: a size that cannot be meant.
        GeometryError: fewer than two corners, or corners that have no mean.
    """
    if isinstance(size, bool) or not isinstance(size, int) or not 2 <= size <= MAX_GRID:
        raise SpaceError(f"Got a grid of {size!r}, expected a whole number from 2 to {MAX_GRID}; ask for another.")
    return grid(corners, size)


def make_blend(space: DecodingSpace, corners: Points, size: int, **options: Any) -> Blend:
    """Decode a grid between corners; the options are those of `DecodingSpace.decode`.

    Raises:
        SpaceError, GeometryError, ModelError: corners, a size or options that cannot be blended.
    """
    _one_seed(options.get("seed", 0))
    images = space.decode(blend_points(corners, size), **options)
    first, columns = images.provenances[0].record, grid_shape(len(corners), size)[1]
    provenance = record(
        "blend",
        corners,
        space.model,
        first["options"],
        images.pictures,
        batch={"size": first["batch"]["size"]},
        grid={"size": size, "columns": columns},
    )
    return Blend(images.pictures, images.provenances, columns, provenance)


def _one_seed(seed: Any) -> None:
    """Raises SpaceError for several seeds: what changes along the way would be more than the point."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise SpaceError(f"Got seed {str(seed)[:40]} for a walk or a blend, expected one whole number; choose one.")


def adjacent_distances(model: Model, images: Images) -> NDArray[np.float64]:
    """Between neighbouring pictures, `n` -> `(n-1,)`: angles in radians of CLIP's vectors; in a model without CLIP,
    Euclidean distances of its autoencoder's latents over the root of their size; without both, those of the pixels."""
    if model.opened_clip is not None:
        vectors = model.clip.encode_images(images.pictures).double().cpu()
        return angle(vectors[:-1], vectors[1:]).numpy()
    if model.opened_autoencoder is not None:
        seen = model.autoencoder.encode(images.pictures).double().cpu().flatten(1)
    else:
        pixels = np.stack([np.asarray(picture, dtype=np.float64) for picture in images.pictures])
        seen = torch.from_numpy(pixels / 127.5 - 1).flatten(1)
    return (seen.diff(dim=0).square().mean(1).sqrt()).numpy()


def _record(space: DecodingSpace, walked: Path, images: Images, how: dict[str, str]) -> Provenance:
    # Stops and places instead of points: the path is made again from them to the last bit, and a record stays small.
    first = images.provenances[0].record
    return record(
        "walk",
        walked.stops,
        space.model,
        first["options"],
        images.pictures,
        batch={"size": first["batch"]["size"]},
        path={"t": walked.t.tolist(), "interpolant": walked.interpolant, **how},
    )
