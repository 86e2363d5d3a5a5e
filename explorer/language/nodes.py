"""Expression trees: where a point came from, as data that prints as source text.

The parser builds a tree from a source (`evaluate.parse`), and arithmetic on `Points` records one.
`str(node)` is source text that parses to the same tree; `to_json` and `from_json` carry it through records.
"""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

from ..errors import ExpressionError

MAX_DEPTH = 128
"""Deepest tree that is kept or parsed: it allows plain recursion over every tree."""

MAX_NODES = 1024
"""Largest tree kept: `p = p + p` doubles its own history, sixty times over in a loop."""

FUNCTIONS = ("slerp", "lerp", "nlerp", "lol", "squad", "mean", "norm")
"""Calls on points, in the order of the messages."""

MIX = "mix"
"""The call in the origin of a point of a product, on its parts; the parser does not know it."""

_SUM, _PRODUCT, _UNARY, _ATOM = range(4)  # how tightly a printed form binds


@dataclass(frozen=True)
class Node:
    """A step of an expression; `depth` and `size` count the steps under it, itself included."""

    depth: int = field(init=False, repr=False, compare=False)
    size: int = field(init=False, repr=False, compare=False)
    operands: ClassVar[tuple[str, ...]] = ()  # the fields that hold other steps
    form: ClassVar[str] = "{}"  # what a source prints around its text

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", 1 + max((child.depth for child in self.children), default=0))
        object.__setattr__(self, "size", 1 + sum(child.size for child in self.children))

    @property
    def children(self) -> tuple[Node, ...]:
        """The operands, left to right."""
        return tuple(getattr(self, name) for name in self.operands)

    def mapped(self, change: Callable[[Node], Node]) -> Node:
        """The same step on changed operands."""
        changed: dict[str, Any] = {name: change(getattr(self, name)) for name in self.operands}
        return replace(self, **changed)

    def leaves(self) -> Iterator[Node]:
        """Every node without operands, left to right, repeats included."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()

    def to_json(self) -> dict[str, Any]:
        """The tree as plain dictionaries; the `node` key names the class."""
        values = {name: getattr(self, name) for name in _names(type(self))}
        return {"node": type(self).__name__} | {name: _json_of(value) for name, value in values.items()}

    def __str__(self) -> str:
        return self.form.format(*(quote(getattr(self, name)) for name in _names(type(self))))

    def _binding(self) -> int:
        return _ATOM

    def _within(self, binding: int) -> str:
        return str(self) if self._binding() >= binding else f"({self})"


@dataclass(frozen=True)
class Text(Node):
    """The point of a text: `"a red fox"`."""

    text: str


@dataclass(frozen=True)
class Image(Node):
    """The point of a picture file: `img("fox.png")`."""

    path: str
    form = "img({})"


@dataclass(frozen=True)
class Weighted(Node):
    """The point of a text whose words have weights: `weighted("a (red:1.4) fox")`."""

    text: str
    form = "weighted({})"


@dataclass(frozen=True)
class Item(Node):
    """The point of a collection's item: `item("3f2a")`."""

    id: str
    form = "item({})"


@dataclass(frozen=True)
class Direction(Node):
    """A step along a direction of the collection: `dir("smile")`."""

    label: str
    form = "dir({})"


@dataclass(frozen=True)
class Given(Node):
    """A point from numbers, such as a place on a map or a noise: it has a label and no source.

    The parser refuses its printed form, since the label does not contain the numbers; a record keeps them.
    """

    label: str
    form = "given({})"


@dataclass(frozen=True)
class Number(Node):
    """A finite number among the arguments of a call: the `0.5` of `slerp("a", "b", 0.5)`."""

    value: float

    def __str__(self) -> str:
        return number(self.value)


@dataclass(frozen=True)
class _Pair(Node):
    left: Node
    right: Node
    operands = ("left", "right")
    sign: ClassVar[str]

    def _binding(self) -> int:
        return _SUM

    def __str__(self) -> str:
        return f"{self.left} {self.sign} {self.right._within(_PRODUCT)}"


class Add(_Pair):
    """`left + right`."""

    sign = "+"


class Sub(_Pair):
    """`left - right`."""

    sign = "-"


@dataclass(frozen=True)
class Scale(Node):
    """`factor * operand`; a factor of -1 is the unary minus."""

    factor: float
    operand: Node
    operands = ("operand",)

    def _binding(self) -> int:
        return _UNARY if self.factor == -1 else _PRODUCT

    def __str__(self) -> str:
        operand = self.operand._within(_UNARY)
        return f"-{operand}" if self.factor == -1 else f"{number(self.factor)} * {operand}"


@dataclass(frozen=True)
class Divide(Node):
    """`operand / divisor`."""

    operand: Node
    divisor: float
    operands = ("operand",)

    def _binding(self) -> int:
        return _PRODUCT

    def __str__(self) -> str:
        return f"{self.operand._within(_PRODUCT)} / {number(self.divisor)}"


@dataclass(frozen=True)
class Call(Node):
    """A function of points and numbers: `slerp(a, b, 0.3)`, `mean(a, b)`, `norm(a)`."""

    name: str
    arguments: tuple[Node, ...]

    @property
    def children(self) -> tuple[Node, ...]:
        return self.arguments

    def mapped(self, change: Callable[[Node], Node]) -> Node:
        return Call(self.name, tuple(map(change, self.arguments)))

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.arguments))})"


_NODES: dict[str, type[Node]] = {
    each.__name__: each
    for each in (Text, Weighted, Image, Item, Direction, Given, Number, Add, Sub, Scale, Divide, Call)
}


def quote(text: str) -> str:
    r"""A text between double quotes; only quotes and backslashes are escaped.

    >>> print(quote('a "red" fox'))
    "a \"red\" fox"
    """
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def number(value: float) -> str:
    """The shortest text that parses to the same number.

    >>> number(2.0), number(0.1), number(1e-7)
    ('2', '0.1', '1e-07')
    """
    return repr(float(value)).removesuffix(".0")


def bounded(node: Node) -> Node:
    """The node, or where it exceeds `MAX_DEPTH` or `MAX_NODES` a `Given` that says how many steps were dropped.

    >>> node = Text("a")
    >>> for _ in range(10):
    ...     node = bounded(Add(node, node))
    >>> print(node)
    given("a point of 2047 steps")
    """
    if node.depth <= MAX_DEPTH and node.size <= MAX_NODES:
        return node
    return Given(f"a point of {node.size} steps")


def from_json(document: Any, *, _depth: int = 1) -> Node:
    """The tree that `Node.to_json` wrote.

    Raises:
        ExpressionError: a document that is not a tree, or one deeper than `MAX_DEPTH`.
    """
    name = document.get("node") if isinstance(document, Mapping) else None
    if not isinstance(name, str) or name not in _NODES or _depth > MAX_DEPTH:
        raise ExpressionError(
            f"Got {reprlib.repr(document)} as a step of an expression, expected a dictionary whose 'node' is "
            f"one of {', '.join(_NODES)}, at most {MAX_DEPTH} deep; use a tree that `to_json` wrote.",
            code="tree",
        )
    kind = _NODES[name]
    return kind(**{key: _value_of(kind, key, document.get(key), _depth) for key in _names(kind)})


def _value_of(kind: type[Node], key: str, value: Any, depth: int) -> Any:
    if key in kind.operands:
        return from_json(value, _depth=depth + 1)
    if key == "arguments":
        if isinstance(value, list | tuple):
            return tuple(from_json(each, _depth=depth + 1) for each in value)
    elif key in ("value", "factor", "divisor"):
        if isinstance(value, float | int) and not isinstance(value, bool) and abs(value) <= sys.float_info.max:
            return float(value)
    elif isinstance(value, str) and (key != "name" or value in (*FUNCTIONS, MIX)):
        return value
    raise ExpressionError(
        f"Got {reprlib.repr(value)} as the {key} of a {kind.__name__} step, which is invalid; use a tree "
        "that `to_json` wrote.",
        code="tree value",
    )


def _names(kind: type[Node]) -> list[str]:
    """The fields that a step is made of."""
    return [each.name for each in fields(kind) if each.init]


def _json_of(value: Any) -> Any:
    if isinstance(value, Node):
        return value.to_json()
    if isinstance(value, tuple):
        return [each.to_json() for each in value]
    return value
