"""A token that lasts: the same at each start of a collection's server, so that an open page outlives a restart."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

_LENGTH = 32


def lasting_token(collection: Path, port: int) -> str:
    """The token of a collection on a port, derived from a secret that only this user can read.

    Where no secret can be kept, it is a new one at each call.
    """
    about = f"{port} {collection.resolve()}".encode()
    digest = hmac.new(_secret(), about, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:24]).decode()


def secret_file() -> Path:
    """Where the secret is kept: `thoughtspace/secret` in the user's folder of states (`XDG_STATE_HOME`)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "thoughtspace" / "secret"


def _secret() -> bytes:
    made = secrets.token_bytes(_LENGTH)
    try:
        file = secret_file()
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists() and not _is_kept(file):
            file.unlink()
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return file.read_bytes()
        with os.fdopen(handle, "wb") as new:
            new.write(made)
    except (OSError, RuntimeError):  # no home, or one that cannot be written to
        pass
    return made


def _is_kept(file: Path) -> bool:
    """Whether the file is a whole secret that others cannot read; systems without such rights show none."""
    about = file.stat()
    closed = os.name != "posix" or not stat.S_IMODE(about.st_mode) & 0o077
    return closed and about.st_size == _LENGTH
