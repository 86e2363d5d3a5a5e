"""The context that all pages and routes share: settings, workspace, jobs, pictures and selections."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.collection.safe_decoding import PictureWorkers

from .folders import temporary_folder
from .jobs import Jobs, open_jobs
from .security import present_session
from .settings import Settings
from .workspace import Workspace, png

if TYPE_CHECKING:
    from thoughtspace.explorer.records.images import Images

    from ..map.shown import MapView


class Shared(StrEnum):
    """Stores of the shell through which one page sends data to another; each holds JSON."""

    LOCATION = "shared-location"
    STOPS = "shared-stops"
    """`list[str]`: the stops of the walk, expressions in order. The Map page appends; the Walk page edits them."""
    EXPRESSION = "shared-expression"
    """`str`: an expression for the Arithmetic page."""
    SCHEME = "shared-scheme"
    """`"light"` or `"dark"`: the present colour scheme, for figures."""


class Pictures:
    """Files for the browser by opaque id. The newest are kept, as long as the server runs.

    Args:
        limit: number of files that are kept.
    """

    def __init__(self, limit: int = 600) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, tuple[bytes, str, str]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, data: bytes, *, mimetype: str = "image/png", name: str = "thoughtspace.png") -> str:
        """Keep a file and return its address; `name` is the file name of a download."""
        key = secrets.token_urlsafe(12)
        with self._lock:
            self._kept[key] = (data, mimetype, name)
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        return f"/data/picture/{key}"

    def get(self, key: str) -> tuple[bytes, str, str] | None:
        """Bytes, type and name of a file, or `None` when it is not kept."""
        with self._lock:
            return self._kept.get(key)


class Selections:
    """Selected rows of the map by opaque id; the newest are kept."""

    def __init__(self, limit: int = 32) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, NDArray[np.int64]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, rows: NDArray[np.int64]) -> str:
        """Keep rows of the map and return their id."""
        key = secrets.token_urlsafe(12)
        with self._lock:
            self._kept[key] = rows
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        return key

    def get(self, key: str) -> NDArray[np.int64] | None:
        """The rows of an id, or `None` when they are not kept."""
        with self._lock:
            return self._kept.get(key)


@dataclass(frozen=True)
class Context:
    """Everything that belongs to one dashboard.

    Attributes:
        settings: what is shown and where; fixed at the start.
        workspace: `.explorer`, `.collection`, `.points(expression)`, `.decode(points)`, `.nearest(point)`: quick work,
            done in the server's own process while long work runs in the worker's.
        jobs: long work, see `jobs.py`.
        pictures: decoded pictures by address.
        selections: rows that were selected on the map.
        view: the map that is shown.
        decoder: opens uploaded pictures in a process that can be killed.
        folder: uploads and results; removed at the end.
    """

    settings: Settings
    workspace: Workspace
    jobs: Jobs
    pictures: Pictures
    selections: Selections
    view: MapView
    decoder: PictureWorkers
    folder: Path

    def show(self, images: Images) -> list[str]:
        """Keep decoded pictures as PNG files with their records; their addresses."""
        return [self.pictures.add(png(images, row)) for row in range(len(images))]

    def close(self) -> None:
        """Stop the worker and remove the files kept for the browser."""
        self.jobs.close()
        self.decoder.__exit__()
        shutil.rmtree(self.folder, ignore_errors=True)


def open_context(settings: Settings) -> Context:
    """Open the collection and its map; the model is opened when it is first needed, or by `workspace.warm()`.

    Raises:
        CollectionError: the folder has no collection.
        MapError: the collection has no map, or no map of that name.
    """
    from ..map.shown import MapView

    folder = temporary_folder()
    uploads = folder / "uploads"
    half = min(4, max(1, (os.cpu_count() or 2) // 2))  # the worker renders on the others
    try:
        workspace = Workspace(Path(settings.collection), settings.model, uploads=uploads, threads=half)
        view = MapView(workspace, settings.map)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    worker = {"collection": str(workspace.collection.path), "model": workspace.model_name, "uploads": str(uploads)}
    jobs = open_jobs(worker, folder=folder / "jobs", owner=present_session)
    return Context(settings, workspace, jobs, Pictures(), Selections(), view, PictureWorkers(1), folder)
