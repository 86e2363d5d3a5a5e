"""Pictures and texts that wait for the encoder, then for a commit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
from PIL.Image import Image

from .encoding import Encoder
from .items import Item, Kind, Vectors, content_hash, item_id
from .loading import Loaded
from .source import Source


@dataclass(frozen=True)
class _Waiting:
    """An item with its picture or text, if there is more than its vector, the spaces to encode it in, and the list that
    gets it then."""

    item: Item
    thing: Image | str | None
    spaces: Collection[str]
    to: list[Item]
    vectors: dict[str, Vectors] = field(default_factory=dict)


class Pending:
    """Items, each with its picture or text until `encode` adds the vectors.

    Attributes:
        new: encoded items, for the next commit.
        filled: items of the collection, with the vectors that they lacked there.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._waiting: dict[Kind, list[_Waiting]] = {"image": [], "text": []}
        self.new: list[Item] = []
        self.filled: list[Item] = []

    @property
    def waiting(self) -> int:
        """The number of waiting pictures or of waiting texts, whichever is larger."""
        return max(map(len, self._waiting.values()))

    def add(
        self,
        item: Item,
        thing: Image | str | None,
        *,
        lacking: Collection[str] | None = None,
        given: Vectors | None = None,
    ) -> None:
        """Queue a new item with its picture or text, or one of the collection for the spaces that it is `lacking`.

        Args:
            thing: None if all there is of a picture is its vector.
            given: its vector in the encoder's space of given vectors, which is not encoded then.
        """
        spaces, to = (self._encoder.spaces(item.kind), self.new) if lacking is None else (lacking, self.filled)
        vectors = {}
        if given is not None and self._encoder.given in spaces:
            vectors[self._encoder.given] = self._encoder.shaped(given)
        if thing is None:
            spaces = vectors.keys()
        self._waiting[item.kind].append(_Waiting(item, thing, spaces, to, vectors))

    def encode(self) -> dict[str, str]:
        """Encode what waits, pictures first; returns source -> reason for items without a finite vector."""
        failed = {}
        for kind, queue in self._waiting.items():
            waiting = queue.copy()
            queue.clear()
            for name in self._encoder.spaces(kind):
                lacking = [each for each in waiting if name in each.spaces and name not in each.vectors]
                things = [each.thing for each in lacking if each.thing is not None]
                for each, vector in zip(lacking, self._encoder.encode(name, kind, things), strict=True):
                    each.vectors[name] = vector
            for each in waiting:
                if all(np.isfinite(vector).all() for vector in each.vectors.values()):
                    each.to.append(replace(each.item, vectors=each.vectors))
                else:
                    source = each.item.source
                    failed[source] = f"Got {source}, whose vector from the encoder is not finite; leave it out."
        return failed


def picture_item(loaded: Loaded) -> Item:
    """The item of a picture, still without vectors."""
    source, (width, height) = loaded.source, loaded.size
    return Item(
        id=item_id(loaded.sha256),
        kind="image",
        source=source.name,
        caption=source.caption,
        pair=None if source.caption is None else item_id(content_hash(source.caption)),
        sha256=loaded.sha256,
        width=width or None,
        height=height or None,
        thumbnail=loaded.thumbnail,
        extras=source.extras,
    )


def text_item(text: str, source: Source, *, pair: str | None) -> Item:
    """The item of a caption (of the picture `pair`) or a prompt. The extras of a caption belong to its picture."""
    sha256 = content_hash(text)
    extras = source.extras if pair is None else {}
    return Item(item_id(sha256), "text", source.origin, text, pair, sha256, extras=extras)
