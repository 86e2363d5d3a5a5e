"""Scores of disentanglement beside codes that know nothing of the factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from thoughtspace.explorer.checks import choice, whole
from thoughtspace.explorer.errors import AnalysisError

from .. import evidence
from ..arrays import prepare
from ..evidence import Score, half_samples, interval
from .interventions import beta_vae, factor_vae
from .labels import read_labels
from .scores import Classes, Values, dci, mig, mutual_information, sap

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

MEASURES = ("dci", "mig", "sap", "factor_vae", "beta_vae")
"""The names of the measures; `dci`, which is three scores, takes most of the time."""

ITEMS = 2000
"""Items of `dci`, whose trees take time in proportion to items times numbers; of more, so many at random are used."""

FEWEST = 40
"""Items without which nothing is scored."""


@dataclass(frozen=True, eq=False)
class Disentanglement:
    """How far the numbers of a code are the factors, one each.

    Attributes:
        scores: by name: those of `MEASURES`, of which `dci` is `disentanglement`, `completeness` and `informativeness`.
        information: `(c, f)` mutual information of each number with each factor, in nats.
        factors: the names of the f factors.
    """

    scores: Mapping[str, Score]
    information: Values = field(repr=False)
    factors: tuple[str, ...]

    def table(self) -> pd.DataFrame:
        """A row for each score; see `Score.to_json` for the columns."""
        return evidence.table(self.scores)

    def plot(self) -> go.Figure:
        """The scores with their intervals beside those of shuffled codes."""
        return evidence.plot(self.scores, title=f"{len(self.information)} numbers and {len(self.factors)} factors")

    def to_json(self) -> dict[str, Any]:
        """The scores and the mutual information as JSON values."""
        scores = {name: score.to_json() for name, score in self.scores.items()}
        return {"factors": list(self.factors), "scores": scores, "information": self.information.tolist()}


def disentanglement(
    codes: ArrayLike,
    factors: Mapping[str, ArrayLike],
    *,
    measures: Sequence[str] = MEASURES,
    n_null: int = 19,
    n_samples: int = 10,
    random_state: int = 0,
) -> Disentanglement:
    """Score a code against known factors.

    The null is that of the same items with the rows of the code shuffled. A high score says that the *axes* of the code
    are the factors; a low one does not say that the factors are missing: a turned code has all of them, and a linear
    probe reads them as well as before.

    Args:
        codes: `(n, c)`, two numbers or more.
        factors: by name, `(n,)` the value of each item.
        measures: some of `MEASURES`. `dci` sees 2,000 items at most, a random choice; for hundreds of numbers its null
            takes minutes even so: leave it out, or lower `n_null` and `n_samples`.
        n_null: shuffles.
        n_samples: half-samples for the intervals; 0 for none.

    Raises:
        AnalysisError: fewer than 40 items, one number, one factor, a factor of one value, or missing labels.
    """
    for each in measures:
        choice("measure", each, MEASURES, error=AnalysisError)
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="19 allows p-values down to .05")
    whole("n_samples", n_samples, 0, 10**6, error=AnalysisError, hint="10 gives a rough interval, 0 none")
    x = prepare(codes, "euclidean", what="codes").astype(np.float64)
    if len(x) < FEWEST:
        raise AnalysisError(
            f"Got {len(x)} items, expected at least {FEWEST} to fit and to score; add some.", code="too few"
        )
    if x.shape[1] < 2 or len(factors) < 2:
        message = f"Got {x.shape[1]} numbers and {len(factors)} factors, expected at least 2 of each to tell apart."
        raise AnalysisError(message, code="width")
    known = [read_labels(name, labels, len(x), fewest=4) for name, labels in factors.items()]
    y = np.stack([each.codes for each in known], 1)
    generator = np.random.default_rng(random_state)
    order = generator.permutation(len(x))  # halves of it are fitted on and scored
    x, y = x[order], y[order]
    values = _measured(x, y, measures, generator)
    null = [_measured(x[generator.permutation(len(x))], y, measures, generator) for _ in range(n_null)]
    halves = [_measured(x[half], y[half], measures, generator) for half in half_samples(len(x), n_samples, generator)]
    scores = {
        name: Score(
            value,
            np.array([each[name] for each in null]),
            interval(value, [each[name] for each in halves], best=1.0) if halves else None,
        )
        for name, value in values.items()
    }
    return Disentanglement(scores, mutual_information(x, y), tuple(factors))


def _measured(x: Values, y: Classes, measures: Sequence[str], generator: np.random.Generator) -> dict[str, float]:
    found: dict[str, float] = {}
    if "dci" in measures:
        scores = dci(x[:ITEMS], y[:ITEMS])  # rows are in random order
        found["disentanglement"], found["completeness"] = scores.disentanglement, scores.completeness
        found["informativeness"] = scores.informativeness
    if "mig" in measures:
        found["mig"] = mig(x, y)
    if "sap" in measures:
        found["sap"] = sap(x, y)
    if "factor_vae" in measures:
        found["factor_vae"] = factor_vae(x, y, generator)
    if "beta_vae" in measures:
        found["beta_vae"] = beta_vae(x, y, generator)
    return found
