"""Scores of codes by groups of items that share one factor: FactorVAE's and β-VAE's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .scores import Classes, Values, scaled_codes

BATCH = 64
"""Items, or pairs of items, of one group."""

TRAIN, TEST = 800, 400
"""Groups that the classifier is fitted on, and scored on."""


def factor_vae(codes: Values, factors: Classes, generator: np.random.Generator) -> float:
    """How often the number that varies least in a group that shares a factor tells which one (Kim & Mnih, 2018).

    Variances are relative to those over all items; numbers that do not vary at all are left out. The classifier is a
    vote: for each number the factor that it stood for most often. Groups are drawn from the items with replacement.
    """
    deviations = codes.std(0)
    alive = codes[:, deviations > 0] / deviations[deviations > 0]
    if not alive.shape[1]:
        return 0.0
    groups = _groups(factors)
    votes = np.zeros((alive.shape[1], factors.shape[1]))
    right = 0
    for index in range(TRAIN + TEST):
        factor, rows = _drawn(groups, BATCH, generator)
        least = int(alive[rows].var(0).argmin())
        if index < TRAIN:
            votes[least, factor] += 1
        else:
            right += int(votes[least].argmax() == factor)
    return right / TEST


def beta_vae(codes: Values, factors: Classes, generator: np.random.Generator) -> float:
    """How well a linear classifier tells the shared factor from the mean |z - z'| of pairs (Higgins et al., 2017).

    Each number is divided by its deviation over all items.
    """
    from sklearn.linear_model import LogisticRegression

    scaled, groups = scaled_codes(codes), _groups(factors)
    features, answers = [], []
    for _ in range(TRAIN + TEST):
        factor, rows = _drawn(groups, 2 * BATCH, generator)
        features.append(np.abs(scaled[rows[:BATCH]] - scaled[rows[BATCH:]]).mean(0))
        answers.append(factor)
    x, y = np.stack(features), np.asarray(answers)
    fitted = LogisticRegression(max_iter=1000, C=100.0).fit(x[:TRAIN], y[:TRAIN])
    return float(fitted.score(x[TRAIN:], y[TRAIN:]))


def _groups(factors: Classes) -> list[list[NDArray[np.intp]]]:
    """For each factor and each of its values the rows that have it."""
    return [[np.flatnonzero(factor == value) for value in np.unique(factor)] for factor in factors.T]


def _drawn(
    groups: list[list[NDArray[np.intp]]], size: int, generator: np.random.Generator
) -> tuple[int, NDArray[np.intp]]:
    """A factor, and rows that share one of its values."""
    factor = int(generator.integers(len(groups)))
    rows = groups[factor][int(generator.integers(len(groups[factor])))]
    return factor, rows[generator.integers(len(rows), size=size)]
