"""Read sources (bytes, hashes, pictures) in threads that run ahead of the encoder."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from PIL.Image import Image

from ..errors import PictureError
from ..records.pictures import decode_picture, read_bytes, thumbnail
from .inside import with_settings
from .items import content_hash, item_id
from .safe_decoding import PictureWorkers
from .source import Source

AHEAD_PIXELS = 64e6
"""Most decoded pixels that wait for the encoder: about 200 MB."""

LARGE_SIDE = 1024
"""Pictures whose shorter side is at least twice this are averaged down before they wait; encoders need far less."""


@dataclass(frozen=True)
class Loaded:
    """A source that was read.

    Attributes:
        source: the source.
        sha256: of the file's bytes, or of the text.
        picture: the picture, if the collection needs it.
        size: width and height of the upright picture, before it was averaged down.
        thumbnail: a JPEG of the picture.
        problem: why the source could not be read.
    """

    source: Source
    sha256: str = ""
    picture: Image | None = None
    size: tuple[int, int] = (0, 0)
    thumbnail: bytes | None = None
    problem: str | None = None

    @property
    def pixels(self) -> int:
        """Pixels of the picture in memory; 0 without one."""
        return self.picture.width * self.picture.height if self.picture is not None else 0


def load_all(
    sources: Sequence[Source], needs: Callable[[str], bool], *, window: int, isolated: bool
) -> Generator[Loaded, None, None]:
    """`load` every source, in order, in threads that run ahead of the consumer.

    If pictures are large, only as many wait as fit in `AHEAD_PIXELS` at the size of the largest so far, but never fewer
    than there are threads.

    Args:
        needs: whether the collection needs the picture with this id.
        window: the most sources that are being read or waiting.
        isolated: decode in processes that can be killed.
    """
    workers = min(8, os.cpu_count() or 1)
    waiting: deque[Future[Loaded]] = deque()
    most, largest = max(workers, min(window, 2 * workers)), 1  # few until the size of the first is known
    pool = ThreadPoolExecutor(workers, thread_name_prefix="readahead")
    decoder: AbstractContextManager[Callable[[bytes, str], Image]]
    decoder = PictureWorkers(workers) if isolated else nullcontext(decode_picture)
    with decoder as decode:
        try:
            for source in sources:
                waiting.append(pool.submit(load, source, decode, needs))
                if len(waiting) >= most:
                    loaded = waiting.popleft().result()
                    largest = max(largest, loaded.pixels)
                    most = max(workers, min(window, int(AHEAD_PIXELS / largest)))
                    yield loaded
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def load(source: Source, decode: Callable[[bytes, str], Image], needs: Callable[[str], bool]) -> Loaded:
    """Read a source; its picture is decoded only if the collection `needs` the item with its id."""
    if source.problem is not None or not source.is_picture:
        return Loaded(source, content_hash(source.caption or ""), problem=source.problem or _unusable(source))
    if (problem := _unusable(source)) or not source.has_file:
        return Loaded(source, _vector_hash(source), problem=problem)
    try:
        data = bytes_of(source)
        source, sha256 = with_settings(source, data), content_hash(data)
        if not needs(item_id(sha256)):
            return Loaded(source, sha256)
        picture = decode(data, os.path.basename(source.name))
    except PictureError as error:
        return Loaded(source, problem=str(error))
    factor = min(picture.size) // LARGE_SIDE
    small = picture.reduce(factor) if factor > 1 else picture
    return Loaded(source, sha256, small, picture.size, thumbnail(small))


def bytes_of(source: Source) -> bytes:
    """The bytes of the picture of a source, or a PictureError."""
    return source.inside.read() if source.inside is not None else read_bytes(str(source.path))


def _unusable(source: Source) -> str | None:
    """Why a vector of a source cannot be used; None if it can, or if there is none."""
    for vector in source.vectors.values():
        if not np.isfinite(vector).all() or not np.any(vector):
            return f"Got {source.name} with a vector that is not finite or all zero; leave it out."
    return None


def _vector_hash(source: Source) -> str:
    """A hash of a picture of which there is only the vector. Equal vectors in several rows are several pictures."""
    row = source.origin.rpartition(":")[2]
    return hashlib.sha256(source.vectors["image"].tobytes() + row.encode()).hexdigest()
