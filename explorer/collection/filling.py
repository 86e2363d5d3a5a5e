"""Fill in the vectors that items lack in spaces that were added after the items."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .encoding import Encoder
from .items import Vectors
from .stored import StoredItems
from .writer import Writer

if TYPE_CHECKING:
    from PIL.Image import Image

_TEXTS = 1024  # texts per commit


def fill_texts(items: StoredItems, writer: Writer, encoder: Encoder) -> int:
    """Encode the texts that lack a vector in one of the spaces; returns the number of new vectors."""
    filled = 0
    for name in encoder.spaces("text"):
        lacking = set(items.lacking(name, "text"))
        texts = items.items("text")
        texts = texts[texts["id"].isin(lacking)]
        for start in range(0, len(texts), _TEXTS):
            part = texts.iloc[start : start + _TEXTS]
            writer.add_vectors(name, list(part["id"]), encoder.encode(name, "text", list(part["caption"])))
        filled += len(texts)
    return filled


class PictureFills:
    """Pictures of a collection that lack vectors. They wait for the encoder, then for a commit."""

    def __init__(self, items: StoredItems, encoder: Encoder) -> None:
        self._encoder = encoder
        self._lacking = {name: set(items.lacking(name, "image")) for name in encoder.spaces("image")}
        self._waiting: dict[str, list[tuple[str, Image]]] = {name: [] for name in self._lacking}
        self._encoded: dict[str, list[tuple[str, Vectors]]] = {name: [] for name in self._lacking}

    def __len__(self) -> int:
        """The number of vectors that wait for a commit."""
        return sum(map(len, self._encoded.values()))

    @property
    def waiting(self) -> int:
        """The largest number of pictures that wait for one space."""
        return max(map(len, self._waiting.values()), default=0)

    def lacks(self, item: str) -> bool:
        """Whether a picture has no vector in one of the spaces."""
        return any(item in lacking for lacking in self._lacking.values())

    def add(self, item: str, picture: Image) -> None:
        """Queue a picture for every space where it lacks a vector."""
        for name, lacking in self._lacking.items():
            if item in lacking:
                lacking.discard(item)
                self._waiting[name].append((item, picture))

    def encode(self) -> None:
        """Encode the waiting pictures."""
        for name, waiting in self._waiting.items():
            if waiting:
                ids, pictures = zip(*waiting, strict=True)
                waiting.clear()
                self._encoded[name] += zip(ids, self._encoder.encode(name, "image", pictures), strict=True)

    def commit(self, writer: Writer) -> None:
        """Commit the encoded vectors."""
        for name, encoded in self._encoded.items():
            if encoded:
                ids, vectors = zip(*encoded, strict=True)
                writer.add_vectors(name, ids, np.stack(vectors))
                encoded.clear()
