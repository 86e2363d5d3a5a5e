"""A text read by a CLIP in chunks: its states one after the other, as many times as the encoder is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from ..chunks import split


def read_chunks(
    encoder: Any, tokenizer: Any, text: str, *, chunks: int, device: torch.device, masked: bool = False
) -> Iterator[Any]:
    """What the encoder answers to each chunk, hidden states and all.

    Each is read alone, so that the bits of one do not depend on the others.

    Args:
        masked: whether it is told which tokens are filling.
    """
    for chunk in split(tokenizer, int(tokenizer.model_max_length), text, chunks):
        ids = torch.tensor([chunk.ids], device=device)
        mask = (torch.arange(ids.shape[1], device=device) < chunk.length).long()[None] if masked else None
        yield encoder(ids, attention_mask=mask, output_hidden_states=True)
