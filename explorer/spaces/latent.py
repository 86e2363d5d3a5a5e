"""The latent space: pictures as the latents of the autoencoder."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..geometry.interpolation import Geometry
from ..models.generator import Guide
from ..options import Settled
from ..points import Points
from .inputs import opened
from .rendering import COMMON, DecodingSpace


class LatentSpace(DecodingSpace):
    """Latents z = (mode - shift)·scale; only the autoencoder decodes, so seed, steps and guidance have no effect."""

    name = "latent"
    geometry = Geometry.EUCLIDEAN
    encodes = frozenset({"image"})
    takes = frozenset({"preview"})
    ignores = COMMON

    @property
    def shape(self) -> tuple[int, ...]:
        return self.model.autoencoder.latent_shape

    def image(self, *images: Any) -> Points:
        """Encode pictures (PIL) or their paths, cropped to a central square, as points `(n, c, h, w)`.

        Raises:
            PictureError: a file that cannot be read as a picture.
        """
        pictures, origin = opened(images)
        return Points(self.model.autoencoder.encode(pictures), self.info, origin)

    def guide(self, values: Tensor, how: Settled) -> Guide:
        return Guide(latents=values)
