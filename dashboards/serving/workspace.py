"""A workspace: one model and one collection, opened once, and the work that pages do with them."""

from __future__ import annotations

import re
import secrets
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thoughtspace.explorer.errors import PictureError
from thoughtspace.explorer.options import Decoding

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

    from thoughtspace.explorer.collection.store import Collection
    from thoughtspace.explorer.explorer import Explorer
    from thoughtspace.explorer.options import Gap
    from thoughtspace.explorer.points import Points
    from thoughtspace.explorer.progress import Progress
    from thoughtspace.explorer.records.images import Images

_UPLOAD = re.compile(r"[A-Za-z0-9_-]{8,32}")
_UPLOAD_SIDE = 1024  # pixels: no encoder here reads more

UPLOADS_KEPT = 200
"""Number of dropped pictures that are kept; older ones are deleted."""


class Workspace:
    """A model, its collection, and the pictures that were dropped onto the page.

    The server has one for clicks and the worker another for long tasks. All methods may be called from any thread.

    Args:
        folder: of the collection.
        model: its name or folder; by default the one recorded in the collection.
        uploads: folder of the dropped pictures, shared by the two processes.
        threads: threads that a decode uses, by default all. Two processes that each use all of them slow each other
            down, so the server uses a part.
    """

    def __init__(self, folder: Path, model: str | None = None, *, uploads: Path, threads: int | None = None) -> None:
        from thoughtspace.explorer.collection.store import Collection

        self.collection: Collection = Collection.open(folder)
        """Bound to the explorer when the model is opened; items and maps can be shown before."""
        self.model_name = model or self.collection.model_name
        self.uploads, self.threads = uploads, threads
        self.lock = threading.RLock()
        """Held while the model computes: two decodes at once would slow each other down."""
        self._uploaded: deque[str] = deque()
        self._uploading = threading.Lock()

    @cached_property
    def explorer(self) -> Explorer:
        """The model's spaces.

        Raises:
            ModelError: the model cannot be opened.
            CollectionError: another model wrote the collection.
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
        explorer = self.explorer  # opening it binds the collection
        return self.collection.bound(explorer)

    def thumbnail_url(self, item: str) -> str | None:
        """The address of an item's thumbnail; None for texts, and for pictures of which there is only the vector."""
        import pandas as pd

        width = self.collection.items()["width"].iloc[self.collection.row(item)]
        return None if pd.isna(width) else f"/data/thumbnail/{item}"

    def warm(self) -> None:
        """Open the model and decode one picture, so that the first click is as fast as later ones."""
        self.decode_or_find(self.points("a"))

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Hold the model and compute with the threads of this workspace."""
        import torch

        from thoughtspace.explorer.spaces.records import threads

        with self.lock, threads(self.threads or torch.get_num_threads()):
            yield

    def points(self, expressions: str | Sequence[str], space: str = "joint", *, gap: Gap | None = None) -> Points:
        """One point per expression. `item("id")` and `dir("name")` are the collection's, `img("id")` a dropped picture.

        Args:
            gap: how texts enter the joint space, by default the model's way.

        Raises:
            ExpressionError, SpaceError, PictureError, CollectionError: an expression cannot be read or encoded.
        """
        from thoughtspace.explorer.language.evaluate import evaluate, parse
        from thoughtspace.explorer.points import Points
        from thoughtspace.explorer.spaces.of_a_model import Operands

        several = [expressions] if isinstance(expressions, str) else list(expressions)
        trees = [parse(each) for each in several]
        with self.computing():
            explorer = self.explorer if gap is None else self.explorer.with_gap(gap)
            operands = Operands(explorer.space(space), self.bound.lookup(space), files=self.upload)
            return Points.cat([evaluate(tree, operands) for tree in trees])

    def decode(self, points: Points, how: Decoding | None = None, *, progress: Progress | None = None) -> Images:
        """Decode points, one call at a time; see `DecodingSpace.render`."""
        with self.computing():
            return self.explorer.space(points.space.name).render(points, how or Decoding(), progress=progress)

    def decode_or_find(self, point: Points, *, steps: int | None = None) -> tuple[Images, str]:
        """The picture of one point, and a note how it was made.

        It is decoded with few-step weights where the model has some for the space. Where the model cannot decode the
        space, it is the nearest picture of the collection, and the note says so.

        Args:
            steps: most denoising steps where the model has no few-step weights.

        Raises:
            CollectionError: the model cannot decode, and the collection has no pictures.
        """
        space = self.explorer.space(point.space.name)
        if space.decodes:
            model = self.explorer.model
            few = model.generator.few_steps if "few_steps" in space.takes else None
            steps = min(steps or model.steps, model.steps) if few is None else few[0]
            return self.decode(point, Decoding(steps=steps, few_steps=few is not None)), f"seed 0, {steps} steps"
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
        """Items of the collection as points: all, or those of `ids`; these alone must be in the space.

        Raises:
            CollectionError: there is no such item, or it has no vector in the space.
        """
        with self.lock:
            if ids is not None:
                return self.bound.points_of(ids, space)
            return self.bound.points(space)

    def add_upload(self, picture: Image) -> str:
        """Keep a picture from the browser, re-encoded; returns the id that `img("id")` takes."""
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
            PictureError: no picture of that id is kept; a path is never an id.
        """
        path = self.uploads / f"{key}.png"
        if not _UPLOAD.fullmatch(key) or not path.is_file():
            raise PictureError(
                f'Got img("{key[:40]}"), expected the id of a picture that was dropped onto the map.',
                code="not dropped",
            )
        return path


def png(images: Images, row: int = 0) -> bytes:
    """A decoded picture as PNG with its record, from which `thoughtspace replay` makes it again."""
    from thoughtspace.explorer.records.provenance import stamp_png

    return stamp_png(images[row], images.provenances[row])
