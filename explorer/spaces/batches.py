"""Points in full batches, each with its seed.

The rounding of matrix kernels depends on the shape of a batch and, at its edges, on the row. So batches are always full
(the last is filled up with copies), and each picture's record has the size of its batch and its row: a replay fills a
batch of that size with copies and takes that row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import SpaceError
from ..models.batch_limit import LARGEST
from ..options import Decoding
from ..points import Points

BATCHES = (1, 2, 4, 8, 16, 32)
"""Default batch sizes: the first that holds all pictures, else the last, for several batches."""


@dataclass(frozen=True)
class Batch:
    """A full batch.

    Attributes:
        values: `(b, *shape)` values of points.
        seeds: one per row.
        rows: the rows to keep.
        around: a context for rendering the batch.
    """

    values: Tensor
    seeds: Sequence[int]
    rows: range
    around: Callable[[], AbstractContextManager[None]] = nullcontext


def seeds_for(how: Decoding, points: Points) -> tuple[Points, list[int]]:
    """Match points with seeds: one seed is used for all points, and one point for all seeds.

    Raises:
        SpaceError: numbers that do not match.
    """
    seeds = [int(each) for each in how.seeds]
    if not isinstance(how.seed, tuple):
        return points, seeds * len(points)
    if len(points) == 1:
        return points[[0] * len(seeds)], seeds
    if len(seeds) != len(points):
        raise SpaceError(
            f"Got {len(seeds)} seeds for {len(points)} points, expected one per point, or one seed for all.",
            code="seed",
        )
    return points, seeds


def batch_size(n: int, batch: int | None, largest: int = LARGEST) -> int:
    """The size of the batches in which `n` pictures are decoded.

    Args:
        batch: the requested size, or None for a suitable one.
        largest: the largest suitable size.

    >>> batch_size(5, None), batch_size(100, None), batch_size(100, None, 2), batch_size(100, 7)
    (8, 32, 2, 7)
    """
    if batch is None:
        return next((size for size in BATCHES if size >= n or size >= largest), BATCHES[-1])
    return Decoding(batch=batch).batch or 1


def filled(values: Tensor, size: int) -> Tensor:
    """A last batch filled up with copies of its last row."""
    return torch.cat([values, values[-1:].expand(size - len(values), *values.shape[1:])])


def full_batches(points: Points, seeds: Sequence[int], size: int) -> list[Batch]:
    """Points with their seeds in batches of one size, the last filled up with copies."""
    parts = [(points.values[at : at + size], seeds[at : at + size]) for at in range(0, len(points), size)]
    return [
        Batch(filled(values, size), [*some, *[some[-1]] * (size - len(some))], range(len(some)))
        for values, some in parts
    ]
