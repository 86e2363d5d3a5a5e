"""How many pictures are decoded at once: what suits their size, halved until it fits the memory."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

from ..errors import ModelError

Made = TypeVar("Made")

LARGEST = 32
"""Pictures of up to 256 x 256 at once; of larger ones as many as have as many pixels together."""

_PIXELS = LARGEST * 256 * 256


@dataclass
class Batch:
    """The largest batch of one opened model; it shrinks when one turns out not to fit, and is remembered.

    Attributes:
        largest: a power of two.
    """

    largest: int = LARGEST

    @classmethod
    def for_side(cls, side: int) -> Batch:
        """For pictures of `side` x `side` pixels.

        >>> [Batch.for_side(side).largest for side in (64, 256, 512, 1024, 4096)]
        [32, 32, 8, 2, 1]
        """
        fitting = max(1, min(LARGEST, _PIXELS // max(1, side * side)))
        return cls(1 << (fitting.bit_length() - 1))

    def fitted(self, size: int, make: Callable[[int], Made]) -> tuple[Made, int]:
        """`make(size)`, with half the size again and again while there is too little memory, and the size that fitted.

        Raises:
            ModelError: one picture alone is too much.
        """
        while True:
            said = ""
            try:
                return make(size), size
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not _is_lack_of_memory(error):
                    raise
                said = " ".join(str(error).split())[:120]
            # Outside the handler, whose traceback would keep the tensors of the failed attempt.
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            if size == 1:
                raise ModelError(
                    f"Got too little memory to decode a single picture ({said}); open the model with a smaller size, "
                    "in half precision, or with Placement(offload=..., tiling=True).",
                    code="memory",
                )
            size //= 2
            self.largest = min(self.largest, size)


def _is_lack_of_memory(error: BaseException) -> bool:
    # On the CPU PyTorch says it in a plain RuntimeError, and Apple's backend in one of its own.
    named = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return named or "can't allocate memory" in str(error) or "out of memory" in str(error)
