"""How far single numbers of a code are single factors: MIG, SAP and DCI.

Each takes codes `(n, c)` and factors as class numbers `(n, f)`. They ask whether the axes of the code are the factors,
not whether the factors are there: turning the code changes them, and no linear readout (see `probe`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Classes = NDArray[np.intp]

BINS = 20
TREES = 50


def mutual_information(codes: Values, factors: Classes) -> Values:
    """`(c, f)` mutual information in nats, of each number of the code in 20 bins of equal width with each factor."""
    from sklearn.metrics import mutual_info_score

    found = np.zeros((codes.shape[1], factors.shape[1]))
    for i, column in enumerate(codes.T):
        edges = np.histogram_bin_edges(column, BINS)
        binned = np.digitize(column, edges[1:-1])
        found[i] = [mutual_info_score(binned, factor) for factor in factors.T]
    return found


def mig(codes: Values, factors: Classes) -> float:
    """The gap between the two numbers of the code that tell most of a factor, over its entropy (Chen et al., 2018)."""
    ordered = np.sort(mutual_information(codes, factors), axis=0)
    entropies = np.array([_entropy(np.bincount(each)) for each in factors.T])
    gaps = ordered[-1] - ordered[-2]
    return float(np.divide(gaps, entropies, out=np.zeros_like(gaps), where=entropies > 0).mean())


def sap(codes: Values, factors: Classes) -> float:
    """The gap in accuracy between the two numbers that tell a factor best, one each (Kumar et al., 2018).

    By a linear classifier on one half of the items, scored on the other. For a factor of k even values it is at most
    `1 - 1 / k`; and a line cuts off the outer values of a number alone, so that of many values it is less.
    """
    from sklearn.svm import LinearSVC

    train, test = slice(0, None, 2), slice(1, None, 2)
    scaled = scaled_codes(codes)
    gaps = []
    for factor in factors.T:
        if np.ptp(factor[train]) == 0:  # a rare value that the first half lacks
            gaps.append(0.0)
            continue
        found = [
            LinearSVC(C=0.01, class_weight="balanced")
            .fit(column[train, None], factor[train])
            .score(column[test, None], factor[test])
            for column in scaled.T
        ]
        gaps.append(float(np.diff(np.sort(found)[-2:])[0]))
    return float(np.mean(gaps))


@dataclass(frozen=True, eq=False)
class DCI:
    """Disentanglement, completeness and informativeness (Eastwood & Williams, 2018).

    Attributes:
        disentanglement: 1 if each number of the code tells of one factor alone.
        completeness: 1 if each factor is told by one number alone.
        informativeness: the accuracy of the readout on held-out items, mean over factors.
        importances: `(c, f)` of each number for each factor.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    importances: Values = field(repr=False)


def dci(codes: Values, factors: Classes, *, n_trees: int = TREES, random_state: int = 0) -> DCI:
    """Fit boosted trees for each factor on one half of the items, and score them on the other."""
    from sklearn.ensemble import GradientBoostingClassifier

    train, test = slice(0, None, 2), slice(1, None, 2)
    importances, right = [], []
    for factor in factors.T:
        if np.ptp(factor[train]) == 0:
            importances.append(np.zeros(codes.shape[1]))
            right.append(float((factor[test] == factor[0]).mean()))
            continue
        trees = GradientBoostingClassifier(n_estimators=n_trees, random_state=random_state)
        trees.fit(codes[train], factor[train])
        importances.append(np.abs(trees.feature_importances_))
        right.append(trees.score(codes[test], factor[test]))
    found = np.stack(importances, 1)
    return DCI(one_sided(found), one_sided(found.T), float(np.mean(right)), found)


def one_sided(importances: Values) -> float:
    """`Σ ρᵢ (1 - H(Rᵢ))` over rows i: H of the shares in the row, to the base of their number; ρ its share of all."""
    totals = importances.sum(1)
    if not totals.sum() > 0:
        return 0.0
    shares = np.divide(importances, totals[:, None], out=np.zeros_like(importances), where=totals[:, None] > 0)
    entropies = np.array([_entropy(each) for each in shares]) / np.log(importances.shape[1])
    return float((totals / totals.sum()) @ (1 - entropies))


def _entropy(weights: NDArray[np.float64] | NDArray[np.intp]) -> float:
    """In nats, of weights that need not sum to 1."""
    share = weights[weights > 0] / max(weights.sum(), 1e-300)
    return float(-(share * np.log(share)).sum())


def scaled_codes(codes: Values) -> Values:
    """Each number with mean 0 and variance 1; those that do not vary as 0."""
    centred = codes - codes.mean(0)
    deviations = centred.std(0)
    return np.divide(centred, deviations, out=np.zeros_like(centred), where=deviations > 0)
