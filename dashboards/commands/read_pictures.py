"""Pictures with their captions for commands that measure: of a folder, an archive or a collection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..arguments import UsageError


@dataclass(frozen=True)
class Read:
    """Opened pictures.

    Attributes:
        pictures: of PIL.
        captions: of each its caption, or None.
        failed: `{source, reason}` of those that cannot be read.
    """

    pictures: list[Any]
    captions: list[str | None]
    failed: list[dict[str, str]]


def read_pictures(source: str, most: int) -> Read:
    """Open at most `most` pictures, evenly spread over those that there are.

    Raises:
        UsageError: none that can be read.
        CollectionError: a source that does not exist.
    """
    from thoughtspace.explorer.errors import PictureError
    from thoughtspace.explorer.records.pictures import open_picture

    named = dict(_named(source))
    read = Read([], [], [])
    paths, n = list(named), min(most, len(named))
    for path in (paths[row * len(paths) // n] for row in range(n)):
        try:
            read.pictures.append(open_picture(path))
            read.captions.append(named[path])
        except PictureError as error:
            read.failed.append({"source": path, "reason": str(error)})
    if not read.pictures:
        why = f"; {read.failed[0]['reason']}" if read.failed else ""
        message = f"Got {source}, which has no pictures that can be read, expected some to measure on{why}"
        raise UsageError(message, code="no pictures")
    return read


def _named(source: str) -> Iterator[tuple[str, str | None]]:
    from thoughtspace.explorer.collection.reading.names import real
    from thoughtspace.explorer.collection.reading.tree import is_collection
    from thoughtspace.explorer.collection.sources import scan

    if is_collection(source):
        from thoughtspace.explorer import Collection

        for item in Collection.open(source).items("image").to_dict("records"):
            yield real(str(item["source"])), item["caption"] if isinstance(item["caption"], str) else None
        return
    for each in scan(source):
        if each.path is not None and each.problem is None:
            yield str(each.path), each.caption
