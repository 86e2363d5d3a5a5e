"""The base of joint encoders: pictures, and mostly texts, as vectors of one space; and what is measured on them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ModelError
from ..records.pictures import open_picture
from .reference import Reference, four_figures
from .text_map import TextMap

_BATCH = 64


class Encoder(ABC):
    """Pictures, and with most also texts, as un-normalised vectors of one space (CLIP: Radford et al., 2021).

    Attributes:
        network: whose first weights say where it computes, and in which precision.
        dim: width `d` of the joint vectors.
        image_size: side in pixels of what the image tower sees.
        reads_texts: whether it has a text tower into the same space.
        reference: means and norm, or None where they are not known.
    """

    network: Any
    dim: int
    image_size: int
    reads_texts: bool = True
    reference: Reference | None

    @torch.inference_mode()
    def encode_images(self, images: Sequence[Any]) -> Tensor:
        """`n` pictures, as `open_picture` takes them -> `(n, d)` un-normalised float32 vectors on the device."""

        def vectors(batch: Sequence[Any]) -> Tensor:
            return self._of_pixels(self._pixels([open_picture(image) for image in batch]).to(self._weight))

        return self._in_batches(images, vectors)

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """`n` texts -> `(n, d)` un-normalised float32 vectors; tokens past the context are left out.

        Raises:
            ModelError: there is no text tower.
        """
        self._require_texts()
        return self._in_batches(texts, self._of_texts)

    def truncated(self, texts: Sequence[str]) -> list[bool]:
        """Which texts are longer than the text tower reads.

        Raises:
            ModelError: there is no text tower.
        """
        self._require_texts()
        return self._truncated(list(texts)) if texts else []

    @torch.inference_mode()
    def encode_nothing(self) -> Tensor:
        """`(1, d)` float32: the vector of pixels that are all zero after normalising, which stands for no picture."""
        return self._of_pixels(torch.zeros(1, 3, self.image_size, self.image_size).to(self._weight)).float()

    @abstractmethod
    def _pixels(self, pictures: list[Any]) -> Tensor:
        """PIL pictures of any size -> what the image tower sees of them, `(n, 3, s, s)`."""

    @abstractmethod
    def _of_pixels(self, pixels: Tensor) -> Tensor:
        """`(n, 3, s, s) -> (n, d)`."""

    @abstractmethod
    def _of_texts(self, texts: Sequence[str]) -> Tensor:
        """`n` texts -> `(n, d)`."""

    @abstractmethod
    def _truncated(self, texts: list[str]) -> list[bool]:
        """Which of one or more texts are longer than the text tower reads."""

    @property
    def _weight(self) -> Tensor:
        return next(self.network.parameters())

    def _require_texts(self) -> None:
        if not self.reads_texts:
            raise ModelError(no_texts(), code="no text")

    def _in_batches(self, items: Sequence[Any], vectors: Callable[[Sequence[Any]], Tensor]) -> Tensor:
        batches = [vectors(items[start : start + _BATCH]).float() for start in range(0, len(items), _BATCH)]
        return torch.cat([torch.empty(0, self.dim, device=self._weight.device), *batches])


def no_texts() -> str:
    """What is said of a text where the encoder reads pictures alone."""
    return (
        "Got a text for an encoder of pictures alone, expected pictures: img(…); open a pair of clip/ and diffusion/ "
        "with the whole CLIP whose vectors the model decodes."
    )


def measure(encoder: Encoder, pictures: Sequence[Any], texts: Sequence[str] = (), *, paired: bool = False) -> Reference:
    """The reference of an encoder over PIL pictures and captions; a few hundred of each settle the means.

    Args:
        texts: captions, of those pictures or of others; for an encoder of pictures alone, none.
        paired: each text is the caption of the picture in its place: fit the linear map from texts to pictures too,
            for which it takes at least 2.5 pairs for each number of a vector.

    Raises:
        ModelError: fewer than two of a kind, since the mean of one would take its own direction away; or too few pairs.
    """
    if len(pictures) < 2 or (encoder.reads_texts and len(texts) < 2):
        raise ModelError(
            f"Got {len(pictures)} pictures and {len(texts)} texts to measure a reference on, expected many of each; "
            "give some hundreds.",
            code="too few",
        )
    images = encoder.encode_images(pictures).double()
    captions = encoder.encode_texts(texts).double() if encoder.reads_texts else images.new_zeros(1, encoder.dim)
    seen, said = (torch.nn.functional.normalize(each, dim=-1) for each in (images, captions))
    text_map = TextMap.fit(said, seen).to(images.device) if paired else None
    return Reference(seen.mean(0).float(), said.mean(0).float(), float(images.norm(dim=-1).mean()), text_map)


def picture_norm(encoder: Encoder, n: int = 16, side: int = 256) -> float:
    """The mean length of the vectors of soft clouds of colour, always the same, where nothing better is known."""
    from PIL import Image

    cells = np.random.default_rng(0).integers(0, 256, size=(n, 8, 8, 3), dtype=np.uint8)
    clouds = [Image.fromarray(each).resize((side, side), Image.Resampling.BICUBIC) for each in cells]
    return four_figures(encoder.encode_images(clouds).norm(dim=-1).mean())
