"""The sizes of batches: always full, so that a picture can be made again alone."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import ModelError
from ..models.batch_limit import LARGEST

BATCHES = (1, 2, 4, 8, 16, 32)
"""Sizes chosen by default: the first that holds all the pictures, or the last, again and again."""

MAX_BATCH = 256


def batch_size(n: int, batch: int | None, largest: int = LARGEST) -> int:
    """The size of the batches in which `n` pictures are decoded.

    Args:
        batch: asked for, or None for what suits.
        largest: that suits.

    Raises:
        ModelError: a size that cannot be meant.

    >>> batch_size(5, None), batch_size(100, None), batch_size(100, None, 2), batch_size(100, 7)
    (8, 32, 2, 7)
    """
    if batch is None:
        return next((size for size in BATCHES if size >= n or size >= largest), BATCHES[-1])
    if isinstance(batch, bool) or not isinstance(batch, int) or not 1 <= batch <= MAX_BATCH:
        raise ModelError(f"Got batch {batch!r}, expected a whole number from 1 to {MAX_BATCH}; 16 suits most machines.")
    return batch


def filled(values: Tensor, size: int) -> Tensor:
    """A last batch filled up with copies of its last row."""
    return torch.cat([values, values[-1:].expand(size - len(values), *values.shape[1:])])
