"""Tables on disk, by Lance, which only this file uses: a reader sees a commit whole or not at all.

Whatever goes wrong, a full disk, missing permissions or damaged files, is a `CollectionError`.
"""

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

_FULL = "disk full", "free some space and run it again; what was committed is kept"
_FORBIDDEN = "forbidden", "change its permissions or choose another folder"
_OTHER = "cannot write", "choose another folder"
_REMEDIES = dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _FULL)
_REMEDIES |= dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _FORBIDDEN)
_FOUND_NOTHING = re.compile(r"not found", re.IGNORECASE)


class Table:
    """One Lance table. Every change is a commit: its manifest is put in place after all its files are written.

    `open` returns a snapshot, in which later commits do not show. Nothing is kept of a change that fails.

    Args:
        path: its folder, which need not exist before the first change.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))

    def open(self) -> lance.LanceDataset | None:
        """The newest snapshot, or `None` before the first commit."""
        import lance

        if not (self.path / "_versions").is_dir():
            return None  # also if the first commit was killed
        with reading(self.path):
            try:
                return lance.dataset(str(self.path))
            except ValueError as error:
                if _FOUND_NOTHING.search(str(error)):
                    return None
                raise

    def append(self, rows: pa.Table) -> None:
        """Commit further rows; columns that they lack are null."""
        import lance

        snapshot = self.open()
        with writing(self.path):
            lance.write_dataset(rows, str(self.path), mode="create" if snapshot is None else "append")

    def add_columns(self, fields: Sequence[pa.Field]) -> None:
        """Commit new columns of nulls."""
        snapshot = self.open()
        with writing(self.path):
            if snapshot is not None and fields:
                snapshot.add_columns(list(fields))

    def amend(self, rows: pa.Table) -> None:
        """Commit new values for existing rows, found by their `id`, in the columns of `rows`. Their order changes."""
        snapshot = self.open()
        with writing(self.path):
            if snapshot is not None:
                snapshot.merge_insert("id").when_matched_update_all().execute(rows)

    def delete(self, ids: Sequence[str]) -> None:
        """Commit the removal of the rows with these ids."""
        snapshot = self.open()
        with writing(self.path):
            if snapshot is not None and ids:
                snapshot.delete(among(ids))

    def overwrite(self, rows: pa.Table) -> None:
        """Commit `rows` in place of all rows; delete versions older than a day, which no reader uses any more."""
        import lance

        snapshot = self.open()
        with writing(self.path):
            written = lance.write_dataset(rows, str(self.path), mode="create" if snapshot is None else "overwrite")
            written.cleanup_old_versions(older_than=timedelta(days=1))

    def sweep(self) -> None:
        """Delete what killed writers left, and versions older than two weeks. Only the writer may call it."""
        snapshot = self.open()
        if snapshot is not None:
            with suppress(CollectionError), writing(self.path):  # leftover files do no harm
                snapshot.cleanup_old_versions(older_than=timedelta(days=14), delete_unverified=True)


def read(
    snapshot: lance.LanceDataset, columns: Sequence[str], rows: Sequence[int] | None = None, *, where: str | None = None
) -> pa.Table:
    """Columns of a snapshot: of all rows, of the rows at some positions, or of those that the SQL `where` selects."""
    with reading(Path(snapshot.uri)):
        if rows is not None:
            return snapshot.take(list(rows), columns=list(columns))
        return snapshot.to_table(columns=list(columns), filter=where)


def among(ids: Sequence[str]) -> str:
    """The condition, in SQL, that the column `id` is one of these."""
    listed = ", ".join("'" + name.replace("'", "''") + "'" for name in ids)
    return f"id IN ({listed})"


def write_json(path: Path, document: Any) -> None:
    """Write a small document, whole or not at all."""
    with writing(path), replacing(path) as beside:
        beside.write_text(json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False), encoding="utf-8")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn any failure inside into an error that says that the table at `path` cannot be read."""
    try:
        yield
    except CollectionError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        raise CollectionError(
            f"Got {printable(str(path))}, which cannot be read ({_reason(error)}); restore it from a copy, or ingest "
            "into a new folder.",
            code="cannot read",
        ) from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn any failure inside into an error that says why `path` cannot be written, and what to do."""
    try:
        yield
    except CollectionError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        code, remedy = _REMEDIES.get(_errno(error) or 0, _OTHER)
        message = f"Got {printable(str(path))}, which cannot be written ({_reason(error)}); {remedy}."
        raise CollectionError(message, code=code) from error


def _errno(error: BaseException) -> int | None:
    """The system's error number; Lance has it only in the text of its errors."""
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
