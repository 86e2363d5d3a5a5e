"""The contract of a joint encoder: pictures, and mostly texts, as vectors of one space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from .reference import Reference


class Encoder(Protocol):
    """Pictures, and with most also texts, as un-normalised vectors of one space.

    Attributes:
        dim: width `d` of the joint vectors.
        image_size: side in pixels of what the image tower sees.
        reads_texts: whether it has a text tower into the same space.
        reference: means and norm, or None where they are not known.
    """

    dim: int
    image_size: int
    reads_texts: bool
    reference: Reference | None

    def encode_images(self, images: Sequence[Any]) -> Tensor:
        """`n` PIL pictures of any size -> `(n, d)` un-normalised float32 vectors."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """`n` texts -> `(n, d)` un-normalised float32 vectors; a `ModelError` without a text tower."""
        ...

    def truncated(self, texts: Sequence[str]) -> list[bool]:
        """Which texts are longer than the text tower reads."""
        ...

    def encode_nothing(self) -> Tensor:
        """`(1, d)`: the vector of pixels that are all zero after normalising, which stands for no picture."""
        ...
