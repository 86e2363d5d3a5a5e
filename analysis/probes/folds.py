"""Which items are held out together: rows at random, or whole combinations of two factors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .labels import Codes

Fold = NDArray[np.intp]

FOLDS = 5


def row_folds(codes: Codes, generator: np.random.Generator) -> Fold:
    """A fold for each item, with each class spread evenly over the folds: `(n,)`."""
    fold = np.empty(len(codes), dtype=np.intp)
    for each in np.unique(codes):
        rows = generator.permutation(np.flatnonzero(codes == each))
        fold[rows] = (np.arange(len(rows)) + generator.integers(FOLDS)) % FOLDS
    return fold


def combination_folds(codes: Codes, others: Codes, generator: np.random.Generator) -> Fold:
    """A fold for each item, in which all items of a combination of two values have the same: `(n,)`.

    The folds are the diagonals of the table of combinations, its rows and columns in random order. So each value that
    is held out in some combinations is in the rest with others. Of two by two values, where a diagonal held out would
    leave both factors the same, each combination is a fold of its own.
    """
    a, b = int(codes.max()) + 1, int(others.max()) + 1
    rows, columns = generator.permutation(a)[codes], generator.permutation(b)[others]
    if max(a, b) == 2:
        return np.asarray(2 * rows + columns)
    return np.asarray((rows + columns) % max(a, b))


def shuffled_within(codes: Codes, others: Codes, generator: np.random.Generator) -> Codes:
    """Labels shuffled among the items with the same value of the other factor."""
    shuffled = codes.copy()
    for each in np.unique(others):
        here = np.flatnonzero(others == each)
        shuffled[here] = generator.permutation(codes[here])
    return shuffled
