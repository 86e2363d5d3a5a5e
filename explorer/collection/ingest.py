"""Ingest: a folder of pictures and their captions into a collection, in commits that nothing can tear."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CollectionError, PictureError
from ..records.pictures import decode_picture, printable, read_bytes, thumbnail
from .batches import Batches
from .captions import Source
from .encoding import kept_as, space_of
from .items import content_hash, item_id
from .prefetch import ahead
from .sources import scan
from .store import CARD, Collection

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..explorer import Explorer

Progress = Callable[..., Iterable[Any]]

AHEAD_PIXELS = 64e6
"""Decoded pixels that may wait for the encoder: about 200 MB."""

LARGE_SIDE = 1024
"""Pictures of a shorter side at least twice this are averaged down before they wait; encoders see far less."""


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did.

    Attributes:
        items: in the collection now.
        added: items that are new, pictures and texts.
        updated: items that were there and got a caption or vectors they lacked.
        skipped: sources whose content was there already.
        failed: `{source, reason}` of each that could not be read.
    """

    items: int
    added: int
    updated: int
    skipped: int
    failed: list[dict[str, str]]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Loaded:
    """A source that was read: its content's hash, and its picture if the collection needs it."""

    source: Source
    sha256: str = ""
    picture: Image | None = None
    size: tuple[int, int] = (0, 0)
    thumbnail: bytes | None = None
    problem: str | None = None


def ingest(
    explorer: Explorer,
    source: str | os.PathLike[str],
    collection: Collection | str | os.PathLike[str],
    *,
    captions: str | os.PathLike[str] | None = None,
    spaces: Sequence[str] = ("joint",),
    batch: int = 64,
    isolated: bool = False,
    progress: Progress | None = None,
) -> IngestReport:
    """Encode what `source` holds into a collection, which is made if there is none.

    What is there already is known by its content and skipped, so that a run that was stopped, or killed, is resumed by
    running it again; at most the last thousand items are encoded twice. Captions become items of their own, each text
    once. Sources that cannot be read are listed and skipped. Stopped by `progress` or an error, it keeps what is
    encoded.

    Args:
        source: a folder, a picture, a table or a text file: see `sources.scan`.
        captions: a table of files and captions, or a text file of further prompts.
        spaces: where to encode; those the collection holds already are always added.
        batch: pictures to the encoder at once.
        isolated: decode in processes that can be killed, for pictures from strangers.
        progress: `progress(iterable, total=, desc=)`.

    Raises:
        CollectionError: nothing to read, nothing readable, another model's collection, another writer, a full disk.
        SpaceError: a space that the model lacks or that encodes nothing.
        Cancelled: `progress` raised it.
    """
    if batch < 1:
        raise CollectionError(f"Got batch {batch}, expected at least 1; 64 suits most machines.")
    homes = {kept_as(name): space_of(explorer, kept_as(name)) for name in spaces}
    if isinstance(collection, Collection) or os.path.exists(os.path.join(collection, CARD)):
        collection = collection if isinstance(collection, Collection) else Collection.open(collection)
        collection.require_model(explorer.model.name, explorer.model.hash)
        homes |= {name: space_of(explorer, name) for name in collection.spaces}
    sources = list(scan(source, captions))
    if not isinstance(collection, Collection):
        collection = Collection.create(collection, explorer.model.name, explorer.model.hash)
    with collection.writer() as writer:
        work = Batches(collection, writer, homes, batch=batch)
        work.fill_texts()
        try:
            _run(work, sources, batch=batch, isolated=isolated, progress=progress)
        except CollectionError:
            raise  # it could not be written: no more could be now
        except BaseException:
            work.commit()
            raise
        work.finish()
    if not len(collection):
        raise _nothing_read(source, work.failed)
    return IngestReport(len(collection), work.added, work.updated, work.skipped, _listed(work, sources))


def _run(work: Batches, sources: list[Source], *, batch: int, isolated: bool, progress: Progress | None) -> None:
    workers = min(8, os.cpu_count() or 1)
    with _decoder(workers, isolated) as decode:
        results = ahead(
            lambda source: load(source, decode, work.needs),
            sources,
            workers=workers,
            window=2 * batch,
            budget=AHEAD_PIXELS,
            size=lambda loaded: loaded.picture.width * loaded.picture.height if loaded.picture else 1,
        )
        with closing(results):
            for loaded in progress(results, total=len(sources), desc="encoding") if progress else results:
                work.add(loaded)


def load(source: Source, decode: Callable[[bytes, str], Image], needs: Callable[[str], bool]) -> Loaded:
    """Read a source; its picture is decoded only if the collection `needs` the content of that id."""
    if source.problem is not None or source.path is None:
        return Loaded(source, content_hash(source.caption or ""), problem=source.problem)
    try:
        data = read_bytes(source.path)
        sha256 = content_hash(data)
        if not needs(item_id(sha256)):
            return Loaded(source, sha256)
        picture = decode(data, source.path.name)
    except PictureError as error:
        return Loaded(source, problem=str(error))
    factor = min(picture.size) // LARGE_SIDE
    small = picture.reduce(factor) if factor > 1 else picture
    return Loaded(source, sha256, small, picture.size, thumbnail(small))


def _decoder(workers: int, isolated: bool) -> AbstractContextManager[Callable[[bytes, str], Image]]:
    if not isolated:
        return nullcontext(lambda data, name: decode_picture(data, name=name))
    from .safe_decoding import PictureWorkers

    return PictureWorkers(workers)


def _listed(work: Batches, sources: list[Source]) -> list[dict[str, str]]:
    names = dict.fromkeys(source.name for source in sources)
    return [{"source": name, "reason": work.failed[name]} for name in names if name in work.failed]


def _nothing_read(source: str | os.PathLike[str], failed: dict[str, str]) -> CollectionError:
    reason = next(iter(failed.values()), "nothing was there")
    return CollectionError(
        f"Got {printable(str(Path(source)))}, in which nothing can be read ({len(failed)} failed, such as: "
        f"{reason.rstrip('.')}), expected at least one picture or prompt; mend or replace them."
    )
