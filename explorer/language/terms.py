"""The parts of an expression: its summands with their weights, and the operand that its arithmetic starts from."""

from __future__ import annotations

from dataclasses import dataclass

from .nodes import Add, Call, Divide, Node, Number, Scale, Sub


@dataclass(frozen=True)
class Term:
    """One summand of an expression, with the number in front of it."""

    weight: float
    node: Node


def terms(node: Node, weight: float = 1.0) -> list[Term]:
    """The summands of an expression, left to right; a call counts as one.

    >>> from thoughtspace.explorer.language.evaluate import parse
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
    """The operands of an expression: its summands, or where it is a single call, the points of that call.

    >>> from thoughtspace.explorer.language.evaluate import parse
    >>> [str(term.node) for term in operands(parse('slerp("a", "b", 0.3)'))]
    ['"a"', '"b"']
    """
    listed = terms(node)
    if len(listed) == 1 and isinstance(listed[0].node, Call):
        return [Term(1.0, each) for each in listed[0].node.arguments if not isinstance(each, Number)]
    return listed


def baseline(node: Node) -> Node | None:
    """The operand that the arithmetic starts from, the first that is not subtracted; `None` without arithmetic.

    >>> from thoughtspace.explorer.language.evaluate import parse
    >>> print(baseline(parse('-"a man" + 2 * "a king" + "a woman"')))
    "a king"
    """
    listed = operands(node)
    if len(listed) == 1 and listed[0].node == node:
        return None
    return next((term.node for term in listed if term.weight > 0), listed[0].node)
