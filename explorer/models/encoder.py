"""The contract of a joint encoder, and the encoder of a folder: open_clip's, or the towers inside a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from .find.folder import read_json
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


@runtime_checkable
class Fits(Protocol):
    """A denoiser that has something to learn from the encoder of its vectors."""

    def fitted(self, clip: Encoder) -> Any:
        """The same denoiser, once it knows."""
        ...


@dataclass(frozen=True)
class Towers:
    """Which parts of a pipeline encode into the space that its decoder reads.

    Attributes:
        image: a `CLIPVisionModelWithProjection`.
        processor: a `CLIPImageProcessor`.
        text: a `CLIPTextModelWithProjection` into the same space, where there is one, and its tokenizer.
        prior: a `PriorTransformer`, which keeps the mean and the deviation of the vectors it was trained on.
    """

    image: str
    processor: str
    text: str | None = None
    tokenizer: str | None = None
    prior: str | None = None


TOWERS = {
    # Its text encoder has no projection: what it makes of a text is no joint vector.
    "StableUnCLIPImg2ImgPipeline": Towers("image_encoder", "feature_extractor"),
    "KandinskyV22PriorPipeline": Towers("image_encoder", "image_processor", "text_encoder", "tokenizer", "prior"),
    "KandinskyV22CombinedPipeline": Towers(
        "prior_image_encoder", "prior_image_processor", "prior_text_encoder", "prior_tokenizer", "prior_prior"
    ),
}
"""Pipeline class -> its towers."""


def towers(folder: Path) -> Towers | None:
    """The towers of a pipeline's folder, or None where it has none or is no pipeline."""
    if not (folder / "model_index.json").is_file():
        return None
    found = TOWERS.get(str(read_json(folder / "model_index.json").get("_class_name")))
    return found if found and (folder / found.image).is_dir() else None


def open_encoder(folder: Path, *, device: torch.device, dtype: torch.dtype = torch.float32) -> Encoder:
    """The encoder of an open_clip folder, or that inside a folder of a pipeline that has one.

    Raises:
        ModelError: weights that are missing, pickled or damaged.
    """
    from .open_clip import ClipModel
    from .transformers_clip import TransformersClip

    found = towers(folder)
    if found is None:
        return ClipModel.open(folder, device=device, dtype=dtype)
    return TransformersClip.open(folder, found, device=device, dtype=dtype)
