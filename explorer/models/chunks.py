"""A text in as many pieces as its text encoder must read one after the other, each with the marks around it.

CLIP reads 77 tokens: a start, up to 75 of the text, an end, and filling. A longer text is cut into pieces of 75
tokens, each read alone as if it were a text; what is left over at the end is filled with pieces of no text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
    placed = bool(getattr(tokenizer, "is_fast", False))
    if chunks == 1:
        read = tokenizer(
            text, padding="max_length", max_length=limit, truncation=True, return_offsets_mapping=placed, verbose=False
        )
        return [Chunk(list(read["input_ids"]), _spans(read, limit), sum(read["attention_mask"]))]
    read = tokenizer(text, add_special_tokens=False, return_offsets_mapping=placed, verbose=False)
    ids, spans, room = list(read["input_ids"]), _spans(read, len(read["input_ids"])), limit - 2
    return [
        _chunk(tokenizer, limit, ids[at : at + room], spans[at : at + room]) for at in range(0, room * chunks, room)
    ]


def _spans(read: Any, n: int) -> list[tuple[int, int]]:
    return [(int(start), int(stop)) for start, stop in read.get("offset_mapping", [(0, 0)] * n)]


def _chunk(tokenizer: Any, limit: int, ids: list[int], spans: list[tuple[int, int]]) -> Chunk:
    filling = limit - 2 - len(ids)
    whole = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id, *[tokenizer.pad_token_id] * filling]
    return Chunk(whole, [(0, 0), *spans, *[(0, 0)] * (1 + filling)], len(ids) + 2)


def excess(tokenizer: Any, limit: int, text: str, chunks: int = 1) -> int:
    """Tokens of a text past the last chunk; 0 where it is read whole."""
    room = limit - len(tokenizer("", verbose=False)["input_ids"])
    tokens = len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
    return max(0, tokens - chunks * room)


def chunks_for(tokenizer: Any, limit: int, text: str) -> int:
    """How many chunks read a text whole; at least 1."""
    room = limit - len(tokenizer("", verbose=False)["input_ids"])
    return 1 + -(-excess(tokenizer, limit, text) // room)
