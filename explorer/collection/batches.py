"""From loaded sources to commits: sources are encoded in batches and committed about a thousand rows at a time."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from PIL.Image import Image

from .captions import Source
from .encoding import Encoder
from .items import KINDS, Item, item_id
from .loading import Loaded
from .pending import Pending, picture_item, text_item
from .store import Collection
from .writer import Writer

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
        self._collection, self._writer, self._batch = collection, writer, encoder.batch
        self._ids = set(frame["id"])
        self._bare = set(frame["id"][(frame["kind"] == "image") & frame["caption"].isna()])
        self._lacking: dict[str, set[str]] = defaultdict(set)
        for kind in KINDS:
            for name in encoder.spaces(kind):
                self._lacking[name].update(collection.lacking(name, kind))
        self._pending = Pending(encoder)
        self._captions: list[Item] = []
        self._pixels = 0
        self.added = self.updated = self.skipped = 0
        self.failed = {each["source"]: each["reason"] for each in collection.failed()}

    def needs(self, item: str) -> bool:
        """Whether the picture with this id must be decoded: it is new, or lacks vectors of a space."""
        return item not in self._ids or any(item in lacking for lacking in self._lacking.values())

    def fill_texts(self) -> None:
        """Encode and commit the vectors that texts of the collection lack."""
        texts = self._collection.items("text")
        for row in texts[texts["id"].map(self.needs)].to_dict("records"):
            item = Item(row["id"], "text", row["source"], row["caption"], row["pair"], row["sha256"])
            self.updated += self._fill(item, row["caption"])
            self._settle()
        self.finish()

    def add(self, loaded: Loaded) -> None:
        """Add a source. Encode when a batch is full, commit when there are enough rows."""
        source = loaded.source
        if loaded.problem is not None:
            self.failed[source.name] = loaded.problem
            return
        self.failed.pop(source.name, None)
        picture = item_id(loaded.sha256) if source.path is not None else None
        news = picture is not None and self._add_picture(loaded)
        news |= bool(source.caption) and self._add_text(str(source.caption), source, pair=picture)
        self.skipped += not news
        self._pixels += loaded.pixels
        self._settle()

    def finish(self) -> None:
        """Encode and commit everything that is left."""
        self._encode()
        self.commit()

    def commit(self) -> None:
        """Commit what is encoded. Captions come last, because their pictures may be among the new items."""
        new, filled = self._pending.new, self._pending.filled
        self._writer.append(new)
        self.added += len(new)
        new.clear()  # at once: after an interruption, the next commit must not add them again
        for name in self._lacking:
            items = [item for item in filled if name in item.vectors]
            if items:
                vectors = np.stack([item.vectors[name] for item in items])
                self._writer.add_vectors(name, [item.id for item in items], vectors)
        filled.clear()
        self._writer.set_captions(self._captions)
        self._captions.clear()
        self._writer.set_failed(self.failed)

    def _settle(self) -> None:
        if self._pending.waiting >= self._batch or self._pixels > BATCH_PIXELS:
            self._encode()
        if len(self._pending.new) + len(self._pending.filled) + len(self._captions) >= COMMIT_ROWS:
            self.finish()

    def _add_picture(self, loaded: Loaded) -> bool:
        """Add a picture; returns whether it is new, or gets vectors or a caption that it lacked."""
        item, picture = picture_item(loaded), loaded.picture
        if item.id not in self._ids and picture is not None:
            self._ids.add(item.id)
            self._pending.add(item, picture)
            if item.caption is None:
                self._bare.add(item.id)
            return True
        captioned = item.caption is not None and item.id in self._bare
        if captioned:
            self._bare.discard(item.id)
            self._captions.append(item)
        filled = picture is not None and self._fill(item, picture)
        self.updated += captioned or filled
        return captioned or filled

    def _add_text(self, text: str, source: Source, *, pair: str | None) -> bool:
        """Add a text; returns whether it is new."""
        item = text_item(text, source, pair=pair)
        if item.id in self._ids:
            return False
        self._ids.add(item.id)
        self._pending.add(item, text)
        return True

    def _fill(self, item: Item, thing: Image | str) -> bool:
        """Queue an item of the collection for the spaces where it lacks a vector; returns whether there are any."""
        spaces = [name for name, lacking in self._lacking.items() if item.id in lacking]
        for name in spaces:
            self._lacking[name].discard(item.id)
        if spaces:
            self._pending.add(item, thing, lacking=spaces)
        return bool(spaces)

    def _encode(self) -> None:
        self._pixels = 0
        self.failed.update(self._pending.encode())
