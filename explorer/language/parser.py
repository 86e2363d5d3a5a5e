"""The grammar of the expression language: source text to tree, by recursive descent.

    sum     := product (("+" | "-") product)*
    product := unary (("*" | "/") unary)*
    unary   := ("-" | "+") unary | atom
    atom    := number | text | "(" sum ")" | leaf "(" text ")" | function "(" sum ("," sum)* ")"
    leaf    := "img" | "item" | "dir" | "weighted"

Lengths and depths are limited, so that no text can exhaust the stack or the machine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from ..errors import ExpressionError
from .nodes import (
    FUNCTIONS,
    MAX_DEPTH,
    MAX_NODES,
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

MAX_NESTING = 32
"""Most parentheses, calls and signs open at once."""

_CLOSING = {'"': '"', "'": "'", "“": "”", "”": "”", "„": "“”", "‘": "’"}
_QUOTABLE = r"""[\\"'“”„‘’]"""  # what a backslash in a text escapes; before anything else it is itself
_MINUS = "−–"  # as word processors and phones write it
_ESCAPED = re.compile(rf"\\({_QUOTABLE})")
_IN_A_WORD = r"’(?=(?u:\w))"  # the apostrophe of ‘a man’s hat’ does not close the text
TEXTS = "|".join(
    rf"{opening}(?:\\{_QUOTABLE}|\\(?!{_QUOTABLE})|{_IN_A_WORD}|[^{closing}\\])*[{closing}]"
    if opening == "‘"
    else rf"{opening}(?:\\{_QUOTABLE}|\\(?!{_QUOTABLE})|[^{closing}\\])*[{closing}]"
    for opening, closing in _CLOSING.items()
)
"""The pattern of a text between quotation marks."""
_TOKEN = re.compile(
    rf"""(?P<space>\s+)
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<name>[^\W\d]\w*)
    |(?P<text>{TEXTS})
    |(?P<quote>["'“”„‘])
    |(?P<mark>[-+*/(),{_MINUS}])
    |(?P<other>[^\s"'“”„‘+*/(),{_MINUS}-]+)""",
    re.VERBOSE | re.ASCII,
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LEAVES: dict[str, tuple[str, Callable[[str], Node]]] = {
    "img": ("a path", Image),
    "item": ("an id", Item),
    "dir": ("a name", Direction),
    "weighted": ("a text", Weighted),
}


@dataclass(frozen=True)
class Token:
    kind: str  # "number", "name", "text", one of + - * / ( ) , or "end"
    text: str
    start: int


class Parser:
    """Parses one source. Numbers are folded, so that a tree has them only as factors and arguments."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokenize(source)
        self.at = 0
        self.nesting = 0

    def parse(self) -> Node:
        node = self._sum()
        if self._next.kind != "end":
            mend = 'combine operands with + or -, or put a whole text in "quotes"'
            self._fail("operator", "an operator or the end", mend)
        if isinstance(node, Number):
            raise ExpressionError(
                f"Got the number {number(node.value)} alone, expected a point; put a text in quotes, or scale a "
                "point by the number.",
                code="number",
            )
        return node

    @property
    def _next(self) -> Token:
        return self.tokens[self.at]

    def _take(self, *kinds: str) -> Token | None:
        token = self._next
        if token.kind not in kinds:
            return None
        self.at += 1
        return token

    def _fail(self, code: str, expected: str, mend: str = "", token: Token | None = None) -> NoReturn:
        raise error_at(self.source, token or self._next, expected, mend, code=code)

    def _sum(self) -> Node:
        left = self._product()
        while token := self._take("+", "-"):
            right = self._product()
            if isinstance(left, Number) and isinstance(right, Number):
                left = self._number(left.value + (right.value if token.kind == "+" else -right.value), token)
            elif isinstance(left, Number) or isinstance(right, Number):
                self._fail("number", "points on both sides", "a number can only scale points, with * or /", token)
            else:
                left = self._kept(Add(left, right) if token.kind == "+" else Sub(left, right), token)
        return left

    def _product(self) -> Node:
        left = self._unary()
        while token := self._take("*", "/"):
            left = self._scaled(left, self._unary(), token)
        return left

    def _scaled(self, left: Node, right: Node, token: Token) -> Node:
        if token.kind == "/":
            if not isinstance(right, Number) or right.value == 0:
                self._fail("divisor", "a number other than zero after /", token=token)
            if isinstance(left, Number):
                return self._number(left.value / right.value, token)
            return self._kept(Divide(left, right.value), token)
        if isinstance(left, Number):
            if isinstance(right, Number):
                return self._number(left.value * right.value, token)
            return self._kept(Scale(left.value, right), token)
        if not isinstance(right, Number):
            self._fail("product", "a number on one side of *", "points can only be added and subtracted", token)
        return self._kept(Scale(right.value, left), token)

    def _unary(self) -> Node:
        token = self._take("-", "+")
        if token is None:
            return self._atom()
        operand = self._nested(token, self._unary)
        if token.kind == "+":
            return operand
        if isinstance(operand, Number):
            return Number(-operand.value)
        return self._kept(Scale(-1.0, operand), token)

    def _atom(self) -> Node:
        token = self._take("number", "text", "(", "name")
        if token is None:
            self._fail("operand", 'a "text", a number, img(…), item(…), dir(…) or a call')
        match token.kind:
            case "number":
                return self._number(float(token.text), token)
            case "text":
                return Text(token.text)
            case "(":
                inner = self._nested(token, self._sum)
                self._close(token)
                return inner
        return self._named(token)

    def _named(self, token: Token) -> Node:
        known = (*_LEAVES, *FUNCTIONS)
        if token.text == "given":
            mend = "given(…) is a label without the numbers of its point; replay the picture whose record has it"
            self._fail("no source", "a source", mend, token)
        opening = self._take("(") if token.text in known else None
        if opening is None:
            expected, mend = f"a text in quotes or one of {'( '.join(known)}(", f"write {quote(token.text)} for a text"
            self._fail("unquoted", expected, mend, token)
        if token.text in _LEAVES:
            return self._leaf(token, opening)
        arguments = [self._nested(token, self._sum)]
        while self._take(","):
            arguments.append(self._nested(token, self._sum))
        self._close(opening)
        if wrong := misuse(token.text, arguments):
            self._fail("arguments", f"{wrong} in {token.text}(…)", token=token)
        return self._kept(Call(token.text, tuple(arguments)), token)

    def _leaf(self, name: Token, opening: Token) -> Node:
        what, kind = _LEAVES[name.text]
        operand = self._take("text")
        if operand is None or not operand.text:
            self._fail("operand", f"{what} in quotes", f'write {name.text}("…")', operand)
        self._close(opening)
        return kind(operand.text)

    def _close(self, opening: Token) -> None:
        if self._take(")") is None:
            mend = "close it, with operators between operands"
            self._fail("parenthesis", f"')' for the '(' at {opening.start + 1}", mend)

    def _number(self, value: float, token: Token) -> Number:
        if not math.isfinite(value):
            self._fail("not finite", "a finite number", token=token)
        return Number(value)

    def _kept(self, node: Node, token: Token) -> Node:
        if node.depth > MAX_DEPTH or node.size > MAX_NODES:
            limit = f"at most {MAX_NODES} steps, {MAX_DEPTH} of them deep"
            self._fail("too deep", limit, "use mean(…) for long sums, or fewer operands", token)
        return node

    def _nested(self, token: Token, rule: Callable[[], Node]) -> Node:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            self._fail("nesting", f"at most {MAX_NESTING} parentheses and signs within each other", token=token)
        node = rule()
        self.nesting -= 1
        return node


def misuse(name: str, arguments: Sequence[Node]) -> str | None:
    """What a call of that name expects, where these arguments are wrong; else None."""
    numbers = [each.value for each in arguments if isinstance(each, Number)]
    points = len(arguments) - len(numbers)
    if any(isinstance(each, Number) for each in arguments[:points]):
        return "points before numbers"
    if name == "mean":
        if numbers and (min(numbers) < 0 or max(numbers) == 0):
            return "weights that are not negative, nor all zero,"
        return None if points and len(numbers) in (0, points) else "points, then no number or one weight per point,"
    if name == "norm":
        return None if (points, len(numbers)) == (1, 0) else "one point"
    if name == "squad":
        fits = points >= 2 and len(numbers) == 1 and 0 <= numbers[0] <= points - 1
        return None if fits else "two or more points, then a number from 0 to one less than their count,"
    return None if (points, len(numbers)) == (2, 1) else "two points, then a number,"


def tokenize(source: str) -> list[Token]:
    tokens = []
    for match in _TOKEN.finditer(source):
        kind, text, start = str(match.lastgroup), match.group(), match.start()
        if kind == "other":
            mend = 'put texts and paths in "quotes"'
            raise error_at(source, Token(kind, text, start), "an operand or an operator", mend, code="unquoted")
        if kind == "quote":
            token, mend = Token("text", source[start:], start), "close the text, and write \\ before a quote inside it"
            raise error_at(source, token, f"a closing {_CLOSING[text][0]}", mend, code="quote")
        if kind == "text":
            text = _ESCAPED.sub(r"\1", text[1:-1])
        if kind != "space":
            sign = "-" if text in _MINUS else text
            tokens.append(Token(sign if kind == "mark" else kind, text, start))
    return [*tokens, Token("end", "", len(source))]


def error_at(source: str, token: Token, expected: str, mend: str, *, code: str) -> ExpressionError:
    """The error of a token, with its position from 1."""
    got = "the end" if token.kind == "end" else short(token.text)
    where = f"Got {got} at position {token.start + 1} of {short(source)}, expected {expected}"
    return ExpressionError(f"{where}; {mend}." if mend else f"{where}.", code=code)


def not_utf8(text: str) -> str | None:
    """The message for a text that UTF-8 cannot hold, else None.

    Bytes of another encoding reach a program as lone surrogates.
    """
    found = _SURROGATE.search(text)
    if found is None:
        return None
    shown = short(text.encode("utf-8", "backslashreplace").decode("utf-8"))
    return f"Got {shown}, whose character {found.start() + 1} is not UTF-8; type it again, or rename the file."


def short(text: str, width: int = 60) -> str:
    """The text on one line, in backticks, cut in the middle."""
    line = " ".join(text.split()) or repr(text)
    return f"`{line if len(line) <= width else line[: width // 2] + ' … ' + line[-width // 3 :]}`"
