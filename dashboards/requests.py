"""What the Walk and Arithmetic pages ask of the worker: read from a form, checked, carried as JSON.

No model is needed to read a request, so that a mistake is answered at once and never costs a job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from thoughtspace.explorer.errors import SpaceError
from thoughtspace.explorer.language.evaluate import parse
from thoughtspace.explorer.language.nodes import Add, Call, Divide, Node, Number, Scale, Sub

INTERPOLANTS = ("slerp", "lerp", "nlerp", "lol", "squad")
SPACINGS = ("equal", "uniform")

MAX_STOPS = 24
MAX_FRAMES = 1000
MAX_FPS = 50
"""Of the page; a GIF cannot be faster, and one request makes all three kinds of file."""

MAX_PICTURES = 8
MAX_SEED = 2**31 - 1


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
        if spacing not in SPACINGS:
            raise SpaceError(f"Got spacing {spacing!r}, expected {' or '.join(SPACINGS)}; choose one.")
        if interpolant and interpolant not in INTERPOLANTS:
            raise SpaceError(f"Got interpolant {interpolant!r}, expected one of {', '.join(INTERPOLANTS)}; choose one.")
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


@dataclass(frozen=True)
class ArithmeticRequest:
    """An expression to decode.

    Attributes:
        expression: source text.
        seed: the first seed; each picture takes the next one.
        pictures: how many.
        neighbors: nearest items to list.
    """

    expression: str
    seed: int = 0
    pictures: int = 4
    neighbors: int = 12

    @classmethod
    def read(cls, expression: Any, *, seed: Any = 0, pictures: Any = 4, neighbors: Any = 12) -> ArithmeticRequest:
        """A form's values as a request.

        Raises:
            ExpressionError: the expression does not parse.
            SpaceError: a number out of range.
        """
        source = str(expression or "").strip()
        parse(source)
        return cls(
            source,
            whole(seed, "the seed", 0, MAX_SEED),
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
        """Read what `to_json` wrote, checked again."""
        return cls.read(**document)


@dataclass(frozen=True)
class Term:
    """One summand of an expression, with the number in front of it."""

    weight: float
    node: Node


def terms(node: Node, weight: float = 1.0) -> list[Term]:
    """The summands of an expression, left to right; a call counts as one.

    >>> [(term.weight, str(term.node)) for term in terms(parse('"a" - 2 * ("b" - "c" / 4)'))]
    [(1.0, '"a"'), (-2.0, '"b"'), (0.5, '"c"')]
    """
    match node:
        case Add(left, right):
            return terms(left, weight) + terms(right, weight)
        case Sub(left, right):
            return terms(left, weight) + terms(right, -weight)
        case Scale(factor, operand):
            return terms(operand, weight * factor)
        case Divide(operand, divisor):
            return terms(operand, weight / divisor)
    return [Term(weight, node)]


def operands(node: Node) -> list[Term]:
    """What an expression is made of: its summands, or the points of a call where it is nothing but one.

    >>> [str(term.node) for term in operands(parse('slerp("a", "b", 0.3)'))]
    ['"a"', '"b"']
    """
    listed = terms(node)
    if len(listed) == 1 and isinstance(listed[0].node, Call):
        return [Term(1.0, each) for each in listed[0].node.arguments if not isinstance(each, Number)]
    return listed


def baseline(node: Node) -> Node | None:
    """What the arithmetic starts from: the first operand that is not taken away; `None` where there is no arithmetic.

    >>> print(baseline(parse('-"a man" + 2 * "a king" + "a woman"')))
    "a king"
    """
    listed = operands(node)
    if len(listed) == 1 and listed[0].node == node:
        return None
    return next((term.node for term in listed if term.weight > 0), listed[0].node)


def whole(value: Any, what: str, low: int, high: int) -> int:
    """A whole number of a form's field, which may hold a number, its text or nothing.

    Raises:
        SpaceError: it is none, or out of range.
    """
    try:
        number = float(value)
        if isinstance(value, bool) or number != int(number) or not low <= number <= high:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        got = "nothing" if value in (None, "") else repr(value)
        raise SpaceError(f"Got {got} for {what}, expected a whole number from {low} to {high}; change it.") from None
    return int(number)
