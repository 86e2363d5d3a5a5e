"""The only file that uses Lance: a table that grows by whole batches; a reader sees all of a batch or none of it."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CollectionError
from ..records.atomic import replacing
from ..records.pictures import printable

if TYPE_CHECKING:
    import lance
    import pyarrow as pa

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_FOUND_NOTHING = re.compile(r"not found", re.IGNORECASE)


class Table:
    """One Lance table. Every change is a commit: a manifest put in place when all its files lie on the disk.

    A snapshot is what `open` returned: later commits, of this process or another, do not show in it.

    Args:
        path: its folder; it need not exist before the first change.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))

    def open(self) -> lance.LanceDataset | None:
        """The newest snapshot, or `None` when nothing was ever committed.

        Raises:
            CollectionError: the table is there but damaged or forbidden.
        """
        import lance

        if not (self.path / "_versions").is_dir():
            return None  # also after a first commit that was killed
        with reading(self.path):
            try:
                return lance.dataset(str(self.path))
            except ValueError as error:
                if _FOUND_NOTHING.search(str(error)):
                    return None
                raise

    def append(self, rows: pa.Table) -> None:
        """Commit further rows; columns they lack are null.

        Raises:
            CollectionError: the disk is full, read-only or broken; nothing of the rows is kept then.
        """
        import lance

        snapshot = self.open()
        with writing(self.path):
            lance.write_dataset(rows, str(self.path), mode="create" if snapshot is None else "append")

    def add_columns(self, fields: Sequence[pa.Field]) -> None:
        """Commit new columns of nulls.

        Raises:
            CollectionError: as `append`.
        """
        snapshot = self.open()
        with writing(self.path):
            if snapshot is not None and fields:
                snapshot.add_columns(list(fields))

    def amend(self, rows: pa.Table, *, key: str = "id") -> None:
        """Commit other values for the rows whose `key` is among `rows`, in the columns of `rows`; their order changes.

        Raises:
            CollectionError: as `append`.
        """
        snapshot = self.open()
        with writing(self.path):
            if snapshot is not None:
                snapshot.merge_insert(key).when_matched_update_all().execute(rows)

    def overwrite(self, rows: pa.Table) -> None:
        """Commit `rows` in place of all rows; versions older than a day, which no reader holds any more, are deleted.

        Raises:
            CollectionError: as `append`.
        """
        import lance

        snapshot = self.open()
        with writing(self.path):
            written = lance.write_dataset(rows, str(self.path), mode="create" if snapshot is None else "overwrite")
            written.cleanup_old_versions(older_than=timedelta(days=1))

    def sweep(self) -> None:
        """Delete what killed writers left, and versions older than two weeks. Only the one writer may call it."""
        snapshot = self.open()
        if snapshot is not None:
            with suppress(CollectionError), writing(self.path):  # leftover files do no harm
                snapshot.cleanup_old_versions(older_than=timedelta(days=14), delete_unverified=True)


def read(
    snapshot: lance.LanceDataset, columns: Sequence[str], rows: Sequence[int] | None = None, *, where: str | None = None
) -> pa.Table:
    """Columns of a snapshot: of all rows, of those at the positions `rows`, or of those that the SQL `where` chooses.

    Raises:
        CollectionError: files of it are missing or damaged.
    """
    with reading(Path(snapshot.uri)):
        if rows is not None:
            return snapshot.take(list(rows), columns=list(columns))
        return snapshot.to_table(columns=list(columns), filter=where)


def write_json(path: Path, document: Any) -> None:
    """A small document, written beside its place and renamed into it.

    Raises:
        CollectionError: as `Table.append`.
    """
    with writing(path), replacing(path) as beside:
        beside.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn any failure inside into an error that says the table at `path` cannot be read."""
    try:
        yield
    except CollectionError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        raise CollectionError(
            f"Got {printable(str(path))}, which cannot be read ({_reason(error)}), expected a whole table; restore it "
            "from a copy, or ingest into a new folder."
        ) from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn any failure inside into an error that says why nothing can be written at `path`, and what to do."""
    try:
        yield
    except CollectionError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        number, reason = _errno(error), _reason(error)
        if number in _FULL:
            what, remedy = "a place with room", "free some space and run it again: all that was committed is kept"
        elif number in _FORBIDDEN:
            what, remedy = "a folder that may be written", "change its permissions or choose another folder"
        else:
            what, remedy = "a folder that can be written", "choose another folder"
        raise CollectionError(f"Got {printable(str(path))} ({reason}), expected {what}; {remedy}.") from error


def _errno(error: BaseException) -> int | None:
    """The system's error number, which Lance keeps only in the text of its error."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (found := re.search(r"os error (\d+)", str(error))):
        number = int(found[1])
    if number is None and "no space left" in str(error).lower():
        number = errno.ENOSPC
    return number


def _reason(error: BaseException) -> str:
    number = _errno(error)
    if number is not None:
        return os.strerror(number)
    text = re.sub(r"(, |, location: )?/\S+\.rs:\d+(:\d+)?", "", str(error))  # the place in Lance's own source
    return " ".join(printable(text).split())[:200] or type(error).__name__
