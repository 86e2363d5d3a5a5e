"""The request that the Walk page sends to the worker: read from a form, checked, sent as JSON.

It is read without a model, so that a mistake is shown at once and no job is started.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from thoughtspace.explorer.checks import choice
from thoughtspace.explorer.errors import SpaceError
from thoughtspace.explorer.language.evaluate import parse

from ..fields import MAX_SEED, whole

INTERPOLANTS = ("slerp", "lerp", "nlerp", "lol", "squad")
SPACINGS = ("equal", "uniform")

MAX_STOPS = 24
MAX_FRAMES = 1000
MAX_FPS = 50
"""A GIF cannot be faster, and one request writes all three kinds of file."""


@dataclass(frozen=True)
class WalkRequest:
    """A walk to render.

    Attributes:
        stops: source text of each stop, an expression.
        frames: pictures of the walk.
        spacing: `"equal"` steps between the pictures, or `"uniform"` steps in the space.
        interpolant: a name of `INTERPOLANTS`, or `None` for that of the space.
        seed: of the starting noise, one for all frames.
        fps: frames a second.
    """

    stops: tuple[str, ...]
    frames: int = 48
    spacing: str = "equal"
    interpolant: str | None = None
    seed: int = 0
    fps: int = 24

    @classmethod
    def read(
        cls,
        stops: Sequence[str] | None,
        *,
        frames: Any = 48,
        spacing: Any = "equal",
        interpolant: Any = None,
        seed: Any = 0,
        fps: Any = 24,
    ) -> WalkRequest:
        """Read a form's values as a request.

        Raises:
            SpaceError: a value is out of range, or there are too few stops.
            ExpressionError: a stop does not parse.

        >>> WalkRequest.read(["a cat", '"a fox"'], frames="12", interpolant="").stops
        ('a cat', '"a fox"')
        """
        given = [str(stop).strip() for stop in stops or []]
        if not 2 <= len(given) <= MAX_STOPS:
            raise SpaceError(f"Got {len(given)} stops, expected 2 to {MAX_STOPS}.", code="stops")
        for stop in given:
            parse(stop)
        choice("spacing", spacing, SPACINGS, error=SpaceError)
        if interpolant:
            choice("interpolant", interpolant, INTERPOLANTS, error=SpaceError)
        return cls(
            tuple(given),
            whole(frames, "frames", 2, MAX_FRAMES),
            spacing,
            interpolant or None,
            whole(seed, "seed", 0, MAX_SEED),
            whole(fps, "fps", 1, MAX_FPS),
        )

    def to_json(self) -> dict[str, Any]:
        """The request as plain JSON data; `from_json` reads it."""
        return {**asdict(self), "stops": list(self.stops)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> WalkRequest:
        """Read what `to_json` wrote, and check it again."""
        return cls.read(**document)
