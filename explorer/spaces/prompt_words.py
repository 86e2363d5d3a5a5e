"""The token positions of words of prompts, for replacing states at these positions."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from ..checks import whole
from ..errors import SpaceError
from ..language.nodes import Node, Text, Weighted
from ..models.prompt_tokens import PromptLayout
from .prompt_weights import read_weights

Word = int | str | tuple[int | str, int | str]
"""A token position, a word (or several) of the text, or a pair: the replaced one and its replacement."""


def source_text(node: Node) -> str | None:
    """The plain text that a point was encoded from, or None for other points."""
    match node:
        case Text(text):
            return text
        case Weighted(text):
            return read_weights(text).text
    return None


def positions(layout: PromptLayout, node: Node, word: int | str) -> list[int]:
    """The token positions of a word, each once, in order; or the position itself.

    Raises:
        SpaceError: a position out of range, a word that is not in the text, or a point that is not of a single text.
    """
    if not isinstance(word, str):
        return [whole("position", word, 0, layout.tokens - 1, error=SpaceError)]
    text = source_text(node)
    if text is None:
        raise SpaceError(
            f"Got the word {word[:40]!r} for the point {str(node)[:60]}, which is not a single text, expected "
            "token positions; use those, or encode a text.",
            code="no source",
        )
    rows = rows_of(layout, text, word)
    if not rows:
        raise SpaceError(
            f"Got the word {word[:40]!r}, expected one of the prompt's tokens: {_listed_tokens(layout, text)}.",
            code="word",
        )
    return rows


def rows_of(layout: PromptLayout, text: str, word: str) -> list[int]:
    """The rows of a word (or several) of a text, at all its occurrences, of all text encoders; empty if not there."""
    found = re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) if word else []
    return list(dict.fromkeys(row for each in found for row in layout.rows(text, each.span())))


def _listed_tokens(layout: PromptLayout, text: str) -> str:
    """The tokens of a text with their positions, for a message."""
    names, rows = layout.names(text), layout.readings[0].rows(text, (0, len(text)))
    return ", ".join(f"{row} {names[row]}" for row in rows[:40]) + (", …" if len(rows) > 40 else "")


def pairs(layout: PromptLayout, a: Node, b: Node, words: Sequence[Word]) -> tuple[list[int], list[int]]:
    """The positions of one prompt to replace, and those of another prompt that replace them, by default the same.

    Raises:
        SpaceError: as `positions`; also a pair with unequal numbers of tokens.
    """
    of_a: list[int] = []
    of_b: list[int] = []
    for word in [words] if isinstance(words, str | int) else words:
        mine, theirs = word if isinstance(word, tuple) else (word, None)
        rows = positions(layout, a, mine)
        others = rows if theirs is None else positions(layout, b, theirs)
        if len(rows) != len(others):
            raise SpaceError(
                f"Got {mine!r} of {len(rows)} tokens for {theirs!r} of {len(others)}, expected equal numbers; use "
                "pairs of token positions.",
                code="number of tokens",
            )
        of_a, of_b = of_a + rows, of_b + others
    return of_a, of_b


def per_token(t: float | Tensor | Sequence[float], tokens: int) -> Tensor:
    """One number for all tokens or one per token, as `(tokens, 1)` float32.

    Raises:
        SpaceError: another shape, or a number that is not finite.
    """
    values = torch.as_tensor(t, dtype=torch.float32)
    if values.shape not in ((), (tokens,)) or not bool(torch.isfinite(values).all()):
        raise SpaceError(
            f"Got t of shape {tuple(values.shape)}, expected one finite number, or one for each of {tokens} tokens.",
            code="t",
        )
    return values.expand(tokens)[:, None]
