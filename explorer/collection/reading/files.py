"""Read small files whole: the one place where tables, texts and descriptions of data sets come from."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import CollectionError
from ...records.pictures import MAX_BYTES


def read_whole(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file of at most `MAX_BYTES`.

    Raises:
        CollectionError: a larger file.
        OSError: a file that cannot be read.
    """
    if os.stat(path).st_size > MAX_BYTES:
        raise CollectionError(f"it has more than {MAX_BYTES} bytes; save it as Parquet", code="too large")
    return Path(path).read_bytes()
