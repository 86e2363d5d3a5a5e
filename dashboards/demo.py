"""The demo: pictures of the pocket world with captions and factors, encoded, mapped and ready to be shown."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thoughtspace.explorer.errors import CollectionError
from thoughtspace.explorer.records.atomic import replacing

from .console import Console

if TYPE_CHECKING:
    from thoughtspace.analysis import FitProcess
    from thoughtspace.explorer import Collection

SIZE = 128
SPLIT = "demo"
MAP = "joint-umap"
DESCRIPTION = "demo.json"
CHUNK = 50
"""Pictures that one process draws in one call."""

Row = dict[str, str]


@dataclass(frozen=True)
class Demo:
    """The demo that was built.

    Attributes:
        collection: its folder.
        items: pictures and captions in it.
        map: name of its map.
        quality: scores of the map.
        seconds: time of each part; empty for parts that existed already.
    """

    collection: Path
    items: int
    map: str
    quality: dict[str, Any]
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self) | {"collection": str(self.collection)}

    def text(self) -> str:
        """For a person."""
        took = ", ".join(f"{name} {value:.1f} s" for name, value in self.seconds.items()) or "it existed already"
        return f"{self.collection}: {self.items} items on map {self.map!r} ({took})"


def build(out: Path, *, items: int, model: str, console: Console) -> Demo:
    """Build the demo in a folder, or the parts of it that are missing there.

    A demo with another number of pictures, of another model or of another world is replaced; any other is refused.

    Args:
        items: number of pictures; their captions are items of the collection too.
        model: name or folder of the model.

    Raises:
        CollectionError: the folder holds other files or the collection of another model, or cannot be written.
        ModelError: the model cannot be opened.
    """
    from thoughtspace.analysis import FitProcess
    from thoughtspace.explorer import Collection, Explorer
    from thoughtspace.explorer.collection.tables import writing

    wanted = _description(items, model)
    folder = Path(os.path.abspath(out))
    with writing(folder):
        _claim(folder, wanted)
    where, seconds = folder / "collection", dict[str, float]()
    done = folder / "done"
    if not done.exists():
        with FitProcess() as process:  # compiles the map's code while pictures are drawn and encoded
            _draw(folder / "pictures", items, console, seconds)
            collection = _encode(folder / "pictures", where, model, console, seconds)
            _map(collection, process, console, seconds)
        done.touch()
    collection = Collection.open(where)
    collection.require_model(model, wanted["model"])
    if MAP not in collection.maps():
        with FitProcess() as process:
            _map(collection.bound(Explorer.open(model)), process, console, seconds)
    saved = collection.load_map(MAP)
    return Demo(where, len(collection), saved.name, dict(saved.quality), seconds)


def _description(items: int, model: str) -> dict[str, Any]:
    """The facts that two equal demos share: number and size of pictures, the world, the model."""
    from thoughtspace.explorer.models.find.sources import source

    return {"items": items, "size": SIZE, "world": _world(), "model": source(model).parts.fingerprint()}


def _world() -> str:
    """Hash of the code that draws and describes the pictures."""
    from thoughtspace.datasets import world

    total = hashlib.sha256()
    for file in sorted(Path(world.__file__).parent.glob("*.py")):
        total.update(file.read_bytes())
    return total.hexdigest()


def _claim(folder: Path, wanted: dict[str, Any]) -> None:
    """Prepare the folder; a different demo in it is deleted.

    Raises:
        CollectionError: the folder holds other files.
    """
    path = folder / DESCRIPTION
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError):
        found = {}
    if found == wanted:
        return
    if found is None and folder.exists() and any(folder.iterdir()):
        message = f"Got {str(folder)!r}, which holds other files; choose a new or empty folder with --out."
        raise CollectionError(message, code="other files")
    for old in (folder / "done", folder / "collection", folder / "pictures"):
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside:
        beside.write_text(json.dumps(wanted, indent=1), encoding="utf-8")


def _draw(folder: Path, items: int, console: Console, seconds: dict[str, float]) -> None:
    """Draw the pictures with all processors, then write their table; where the table exists, so do all pictures."""
    table = folder / "captions.csv"
    if table.exists():
        return
    folder.mkdir(exist_ok=True)
    starts = range(0, items, CHUNK)
    # New processes: a fork of one with threads may hang.
    context = get_context("spawn")
    with _timed("pictures", seconds), ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        rows: list[Row] = []
        jobs = [pool.submit(draw_chunk, str(folder), start, min(CHUNK, items - start)) for start in starts]
        try:
            for job in console.progress(as_completed(jobs), total=len(jobs), desc="drawing"):
                rows.extend(job.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    _write_table(table, sorted(rows, key=lambda row: row["file"]))


def draw_chunk(folder: str, start: int, n: int) -> list[Row]:
    """Draw some scenes into a folder and return their rows of the table; runs in a process of the pool."""
    import numpy as np

    from thoughtspace.datasets import world
    from thoughtspace.datasets.captions import caption

    rows = []
    for index, scene in enumerate(world.sample(n, SPLIT, start=start), start=start):
        name = f"{index:06d}.png"
        with replacing(Path(folder, name)) as beside:
            world.render(scene, SIZE).save(beside, "PNG", compress_level=1)
        words = caption(scene, np.random.default_rng(scene.seed))
        rows.append({"file": name, "caption": words.text, "world": scene.kind, **scene.factors})
    return rows


def _write_table(path: Path, rows: list[Row]) -> None:
    from thoughtspace.datasets.world import HEADS

    columns = ["file", "caption", "world", *dict.fromkeys(factor.name for _, factor in HEADS)]
    with replacing(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def _encode(pictures: Path, where: Path, model: str, console: Console, seconds: dict[str, float]) -> Collection:
    from thoughtspace.explorer import Collection, Explorer, ingest

    with _timed("encoding", seconds):
        explorer = Explorer.open(model)
        ingest(explorer, pictures, where, progress=console.progress)
        return Collection.open(where, explorer)


def _map(collection: Collection, process: FitProcess, console: Console, seconds: dict[str, float]) -> None:
    from thoughtspace.analysis import CollectionMap

    with _timed("map", seconds):
        CollectionMap.fit(collection, name=MAP, project=process.fit, progress=console.progress)


@contextmanager
def _timed(what: str, seconds: dict[str, float]) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[what] = time.monotonic() - started
