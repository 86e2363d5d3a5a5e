"""The expression language: words, pictures and arithmetic, typed on one line.

    "a king" - "a man" + 0.7 * img("queen.png")
    slerp("a red fox", item("3f2a"), 0.3)

An operand is a text between quotes (`"…"`, `'…'`, `“…”`, `‘…’` or `„…“`; a backslash escapes a quote or a backslash
and is itself before anything else), `img("path")`, `item("id")`, or in the prompt space `weighted("a (red:1.4) fox")`,
a text whose words have weights. `dir("smile")` is a step along a direction that the collection has: from what lacks it
to what has it. Points are added and subtracted, scaled by numbers with `*` and `/`, and combined by
calls:

    slerp(a, b, t)  lerp  nlerp  lol     between two points; t = 0 is a, t = 1 is b
    squad(a, b, c, …, t)                 a smooth curve through the points; t counts them from 0
    mean(a, b, …)  mean(a, b, 3, 1)      the space's own mean; numbers are weights, one per point
    norm(a)                              a at length 1, or √d in a Gaussian space of d dimensions

A bare word or sentence is that text: `a smiling face`, `a well-known fox (red)`, `a man's hat`, `1st prize`. A source
with a quotation mark or one of the calls above is an expression. So is arithmetic on numbers alone, which is an error,
since it has no point. A sentence with arithmetic in it, such as `king - man + woman`, is ambiguous; the error has both
spellings. An operator there is `+` or `*` between two words, ` - ` or ` / ` with spaces around, or a sign in front.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Protocol

from ..errors import ExpressionError, GeometryError
from .nodes import (
    FUNCTIONS,
    MAX_DEPTH,
    Add,
    Call,
    Direction,
    Divide,
    Image,
    Item,
    Node,
    Number,
    Scale,
    Sub,
    Text,
    Weighted,
    number,
    quote,
)
from .parser import TEXTS, Parser, misuse, not_utf8, short

if TYPE_CHECKING:
    from torch import Tensor

    from ..geometry.interpolation import Geometry
    from ..points import Points

MAX_LENGTH = 10_000
"""Longest source, in characters."""

_CALL = re.compile(rf"(?<!\w)(?:img|item|dir|weighted|given|{'|'.join(FUNCTIONS)})\(")
_QUOTE = re.compile(
    r"""["“”„]|(?<![\w'’])(?:'[^']*'|‘(?:[^’]|’(?=\w))*’)(?!\w)"""
)  # the apostrophe of `a man's hat` is no quotation mark
_ONLY_NUMBERS = re.compile(r"(?=.*\d)(?:[\s\d.+\-*/(),]|(?<=[\d.])[eE](?=[-+\d]))+", re.DOTALL)
_ARITHMETIC = re.compile(r"(?<=[\w)\]])\s*[+*−]\s*(?=[\w(\[])|(?<=\S)\s+[-–/]\s+(?=\S)|^[-−–+*/]\s*(?=[\w(])")
_TEXT = re.compile(TEXTS)
_SENTENCE = re.compile(r"""(?=.*[^\W\d_])(?!\s*["'“”„‘])(?:[\w\s.,;:!?"'’“”]|(?<! )[-–]|[-–](?! ))*""", re.DOTALL)
_MISTAKES = ("unquoted", "operator", "operand", "quote")  # that a sentence with quotation marks in it leads to


class Resolver(Protocol):
    """Turns the operands of an expression into points of one space, each a batch of one."""

    def text(self, text: str, /) -> Points:
        """The point of a text."""

    def weighted(self, text: str, /) -> Points:
        """The point of a text with weights on its words; raises `SpaceError` outside the prompt space."""

    def image(self, path: str, /) -> Points:
        """The point of the picture in a file."""

    def item(self, id: str, /) -> Points:
        """The point of a collection's item; raises `SpaceError` without a collection."""

    def direction(self, name: str, /) -> Points:
        """One step along a collection's direction; raises `SpaceError` without a collection."""


def parse(source: str) -> Node:
    """Parse a source into its tree, without evaluating it.

    Raises:
        ExpressionError: a source that is not in the language; the message names the position, from 1.

    >>> print(parse("a smiling face"))
    "a smiling face"
    >>> parse('2 * ("a" - "b")')
    Scale(factor=2.0, operand=Sub(left=Text(text='a'), right=Text(text='b')))
    """
    if not isinstance(source, str):
        raise ExpressionError(f"Got a {type(source).__name__} as an expression, expected a str.", code="not a text")
    if message := not_utf8(source):
        raise ExpressionError(message, code="not utf-8")
    if not source.strip() or len(source) > MAX_LENGTH:
        got = f"{len(source)} characters" if source.strip() else "an empty expression"
        raise ExpressionError(
            f'Got {got}, expected 1 to {MAX_LENGTH} characters, such as a sentence or "a" + "b".', code="length"
        )
    if _QUOTE.search(source) or _CALL.search(source) or _ONLY_NUMBERS.fullmatch(source):
        try:
            return Parser(source).parse()
        except ExpressionError as error:
            if error.code in _MISTAKES and _SENTENCE.fullmatch(_TEXT.sub("", source)):
                raise _quoted_sentence(source.strip(), error.code) from error
            raise
    sentence = source.strip()
    operator = _ARITHMETIC.search(sentence)
    if operator:
        sign, whole = operator.group().strip(), quote(sentence)
        raise ExpressionError(
            f"Got {short(sentence)} with {sign!r} between unquoted words, expected one text or operands in quotes; "
            f'write {short(whole)} for one text, or "…" {sign} "…" for arithmetic.',
            code="unquoted",
        )
    return Text(sentence)


def _quoted_sentence(sentence: str, code: str) -> ExpressionError:
    """The error of a sentence with quotation marks in it, with what to write for it."""
    whole = quote(sentence)
    write = (
        whole if len(whole) <= 300 and len(whole.splitlines()) == 1 else 'it between "…", with \\ before each " inside,'
    )
    return ExpressionError(
        f"Got {short(sentence)}, a sentence with quotation marks in it, expected one text or operands with + or - "
        f"between them; write {write} for one text.",
        code=code,
    )


def evaluate(node: Node, resolver: Resolver) -> Points:
    """The point of a tree: one row whose origin is the tree. Equal operands are encoded once.

    Raises:
        ExpressionError: a tree without a meaning: a number where a point belongs, or a `Given`.
        SpaceError: operands of two spaces, or an operand that the resolver does not have.
        GeometryError: a combination without a value, such as slerp between opposite points.
    """
    if node.depth > MAX_DEPTH:
        raise ExpressionError(
            f"Got an expression {node.depth} steps deep, expected at most {MAX_DEPTH}; use mean(…) for long sums.",
            code="too deep",
        )
    leaves = dict.fromkeys(leaf for leaf in node.leaves() if not isinstance(leaf, Number))
    operands = {leaf: _operand(leaf, resolver) for leaf in leaves}
    return _value(node, operands).with_origin((node,))


def _operand(leaf: Node, resolver: Resolver) -> Points:
    match leaf:
        case Text(text):
            return resolver.text(text)
        case Weighted(text):
            return resolver.weighted(text)
        case Image(path):
            return resolver.image(path)
        case Item(id):
            return resolver.item(id)
        case Direction(label):
            return resolver.direction(label)
    raise ExpressionError(
        f"Got {leaf}, which cannot be evaluated, expected a text, img(…), item(…) or dir(…).", code="no source"
    )


def _value(node: Node, operands: dict[Node, Points]) -> Points:
    match node:
        case Add(left, right):
            return _value(left, operands) + _value(right, operands)
        case Sub(left, right):
            return _value(left, operands) - _value(right, operands)
        case Scale(factor, operand):
            return _value(operand, operands) * factor
        case Divide(operand, divisor):
            return _value(operand, operands) / divisor
        case Call(name, arguments):
            if expected := misuse(name, arguments):
                raise ExpressionError(f"Got {short(str(node))}, expected {expected} in {name}(…).", code="arguments")
            points = [_value(each, operands) for each in arguments if not isinstance(each, Number)]
            return _called(name, points, [each.value for each in arguments if isinstance(each, Number)])
        case Number(value):
            raise ExpressionError(
                f"Got the number {number(value)} alone, expected a point; a number can only scale one.", code="number"
            )
    return operands[node]


def _called(name: str, points: list[Points], numbers: list[float]) -> Points:
    from ..geometry.product import factors, interpolants, joined
    from ..points import Points  # PyTorch is needed to evaluate, not to parse

    batch = Points.cat(points)
    space, x = batch.space, batch.flat
    if name == "mean":
        return batch.mean(numbers or None)
    if name != "norm" and name not in (known := interpolants(space.geometry)):
        raise GeometryError(f"Got {name}(…) in the {space}, expected one of {', '.join(known)}.", code="interpolant")
    value = joined([_function(name, kind, part, numbers) for kind, part in factors(space.geometry, x)])
    return Points.given(value.reshape(1, *space.shape), space, name)


def _function(name: str, kind: Geometry, x: Tensor, numbers: list[float]) -> Tensor:
    from ..geometry.interpolation import INTERPOLANTS, squad

    if name == "norm":
        length = float(x.norm())
        if not 0 < length < math.inf:
            raise GeometryError(
                "Got norm(…) of a point whose length is zero or not finite, so it has no direction; change its "
                "operands.",
                code="zero vector",
            )
        return x * ((math.sqrt(x.shape[1]) if kind == "gaussian" else 1.0) / length)
    if name == "squad":
        return squad(x, numbers[0])[None]
    return INTERPOLANTS[name](x[:1], x[1:], numbers[0])
