"""From loaded sources to commits: sources are encoded in batches and committed about a thousand rows at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .encoding import Encoder
from .filling import PictureFills
from .items import item_id
from .new_items import NewItems, id_of_text, picture_item, text_item
from .writer import Writer

if TYPE_CHECKING:
    from .captions import Source
    from .loading import Loaded
    from .store import Collection

COMMIT_ROWS = 1024
"""Rows of a commit: enough to keep Lance's files few, few enough that a killed run loses little."""

BATCH_PIXELS = 64e6
"""Most pixels in a batch of pictures: about 200 MB."""


class Batches:
    """Sorts loaded sources into new items, vectors that items lack and captions that pictures lack, and commits them.

    Attributes:
        added, updated, skipped: counts so far.
        failed: source -> reason, of this and earlier runs.
    """

    def __init__(self, collection: Collection, writer: Writer, encoder: Encoder) -> None:
        frame = collection.items()
        self._writer, self._batch = writer, encoder.batch
        self._ids = set(frame["id"])
        self._bare = set(frame["id"][(frame["kind"] == "image") & frame["caption"].isna()])
        self._new, self._fills = NewItems(encoder), PictureFills(collection, encoder)
        self._captions: list[tuple[str, str | None, str | None, Mapping[str, Any]]] = []
        self._pixels = 0
        self.added = self.updated = self.skipped = 0
        self.failed = {each["source"]: each["reason"] for each in collection.failed()}

    def needs(self, item: str) -> bool:
        """Whether the picture with this id must be decoded: it is new, or lacks vectors of a space."""
        return item not in self._ids or self._fills.lacks(item)

    def add(self, loaded: Loaded) -> None:
        """Add a source. Encode when a batch is full, commit when there are enough rows."""
        source = loaded.source
        if loaded.problem is not None:
            self.failed[source.name] = loaded.problem
            return
        self.failed.pop(source.name, None)
        picture = item_id(loaded.sha256) if source.path is not None else None
        news = picture is not None and self._add_picture(picture, loaded)
        news |= bool(source.caption) and self._add_text(str(source.caption), source, pair=picture)
        self.skipped += not news
        self._pixels += loaded.pixels
        if max(self._new.waiting, self._fills.waiting) >= self._batch or self._pixels > BATCH_PIXELS:
            self._encode()
        if len(self._new.encoded) + len(self._captions) + len(self._fills) >= COMMIT_ROWS:
            self.finish()

    def finish(self) -> None:
        """Encode and commit everything that is left."""
        self._encode()
        self.commit()

    def commit(self) -> None:
        """Commit what is encoded. Captions come last, because their pictures may be among the new items."""
        self._writer.append(self._new.encoded)
        self.added += len(self._new.encoded)
        self._new.encoded.clear()
        self._fills.commit(self._writer)
        self._writer.set_captions(self._captions)
        self._captions.clear()
        self._writer.set_failed(self.failed)

    def _add_picture(self, name: str, loaded: Loaded) -> bool:
        """Add a picture; returns whether it is new, or gets vectors or a caption that it lacked."""
        source = loaded.source
        if name not in self._ids:
            if loaded.picture is None:
                return False
            self._ids.add(name)
            self._new.add(picture_item(loaded), loaded.picture)
            if source.caption is None:
                self._bare.add(name)
            return True
        captioned = source.caption is not None and name in self._bare
        if captioned:
            self._bare.discard(name)
            self._captions.append((name, source.caption, id_of_text(source.caption), source.extras))
        filled = loaded.picture is not None and self._fills.lacks(name)
        if loaded.picture is not None:
            self._fills.add(name, loaded.picture)
        self.updated += captioned or filled
        return captioned or filled

    def _add_text(self, text: str, source: Source, *, pair: str | None) -> bool:
        """Add a text; returns whether it is new."""
        item = text_item(text, source, pair=pair)
        if item.id in self._ids:
            return False
        self._ids.add(item.id)
        self._new.add(item, text)
        return True

    def _encode(self) -> None:
        self._pixels = 0
        self.failed.update(self._new.encode())
        self._fills.encode()
