"""What can be given as a source or as captions: a path, a data frame, or an array of vectors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np

from ..errors import CollectionError
from ..records.pictures import printable
from .reading.rows import FRAME
from .reading.vectors import Array

if TYPE_CHECKING:
    import pandas as pd

Rows: TypeAlias = Union[str, os.PathLike[str], "pd.DataFrame"]
"""A path, or a data frame."""


def path_or_frame(given: Rows, what: str) -> Path | pd.DataFrame:
    """A path in which `~` is the home folder, or a data frame.

    Raises:
        CollectionError: anything else; the message says that it was given as `what`.
    """
    if isinstance(given, str | os.PathLike):
        return Path(os.path.expanduser(given))
    import pandas as pd

    if isinstance(given, pd.DataFrame):
        return given
    raise CollectionError(
        f"Got a {type(given).__name__} as {what}, expected a path or a pandas.DataFrame, which can be made of a list "
        "or a dict.",
        code="source",
    )


def in_words(given: Rows | Array) -> str:
    """What was given, for a message."""
    if isinstance(given, str | os.PathLike):
        return printable(str(Path(given)))
    return "an array" if isinstance(given, np.ndarray) else FRAME
