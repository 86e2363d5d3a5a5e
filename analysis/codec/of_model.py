"""The autoencoder of a model as a codec, on pictures that are given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.errors import AnalysisError

from .channels import Channels, channels
from .errors import Errors, errors
from .passing import LEVELS, Passing, passing
from .rates import STEPS, Rates, rates

if TYPE_CHECKING:
    from thoughtspace.explorer import Explorer
    from thoughtspace.explorer.progress import Progress

Pixels = NDArray[np.float32]

_BATCH = 32


def measure_codec(
    explorer: Explorer,
    pictures: Sequence[Any],
    *,
    steps: Sequence[float] = STEPS,
    formats: Sequence[str] | None = None,
    perceptual: bool = True,
    progress: Progress | None = None,
) -> Rates:
    """Compare the autoencoder of a model with JPEG, WebP and AVIF at equal bytes.

    Args:
        pictures: paths or pictures of PIL, cropped to a central square of the model's size.
        steps, formats: see `rates`.
        perceptual: measure `1 - cos` between the joint vectors of the original and of what is decoded, where the model
            has a joint space. It is the distance that this model sees, not LPIPS.

    Raises:
        AnalysisError: no pictures, or as `rates`.
        SpaceError: a model without an autoencoder.
        PictureError: a picture that cannot be read.
    """
    originals = squares(explorer, pictures)
    latent = explorer.space("latent")

    def decode(latents: NDArray[np.float32]) -> Pixels:
        import torch

        parts = [latent.decode(latent.points(torch.from_numpy(part))).pixels for part in _batches(latents)]
        return np.concatenate([part.permute(0, 2, 3, 1).cpu().numpy() for part in parts])

    def seen(pixels: Pixels) -> NDArray[np.float64]:
        clip = explorer.model.clip
        parts = [clip.encode_images([_picture(each) for each in part]) for part in _batches(pixels)]
        vectors = np.concatenate([part.double().cpu().numpy() for part in parts])
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    def distance(a: Pixels, b: Pixels) -> NDArray[np.float64]:
        return np.asarray(1 - (seen(a) * seen(b)).sum(1))

    z, sees = _encoded(explorer, originals), perceptual and "joint" in explorer.spaces
    return rates(
        originals, z, decode, steps=steps, formats=formats, distance=distance if sees else None, progress=progress
    )


def measure_channels(
    explorer: Explorer, pictures: Sequence[Any], *, n_null: int = 19, progress: Progress | None = None
) -> Channels:
    """What each channel of the latents of a model carries, on pictures that are given; see `channels`.

    Args:
        pictures: as `measure_codec` takes them, at least two.

    Raises:
        AnalysisError, SpaceError, PictureError: as `measure_codec`.
    """
    originals = squares(explorer, pictures)
    z, decode = _encoded(explorer, originals), partial(_decoded, explorer)
    return channels(originals, z, decode, n_null=n_null, progress=progress)


def measure_errors(explorer: Explorer, pictures: Sequence[Any]) -> Errors:
    """Where the error of the autoencoder of a model sits, on pictures that are given; see `errors`.

    Args:
        pictures: as `measure_codec` takes them, at least three.

    Raises:
        AnalysisError, SpaceError, PictureError: as `measure_codec`.
    """
    originals = squares(explorer, pictures)
    return errors(originals, np.clip(through(explorer, originals), 0, 1))


def measure_passing(explorer: Explorer, pictures: Sequence[Any], *, levels: Sequence[float] = LEVELS) -> Passing:
    """What the autoencoder of a model takes for signal and what for noise; see `passing`.

    Args:
        pictures: as `measure_codec` takes them, at least two, and none equal to the next.

    Raises:
        AnalysisError, SpaceError, PictureError: as `measure_codec`.
    """
    originals = squares(explorer, pictures)
    n_numbers = int(np.prod(explorer.model.autoencoder.latent_shape))
    return passing(originals, partial(through, explorer), n_numbers=n_numbers, levels=levels)


def squares(explorer: Explorer, pictures: Sequence[Any]) -> Pixels:
    """Pictures as `(n, h, w, 3)` in [0, 1], cropped to a central square of the size of the model's autoencoder.

    Raises:
        AnalysisError: no pictures.
        SpaceError: a model without an autoencoder.
        PictureError: a picture that cannot be read.
    """
    if not len(pictures):
        raise AnalysisError("Got no pictures, expected at least one to measure the autoencoder on.", code="no pictures")
    from thoughtspace.explorer.records.pictures import open_picture

    explorer.space("latent")
    side = explorer.model.autoencoder.image_size
    return np.stack([_pixels(open_picture(each), side) for each in pictures])


def through(explorer: Explorer, pixels: Pixels) -> Pixels:
    """Pictures `(n, h, w, 3)` encoded and decoded; values may leave [0, 1] on either side."""
    return _decoded(explorer, _encoded(explorer, pixels))


def _encoded(explorer: Explorer, pixels: Pixels) -> NDArray[np.float32]:
    import torch

    encode = explorer.model.autoencoder.encode
    parts = [encode(2 * torch.from_numpy(part).permute(0, 3, 1, 2).contiguous() - 1) for part in _batches(pixels)]
    return np.concatenate([part.cpu().numpy() for part in parts])


def _decoded(explorer: Explorer, latents: NDArray[np.float32]) -> Pixels:
    import torch

    parts = [explorer.model.autoencoder.decode(torch.from_numpy(part)) for part in _batches(latents)]
    return np.concatenate([((part + 1) / 2).permute(0, 2, 3, 1).cpu().numpy() for part in parts])


def _pixels(picture: Any, side: int) -> Pixels:
    from PIL import Image, ImageOps

    square = ImageOps.fit(picture, (side, side), Image.Resampling.BICUBIC)
    return (np.asarray(square) / 255).astype(np.float32)


def _picture(pixels: Pixels) -> Any:
    from PIL import Image

    return Image.fromarray(np.rint(255 * pixels).astype(np.uint8))


def _batches(things: Any) -> Iterable[Any]:
    return (things[start : start + _BATCH] for start in range(0, len(things), _BATCH))
