"""What every page and route is given: the settings, the workspace, the jobs, and the pictures made so far."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.collection.safe_decoding import PictureWorkers

from .jobs import Jobs, open_jobs
from .settings import Settings
from .workspace import Workspace, png

if TYPE_CHECKING:
    from thoughtspace.explorer.records.images import Images

    from ..map.shown import MapView


class Shared(StrEnum):
    """Stores of the shell by which one page hands something to another; each holds JSON."""

    LOCATION = "shared-location"
    STOPS = "shared-stops"
    """`list[str]`: the stops of the walk, as expressions in order. Map appends; Walk shows them and edits them."""
    EXPRESSION = "shared-expression"
    """`str`: an expression handed to Arithmetic."""
    SCHEME = "shared-scheme"
    """`"light"` or `"dark"`: the colour scheme on screen, for figures."""


class Pictures:
    """Files for the browser by opaque id, the newest few hundred; they live as long as the server.

    Args:
        limit: how many are kept.
    """

    def __init__(self, limit: int = 600) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, tuple[bytes, str, str]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, data: bytes, *, mimetype: str = "image/png", name: str = "thoughtspace.png") -> str:
        """Keep a file and answer its address; `name` is what a browser saves it under."""
        key = secrets.token_urlsafe(12)
        with self._lock:
            self._kept[key] = (data, mimetype, name)
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        return f"/data/picture/{key}"

    def get(self, key: str) -> tuple[bytes, str, str] | None:
        """Bytes, type and name of a file, `None` when it is not (or no longer) kept."""
        with self._lock:
            return self._kept.get(key)


class Selections:
    """The rows that were drawn around, the newest few, by opaque id."""

    def __init__(self, limit: int = 32) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, NDArray[np.int64]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, rows: NDArray[np.int64]) -> str:
        """Keep rows of the map and answer their id."""
        key = secrets.token_urlsafe(12)
        with self._lock:
            self._kept[key] = rows
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        return key

    def get(self, key: str) -> NDArray[np.int64] | None:
        """The rows of an id, `None` when they are not (or no longer) kept."""
        with self._lock:
            return self._kept.get(key)


@dataclass(frozen=True)
class Context:
    """One dashboard's things.

    Attributes:
        settings: fixed at start.
        workspace: `.explorer`, `.collection`, `.points(expression)`, `.decode(points)`, `.nearest(point)`: quick work,
            done in the server's own process while long work runs in the worker's.
        jobs: long work, see `jobs.py`.
        pictures: where decoded pictures get their addresses.
        selections: what was drawn around on the map.
        view: the map that is shown.
        decoder: opens pictures from strangers, in a process that can be killed.
        folder: for uploads and results, removed at the end.
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
        """Addresses of decoded pictures, as PNG files that carry their records."""
        return [self.pictures.add(png(images, row)) for row in range(len(images))]

    def close(self) -> None:
        """End the worker and remove what was kept for the browser."""
        self.jobs.close()
        self.decoder.__exit__()
        shutil.rmtree(self.folder, ignore_errors=True)


def open_context(settings: Settings) -> Context:
    """Open the collection and its map; the model is opened when it is first needed, or by `workspace.warm()`.

    Raises:
        CollectionError, MapError: there is none of them.
    """
    from ..map.shown import MapView

    folder = Path(tempfile.mkdtemp(prefix="thoughtspace-"))
    uploads = folder / "uploads"
    half = min(4, max(1, (os.cpu_count() or 2) // 2))  # the worker keeps rendering on the others
    try:
        workspace = Workspace(Path(settings.collection), settings.model, uploads=uploads, threads=half)
        view = MapView(workspace, settings.map)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    worker = {"collection": str(workspace.collection.path), "model": workspace.model_name, "uploads": str(uploads)}
    jobs = open_jobs(worker, folder=folder / "jobs")
    return Context(settings, workspace, jobs, Pictures(), Selections(), view, PictureWorkers(1), folder)
