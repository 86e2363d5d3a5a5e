"""The request that the Arithmetic page sends to the worker: read from a form, checked, sent as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from thoughtspace.explorer.language.evaluate import parse

from ..fields import MAX_SEED, whole

MAX_PICTURES = 8


@dataclass(frozen=True)
class ArithmeticRequest:
    """An expression to decode.

    Attributes:
        expression: source text.
        seed: the first seed; each picture takes the next one.
        pictures: number of pictures.
        neighbors: number of nearest items to list.
    """

    expression: str
    seed: int = 0
    pictures: int = 4
    neighbors: int = 12

    @classmethod
    def read(cls, expression: Any, *, seed: Any = 0, pictures: Any = 4, neighbors: Any = 12) -> ArithmeticRequest:
        """Read a form's values as a request.

        Raises:
            ExpressionError: the expression does not parse.
            SpaceError: a number is out of range.
        """
        source = str(expression or "").strip()
        parse(source)
        return cls(
            source,
            whole(seed, "seed", 0, MAX_SEED),
            whole(pictures, "pictures", 1, MAX_PICTURES),
            whole(neighbors, "neighbours", 1, 100),
        )

    @property
    def seeds(self) -> list[int]:
        """The seed of each picture."""
        return [self.seed + index for index in range(self.pictures)]

    def to_json(self) -> dict[str, Any]:
        """The request as plain JSON data; `from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ArithmeticRequest:
        """Read what `to_json` wrote, and check it again."""
        return cls.read(**document)
