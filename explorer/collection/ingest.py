"""Ingest: encode pictures and captions into a collection, in commits that are kept whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from ..checks import whole
from ..errors import CollectionError, MapError
from ..progress import Progress
from .batches import Batches
from .checked import check_given
from .encoding import Encoder, kept_as, space_of
from .folders import CARD
from .inputs import Rows, in_words
from .loading import Loaded, load_all
from .reading.vectors import Array
from .report import IngestReport
from .scanned import Scanned
from .source import Source
from .sources import scan
from .store import Collection

if TYPE_CHECKING:
    from ..explorer import Explorer


def ingest(
    explorer: Explorer,
    source: Rows | Array,
    collection: str | os.PathLike[str],
    *,
    captions: Rows | None = None,
    spaces: Sequence[str] = ("joint",),
    batch: int = 64,
    isolated: bool = False,
    progress: Progress | None = None,
) -> IngestReport:
    """Encode the pictures and texts of `source` into the collection in a folder, which is made if needed.

    Known items are recognised by their content and skipped; captions and columns that have changed are corrected, and
    a caption that nothing has any more is removed. So a run that was stopped or killed is resumed by running
    it again; at most the last thousand items are encoded twice. Each distinct caption becomes a text item. Sources that
    cannot be read are listed and skipped. If `progress` or an error stops the run, what is encoded is kept.

    Args:
        source: a folder, an archive, a picture, a table, a `pandas.DataFrame`, a text file, or vectors: see
            `sources.scan`.
        captions: a table or a `pandas.DataFrame` of files and captions, or a text file of further prompts.
        spaces: where to encode, besides the spaces that the collection already has. Vectors are of the first.
        batch: pictures encoded at once.
        isolated: decode pictures in processes that can be killed, for files from untrusted sources.
        progress: wraps the sources; may raise `Cancelled`.

    Raises:
        CollectionError: nothing to read, nothing readable, another model's collection, another writer, a full disk.
        SpaceError: a space that the model lacks or that encodes nothing.
    """
    whole("batch", batch, 1, 100_000, error=CollectionError, hint="64 suits most machines")
    asked = [space_of(explorer, name) for name in spaces]
    known = Collection.open(collection, explorer) if os.path.exists(os.path.join(collection, CARD)) else None
    if known is not None:
        asked += [space_of(explorer, name) for name in known.spaces]
    encoder = Encoder({kept_as(space): space for space in asked}, batch=batch)
    scanned = Scanned()
    sources = list(scan(source, captions, scanned=scanned))
    scanned.given += check_given(encoder, asked[0], sources)
    # Only now is the folder made, so that a wrong source leaves no empty collection.
    into = known if known is not None else Collection.create(collection, explorer)
    with into.writer() as writer:
        work = Batches(into, writer, encoder, read=scanned.read)
        work.fill_texts()
        _encode(work, load_all(sources, work.needs, window=2 * batch, isolated=isolated), len(sources), progress)
        work.correct()
        report = _report(into, work, encoder, sources, scanned)
        if not report.items:
            raise _nothing_readable(source, report.failed)
        writer.set_report(report.to_json())
    return report


def _encode(work: Batches, loaded: Generator[Loaded, None, None], total: int, progress: Progress | None) -> None:
    """Encode and commit what is loaded; if something stops it, what is encoded so far."""
    try:
        with closing(loaded):
            for each in progress(loaded, total=total, desc="encoding") if progress else loaded:
                work.add(each)
    except CollectionError:
        raise  # a commit failed: another one would fail too
    except BaseException:
        work.commit()
        raise


def _report(
    into: Collection, work: Batches, encoder: Encoder, sources: Sequence[Source], scanned: Scanned
) -> IngestReport:
    names = dict.fromkeys(each.name for each in sources)
    texts = list(dict.fromkeys(each.caption for each in sources if each.caption))
    return IngestReport(
        len(into),
        work.added,
        work.updated,
        work.skipped,
        [{"source": name, "reason": work.failed[name]} for name in names if name in work.failed],
        corrected=work.corrected,
        removed=len(work.removed),
        kept=work.kept,
        prompts=+work.prompts,  # without zeros
        stale_maps=_stale_maps(into, set(work.removed)),
        longer=encoder.longer(texts),
        scanned=scanned,
    )


def _stale_maps(into: Collection, removed: set[str]) -> list[str]:
    """The names of the maps that show a removed caption."""
    stale = []
    for name in into.maps() if removed else ():
        with suppress(CollectionError, MapError):  # a damaged map is told of where it is opened
            if not removed.isdisjoint(into.load_map(name).ids):
                stale.append(name)
    return stale


def _nothing_readable(source: Rows | Array, failed: Sequence[Mapping[str, str]]) -> CollectionError:
    reason = failed[0]["reason"].rstrip(".") if failed else "nothing was there"
    return CollectionError(
        f"Got {in_words(source)}, in which nothing can be read ({len(failed)} failed, such as: {reason}), expected at "
        "least one picture or prompt.",
        code="nothing readable",
    )
