"""What the Walk page asks of the worker: read from a form, checked, carried as JSON.

No model is needed to read a request, so that a mistake is answered at once and never costs a job.
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
"""Of the page; a GIF cannot be faster, and one request makes all three kinds of file."""


@dataclass(frozen=True)
class WalkRequest:
    """A walk to render.

    Attributes:
        stops: source text, one expression a stop.
        frames: pictures of the walk.
        spacing: `"equal"` steps in what is seen, or `"uniform"` ones in the space.
        interpolant: a name of `INTERPOLANTS`, or `None` for the space's own.
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
        """A form's values, whatever they are, as a request.

        Raises:
            SpaceError: a value out of range, or too few stops.
            ExpressionError: a stop that does not parse.

        >>> WalkRequest.read(["a cat", '"a fox"'], frames="12", interpolant="").stops
        ('a cat', '"a fox"')
        """
        given = [str(stop).strip() for stop in stops or []]
        if not 2 <= len(given) <= MAX_STOPS:
            raise SpaceError(f"Got {len(given)} stops, expected 2 to {MAX_STOPS}; a walk leads from one to another.")
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
            whole(seed, "the seed", 0, MAX_SEED),
            whole(fps, "frames a second", 1, MAX_FPS),
        )

    def to_json(self) -> dict[str, Any]:
        """The request as plain JSON data; `from_json` reads it."""
        return {**asdict(self), "stops": list(self.stops)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> WalkRequest:
        """Read what `to_json` wrote, checked again."""
        return cls.read(**document)
