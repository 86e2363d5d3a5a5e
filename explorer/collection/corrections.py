"""Corrections: captions and columns that have changed since their items were stored, and texts that are gone."""

from __future__ import annotations

import json
from collections.abc import Collection as Ids
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..records.archives import exists
from .items import Item, content_hash, item_id
from .reading.names import real
from .reading.rows import IN_MEMORY
from .source import Source


@dataclass
class _Met:
    """What the sources of a run say of one stored item."""

    captions: dict[str, None] = field(default_factory=dict)
    sources: set[str] = field(default_factory=set)
    extras: dict[str, Any] = field(default_factory=dict)
    empty: set[str] = field(default_factory=set)
    origins: dict[str, None] = field(default_factory=dict)


class Corrections:
    """Compares the sources of a run with the items that were there before it.

    A caption is corrected if no source of its picture has it any more, and the file that it came from was read again,
    or its picture was met under the same name, or where it came from is gone. If its picture has none now, the caption
    is taken away if its file was read again, and kept if that is gone or was not read. A caption's text item is removed
    if no source and no picture has it any more; prompts of their own stay. Items whose file is gone and whose content
    was met elsewhere get the new place.

    All data frames count as one place, and so do all arrays. None is ever read whole: what an earlier one had and this
    one lacks stays.

    Args:
        stored: the items before the run, by id; see `StoredItems.stored`.
        read: the paths of the tables and texts that were read whole in this run.
    """

    def __init__(self, stored: Mapping[str, Mapping[str, Any]], read: Ids[str]) -> None:
        self._stored, self._read = stored, {path for path in read if path not in IN_MEMORY}
        self._met: dict[str, _Met] = {}
        self._said: set[str] = set()
        self._origins: dict[str, str] = {}
        self._unsure: set[str] = set()  # texts of rows with problems: perhaps their picture was meant
        self._prompts: dict[str, Source] = {}

    def meet(self, source: Source, picture: str | None) -> None:
        """Note a source: a picture with this id, or a prompt; or one that cannot be read, whose caption is kept."""
        text = item_id(content_hash(source.caption)) if source.caption else None
        if text is not None:
            self._said.add(text)
            self._origins.setdefault(text, source.origin)
            if source.problem is not None:
                self._unsure.add(text)
        item = picture if source.is_picture else text
        if source.problem is not None or item is None:
            return
        if item not in self._stored:
            if not source.is_picture:
                self._prompts.setdefault(item, source)
            return
        met = self._met.setdefault(item, _Met())
        met.sources.add(source.name)
        if source.is_picture and source.caption:
            met.captions[source.caption] = None
        for name, value in source.extras.items():
            met.extras.setdefault(name, value)
        met.empty |= source.empty
        if not source.is_picture:
            met.origins[source.origin] = None

    def corrected(self) -> list[Item]:
        """The stored items whose caption, columns or place have changed, as they should be."""
        changed = (self._corrected(item, met) for item, met in self._met.items())
        found = [item for item in changed if item is not None]
        known = {item.id for item in found}
        return found + [self._moved(id) for id in self._origins if id not in known and self._is_elsewhere(id)]

    def kept(self, removed: Ids[str]) -> int:
        """The number of captions and prompts that stay although where they came from does not have them any more."""

        def lost(id: str, source: str, pair: str | None) -> bool:
            return file_of(source) in self._read or (pair in self._met and self._is_gone(source))

        texts = ((id, each) for id, each in self._stored.items() if each["kind"] == "text" and id not in self._said)
        return sum(lost(id, each["source"], each["pair"]) for id, each in texts if id not in removed)

    def own_prompts(self, now: Mapping[str, Mapping[str, Any]]) -> list[Item]:
        """Texts that came in this run as the caption of a picture, and as prompts of their own after that.

        Args:
            now: the items after the run.
        """
        found = ((id, source, now[id]) for id, source in self._prompts.items() if id in now)
        return [
            Item(id, "text", source.origin, each["caption"], each["pair"], "", extras=source.extras)
            for id, source, each in found
            if each["pair"] is not None and each["source"] != source.origin
        ]

    def gone(self, corrected: Sequence[Item]) -> list[str]:
        """The captions that nothing has any more, after these corrections."""
        now = {item.id: item.pair for item in corrected}
        used = {now.get(id, each["pair"]) for id, each in self._stored.items() if each["kind"] == "image"}
        left = {self._stored[item.id]["pair"] for item in corrected}
        return [
            id
            for id, each in self._stored.items()
            if each["kind"] == "text"
            and each["pair"] is not None
            and id not in self._said
            and id not in used
            and (file_of(each["source"]) in self._read or (id in left and self._is_past(each["source"])))
        ]

    def _corrected(self, id: str, met: _Met) -> Item | None:
        stored = self._stored[id]
        before = json.loads(stored["extras"]) if stored["extras"] else {}
        framed = is_in_memory(stored["source"]) and any(map(is_in_memory, met.sources))
        same = stored["source"] in met.sources or framed or self._is_gone(stored["source"])
        if stored["kind"] == "text":
            return self._corrected_text(id, met, before)
        caption, pair = stored["caption"], stored["pair"]
        if caption is None and met.captions:
            return None  # its first caption comes with its columns, see Writer.set_captions
        if caption and caption not in met.captions:
            origin = self._stored[pair]["source"] if pair in self._stored else ""
            again = file_of(origin) in self._read and (bool(met.captions) or pair not in self._unsure)
            if again or (met.captions and (same or self._is_gone(origin))):
                caption = next(iter(met.captions), None)
                pair = None if caption is None else item_id(content_hash(caption))
        extras = _merged(before, met) if same else before
        source = min(met.sources) if same and stored["source"] not in met.sources else stored["source"]
        if (caption, extras, source) == (stored["caption"], before, stored["source"]):
            return None
        return Item(id, "image", source, caption, pair, "", extras=extras)

    def _corrected_text(self, id: str, met: _Met, before: Mapping[str, Any]) -> Item | None:
        """A prompt of its own: what was the caption of a picture is one from now on, which its source says."""
        stored = self._stored[id]
        origin = next(iter(met.origins))
        own = stored["pair"] is None or stored["source"] in met.origins
        mine = own and file_of(stored["source"]) == file_of(origin)
        extras = _merged(before, met) if mine or not own else dict(before)
        source = stored["source"] if own else origin
        if (source, extras) == (stored["source"], before):
            return None
        return Item(id, "text", source, stored["caption"], stored["pair"], "", extras=extras)

    def _is_elsewhere(self, id: str) -> bool:
        """Whether a stored caption was met, and where it came from is gone."""
        stored = self._stored.get(id)
        return stored is not None and stored["pair"] is not None and self._is_gone(stored["source"])

    def _moved(self, id: str) -> Item:
        """A stored caption, with the place where it was met."""
        stored = self._stored[id]
        extras = json.loads(stored["extras"]) if stored["extras"] else {}
        return Item(id, "text", self._origins[id], stored["caption"], stored["pair"], "", extras=extras)

    @staticmethod
    def _is_gone(origin: str) -> bool:
        if is_in_memory(origin):
            return False  # another file with the same picture is not a new place of it
        return not exists(real(origin)) and not exists(real(file_of(origin)))

    @classmethod
    def _is_past(cls, origin: str) -> bool:
        """Whether nothing can say again what was found there."""
        return is_in_memory(origin) or cls._is_gone(origin)


def file_of(origin: str) -> str:
    """The file of an origin `file` or `file:line`."""
    file, _, line = origin.rpartition(":")
    return file if file and line.isdecimal() else origin


def is_in_memory(origin: str) -> bool:
    """Whether an origin is a row of a data frame or of an array."""
    return file_of(origin) in IN_MEMORY


def _merged(before: Mapping[str, Any], met: _Met) -> dict[str, Any]:
    """The extras with those that were met in place of earlier ones, and without those that are empty now."""
    kept = {name: value for name, value in before.items() if name not in met.empty or name in met.extras}
    return {**kept, **met.extras}
