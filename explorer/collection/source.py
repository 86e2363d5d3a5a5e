"""One thing to ingest: a picture with or without a caption, or a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .items import Kind, Vectors
from .reading.cells import Inside
from .reading.names import stored


@dataclass(frozen=True)
class Source:
    """One thing to ingest: a picture (`path`, `inside` or its vector is set), perhaps with a caption; or a prompt.

    Attributes:
        path: the picture's file.
        caption: its text, or the prompt.
        origin: where the text was found, as `file`, `file:line` or `DataFrame:row`.
        extras: further columns of the table of captions, plain JSON values.
        empty: further columns that the table has, but not for this source.
        inside: the place of the picture in a table that holds pictures.
        problem: why this source cannot be read, if that is known in advance.
        vectors: those of the picture and of the caption that were made elsewhere and are taken as they are.
    """

    path: Path | None = None
    caption: str | None = None
    origin: str = ""
    extras: Mapping[str, Any] = field(default_factory=dict)
    empty: frozenset[str] = frozenset()
    inside: Inside | None = None
    problem: str | None = None
    vectors: Mapping[Kind, Vectors] = field(default_factory=dict)

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture, and no prompt."""
        return self.has_file or "image" in self.vectors

    @property
    def has_file(self) -> bool:
        """Whether there is a picture to decode, and not its vector alone."""
        return self.path is not None or self.inside is not None

    @property
    def name(self) -> str:
        """Its name: the absolute path of the file, or where the row or the prompt was found."""
        return stored(self.path) if self.path is not None else self.origin
