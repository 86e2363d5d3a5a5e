"""What a style word does to many prompts: whether it moves all of them the same way, and how far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from .. import evidence
from ..arrays import numbers
from ..evidence import Score

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StyleEffects:
    """The effects of style words.

    Attributes:
        names: of the styles.
        steps: `(s, d)` how each style moves a prompt, averaged over prompts, beyond what any of these styles does.
        size: `(s,)` the mean distance that a prompt is moved, with what any style does.
        consistency: for each style, the mean cosine of its own effects on two prompts; its null has the styles of each
            prompt shuffled.
    """

    names: tuple[str, ...]
    steps: Values = field(repr=False)
    size: Values = field(repr=False)
    consistency: tuple[Score, ...] = field(repr=False)

    def table(self) -> pd.DataFrame:
        """A row for each style: `size`, and the consistency as `Score.to_json` has it."""
        found = evidence.table(dict(zip(self.names, self.consistency, strict=True)))
        found.insert(0, "size", self.size)
        return found

    def plot(self) -> go.Figure:
        """The consistencies beside their nulls."""
        scores = dict(zip(self.names, self.consistency, strict=True))
        return evidence.plot(scores, title="Does a style move all prompts the same way?")

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values."""
        return {"styles": self.table().to_dict("index")}


def style_effects(
    plain: ArrayLike, styled: ArrayLike, names: Sequence[str], *, n_null: int = 199, random_state: int = 0
) -> StyleEffects:
    """Compare prompts with and without style words.

    Any words at the end of a prompt move it. So what all styles have in common, on the same prompt, is taken out before
    directions are compared.

    Args:
        plain: `(p, d)` prompts, three or more.
        styled: `(s, p, d)` the same prompts with each of two or more styles.
        names: of the styles.

    Raises:
        AnalysisError: arrays that do not fit, too few prompts or styles, or values that are not finite.
    """
    x, y = numbers(plain, "plain"), numbers(styled, "styled")
    if x.ndim != 2 or y.ndim != 3 or y.shape[1:] != x.shape or len(names) != len(y):
        message = f"Got arrays of shapes {x.shape} and {y.shape} and {len(names)} names, expected (p, d), (s, p, d), s."
        raise AnalysisError(message, code="shape")
    if len(x) < 3 or len(y) < 2:
        message = f"Got {len(x)} prompts and {len(y)} styles, expected three prompts and two styles at least; add some."
        raise AnalysisError(message, code="too few")
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="199 allows p-values down to .005")
    shifts = y - x
    own = shifts - shifts.mean(0)
    generator = np.random.default_rng(random_state)
    null = np.array([_consistency(_shuffled(own, generator)) for _ in range(n_null)])
    value = _consistency(own)
    scores = tuple(Score(float(each), drawn) for each, drawn in zip(value, null.T, strict=True))
    return StyleEffects(tuple(names), own.mean(1), np.linalg.norm(shifts, axis=2).mean(1), scores)


def _shuffled(own: Values, generator: np.random.Generator) -> Values:
    """The styles of each prompt in another order."""
    s, p, _ = own.shape
    order = generator.permuted(np.tile(np.arange(s), (p, 1)), axis=1)
    return np.asarray(own[order.T, np.arange(p)])


def _consistency(own: Values) -> Values:
    """The mean cosine of two different rows, for each style: `(s, p, d) -> (s,)`. A zero effect has cosine 0."""
    lengths = np.linalg.norm(own, axis=2, keepdims=True)
    unit = np.divide(own, lengths, out=np.zeros_like(own), where=lengths > 1e-12)
    p = own.shape[1]
    total = np.square(unit.sum(1)).sum(1) - np.square(unit).sum((1, 2))
    return np.asarray(total / (p * (p - 1)))
