"""Factors: the named choices that make a picture of the pocket world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Factor:
    """One choice with a few named values.

    Attributes:
        name: the key in a scene's factors.
        values: what it can be, in a fixed order (labels are positions in it).
        absent_when: other factor -> values under which this one cannot be seen and has no value.
    """

    name: str
    values: tuple[str, ...]
    absent_when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def present(self, factors: Mapping[str, str]) -> bool:
        """Whether a scene that has `factors` shows this one."""
        return not any(factors.get(other) in values for other, values in self.absent_when.items())
