"""Between pictures and latents, a few at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

    from thoughtspace.explorer import Explorer
    from thoughtspace.explorer.points import Points

Latents = NDArray[np.float32]


def latents_of(explorer: Explorer, pictures: Sequence[Any] | Points) -> Latents:
    """Latents `(n, c, h, w)` of pictures, or the values of points of the latent space.

    Raises:
        SpaceError: a model without an autoencoder, or points of another space.
    """
    from thoughtspace.explorer.points import Points

    space = explorer.space("latent")
    points = space.owned(pictures) if isinstance(pictures, Points) else space.image(*pictures)
    return np.asarray(points.values.float().cpu().numpy())


def pictures_of(explorer: Explorer, latents: Latents) -> tuple[Image, ...]:
    """The pictures of latents `(n, c, h, w)`, by the autoencoder.

    Raises:
        ModelError: latents that decode into numbers that are not finite.
    """
    import torch

    from thoughtspace.explorer.records.images import picture_of, unit_pixels

    autoencoder = explorer.model.autoencoder
    parts = torch.from_numpy(np.asarray(latents, np.float32)).split(explorer.model.batch.largest)
    return tuple(picture_of(unit_pixels(pixels)) for part in parts for pixels in autoencoder.decode(part))
