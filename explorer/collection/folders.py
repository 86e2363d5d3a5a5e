"""The folder of a collection: made where it can live, and written by one process at a time."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import CollectionError
from .pictures import printable
from .tables import writing

_REMOTE = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "afpfs", "ceph", "glusterfs", "lustre", "webdav")


def make_folder(folder: Path) -> None:
    """Make the folder and those above it; warns when it lies on a network, where commits may not be atomic.

    Raises:
        CollectionError: it cannot be made, or holds files already.
    """
    with writing(folder):
        if folder.exists() and (not folder.is_dir() or any(each.name != ".lock" for each in folder.iterdir())):
            raise CollectionError(
                f"Got {printable(str(folder))}, which holds other files, expected a new or empty folder; "
                "choose another."
            )
        folder.mkdir(parents=True, exist_ok=True)
    system = file_system(folder)
    if system.startswith(_REMOTE):
        warnings.warn(
            f"Got {printable(str(folder))} on a network file system ({system}), expected a local disk: two writers "
            "may not see each other there; keep to one, or move the collection.",
            stacklevel=3,
        )


def file_system(folder: Path) -> str:
    """The type of the file system a folder lies on, lower case; empty when it cannot be told."""
    import psutil

    inside = [
        (len(part.mountpoint), part.fstype.lower())
        for part in psutil.disk_partitions(all=True)
        if folder.is_relative_to(part.mountpoint)
    ]
    return max(inside, default=(0, ""))[1]


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Hold the folder for writing; the system lets go of it when the process ends, however it ends.

    Raises:
        CollectionError: another writer holds it, or it cannot be written.
    """
    with writing(folder):
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _hold(handle):
            raise CollectionError(
                f"Got {printable(str(folder))}, which is being written already, expected a single writer; "
                "wait for it to end, or stop it: what it has committed is kept."
            )
        yield
    finally:
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _hold(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _hold(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
