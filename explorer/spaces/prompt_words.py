"""Words of prompts by their places among the tokens, and states exchanged there and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import SpaceError
from ..language.nodes import Node, Text, Weighted
from ..models.prompt_tokens import PromptLayout
from .prompt_weights import read_weights

Word = int | str | tuple[int | str, int | str]
"""A token position, a word (or several) of the text, or a pair: what is replaced, and what by."""


def source_text(node: Node) -> str | None:
    """The plain text that a point was encoded from, or None where it was made otherwise."""
    match node:
        case Text(text):
            return text
        case Weighted(text):
            return read_weights(text).text
    return None


def positions(layout: PromptLayout, node: Node, words: Sequence[int | str]) -> list[int]:
    """The token positions of positions and words, each once, in order.

    Raises:
        SpaceError: a position that there is not, a word that is not among the tokens, or a point of no text.
    """
    found: list[int] = []
    for word in words:
        rows = _rows_of_word(layout, node, word) if isinstance(word, str) else [_position(layout, word)]
        found += [row for row in rows if row not in found]
    return found


def _position(layout: PromptLayout, position: int) -> int:
    if isinstance(position, bool) or not isinstance(position, int) or not 0 <= position < layout.tokens:
        raise SpaceError(
            f"Got {position!r} as a token, expected a word or a position from 0 to {layout.tokens - 1}; choose one."
        )
    return position


def _rows_of_word(layout: PromptLayout, node: Node, word: str) -> list[int]:
    text = source_text(node)
    if text is None:
        raise SpaceError(
            f"Got the word {word[:40]!r} for the point {str(node)[:60]}, which is no single text, expected token "
            "positions; give those, or encode a text."
        )
    spans = (
        [each.span() for each in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)] if word else []
    )
    rows = [row for span in spans for row in layout.rows(text, span)]
    if not rows:
        raise SpaceError(f"Got the word {word[:40]!r}, expected one of the prompt's tokens: {_told(layout, text)}.")
    return rows


def _told(layout: PromptLayout, text: str) -> str:
    """The tokens of a text that stand for something in it, with their positions."""
    names, rows = layout.names(text), layout.readings[0].rows(text, (0, len(text)))
    return ", ".join(f"{row} {names[row]}" for row in rows[:40]) + (", …" if len(rows) > 40 else "")


def pairs(layout: PromptLayout, a: Node, b: Node, words: Sequence[Word]) -> tuple[list[int], list[int]]:
    """Which positions of one prompt are replaced by which of another's; without a partner, by the same.

    Raises:
        SpaceError: as `positions`, or a pair of unequal numbers of tokens.
    """
    of_a: list[int] = []
    of_b: list[int] = []
    for word in [words] if isinstance(words, str | int) else words:
        mine, theirs = word if isinstance(word, tuple) else (word, None)
        rows = positions(layout, a, [mine])
        others = rows if theirs is None else positions(layout, b, [theirs])
        if len(rows) != len(others):
            raise SpaceError(
                f"Got {mine!r} of {len(rows)} tokens for {theirs!r} of {len(others)}, expected equal numbers; give "
                "pairs of token positions."
            )
        of_a, of_b = of_a + rows, of_b + others
    return of_a, of_b


def per_token(t: float | Tensor | Sequence[float], tokens: int) -> Tensor:
    """One number for all tokens or one each, as `(tokens, 1)` float32.

    Raises:
        SpaceError: another number of them, or one that is not finite.
    """
    values = torch.as_tensor(t, dtype=torch.float32)
    if values.shape not in ((), (tokens,)) or not bool(torch.isfinite(values).all()):
        raise SpaceError(
            f"Got t of shape {tuple(values.shape)}, expected one finite number, or one for each of {tokens} tokens; "
            "match them."
        )
    return values.expand(tokens)[:, None]
