"""Pictures and texts that are new to a collection. They wait for the encoder, then for a commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .encoding import Encoder
from .items import Item, Kind, content_hash, item_id

if TYPE_CHECKING:
    from PIL.Image import Image

    from .captions import Source
    from .loading import Loaded

_NOT_FINITE = "Got {}, whose vector from the encoder is not finite; leave it out."


class NewItems:
    """New items, each with its picture or text until `encode` adds the vectors.

    Attributes:
        encoded: items with their vectors, for the next commit.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._waiting: dict[Kind, list[tuple[Item, Image | str]]] = {"image": [], "text": []}
        self.encoded: list[Item] = []

    @property
    def waiting(self) -> int:
        """The number of waiting pictures or of waiting texts, whichever is larger."""
        return max(map(len, self._waiting.values()))

    def add(self, item: Item, thing: Image | str) -> None:
        """Queue an item with its picture or text."""
        self._waiting[item.kind].append((item, thing))

    def encode(self) -> Mapping[str, str]:
        """Encode what waits, pictures first; returns source -> reason for items without a finite vector."""
        failed = {}
        for kind, waiting in self._waiting.items():
            pairs = waiting.copy()
            waiting.clear()
            things = [thing for _, thing in pairs]
            vectors = {name: self._encoder.encode(name, kind, things) for name in self._encoder.spaces(kind) if things}
            for row, (item, _) in enumerate(pairs):
                own = {name: every[row] for name, every in vectors.items()}
                if all(bool(np.isfinite(vector).all()) for vector in own.values()):
                    self.encoded.append(replace(item, vectors=own))
                else:
                    failed[item.source] = _NOT_FINITE.format(item.source)
        return failed


def picture_item(loaded: Loaded) -> Item:
    """The item of a picture, still without vectors."""
    source, (width, height) = loaded.source, loaded.size
    return Item(
        id=item_id(loaded.sha256),
        kind="image",
        source=source.name,
        caption=source.caption,
        pair=id_of_text(source.caption),
        sha256=loaded.sha256,
        width=width,
        height=height,
        thumbnail=loaded.thumbnail,
        extras=source.extras,
    )


def text_item(text: str, source: Source, *, pair: str | None) -> Item:
    """The item of a caption (of the picture `pair`) or a prompt. The extras of a caption belong to its picture."""
    sha256 = content_hash(text)
    extras = source.extras if pair is None else {}
    return Item(item_id(sha256), "text", source.origin, text, pair, sha256, extras=extras)


def id_of_text(text: str | None) -> str | None:
    """The id of the item of a text."""
    return None if text is None else item_id(content_hash(text))
