"""One thing to ingest: a picture with or without a caption, or a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .reading.cells import Inside
from .reading.names import stored


@dataclass(frozen=True)
class Source:
    """One thing to ingest: a picture (`path` or `inside` is set) with or without a caption, or a prompt alone.

    Attributes:
        path: the picture's file.
        caption: its text, or the prompt.
        origin: where the text was found, as `file`, `file:line` or `DataFrame:row`.
        extras: further columns of the table of captions, plain JSON values.
        empty: further columns that the table has, but not for this source.
        inside: the place of the picture in a table that holds pictures.
        problem: why this source cannot be read, if that is known in advance.
    """

    path: Path | None = None
    caption: str | None = None
    origin: str = ""
    extras: Mapping[str, Any] = field(default_factory=dict)
    empty: frozenset[str] = frozenset()
    inside: Inside | None = None
    problem: str | None = None

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture, and no prompt."""
        return self.path is not None or self.inside is not None

    @property
    def name(self) -> str:
        """Its name: the absolute path of the file, or where the row or the prompt was found."""
        return stored(self.path) if self.path is not None else self.origin
