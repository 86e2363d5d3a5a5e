"""A workspace: one model and one collection, opened once, and what pages ask of them."""

from __future__ import annotations

import io
import re
import secrets
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thoughtspace.explorer.errors import PictureError
from thoughtspace.explorer.options import Decoding

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

    from thoughtspace.explorer.collection.store import Collection
    from thoughtspace.explorer.explorer import Explorer
    from thoughtspace.explorer.points import Points
    from thoughtspace.explorer.progress import Progress
    from thoughtspace.explorer.records.images import Images

_UPLOAD = re.compile(r"[A-Za-z0-9_-]{8,32}")
_UPLOAD_SIDE = 1024  # pixels: no encoder here reads more

UPLOADS_KEPT = 200
"""Dropped pictures that stay; older ones are forgotten with their files."""


class Workspace:
    """A model, its collection, and the pictures that were dropped onto the page.

    The server holds one for clicks and the worker another for long tasks. All methods may be called from any thread.

    Args:
        folder: of the collection.
        model: its name or folder; by default the one that the collection names.
        uploads: where dropped pictures are kept, shared by the two processes.
        threads: processor threads a decode may use, by default all. A click is best served by a part of them: two
            processes that each take all wait for each other at every step.
    """

    def __init__(self, folder: Path, model: str | None = None, *, uploads: Path, threads: int | None = None) -> None:
        from thoughtspace.explorer.collection.store import Collection

        self.collection: Collection = Collection.open(folder)
        """Bound to the explorer once the model is open: items and maps are shown before."""
        self.model_name = model or self.collection.model_name
        self.uploads, self.threads = uploads, threads
        self.lock = threading.RLock()
        """Held while the model computes: two decodes at once would only slow each other down."""
        self._uploaded: deque[str] = deque()
        self._uploading = threading.Lock()

    @cached_property
    def explorer(self) -> Explorer:
        """The model's spaces.

        Raises:
            ModelError, CollectionError: the model cannot be opened, or it is not the one that wrote the collection.
        """
        from thoughtspace.explorer.explorer import Explorer

        with self.lock:
            if "explorer" in self.__dict__:  # another thread opened it while this one waited
                return self.__dict__["explorer"]
            explorer = Explorer.open(self.model_name)
            self.collection = self.collection.bound(explorer)
            self.__dict__["explorer"] = explorer
            return explorer

    @property
    def bound(self) -> Collection:
        """The collection with its model, which is opened if it is not yet."""
        explorer = self.explorer  # which binds the collection when it is opened
        return self.collection.bound(explorer)

    def warm(self) -> None:
        """Open the model and decode one picture, so that the first real one comes as fast as the others."""
        self.decode_or_find(self.points("a"))

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Hold the model, and compute with as many threads as this workspace may."""
        import torch

        from thoughtspace.explorer.spaces.records import threads

        with self.lock, threads(self.threads or torch.get_num_threads()):
            yield

    def points(self, expressions: str | Sequence[str], space: str = "joint") -> Points:
        """One point an expression. `item("id")` is the collection's; `img("id")` is a dropped picture, never a path.

        Raises:
            ExpressionError, SpaceError, PictureError, CollectionError: what cannot be read or encoded.
        """
        from thoughtspace.explorer.language.evaluate import evaluate, parse
        from thoughtspace.explorer.points import Points
        from thoughtspace.explorer.spaces.of_a_model import Operands

        several = [expressions] if isinstance(expressions, str) else list(expressions)
        trees = [parse(each) for each in several]
        with self.computing():
            items = partial(self._item, space)
            operands = Operands(self.explorer.space(space), items, files=self.upload)
            return Points.cat([evaluate(tree, operands) for tree in trees])

    def _item(self, space: str, key: str) -> Points:
        return self.item_points(space, [key])

    def decode(self, points: Points, how: Decoding | None = None, *, progress: Progress | None = None) -> Images:
        """Pictures of points, as `DecodingSpace.render` makes them, one call at a time."""
        with self.computing():
            return self.explorer.space(points.space.name).render(points, how or Decoding(), progress=progress)

    def decode_or_find(self, point: Points, *, steps: int | None = None) -> tuple[Images, str]:
        """The picture of one point and how it came about: decoded, or, where the model decodes no such vectors, found.

        Raises:
            CollectionError: a model without a decoder, and a collection without pictures.
        """
        space = self.explorer.space(point.space.name)
        if space.decodes:
            steps = min(steps or self.explorer.model.steps, self.explorer.model.steps)
            return self.decode(point, Decoding(steps=steps)), f"seed 0, {steps} steps"
        with self.computing():
            images = self.bound.retrieve(point)
        return (
            images,
            f"found, not made: the nearest picture, cosine {images.provenances[0].record['item']['score']:.2f}",
        )

    def nearest(self, point: Points, k: int = 12, kind: Any = None) -> pd.DataFrame:
        """The items nearest to one point; see `Collection.search`."""
        with self.computing():
            return self.bound.search(point, k, kind=kind)

    def item_points(self, space: str = "joint", ids: Sequence[str] | None = None) -> Points:
        """Items of the collection as points: all of them, or those of `ids`, when only these need be in the space.

        Raises:
            CollectionError: no item of such an id, or one that has no vector in the space.
        """
        with self.lock:
            if ids is not None:
                return self.bound.points_of(ids, space)
            return self.bound.points(space)

    def add_upload(self, picture: Image) -> str:
        """Keep a picture from the browser, re-encoded; the answer is the id by which `img("id")` names it."""
        small = picture.convert("RGB")
        small.thumbnail((_UPLOAD_SIDE, _UPLOAD_SIDE))
        key = secrets.token_urlsafe(9).replace("-", "_")
        self.uploads.mkdir(parents=True, exist_ok=True)
        small.save(self.uploads / f"{key}.png")
        with self._uploading:
            self._uploaded.append(key)
            while len(self._uploaded) > UPLOADS_KEPT:
                (self.uploads / f"{self._uploaded.popleft()}.png").unlink(missing_ok=True)
        return key

    def upload(self, key: str) -> Path:
        """The file of a dropped picture.

        Raises:
            PictureError: there is none of that id; a path is none.
        """
        path = self.uploads / f"{key}.png"
        if not _UPLOAD.fullmatch(key) or not path.is_file():
            raise PictureError(
                f'Got img("{key[:40]}"), expected the id of a picture dropped onto the map; drop it there first.'
            )
        return path


def png(images: Images, row: int = 0) -> bytes:
    """A decoded picture as PNG with its record inside, from which `thoughtspace replay` makes it again."""
    from thoughtspace.explorer.records.provenance import stamp_png

    return stamp_png(images[row], images.provenances[row])


def plain_png(image: Image) -> bytes:
    """Any picture as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
