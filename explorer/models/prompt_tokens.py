"""A prompt token by token: the pieces that a text encoder reads, and where their states are in a point.

CLIP reads 77 tokens: a start, up to 75 of the text, an end, and filling. A longer text is cut into chunks of 75 tokens,
each read alone as if it were a text; what is left over at the end is filled with chunks of no text.

A prompt is one tensor (see `generator`): states `(tokens, width)`, and where a family has them, pooled vectors behind
them in one row. Each text encoder writes a block of the states. SDXL's two CLIPs share the rows and write columns side
by side; SD3's T5 writes the rows after them, and counts tokens of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError

Span = tuple[int, int]
"""Characters of a text, from and up to."""


@dataclass(frozen=True)
class Chunk:
    """What a text encoder reads at once.

    Attributes:
        ids: of its tokens, marks and filling included.
        spans: the characters of the whole text that each token stands for; none `(0, 0)` for marks and filling.
        length: tokens before the filling.
    """

    ids: list[int]
    spans: list[tuple[int, int]]
    length: int


def split(tokenizer: Any, limit: int, text: str, chunks: int = 1) -> list[Chunk]:
    """The chunks of a text, `limit` tokens each; what is past the last is left out.

    Args:
        tokenizer: of transformers. For more than one chunk, one that puts a start and an end around a text.
    """
    placed = tokenizer.is_fast
    if chunks == 1:
        read = tokenizer(
            text, padding="max_length", max_length=limit, truncation=True, return_offsets_mapping=placed, verbose=False
        )
        return [Chunk(list(read["input_ids"]), _spans(read, limit), sum(read["attention_mask"]))]
    read = tokenizer(text, add_special_tokens=False, return_offsets_mapping=placed, verbose=False)
    ids, spans, size = list(read["input_ids"]), _spans(read, len(read["input_ids"])), limit - 2
    return [
        _chunk(tokenizer, limit, ids[at : at + size], spans[at : at + size]) for at in range(0, size * chunks, size)
    ]


def _spans(read: Any, n: int) -> list[tuple[int, int]]:
    return [(int(start), int(stop)) for start, stop in read.get("offset_mapping", [(0, 0)] * n)]


def _chunk(tokenizer: Any, limit: int, ids: list[int], spans: list[tuple[int, int]]) -> Chunk:
    filling = limit - 2 - len(ids)
    whole = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id, *[tokenizer.pad_token_id] * filling]
    return Chunk(whole, [(0, 0), *spans, *[(0, 0)] * (1 + filling)], len(ids) + 2)


def excess(tokenizer: Any, limit: int, text: str, chunks: int = 1) -> int:
    """Tokens of a text past the last chunk; 0 where it is read whole."""
    size = limit - len(tokenizer("", verbose=False)["input_ids"])
    tokens = len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
    return max(0, tokens - chunks * size)


def chunks_for(tokenizer: Any, limit: int, text: str) -> int:
    """How many chunks read a text whole; at least 1."""
    size = limit - len(tokenizer("", verbose=False)["input_ids"])
    return 1 + -(-excess(tokenizer, limit, text) // size)


def read_chunks(
    encoder: Any, tokenizer: Any, text: str, *, chunks: int, device: torch.device, masked: bool = False
) -> Iterator[Any]:
    """What a CLIP text encoder answers to each chunk of a text, hidden states and all.

    Each is read alone, so that the bits of one do not depend on the others.

    Args:
        masked: whether it is given a mask of the filling.
    """
    for chunk in split(tokenizer, int(tokenizer.model_max_length), text, chunks):
        ids = torch.tensor([chunk.ids], device=device)
        mask = (torch.arange(ids.shape[1], device=device) < chunk.length).long()[None] if masked else None
        yield encoder(ids, attention_mask=mask, output_hidden_states=True)


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
        if not self.tokenizer.is_fast:
            raise ModelError(
                f"Got a {type(self.tokenizer).__name__}, which does not tell where its tokens are in a text, expected "
                "one that does; name token positions, or save the model's tokenizer as tokenizer.json.",
                code="tokenizer",
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
        """The points that have these parts: the exact inverse."""
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
