"""From loaded sources to commits: sources are encoded in batches and committed about a thousand rows at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Set as SetOf

import numpy as np
from PIL.Image import Image

from .corrections import Corrections, file_of
from .encoding import Encoder
from .items import KINDS, Item, Vectors, item_id
from .loading import Loaded
from .pending import Pending, picture_item, text_item
from .report import AMBIGUOUS
from .source import Source
from .store import Collection
from .writer import Writer

COMMIT_ROWS = 1024
"""Rows of a commit: enough to keep Lance's files few, few enough that a killed run loses little."""

BATCH_PIXELS = 64e6
"""Most pixels in a batch of pictures: about 200 MB."""


class Batches:
    """Sorts loaded sources into new items, vectors that items lack and captions that pictures lack, and commits them.

    Args:
        read: the paths of the tables and texts that this run has read whole, and `DataFrame` if one was given.

    Attributes:
        added, updated, skipped: counts so far.
        corrected: the number of items whose caption, columns or place were corrected.
        prompts: the number of pictures by the program that wrote their prompt, and of those whose prompt is ambiguous.
        removed: the ids of captions that nothing has any more.
        kept: the number of captions and prompts that stay although where they came from does not have them any more.
        failed: source -> reason, of this and earlier runs.
    """

    def __init__(
        self, collection: Collection, writer: Writer, encoder: Encoder, *, read: SetOf[str] = frozenset()
    ) -> None:
        stored = collection.stored()
        self._collection, self._writer, self._batch = collection, writer, encoder.batch
        self._corrections = Corrections(stored, read)
        self._ids = set(stored)
        self._bare = {id for id, each in stored.items() if each["kind"] == "image" and each["caption"] is None}
        self._idle: set[str] = set()
        self._lacking: dict[str, set[str]] = defaultdict(set)
        for kind in KINDS:
            for name in encoder.spaces(kind):
                self._lacking[name].update(collection.lacking(name, kind))
        self._pending, self._given = Pending(encoder), encoder.given
        self._captions: list[Item] = []
        self._pixels = 0
        self.added = self.updated = self.skipped = self.corrected = self.kept = 0
        self.removed: list[str] = []
        self.prompts: Counter[str] = Counter()
        earlier = {each["source"]: each["reason"] for each in collection.failed()}
        self.failed = {source: reason for source, reason in earlier.items() if file_of(source) not in read}

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
            self._corrections.meet(source, None)
            return
        self.failed.pop(source.name, None)
        self._count_prompt(source)
        picture = item_id(loaded.sha256) if source.is_picture else None
        self._corrections.meet(source, picture)
        news = picture is not None and self._add_picture(loaded)
        news |= bool(source.caption) and self._add_text(str(source.caption), source, pair=picture)
        if not news:
            self.skipped += 1
            self._idle.add(item_id(loaded.sha256))
        self._pixels += loaded.pixels
        self._settle()

    def finish(self) -> None:
        """Encode and commit everything that is left."""
        self._encode()
        self.commit()

    def correct(self) -> None:
        """Commit corrections, when all sources are added. If it is killed, the next run does the rest."""
        self.finish()
        corrected = self._corrections.corrected()
        own = self._corrections.own_prompts(self._collection.stored())
        for start in range(0, len(corrected + own), COMMIT_ROWS):
            self._writer.correct((corrected + own)[start : start + COMMIT_ROWS])
        self.removed = self._corrections.gone(corrected)
        for start in range(0, len(self.removed), COMMIT_ROWS):
            self._writer.remove(self.removed[start : start + COMMIT_ROWS])
        self.corrected = len(corrected)
        self.kept = self._corrections.kept(set(self.removed))
        self.updated += len(corrected)
        self.skipped -= len(self._idle & {item.id for item in corrected})

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

    def _count_prompt(self, source: Source) -> None:
        if "prompt_source" in source.extras:
            self.prompts[str(source.extras["prompt_source"])] += 1
            self.prompts[AMBIGUOUS] += "prompt_note" in source.extras

    def _settle(self) -> None:
        if self._pending.waiting >= self._batch or self._pixels > BATCH_PIXELS:
            self._encode()
        if len(self._pending.new) + len(self._pending.filled) + len(self._captions) >= COMMIT_ROWS:
            self.finish()

    def _add_picture(self, loaded: Loaded) -> bool:
        """Add a picture; returns whether it is new, or gets vectors or a caption that it lacked."""
        item, picture = picture_item(loaded), loaded.picture
        given = loaded.source.vectors.get("image")
        if item.id not in self._ids and (picture is not None or given is not None):
            self._ids.add(item.id)
            self._pending.add(item, picture, given=given)
            if item.caption is None:
                self._bare.add(item.id)
            return True
        captioned = item.caption is not None and item.id in self._bare
        if captioned:
            self._bare.discard(item.id)
            self._captions.append(item)
        filled = (picture is not None or given is not None) and self._fill(item, picture, given)
        self.updated += captioned or filled
        return captioned or filled

    def _add_text(self, text: str, source: Source, *, pair: str | None) -> bool:
        """Add a text; returns whether it is new."""
        item = text_item(text, source, pair=pair)
        if item.id in self._ids:
            return False
        self._ids.add(item.id)
        self._pending.add(item, text, given=source.vectors.get("text"))
        return True

    def _fill(self, item: Item, thing: Image | str | None, given: Vectors | None = None) -> bool:
        """Queue an item of the collection for the spaces where it lacks a vector; returns whether there are any."""
        spaces = [name for name, lacking in self._lacking.items() if item.id in lacking]
        if thing is None:  # there is a vector in one space and nothing to encode in the others
            spaces = [name for name in spaces if name == self._given]
        for name in spaces:
            self._lacking[name].discard(item.id)
        if spaces:
            self._pending.add(item, thing, lacking=spaces, given=given)
        return bool(spaces)

    def _encode(self) -> None:
        self._pixels = 0
        self.failed.update(self._pending.encode())
