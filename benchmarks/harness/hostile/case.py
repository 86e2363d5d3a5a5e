"""One hostile file, and what should become of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """One hostile file, made where it is asked for.

    Attributes:
        kind: what sort of file it is.
        damage: what is wrong with it.
        name: of the file, or its path, in its folder.
        write: makes it at a path. It may make more beside it.
        read: whether it is rightly read all the same, and not refused.
    """

    kind: str
    damage: str
    name: str
    write: Callable[[Path], object]
    read: bool = False

    @property
    def label(self) -> str:
        return f"{self.kind}, {self.damage}"


def of_bytes(kind: str, damage: str, name: str, data: Callable[[], bytes], *, read: bool = False) -> Case:
    """A file of these bytes, which are made only when it is written."""
    return Case(kind, damage, name, lambda path: path.write_bytes(data()), read)
