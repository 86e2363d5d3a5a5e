"""Where the words of a prompt are in its point: which text encoder wrote which rows and columns of the states.

A prompt is one tensor (see `denoiser`): states `(tokens, width)`, and where a family has them, pooled vectors behind
them in one row. Each text encoder writes a block of the states. SDXL's two CLIPs share the rows and write columns side
by side; SD3's T5 writes the rows after them, and counts tokens of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from .chunks import Chunk, excess, split

Span = tuple[int, int]
"""Characters of a text, from and up to."""


@dataclass(frozen=True)
class Reading:
    """The block of states that one text encoder writes.

    Attributes:
        tokenizer: its own.
        limit: tokens that it reads at once, the marks around a text included.
        columns: of the states, from and up to.
        first: row of its first token.
        chunks: how many times it reads on, each time writing `limit` rows.
    """

    tokenizer: Any
    limit: int
    columns: tuple[int, int]
    first: int = 0
    chunks: int = 1

    def blocks(self, text: str) -> list[tuple[slice, Chunk]]:
        """The rows of each chunk, and what stands in it."""
        chunks = split(self.tokenizer, self.limit, text, self.chunks)
        starts = range(self.first, self.first + self.limit * self.chunks, self.limit)
        return [(slice(start, start + self.limit), chunk) for start, chunk in zip(starts, chunks, strict=True)]

    def rows(self, text: str, span: Span) -> list[int]:
        """The rows of the tokens that share a character with a span of the text."""
        if not getattr(self.tokenizer, "is_fast", False):
            raise ModelError(
                f"Got a {type(self.tokenizer).__name__}, which does not tell where its tokens are in a text, expected "
                "one that does; name token positions, or save the model's tokenizer as tokenizer.json."
            )
        return [
            rows.start + at
            for rows, chunk in self.blocks(text)
            for at, (start, stop) in enumerate(chunk.spans)
            if start < stop and start < span[1] and stop > span[0]
        ]


@dataclass(frozen=True)
class PromptLayout:
    """How a family's prompts are laid out.

    Attributes:
        tokens, width: shape of the states.
        pooled: width of the pooled vectors behind them; 0 where there are none, and a point is its states.
        readings: what each text encoder writes; the first of a row names its tokens.
    """

    tokens: int
    width: int
    pooled: int
    readings: tuple[Reading, ...]

    def states(self, values: Tensor) -> Tensor:
        """Points `(n, ...)` -> their states `(n, tokens, width)`."""
        return values.flatten(1)[:, : self.tokens * self.width].unflatten(1, (self.tokens, self.width))

    def pooled_of(self, values: Tensor) -> Tensor | None:
        """Points `(n, ...)` -> their pooled vectors `(n, pooled)`, or None in a family without."""
        return values.flatten(1)[:, self.tokens * self.width :] if self.pooled else None

    def joined(self, states: Tensor, pooled: Tensor | None) -> Tensor:
        """The points whose parts these are: the way back, to the bit."""
        return states if pooled is None else torch.cat([states.flatten(1), pooled], dim=1)

    def names(self, text: str) -> list[str]:
        """A name for each row, as the tokenizers name their tokens; empty where no text encoder writes."""
        names = [""] * self.tokens
        for reading in reversed(self.readings):
            for rows, chunk in reading.blocks(text):
                names[rows] = [str(each) for each in reading.tokenizer.convert_ids_to_tokens(chunk.ids)]
        return names

    def excess(self, text: str) -> int:
        """Tokens of a text that no text encoder reads."""
        return min(excess(each.tokenizer, each.limit, text, each.chunks) for each in self.readings)

    def rows(self, text: str, span: Span) -> list[int]:
        """The rows of a span of the text, of all text encoders."""
        return sorted({row for each in self.readings for row in each.rows(text, span)})

    def weights(self, text: str, weighted: Sequence[tuple[Span, float]]) -> Tensor:
        """`(tokens, width)`: the weight of each number of the states, 1 where no span weighs it."""
        weights = torch.ones(self.tokens, self.width)
        for span, weight in weighted:
            for each in self.readings:
                weights[each.rows(text, span), slice(*each.columns)] = weight
        return weights
