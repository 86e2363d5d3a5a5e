"""The autoencoder of a model as a codec, on pictures that are given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.errors import AnalysisError

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
    if not len(pictures):
        raise AnalysisError("Got no pictures, expected at least one to measure the autoencoder on.", code="no pictures")
    from thoughtspace.explorer.records.pictures import open_picture

    latent = explorer.space("latent")
    side = explorer.model.autoencoder.image_size
    originals = np.stack([_pixels(open_picture(each), side) for each in pictures])
    squares = [_picture(each) for each in originals]
    z = np.concatenate([latent.image(*part).values.float().cpu().numpy() for part in _batches(squares)])

    def decode(latents: NDArray[np.float32]) -> Pixels:
        import torch

        found = []
        for part in _batches(latents):
            points = latent.points(torch.from_numpy(part))
            found.append(latent.decode(points).pixels.permute(0, 2, 3, 1).cpu().numpy())
        return np.concatenate(found)

    def seen(pixels: Pixels) -> NDArray[np.float64]:
        clip = explorer.model.clip
        parts = [clip.encode_images([_picture(each) for each in part]) for part in _batches(pixels)]
        vectors = np.concatenate([part.double().cpu().numpy() for part in parts])
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    def distance(a: Pixels, b: Pixels) -> NDArray[np.float64]:
        return np.asarray(1 - (seen(a) * seen(b)).sum(1))

    sees = perceptual and "joint" in explorer.spaces
    return rates(
        originals, z, decode, steps=steps, formats=formats, distance=distance if sees else None, progress=progress
    )


def _pixels(picture: Any, side: int) -> Pixels:
    from PIL import Image, ImageOps

    square = ImageOps.fit(picture, (side, side), Image.Resampling.BICUBIC)
    return (np.asarray(square) / 255).astype(np.float32)


def _picture(pixels: Pixels) -> Any:
    from PIL import Image

    return Image.fromarray(np.rint(255 * pixels).astype(np.uint8))


def _batches(things: Any) -> Iterable[Any]:
    return (things[start : start + _BATCH] for start in range(0, len(things), _BATCH))
