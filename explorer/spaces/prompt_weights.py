r"""Weights on the words of a prompt, in the usual syntax, and their effect on the states.

    (word)        weight 1.1            [word]     weight 1/1.1
    (word:1.4)    weight 1.4            \( \) \[ \] \\    the character itself

Brackets nest, and their weights multiply. A colon before anything but a number is part of the text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Literal, NoReturn

import torch
from torch import Tensor

from ..checks import choice
from ..errors import ExpressionError, SpaceError
from ..models.prompt_tokens import PromptLayout, Span

Method = Literal["blend", "scale"]

BRACKET = 1.1
"""The weight of a round bracket without a number."""

MAX_WEIGHT = 100.0

_STEP = re.compile(
    r"\\(?P<plain>[()\[\]\\])"
    r"|(?P<weight>:\s*(?P<number>[-+.\d][^():\[\]\\]*?)\s*\))"
    r"|(?P<bracket>[()\[\]])|(?P<letter>.)",
    re.DOTALL,
)
_CLOSING = {"(": ")", "[": "]"}


@dataclass(frozen=True)
class WeightedText:
    """A text without its brackets.

    Attributes:
        spans: ranges of characters and their weights, in order; all other characters have the weight 1.
    """

    text: str
    spans: tuple[tuple[Span, float], ...]


def read_weights(source: str) -> WeightedText:
    r"""Read the text and the weights from a source in the syntax above.

    Raises:
        ExpressionError: an unmatched bracket, or a weight that is not a number within ±`MAX_WEIGHT`.

    >>> read_weights("a (red:1.4) fox")
    WeightedText(text='a red fox', spans=(((2, 5), 1.4),))
    >>> read_weights(r"a fox \(red\)").text
    'a fox (red)'
    """
    letters: list[tuple[str, float]] = []
    opened: list[tuple[str, int, int]] = []  # bracket, its place in the source, letters before it
    for step in _STEP.finditer(source):
        start = step.start()
        if letter := step["plain"] or step["letter"]:
            letters.append((letter, 1.0))
        elif step["bracket"] in ("(", "["):
            opened.append((step["bracket"], start, len(letters)))
        else:
            closing = step["bracket"] or ")"
            if not opened or _CLOSING[opened[-1][0]] != closing:
                expected = f"the bracket that it closes; write \\{closing} for the character"
                _fail(source, closing, start, "bracket", expected)
            bracket, _, since = opened.pop()
            weight = _number(source, step) if step["weight"] else BRACKET if bracket == "(" else 1 / BRACKET
            letters[since:] = [(letter, inner * weight) for letter, inner in letters[since:]]
    if opened:
        bracket, start, _ = opened[-1]
        expected = f"its {_CLOSING[bracket]}; close it, or write \\{bracket} for the character"
        _fail(source, bracket, start, "bracket", expected)
    return WeightedText("".join(letter for letter, _ in letters), tuple(_spans(letters)))


def _number(source: str, step: re.Match[str]) -> float:
    try:
        weight = float(step["number"])
    except ValueError:
        weight = math.nan
    if not abs(weight) <= MAX_WEIGHT:
        expected = f"a weight from -{MAX_WEIGHT:g} to {MAX_WEIGHT:g}; write \\( and \\) for brackets"
        _fail(source, step["number"], step.start("number"), "weight", expected)
    return weight


def _fail(source: str, got: str, start: int, code: str, expected: str) -> NoReturn:
    raise ExpressionError(
        f"Got {got!r} at position {start + 1} of the weighted text {source[:60]!r}, expected {expected}.", code=code
    )


def _spans(letters: list[tuple[str, float]]) -> Iterator[tuple[Span, float]]:
    start = 0
    for weight, run in groupby(letters, key=itemgetter(1)):
        text = "".join(letter for letter, _ in run)
        if weight != 1 and text.strip():
            yield (start + len(text) - len(text.lstrip()), start + len(text.rstrip())), weight
        start += len(text)


def weighed(
    layout: PromptLayout, states: Tensor, read: WeightedText, *, empty: Tensor, method: Method = "blend"
) -> Tensor:
    """Apply the weights w of words to the states `(tokens, width)` of a text; where w = 1 they do not change.

    Args:
        empty: `(tokens, width)`, the states of the empty prompt.
        method: `"blend"` moves each token's state z along the line from that of the empty prompt, z₀ + w (z - z₀): 0
            removes the word, more than 1 extrapolates. `"scale"` multiplies, w z, and then rescales each output of the
            text encoder to its former mean, as the first interfaces for Stable Diffusion did.

    Raises:
        SpaceError: an unknown method.
    """
    choice("method", method, ("blend", "scale"), error=SpaceError)
    weights = layout.weights(read.text, read.spans).to(states)
    if method == "blend":
        return torch.where(weights == 1, states, empty + weights * (states - empty))
    scaled = states.clone()
    for reading in layout.readings:
        for rows, _ in reading.blocks(read.text):
            block = (rows, slice(*reading.columns))
            if bool((weights[block] != 1).any()):
                moved = states[block] * weights[block]
                ratio = states[block].mean() / moved.mean()
                # A mean of zero cannot be restored.
                scaled[block] = moved * ratio if bool(torch.isfinite(ratio)) else moved
    return scaled
