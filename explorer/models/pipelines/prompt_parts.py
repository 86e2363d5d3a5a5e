"""All that a prompt consists of - states, masks, pooled vectors, of whatever lengths - as one row of numbers.

Two encoded prompts tell the shapes: the empty one and one longer than any context. A part that is as long for both is
laid down as it is. A part whose length follows its text (Qwen-Image, Z-Image) is filled up with zeros to the longest,
with a mask behind it that says which places count.

Masks stay masks. Between two prompts their numbers are between 0 and 1, and a place counts from one half on: a walk is
then continuous near both of its ends, and the words that one end alone has come or go in its middle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from ...errors import ModelError

Values = Mapping[str, Any]
"""Arguments of a pipeline by name: tensors with a row a prompt, lists of tensors, or None."""


@dataclass(frozen=True)
class Part:
    """One argument of a pipeline.

    Attributes:
        shape: of one prompt's, at its longest.
        dtype: as the pipeline encodes it.
        ragged: whether its length follows the text.
        listed: whether the pipeline takes a list of tensors, one a prompt, rather than one tensor.
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    ragged: bool
    listed: bool

    @property
    def mask(self) -> bool:
        """Whether its numbers are 0 or 1; Chroma's are floating."""
        return "mask" in self.name or not self.dtype.is_floating_point

    @property
    def numbers(self) -> int:
        """How many numbers of a row are its."""
        return prod(self.shape) + (self.shape[0] if self.ragged else 0)

    def laid(self, value: Tensor) -> Tensor:
        """One prompt's -> `(numbers,)` float32."""
        if not self.ragged:
            return value.float().flatten()
        filled = torch.zeros(self.shape, device=value.device)
        counts = torch.zeros(self.shape[0], device=value.device)
        filled[: len(value)], counts[: len(value)] = value.float(), 1.0
        return torch.cat([filled.flatten(), counts])

    def taken(self, row: Tensor) -> Tensor:
        """`(numbers,)` -> one prompt's."""
        states = row[: prod(self.shape)].unflatten(0, self.shape)
        if self.ragged:
            counts = row[prod(self.shape) :] >= 0.5
            counts[0] |= ~counts.any()  # a pipeline needs one token at least
            states = states[counts]
        return (states >= 0.5 if self.mask else states).to(self.dtype)


@dataclass(frozen=True)
class PromptParts:
    """The parts of a pipeline's prompts in order, and the masks that it leaves out where every place counts."""

    parts: tuple[Part, ...]
    left_out: tuple[str, ...] = ()

    @classmethod
    def learned(cls, short: Values, long: Values) -> PromptParts:
        """From an empty prompt and one longer than any context.

        Raises:
            ModelError: parts that are not a row a prompt, or that some prompts alone have.
        """
        found = []
        for name in short:
            ends = [_row(name, each[name]) for each in (short, long)]
            if all(end is None for end in ends):
                continue
            one, other = ends
            if one is None or other is None or one.shape[1:] != other.shape[1:]:
                raise ModelError(
                    f"Got prompts with and without {name}, expected one kind; choose another model.",
                    code="prompt parts",
                )
            ragged = one.shape != other.shape
            shape = (max(len(one), len(other)), *one.shape[1:]) if ragged else tuple(one.shape)
            found.append(Part(name, shape, one.dtype, ragged, listed=not isinstance(short[name], Tensor)))
        held = {part.name for part in found}
        return cls(tuple(found), tuple(name for name in short if name not in held and name.endswith("mask")))

    @property
    def ragged(self) -> bool:
        """Whether the length of a prompt follows its text, so that prompts do not share a batch."""
        return any(part.ragged for part in self.parts)

    @property
    def numbers(self) -> int:
        """Length of a row."""
        return sum(part.numbers for part in self.parts)

    def packed(self, values: Values) -> Tensor:
        """One prompt as the pipeline encodes it -> `(numbers,)` float32."""
        rows = [(part, _row(part.name, values[part.name])) for part in self.parts]
        return torch.cat([part.laid(row) for part, row in rows if row is not None])

    def tokens(self, row: Tensor) -> int:
        """Places of one prompt `(1, numbers)` that count; 0 where a pipeline does not tell them from filling."""
        values = self.unpacked(row)
        for part in self.parts:
            if part.mask:
                return int(values[part.name].sum())
        return max((len(values[part.name][0]) for part in self.parts if part.ragged), default=0)

    def unpacked(self, rows: Tensor) -> dict[str, Any]:
        """`(n, numbers)` -> arguments of the pipeline; more than one row only where lengths agree."""
        values: dict[str, Any] = {}
        for part, numbers in zip(self.parts, rows.split([part.numbers for part in self.parts], dim=1), strict=True):
            taken = [part.taken(row) for row in numbers]
            values[part.name] = taken if part.listed else torch.stack(taken)
        states = next((value for value in values.values() if isinstance(value, Tensor) and value.dim() == 3), None)
        if states is not None:
            values |= {name: states.new_ones(states.shape[:2], dtype=torch.long) for name in self.left_out}
        return values


def repeated(values: Values, n: int) -> dict[str, Any]:
    """The arguments of one prompt for `n` pictures."""
    return {
        name: value.repeat(n, *[1] * (value.dim() - 1)) if isinstance(value, Tensor) else [*value] * n
        for name, value in values.items()
        if value is not None
    }


def _row(name: str, value: Any) -> Tensor | None:
    """The one row of an encoded prompt."""
    if value is None:
        return None
    single = isinstance(value, Tensor | Sequence) and len(value) == 1 and isinstance(value[0], Tensor)
    if not single or value[0].dim() == 0:
        raise ModelError(f"Got {name} without a row a prompt, expected one; choose another model.", code="prompt parts")
    return value[0]
