"""From loaded sources to commits: batches for the encoders, and rows that are kept a thousand at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .encoding import encode, encodes
from .items import Item, Kind, Vectors, content_hash, item_id
from .writer import Writer

if TYPE_CHECKING:
    from .captions import Source
    from .ingest import Loaded
    from .store import Collection

COMMIT_ROWS = 1024
"""Rows of a commit: enough that Lance's files stay few, few enough that a killed run loses little."""

BATCH_PIXELS = 64e6
"""Pixels of a batch of large pictures: about 200 MB."""

_NOT_FINITE = "Got {}, for which the encoder gave numbers that are not finite, expected finite ones; leave it out."


@dataclass(frozen=True)
class _Text:
    text: str
    origin: str
    pair: str | None
    extras: Mapping[str, Any]


class Batches:
    """Gathers loaded sources, encodes them batch by batch and commits them.

    Args:
        collection: what is there already.
        writer: its writer, held.
        homes: the spaces to encode in, by name.
        batch: pictures or texts to an encoder at once.

    Attributes:
        added, updated, skipped: counts so far.
        failed: source -> reason, of this and earlier runs.
    """

    def __init__(self, collection: Collection, writer: Writer, homes: Mapping[str, Any], *, batch: int) -> None:
        self._collection, self._writer, self._homes, self._batch = collection, writer, homes, batch
        frame = collection.items()
        self._ids = set(frame["id"])
        self._bare = set(frame["id"][(frame["kind"] == "image") & frame["caption"].isna()])
        self._lacking = {name: set(collection.lacking(name, "image")) for name in self._spaces("image")}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._pictures: dict[str, Loaded] = {}
        self._again: list[tuple[Loaded, list[str]]] = []
        self._texts: list[_Text] = []
        self._rows: list[Item] = []
        self._fills: dict[str, list[tuple[str, Vectors]]] = {name: [] for name in homes}
        self._captions: list[tuple[str, str | None, str | None, Mapping[str, Any]]] = []
        self._pixels = 0
        self.added = self.updated = self.skipped = 0
        self.failed = {each["source"]: each["reason"] for each in collection.failed()}

    def needs(self, item: str) -> bool:
        """Whether the picture of that id has to be decoded: it is new, or lacks vectors of a space."""
        return item not in self._ids or any(item in lacking for lacking in self._lacking.values())

    def fill_texts(self) -> None:
        """Encode the texts that are there in spaces that are new to the collection."""
        for name in self._spaces("text"):
            lacking = set(self._collection.lacking(name, "text"))
            frame = self._collection.items("text")
            frame = frame[frame["id"].isin(lacking)]
            for start in range(0, len(frame), COMMIT_ROWS):
                part = frame.iloc[start : start + COMMIT_ROWS]
                vectors = self._encoded(name, "text", list(part["caption"]))
                self._writer.add_vectors(name, list(part["id"]), vectors, shape=self._shapes[name])
                self.updated += len(part)

    def add(self, loaded: Loaded) -> None:
        """Take up a source; encodes when a batch is full and commits when there are rows enough."""
        source = loaded.source
        if loaded.problem is not None:
            self.failed[source.name] = loaded.problem
            return
        self.failed.pop(source.name, None)
        before = len(self._ids), self.updated
        if source.path is not None:
            self._add_picture(loaded)
        if source.caption:
            pair = item_id(loaded.sha256) if source.path is not None else None
            self._add_text(_Text(source.caption, source.origin, pair, source.extras if pair is None else {}))
        if (len(self._ids), self.updated) == before:
            self.skipped += 1
        self._pixels += loaded.picture.width * loaded.picture.height if loaded.picture else 0
        waiting = max(len(self._pictures), len(self._texts), len(self._again))
        if waiting >= self._batch or self._pixels > BATCH_PIXELS:
            self._encode()
        if len(self._rows) + len(self._captions) + sum(map(len, self._fills.values())) >= COMMIT_ROWS:
            self.commit()

    def finish(self) -> None:
        """Encode and commit what is left."""
        self._encode()
        self.commit()

    def commit(self) -> None:
        """Keep the rows that are encoded."""
        rows, self._rows = self._rows, []
        self._writer.append(rows, self._shapes)
        self.added += len(rows)
        for name, filled in self._fills.items():
            if filled:
                ids, vectors = zip(*filled, strict=True)
                self._writer.add_vectors(name, ids, np.stack(vectors), shape=self._shapes[name])
                filled.clear()
        self._writer.set_captions(self._captions)
        self._captions.clear()
        self._writer.set_failed(self.failed)

    def _add_picture(self, loaded: Loaded) -> None:
        source, name = loaded.source, item_id(loaded.sha256)
        gains = source.caption is not None and name in self._bare
        if gains:
            self._take_caption(name, source)
        lacking = [space for space, ids in self._lacking.items() if name in ids] if loaded.picture else []
        for space in lacking:
            self._lacking[space].discard(name)
        if lacking:
            self._again.append((loaded, lacking))
        elif loaded.picture is not None and name not in self._ids:
            self._ids.add(name)
            self._pictures[name] = loaded
            if source.caption is None:
                self._bare.add(name)
        self.updated += bool(gains or lacking)

    def _take_caption(self, name: str, source: Source) -> None:
        """Caption a picture that came without: where it waits for the encoder, or else with the next commit."""
        self._bare.discard(name)
        waiting = self._pictures.get(name)
        if waiting is None:
            self._captions.append((name, source.caption, pair_of(source.caption), source.extras))
            return
        extras = {**waiting.source.extras, **source.extras}
        self._pictures[name] = replace(waiting, source=replace(waiting.source, caption=source.caption, extras=extras))

    def _add_text(self, text: _Text) -> None:
        name = item_id(content_hash(text.text))
        if name not in self._ids:
            self._ids.add(name)
            self._texts.append(text)

    def _encode(self) -> None:
        """Encode the open batch."""
        self._pixels = 0
        pictures, self._pictures = list(self._pictures.values()), {}
        again, self._again = self._again, []
        texts, self._texts = self._texts, []
        for loaded, vectors in self._zipped("image", pictures, [each.picture for each in pictures]):
            self._keep(self._picture_item(loaded, vectors), loaded.source.name)
        for text, vectors in self._zipped("text", texts, [each.text for each in texts]):
            self._keep(_text_item(text, vectors), text.origin)
        for space in {space for _, spaces in again for space in spaces}:
            chosen = [loaded for loaded, spaces in again if space in spaces]
            vectors = self._encoded(space, "image", [each.picture for each in chosen])
            self._fills[space] += zip([item_id(each.sha256) for each in chosen], vectors, strict=True)

    def _keep(self, item: Item, name: str) -> None:
        if all(bool(np.isfinite(vector).all()) for vector in item.vectors.values()):
            self._rows.append(item)
        else:
            self.failed[name] = _NOT_FINITE.format(name)

    def _picture_item(self, loaded: Loaded, vectors: Mapping[str, Vectors]) -> Item:
        source, (width, height) = loaded.source, loaded.size
        return Item(
            id=item_id(loaded.sha256),
            kind="image",
            source=source.name,
            caption=source.caption,
            pair=pair_of(source.caption),
            sha256=loaded.sha256,
            width=width,
            height=height,
            thumbnail=loaded.thumbnail,
            extras=source.extras,
            vectors=vectors,
        )

    def _spaces(self, kind: Kind) -> list[str]:
        return [name for name, home in self._homes.items() if encodes(home, kind)]

    def _zipped(self, kind: Kind, sources: Sequence[Any], things: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        """Each source with the vectors of its picture or text, in every space that encodes its kind."""
        encoded = {name: self._encoded(name, kind, things) for name in self._spaces(kind)} if things else {}
        for row, source in enumerate(sources):
            yield source, {name: vectors[row] for name, vectors in encoded.items()}

    def _encoded(self, name: str, kind: Kind, things: Sequence[Any]) -> Vectors:
        parts = []
        for start in range(0, len(things), self._batch):
            vectors, self._shapes[name] = encode(self._homes[name], kind, things[start : start + self._batch])
            parts.append(vectors)
        return np.concatenate(parts)


def pair_of(caption: str | None) -> str | None:
    """The id of the item that a caption is."""
    return None if caption is None else item_id(content_hash(caption))


def _text_item(text: _Text, vectors: Mapping[str, Vectors]) -> Item:
    sha256 = content_hash(text.text)
    return Item(item_id(sha256), "text", text.origin, text.text, text.pair, sha256, extras=text.extras, vectors=vectors)
