"""Features of items by a sparse autoencoder, with what speaks for them, and a few controls made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import choice, whole
from thoughtspace.explorer.errors import AnalysisError

from .. import evidence
from ..arrays import Matrix, prepare
from ..evidence import Score
from .autoencoder import KINDS, LEVELS, Autoencoder, agreement, fit_autoencoder
from .normal import normal_like

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer.progress import Progress

Values = NDArray[np.float64]

FEWEST = 20
"""Items without which no features are fitted."""


@dataclass(frozen=True, eq=False)
class Features:
    """A sparse autoencoder with its evidence.

    Attributes:
        autoencoder: to encode and decode.
        codes: `(n, m)` of the items that it was fitted on and those held out.
        scores: `explained`, 1 - FVU on held-out items, and `agreement`, the mean cosine of features with the nearest
            ones from another start. Both beside those of normal draws with the covariance of the items, which are no
            sums of few features: axes of large variance alone make two trainings agree more than chance.
        unexplained: the FVU on held-out items by the number of features that an item may use.
        principal: the `explained` of as many principal components as features an item may use.
    """

    autoencoder: Autoencoder
    codes: Matrix = field(repr=False)
    scores: Mapping[str, Score]
    unexplained: Mapping[int, float]
    principal: float

    @property
    def active(self) -> Values:
        """`(m,)` the share of items that use each feature."""
        return np.asarray((self.codes > 0).mean(0))

    @property
    def dead(self) -> float:
        """The share of features that no item uses."""
        return float((self.active == 0).mean())

    @property
    def l0(self) -> float:
        """How many features an item uses, on average."""
        return float(np.count_nonzero(self.codes, axis=1).mean())

    def top(self, feature: int, n: int = 10) -> NDArray[np.intp]:
        """The rows of the items with most of a feature, most first; fewer where fewer use it."""
        column = self.codes[:, self._checked(feature)]
        order = np.argsort(-column, kind="stable")[:n]
        return order[column[order] > 0]

    def step(self, feature: int) -> Values:
        """What a feature adds to an item that uses it, on average: `(d,)`, in the units of the items.

        Raises:
            AnalysisError: a feature that no item uses.
        """
        column = self.codes[:, self._checked(feature)]
        if not column.any():
            message = f"Got feature {feature}, which no item uses, expected one that some do; see `active`."
            raise AnalysisError(message, code="dead feature")
        size = float(column[column > 0].mean()) * self.autoencoder.scale
        return np.asarray(size * self.autoencoder.decoder[feature].astype(np.float64))

    def table(self) -> pd.DataFrame:
        """A row for each score; see `Score.to_json` for the columns."""
        return evidence.table(self.scores)

    def plot(self) -> go.Figure:
        """The scores beside their nulls; dotted, what as many principal components explain."""
        figure = evidence.plot(self.scores, title=f"{self.codes.shape[1]} features, {self.l0:.1f} an item")
        return figure.add_vline(self.principal, line_dash="dot")

    def to_json(self) -> dict[str, Any]:
        """The evidence as JSON values, without weights and codes."""
        return {
            "n": len(self.codes),
            "n_features": self.codes.shape[1],
            "l0": self.l0,
            "dead": self.dead,
            "unexplained": {str(k): value for k, value in self.unexplained.items()},
            "principal": self.principal,
            "scores": {name: score.to_json() for name, score in self.scores.items()},
        }

    def _checked(self, feature: int) -> int:
        return whole("feature", feature, 0, self.codes.shape[1] - 1, error=AnalysisError)


def fit_features(
    x: ArrayLike,
    *,
    n_features: int = 256,
    k: int = 8,
    kind: str = "topk",
    steps: int = 1000,
    n_null: int = 9,
    random_state: int = 0,
    progress: Progress | None = None,
) -> Features:
    """Fit a sparse autoencoder to four fifths of the items, and score it on the rest.

    Args:
        x: `(n, d)`.
        n_features: m; more than there are items is of no use.
        k: features that an item may use.
        kind: one of `KINDS`; `matryoshka` is also good at 2k, 4k and 8k.
        steps: of the training, each on 256 items.
        n_null: normal draws, each of which is two trainings.

    Raises:
        AnalysisError: fewer than 20 items, items that are all alike, or more features an item than there are.
    """
    choice("kind", kind, KINDS, error=AnalysisError)
    whole("n_features", n_features, 2, 10**6, error=AnalysisError, hint="as many as numbers, to 8 times that, is usual")
    whole("k", k, 1, n_features, error=AnalysisError, hint="8 to 32 is usual")
    whole("steps", steps, 1, 10**6, error=AnalysisError)
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="9 allows p-values down to .1")
    rows = prepare(x, "euclidean")
    if len(rows) < FEWEST:
        raise AnalysisError(
            f"Got {len(rows)} items, expected at least {FEWEST} for features; add some.", code="too few"
        )
    if not np.ptp(rows, axis=0).max() > 1e-6 * np.abs(rows).max():
        raise AnalysisError("Got items that are all alike, which have no features; add others.", code="no variation")
    levels = (k,) if kind == "topk" else tuple(dict.fromkeys(min(k << level, n_features) for level in range(LEVELS)))
    generator = np.random.default_rng(random_state)
    held_out = np.zeros(len(rows), bool)
    held_out[generator.permutation(len(rows))[: len(rows) // 5]] = True

    def fitted(items: Matrix, seed: int) -> Autoencoder:
        return fit_autoencoder(items[~held_out], n_features, levels, steps=steps, random_state=seed)

    found = fit_autoencoder(
        rows[~held_out], n_features, levels, steps=steps, random_state=random_state, progress=progress
    )
    value = _judged(rows, held_out, found, fitted(rows, random_state + 1))
    null = []
    for draw in range(n_null):
        drawn, seed = normal_like(rows, generator), random_state + 2 * (1 + draw)
        null.append(_judged(drawn, held_out, fitted(drawn, seed), fitted(drawn, seed + 1)))
    scores = {name: Score(value[name], np.array([each[name] for each in null])) for name in value}
    unexplained = {level: found.unexplained(rows[held_out], level) for level in levels}
    return Features(found, found.encode(rows), scores, unexplained, _principal(rows, held_out, k))


def _judged(rows: Matrix, held_out: NDArray[np.bool_], first: Autoencoder, second: Autoencoder) -> dict[str, float]:
    """What the first explains of held-out items, and how far its features are those of the second."""
    alive = [each.decoder[(each.encode(rows) > 0).any(0)] for each in (first, second)]
    return {"explained": 1 - first.unexplained(rows[held_out]), "agreement": agreement(alive[0], alive[1])}


def _principal(rows: Matrix, held_out: NDArray[np.bool_], k: int) -> float:
    mean = rows[~held_out].mean(0, dtype=np.float64)
    axes = np.linalg.svd(rows[~held_out] - mean, full_matrices=False)[2][:k]
    centred = rows[held_out] - mean
    return float(np.square(centred @ axes.T).sum() / np.square(centred).sum())


@dataclass(frozen=True, eq=False)
class Controls:
    """A few controls, each a group of features that go together: codes as sums of parts, by NMF.

    Attributes:
        weights: `(c, m)` of features in each control.
        amounts: `(n, c)` of each control in each item.
        steps: `(c, d)` what a control adds to the items that have most of it (those above its mean), on average.
        score: the share of the codes' squares that the controls explain, beside codes whose features are shuffled among
            items, each by itself, so that none go together.
    """

    weights: Values = field(repr=False)
    amounts: Values = field(repr=False)
    steps: Values = field(repr=False)
    score: Score

    def table(self) -> pd.DataFrame:
        """A row for the score; see `Score.to_json` for the columns."""
        return evidence.table({"explained": self.score})

    def plot(self) -> go.Figure:
        """The score beside its null."""
        return evidence.plot({"explained": self.score}, title=f"{len(self.weights)} controls")

    def to_json(self) -> dict[str, Any]:
        """For each control its strongest features, and the score, as JSON values."""
        order = np.argsort(-self.weights, axis=1)[:, :5]
        return {"controls": [{"features": row.tolist()} for row in order], "score": self.score.to_json()}


def fit_controls(features: Features, n: int = 8, *, n_null: int = 19, random_state: int = 0) -> Controls:
    """Group the features of items into a few controls by the NMF of scikit-learn.

    Raises:
        AnalysisError: more controls than features in use.
    """
    import warnings

    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    used = features.active > 0
    whole("n", n, 1, int(used.sum()), error=AnalysisError, hint="no more than features that are used")
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="19 allows p-values down to .05")
    codes = features.codes[:, used].astype(np.float64)
    generator = np.random.default_rng(random_state)

    def parted(codes: Values) -> tuple[NMF, Values, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the share is that of where it stopped
            nmf = NMF(n, init="nndsvda", max_iter=300, random_state=random_state)
            amounts = nmf.fit_transform(codes)
        left = np.square(codes - amounts @ nmf.components_).sum()
        return nmf, amounts, float(1 - left / np.square(codes).sum())

    nmf, amounts, value = parted(codes)
    null = [parted(generator.permuted(codes, axis=0))[2] for _ in range(n_null)]
    weights = np.zeros((n, len(used)))
    weights[:, used] = nmf.components_
    usual = np.array([column[column >= column.mean()].mean() for column in amounts.T])
    auto = features.autoencoder
    steps = usual[:, None] * auto.scale * (weights @ auto.decoder.astype(np.float64))
    return Controls(weights, amounts, steps, Score(value, np.array(null)))
