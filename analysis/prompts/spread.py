"""How much of what is decoded is the prompt's, how much the noise's, and in what pictures of one prompt differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from .. import evidence
from ..arrays import numbers
from ..directions.fit import principal_directions
from ..evidence import Score, half_samples, interval

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spread:
    """The variance of pictures of several prompts from several seeds.

    Attributes:
        between: the share of the variance that the prompt explains beyond chance, the intraclass correlation ICC(1)
            (Shrout & Fleiss, 1979) of all dimensions together; its null has pictures shuffled among prompts.
        within: `(p,)` the variance over the seeds of each prompt, in squared units of the vectors.
        total: the variance of all pictures.
    """

    between: Score
    within: Values = field(repr=False)
    total: float

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON values."""
        return {"between": self.between.to_json(), "within": self.within.tolist(), "total": self.total}

    def table(self) -> pd.DataFrame:
        """One row, as `Score.to_json` has it."""
        return evidence.table({"between prompts": self.between})

    def plot(self) -> go.Figure:
        """The share beside its null."""
        return evidence.plot({"between prompts": self.between}, title="Share of the variance that is the prompt's")


def spread(x: ArrayLike, *, n_null: int = 199, n_samples: int = 100, random_state: int = 0) -> Spread:
    """Part the variance of decoded pictures between prompts and seeds.

    Args:
        x: `(p, s, d)` vectors of the pictures of two or more prompts from two or more seeds.

    Raises:
        AnalysisError: another shape, values that are not finite, or pictures that are all alike.
    """
    values = numbers(x, "x")
    if values.ndim != 3 or values.shape[0] < 2 or values.shape[1] < 2:
        message = f"Got an array of shape {values.shape}, expected (prompts, seeds, d), two or more of both."
        raise AnalysisError(message, code="shape")
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="199 allows p-values down to .005")
    p, s, d = values.shape
    flat = values.reshape(p * s, d)
    total = float(flat.var(0, ddof=1).sum())
    if not total > 1e-12:
        raise AnalysisError("Got pictures that are all alike, which have no spread; take others.", code="no variation")
    generator = np.random.default_rng(random_state)
    null = [_icc(flat[generator.permutation(p * s)].reshape(p, s, d)) for _ in range(n_null)]
    value = _icc(values)
    drawn = [_icc(values[rows]) for rows in half_samples(p, n_samples, generator)] if p >= 4 else None
    between = Score(value, np.asarray(null), None if drawn is None else interval(value, drawn, best=1.0))
    return Spread(between, values.var(1, ddof=1).sum(1), total)


@dataclass(frozen=True, eq=False)
class Varying:
    """In what pictures of one prompt differ.

    Attributes:
        mean: `(d,)`.
        directions: `(k, d)` unit vectors, that of the largest variance first.
        deviations: `(k,)` standard deviations along them.
        shares: of the whole variance, one for each; the null has the numbers of each dimension shuffled among pictures
            (Horn, 1965), where no two of them go together.
    """

    mean: Values = field(repr=False)
    directions: Values = field(repr=False)
    deviations: Values = field(repr=False)
    shares: tuple[Score, ...]

    def along(self, which: int, amounts: ArrayLike = (-2.0, 0.0, 2.0)) -> Values:
        """Points along one direction, `amounts` standard deviations from the mean: `(m, d)`, to be decoded."""
        steps = np.asarray(amounts, np.float64)[:, None] * self.deviations[which]
        return np.asarray(self.mean + steps * self.directions[which])

    def table(self) -> pd.DataFrame:
        """A row for each direction: its `deviation`, and its share as `Score.to_json` has it."""
        found = evidence.table({f"direction {row}": share for row, share in enumerate(self.shares)})
        found.insert(0, "deviation", self.deviations)
        return found

    def plot(self) -> go.Figure:
        """The shares beside their nulls."""
        scores = {f"direction {row}": share for row, share in enumerate(self.shares)}
        return evidence.plot(scores, title="Share of the variance over seeds")

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values."""
        return {"directions": self.table().to_dict("records")}


def varying(x: ArrayLike, n: int = 4, *, n_null: int = 99, random_state: int = 0) -> Varying:
    """Principal directions of the pictures of one prompt: what SliderSpace (Gandikota et al., 2025) trains sliders for.

    Args:
        x: `(s, d)` vectors of the pictures of many seeds.
        n: directions, fewer than there are pictures.

    Raises:
        AnalysisError: too few pictures, or pictures that are all alike.
    """
    directions, deviations = principal_directions(x, n)
    values = np.asarray(x, np.float64)
    total = float(values.var(0, ddof=1).sum())
    if not total > 1e-12:
        raise AnalysisError("Got pictures that are all alike, so nothing varies; take others.", code="no variation")
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="99 allows p-values down to .01")
    generator = np.random.default_rng(random_state)
    null = []
    for _ in range(n_null):
        shuffled = generator.permuted(values, axis=0)
        singular = np.linalg.svd(shuffled - shuffled.mean(0), compute_uv=False)[:n]
        null.append(singular**2 / (len(values) - 1) / total)
    shares = [Score(float(each**2 / total), drawn) for each, drawn in zip(deviations, np.array(null).T, strict=True)]
    return Varying(values.mean(0), directions, deviations, tuple(shares))


def _icc(x: Values) -> float:
    """ICC(1) with the variances of all dimensions added up: `(p, s, d)`."""
    s = x.shape[1]
    within = float(x.var(1, ddof=1).sum(1).mean())
    between = s * float(x.mean(1).var(0, ddof=1).sum())
    return (between - within) / (between + (s - 1) * within) if between + within > 0 else 0.0
