"""Labels as numbers, checked once for all probes and scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.errors import AnalysisError

Codes = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Labels:
    """The value of one factor for each item.

    Attributes:
        name: of the factor.
        values: its k values, sorted.
        codes: `(n,)` the position in `values` of each item.
    """

    name: str
    values: tuple[Any, ...]
    codes: Codes = field(repr=False)

    @property
    def counts(self) -> NDArray[np.intp]:
        """Items of each value."""
        return np.bincount(self.codes, minlength=len(self.values))


def read_labels(name: str, labels: ArrayLike, n: int, *, fewest: int = 1) -> Labels:
    """Labels of `n` items: texts, numbers or truth values, each kind of value a class.

    Raises:
        AnalysisError: another number of labels, a missing one, one value only, or a value of fewer than `fewest` items.
    """
    given = np.asarray(labels)
    if given.shape != (n,):
        message = f"Got labels {name!r} of shape {given.shape} for {n} items, expected one for each."
        raise AnalysisError(message, code="number of labels")
    listed = given.tolist()
    missing = [row for row, each in enumerate(listed) if each is None or each != each]
    if missing:
        message = f"Got {len(missing)} items without a label {name!r}, the first is row {missing[0]}; leave them out."
        raise AnalysisError(message, code="missing labels")
    kinds = {type(each).__name__ for each in listed}
    if len(kinds) > 1:
        message = f"Got labels {name!r} of several types ({', '.join(sorted(kinds))}), expected one; convert them."
        raise AnalysisError(message, code="type of labels")
    values, codes = np.unique(given.astype(str) if given.dtype == object else given, return_inverse=True)
    found = Labels(name, tuple(values.tolist()), codes.astype(np.intp).reshape(-1))
    if len(values) < 2:
        message = f"Got labels {name!r} with one value alone, expected at least two to tell apart."
        raise AnalysisError(message, code="one class")
    rarest = int(found.counts.argmin())
    if found.counts[rarest] < fewest:
        raise AnalysisError(
            f"Got {found.counts[rarest]} items of {name!r} {found.values[rarest]!r}, expected at least {fewest}; leave "
            "rare values out, or add items.",
            code="too few",
        )
    return found
