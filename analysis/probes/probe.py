"""Linear probes: what a linear readout tells of items, or of combinations, that it was not fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from .. import evidence
from ..arrays import Matrix, prepare
from ..evidence import Score, half_samples, interval
from .folds import FOLDS, Fold, combination_folds, row_folds, shuffled_within
from .labels import Codes, Labels, read_labels

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Probe:
    """A linear classifier with its evidence.

    Attributes:
        name: of the factor.
        beside: the factor whose combinations with this one were held out; None if rows were.
        values: the k values that it tells apart.
        weights: `(k, d)`, and
        bias: `(k,)`: the value of an item x is that of the largest `weights @ x + bias`; fitted on all items.
        score: the mean recall of the values on held-out items, of which `1 / k` is chance, beside shuffled labels.
        recalls: `(k,)` the share of the held-out items of each value that were told right.
        n: items.
    """

    name: str
    beside: str | None
    values: tuple[Any, ...]
    weights: Values = field(repr=False)
    bias: Values = field(repr=False)
    score: Score
    recalls: Values
    n: int

    @property
    def chance(self) -> float:
        """The mean recall of a guess."""
        return 1 / len(self.values)

    @property
    def held_out(self) -> str:
        """What was held out, in words."""
        return "rows" if self.beside is None else f"combinations with {self.beside}"

    def __call__(self, x: ArrayLike) -> list[Any]:
        """The value that it tells of each item `(n, d)`."""
        rows = prepare(x, "euclidean").astype(np.float64)
        if rows.shape[1] != self.weights.shape[1]:
            message = f"Got items of {rows.shape[1]} numbers, expected {self.weights.shape[1]}, as it was fitted on."
            raise AnalysisError(message, code="width")
        return [self.values[each] for each in (rows @ self.weights.T + self.bias).argmax(1)]

    def table(self) -> pd.DataFrame:
        """A row for the mean recall, with the columns of `Score.to_json`, and the chance of a guess."""
        return evidence.table({self.name: self.score}).assign(chance=self.chance, held_out=self.held_out)

    def plot(self) -> go.Figure:
        """The mean recall beside shuffled labels; dotted, the chance of a guess."""
        return plot_probes([self]).add_vline(self.chance, line_dash="dot")

    def to_json(self) -> dict[str, Any]:
        """The evidence as JSON values, without the weights."""
        recalls = {str(value): float(each) for value, each in zip(self.values, self.recalls, strict=True)}
        score = {**self.score.to_json(), "chance": self.chance}
        return {"name": self.name, "beside": self.beside, "n": self.n, "score": score, "recalls": recalls}


def plot_probes(probes: Sequence[Probe]) -> go.Figure:
    """The mean recall of several probes beside shuffled labels; a tick is the chance of a guess."""
    scores = {each.name: each.score for each in probes}
    figure = evidence.plot(scores, title=f"on held-out {probes[0].held_out}")
    chances, mark = [each.chance for each in probes], {"symbol": "line-ns-open", "size": 18, "color": "#1f2430"}
    figure.add_scatter(x=chances, y=list(scores), mode="markers", marker=mark, name="chance of a guess")
    return figure.update_xaxes(title="mean recall", range=[0, 1.02])


def fit_probe(
    x: ArrayLike,
    labels: ArrayLike,
    *,
    beside: ArrayLike | None = None,
    names: tuple[str, str] = ("label", "beside"),
    n_null: int = 49,
    n_samples: int = 20,
    random_state: int = 0,
) -> Probe:
    """Fit a logistic regression, all classes of equal weight, and score it on what it was not fitted on.

    Without `beside` items are held out at random in five folds, and labels are shuffled for the null. With it whole
    combinations of both factors are held out, so that a probe which knows the one factor from the other fails; labels
    are then shuffled among items of equal `beside`, which keeps how the two go together. That null is below `1 / k`:
    a probe without anything to read learns which combinations are missing.

    Args:
        x: `(n, d)`.
        labels: `(n,)` a value for each item: texts, whole numbers or truth values.
        beside: `(n,)` the values of another factor.
        names: of both factors.
        n_null: shuffles.
        n_samples: random halves for the interval, fitted on the one and scored on the other; 0 for none.

    Raises:
        AnalysisError: missing labels, one value only, fewer than five items of a value, items that are all alike, or
            factors so bound to each other that no combination can be held out.

    >>> x, labels = np.repeat(np.eye(2), 10, axis=0), np.repeat(["red", "blue"], 10)
    >>> fit_probe(x, labels, n_samples=0).score.value
    1.0
    """
    from threadpoolctl import threadpool_limits

    whole("n_null", n_null, 1, 10**6, error=AnalysisError, hint="49 allows p-values down to .02")
    whole("n_samples", n_samples, 0, 10**6, error=AnalysisError, hint="20 gives a rough interval, 0 none")
    rows = prepare(x, "euclidean")
    own = read_labels(names[0], labels, len(rows), fewest=FOLDS)
    other = None if beside is None else read_labels(names[1], beside, len(rows), fewest=FOLDS)
    rows, mean, scale = _scaled(rows)
    rows, axes = _turned(rows)
    generator = np.random.default_rng(random_state)
    k, codes = len(own.values), own.codes

    def held_out(codes: Codes) -> Values:
        fold = row_folds(codes, generator) if other is None else combination_folds(codes, other.codes, generator)
        return _recalls(rows, codes, fold, k, None if other is None else other.codes)

    def shuffled() -> Codes:
        return generator.permutation(codes) if other is None else shuffled_within(codes, other.codes, generator)

    with threadpool_limits(1, user_api="blas"):  # steps of a fit are so small that threads only wait for each other
        recalls = held_out(codes)
        if np.isnan(recalls).any():
            raise _bound(own, other, int(np.flatnonzero(np.isnan(recalls))[0]))
        value = float(recalls.mean())
        null = np.array([np.nanmean(held_out(shuffled())) for _ in range(n_null)])
        weights, bias = _fitted(rows, codes, k)
        around = interval(value, _halves(rows, codes, k, n_samples, generator), best=1.0) if n_samples else None
    scored = Score(value, null, around)
    beside_name, weights = None if other is None else names[1], weights / scale
    if axes is not None:
        weights = weights @ axes
    return Probe(names[0], beside_name, own.values, weights, bias - weights @ mean, scored, recalls, len(rows))


def _scaled(rows: Matrix) -> tuple[Matrix, Values, float]:
    """Rows of unit variance over all numbers, so that the penalty is the same in each space and turns with it.

    Their mean is taken out, which the bias takes up: fits are the same, and end sooner.
    """
    mean = rows.mean(0, dtype=np.float64)
    scale = float((rows - mean).std())
    if not scale > 1e-7 * max(float(np.abs(rows).max()), 1e-30):
        raise AnalysisError(
            "Got items that are all alike, of which nothing can be told; add others.", code="no variation"
        )
    return ((rows - mean) / scale).astype(np.float32), mean, scale


def _turned(rows: Matrix) -> tuple[Matrix, Values | None]:
    """Rows in the space that they span, and its axes `(r, d)`: in wide spaces fits are the same there, and quicker.

    In others the rows as they are, and None.

    The penalty does not depend on the axes, and weights outside the span would only add to it.
    """
    n, d = rows.shape
    if d <= n:
        return rows, None
    axes = np.linalg.svd(rows.astype(np.float64), full_matrices=False)[2]
    return (rows @ axes.T).astype(np.float32), axes


def _fitted(rows: Matrix, codes: Codes, k: int) -> tuple[Values, Values]:
    """Weights and bias for each of k classes; those that are not in `codes` are never told."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(max_iter=1000, class_weight="balanced").fit(rows, codes)
    weights, bias = np.zeros((k, rows.shape[1])), np.full(k, -np.inf)
    if len(fitted.classes_) == 2:  # scikit-learn keeps the difference of two classes alone
        low, high = fitted.classes_
        weights[high], bias[low], bias[high] = fitted.coef_[0], 0.0, fitted.intercept_[0]
    else:
        weights[fitted.classes_], bias[fitted.classes_] = fitted.coef_, fitted.intercept_
    return weights, bias


def _told(rows: Matrix, fitted: tuple[Values, Values]) -> Codes:
    weights, bias = fitted
    return np.asarray((rows @ weights.T.astype(np.float32) + bias).argmax(1))


def _recalls(rows: Matrix, codes: Codes, fold: Fold, k: int, others: Codes | None) -> Values:
    """The recall of each class over all folds; NaN for a class that could never be held out.

    Items are not scored where their value, or that of the other factor, is not among those that were fitted on.
    """
    right, counted = np.zeros(k), np.zeros(k)
    for each in np.unique(fold):
        out = fold == each
        known = np.isin(codes, codes[~out])
        if others is not None:
            known &= np.isin(others, others[~out])
        tested = out & known
        if not tested.any() or len(np.unique(codes[~out])) < 2:
            continue
        told = _told(rows[tested], _fitted(rows[~out], codes[~out], k))
        right += np.bincount(codes[tested][told == codes[tested]], minlength=k)
        counted += np.bincount(codes[tested], minlength=k)
    return np.divide(right, counted, out=np.full(k, np.nan), where=counted > 0)


def _halves(rows: Matrix, codes: Codes, k: int, n_samples: int, generator: np.random.Generator) -> list[float]:
    """The mean recall on the rest of probes that were fitted on random halves, of which each has all classes."""
    found = []
    members = [np.flatnonzero(codes == each) for each in range(k)]
    for picks in zip(*(half_samples(len(each), n_samples, generator) for each in members), strict=True):
        half = np.concatenate([each[pick] for each, pick in zip(members, picks, strict=True)])
        rest = np.setdiff1d(np.arange(len(codes)), half)
        told = _told(rows[rest], _fitted(rows[half], codes[half], k))
        hits = np.bincount(codes[rest][told == codes[rest]], minlength=k)
        found.append(float((hits / np.bincount(codes[rest], minlength=k)).mean()))
    return found


def _bound(own: Labels, other: Labels | None, row: int) -> AnalysisError:
    beside = other.name if other is not None else "itself"
    message = (
        f"Got {own.name!r} {own.values[row]!r} with one value of {beside!r} alone, expected several, of which some can "
        "be held out; leave it out, or choose another factor."
    )
    return AnalysisError(message, code="combinations")
