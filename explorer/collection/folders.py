"""The folder of a collection: making it, the card that names its model, and the lock for its writer.

Whatever goes wrong is a `CollectionError`.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ..errors import CollectionError, reason
from ..records.pictures import printable
from .tables import write_json, writing

CARD = "collection.json"
FORMAT = 1

_REMOTE = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "afpfs", "ceph", "glusterfs", "lustre", "webdav")


def make_folder(folder: Path) -> None:
    """Make a new or empty folder and its parents; warns on a network file system, where locks may not work."""
    with writing(folder):
        if folder.exists() and (not folder.is_dir() or any(not each.name.startswith(".") for each in folder.iterdir())):
            message = f"Got {printable(str(folder))}, which holds other files, expected a new or empty folder."
            raise CollectionError(message, code="other files")
        folder.mkdir(parents=True, exist_ok=True)
    system = file_system(folder)
    if system.startswith(_REMOTE):
        warnings.warn(
            f"Got {printable(str(folder))} on a network file system ({system}), where two writers may not see each "
            "other; use one writer only, or move the collection to a local disk.",
            stacklevel=3,
        )


def file_system(folder: Path) -> str:
    """The type of the file system of a folder in lower case; empty if unknown."""
    import psutil

    inside = [
        (len(part.mountpoint), part.fstype.lower())
        for part in psutil.disk_partitions(all=True)
        if folder.is_relative_to(part.mountpoint)
    ]
    return max(inside, default=(0, ""))[1]


def write_card(folder: Path, model_name: str, model_hash: str) -> None:
    """Write which model the vectors of a collection come from."""
    model = {"name": model_name, "hash": model_hash}
    created = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(folder / CARD, {"format": FORMAT, "model": model, "created": created})


def read_card(folder: Path) -> tuple[str, str]:
    """The name and hash of the model that encoded a collection."""
    what = printable(str(folder))
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        form, name, digest = int(card["format"]), str(card["model"]["name"]), str(card["model"]["hash"])
    except (FileNotFoundError, NotADirectoryError):
        raise CollectionError(
            f"Got {what}, which {'is no collection' if folder.exists() else 'does not exist'}; check the path, or make "
            "a collection with `thoughtspace ingest`.",
            code="no collection",
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = reason(error) if isinstance(error, OSError) else f"its {CARD} is damaged"
        message = f"Got {what}, which cannot be opened ({why}); restore it from a copy."
        raise CollectionError(message, code="damaged") from error
    if form > FORMAT:
        message = f"Got {what} of format {form}, expected at most {FORMAT}; update thoughtspace."
        raise CollectionError(message, code="format")
    return name, digest


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Lock the folder for writing. The system releases the lock when the process ends, even when it is killed."""
    with writing(folder):
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _locked(handle):
            raise CollectionError(
                f"Got {printable(str(folder))}, which another process is writing; wait for it to end, or stop it: what "
                "it has committed is kept.",
                code="other writer",
            )
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    """Lock an open file, unless another process holds the lock; returns whether it is locked now."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # PermissionError is that of Windows
        return False
    return True
