"""Write a file whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ThoughtspaceError, reason


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary file beside `path`, renamed to `path` at the end of the block, or removed if the block fails.

    Raises:
        OSError: the folder is missing or cannot be written to, or `path` is a folder or a device.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise FileExistsError(errno.EEXIST, "a folder or device has that name", str(path))
    beside = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        yield beside
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def writing_to(path: str | os.PathLike[str], kind: type[ThoughtspaceError]) -> Iterator[None]:
    """Turn the system's errors in the block into one of this kind, which says why `path` cannot be written."""
    try:
        yield
    except OSError as error:
        raise kind(
            f"Got {str(path)!r}, which cannot be written ({reason(error)}); choose another place or free some disk "
            "space.",
            code="cannot write",
        ) from error
