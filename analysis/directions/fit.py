"""Fit a direction that leads from items without a property to items with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import choice, whole
from thoughtspace.explorer.errors import AnalysisError

from .. import evidence
from ..arrays import Matrix, prepare
from ..evidence import Score, half_samples, interval

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Vector = NDArray[np.float64]

METHODS = ("mean", "cav")
"""`mean` is the difference of the means; `cav` the normal of a linear probe (Kim et al., 2018)."""

FEWEST = 8
FOLDS = 5


@dataclass(frozen=True, eq=False)
class Direction:
    """A unit vector of a space, with its evidence.

    Attributes:
        vector: `(d,)` of unit length.
        method: how it was fitted.
        step: the distance of the means of both sides along it: adding `step` times the vector leads from one to the
            other.
        auc: the chance that an item with the property lies further along than one without, on items that the direction
            was not fitted on (5 folds). Its null is that of shuffled labels.
        stability: the mean cosine of two directions, each fitted on one half of the items; 0 if there is nothing.
    """

    vector: Vector = field(repr=False)
    method: str
    step: float
    auc: Score
    stability: float

    def __call__(self, x: ArrayLike) -> Vector:
        """The coordinate of each item along the direction: `(n, d) -> (n,)`."""
        return np.asarray(np.asarray(x, np.float64) @ self.vector)

    def without(self, others: Sequence[ArrayLike]) -> Vector:
        """The unit vector that is left when the span of other directions is taken out.

        Raises:
            AnalysisError: nothing is left.
        """
        if not len(others):
            return self.vector
        spanned = np.linalg.qr(np.stack([np.asarray(each, np.float64) for each in others], 1))[0]
        left = self.vector - spanned @ (spanned.T @ self.vector)
        size = float(np.linalg.norm(left))
        if size < 1e-6:
            message = "Got other directions that span this one, so that nothing is left; leave some of them out."
            raise AnalysisError(message, code="no variation")
        return left / size

    def table(self) -> pd.DataFrame:
        """One row for the AUC, with the columns of `Score.to_json`, and the stability and the step."""
        return evidence.table({"auc": self.auc}).assign(stability=self.stability, step=self.step)

    def plot(self) -> go.Figure:
        """The AUC beside that of shuffled labels; dotted, that of a guess."""
        figure = evidence.plot({"held-out AUC": self.auc}, title=f"Direction by {self.method}")
        return figure.add_vline(0.5, line_dash="dot").update_xaxes(range=[0, 1])

    def to_json(self) -> dict[str, Any]:
        """The evidence as JSON values, without the vector."""
        return {"method": self.method, "step": self.step, "stability": self.stability, "auc": self.auc.to_json()}


def fit_direction(
    positive: ArrayLike,
    negative: ArrayLike,
    *,
    method: str = "mean",
    paired: bool = False,
    n_null: int = 99,
    n_samples: int = 50,
    random_state: int = 0,
) -> Direction:
    """The direction from items without a property to items with it.

    For a planted shift δu under noise σ in d dimensions, the cosine of the difference of means with u is about
    `δ / √(δ² + σ² d (1/n₊ + 1/n₋))`: in a wide space it takes many items to find a small shift.

    Args:
        positive, negative: `(n₊, d)` and `(n₋, d)`, items with and without it.
        method: one of `METHODS`.
        paired: whether row i of both sides belongs together, as two prompts that differ in one word. Pairs are then
            never parted, and the null turns random ones round.
        n_null: shuffles of the labels.
        n_samples: random splits into halves, for the stability and the interval.
        random_state: seed of folds, shuffles and halves.

    Raises:
        AnalysisError: fewer than eight items on a side, two widths, unequal pairs, or sides with the same mean.
    """
    choice("method", method, METHODS, error=AnalysisError)
    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="99 allows p-values down to .01")
    whole("n_samples", n_samples, 2, 10**6, error=AnalysisError, hint="50 gives a rough interval")
    sides = [prepare(each, "euclidean", what=what) for each, what in ((positive, "positive"), (negative, "negative"))]
    for side, what in zip(sides, ("positive", "negative"), strict=True):
        if len(side) < FEWEST:
            message = f"Got {len(side)} {what} items, expected at least {FEWEST} to fit and to score; add some."
            raise AnalysisError(message, code="too few")
    if sides[0].shape[1] != sides[1].shape[1]:
        widths = f"{sides[0].shape[1]} and {sides[1].shape[1]}"
        raise AnalysisError(f"Got items of {widths} numbers, expected items of one space.", code="width")
    if paired and len(sides[0]) != len(sides[1]):
        message = f"Got {len(sides[0])} and {len(sides[1])} items as pairs, expected as many on each side."
        raise AnalysisError(message, code="pairs")
    x, labels = np.concatenate(sides), np.repeat([True, False], [len(side) for side in sides])
    vector = _fitted(x, labels, method)
    generator = np.random.default_rng(random_state)
    fold = _folds(labels, generator, paired=paired)
    null = [_held_out(x, _without_effect(labels, generator, paired=paired), fold, method) for _ in range(n_null)]
    value = _held_out(x, labels, fold, method)
    halves = list(_halves(len(sides[0]), len(sides[1]), n_samples, generator, paired=paired))
    rests = [np.setdiff1d(np.arange(len(x)), half) for half in halves]
    drawn = [_fitted(x[half], labels[half], method) for half in halves]
    aucs = [_auc(x[rest] @ each, labels[rest]) for each, rest in zip(drawn, rests, strict=True)]
    agreed = [each @ _fitted(x[rest], labels[rest], method) for each, rest in zip(drawn, rests, strict=True)]
    return Direction(
        vector,
        method,
        float((sides[0].mean(0, dtype=np.float64) - sides[1].mean(0, dtype=np.float64)) @ vector),
        Score(value, np.asarray(null), interval(value, aucs, best=1.0)),
        float(np.mean(agreed)),
    )


def principal_directions(x: ArrayLike, n: int = 10) -> tuple[NDArray[np.float64], Vector]:
    """The directions of largest variance, largest first (as GANSpace has them; Härkönen et al., 2020).

    Their sign is such that the largest entry is positive.

    Returns:
        `(n, d)` unit vectors, and the standard deviation of the items along each.

    Raises:
        AnalysisError: more directions than there are.
    """
    rows = prepare(x, "euclidean")
    whole("n", n, 1, min(len(rows) - 1, rows.shape[1]), error=AnalysisError, hint="items and dimensions are the limit")
    _, singular, axes = np.linalg.svd(rows - rows.mean(0, dtype=np.float64), full_matrices=False)
    found = axes[:n]
    signs = np.sign(found[np.arange(n), np.abs(found).argmax(1)])
    return found * signs[:, None], singular[:n] / np.sqrt(len(rows) - 1)


def _fitted(x: Matrix, labels: NDArray[np.bool_], method: str) -> Vector:
    if method == "mean":
        vector = x[labels].mean(0, dtype=np.float64) - x[~labels].mean(0, dtype=np.float64)
    else:
        from sklearn.linear_model import LogisticRegression

        # Centred and in float64: a large mean, or columns that never vary, would stop the search in rounding.
        centred = x - x.mean(0, dtype=np.float64)
        scale = max(float(centred.std()), 1e-12)
        vector = LogisticRegression(max_iter=1000).fit(centred / scale, labels).coef_[0].astype(np.float64)
    size = float(np.linalg.norm(vector))
    if not size > 0:
        raise AnalysisError("Got sides with the same mean, between which there is no direction.", code="no variation")
    return np.asarray(vector / size)


def _folds(labels: NDArray[np.bool_], generator: np.random.Generator, *, paired: bool) -> NDArray[np.intp]:
    """A fold for each item, with both sides in each; pairs are in one."""
    fold = np.empty(len(labels), dtype=np.intp)
    order = generator.permutation(np.count_nonzero(labels))
    for side in (True, False):
        rows = np.flatnonzero(labels == side)
        rows = rows[order] if paired else generator.permutation(rows)
        fold[rows] = np.arange(len(rows)) % FOLDS
    return fold


def _without_effect(labels: NDArray[np.bool_], generator: np.random.Generator, *, paired: bool) -> NDArray[np.bool_]:
    """Labels without the effect: shuffled, or random pairs turned round."""
    if not paired:
        return generator.permutation(labels)
    turned = generator.random(len(labels) // 2) < 0.5
    return labels ^ np.tile(turned, 2)


def _halves(
    n: int, m: int, n_samples: int, generator: np.random.Generator, *, paired: bool
) -> Iterator[NDArray[np.intp]]:
    """Rows of random halves of both sides, of `n` and then `m` items; pairs are in one half."""
    firsts = half_samples(n, n_samples, generator)
    for first in firsts:
        second = first if paired else next(half_samples(m, 1, generator))
        yield np.concatenate([first, n + second])


def _held_out(x: Matrix, labels: NDArray[np.bool_], fold: NDArray[np.intp], method: str) -> float:
    """The mean AUC of each fold under the direction that the others give; folds with one side alone are left out."""
    found = []
    for each in range(FOLDS):
        out = fold == each
        if labels[out].any() and not labels[out].all():
            found.append(_auc(x[out] @ _fitted(x[~out], labels[~out], method), labels[out]))
    return float(np.mean(found))


def _auc(along: Vector, labels: NDArray[np.bool_]) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, along))
