"""What knows nothing of a picture and can still be right: a guess at the centre, and where such things usually are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SPREAD = 0.25
"""Standard deviation of the guess at the centre, of the side."""


def centred(height: int, width: int) -> NDArray[np.float64]:
    """`(height, width)` a Gaussian about the middle of the picture."""
    y, x = (((np.arange(side) + 0.5) / side - 0.5) / SPREAD for side in (height, width))
    return np.exp(-0.5 * (y[:, None] ** 2 + x[None] ** 2))


def usual_places(masks: NDArray[np.bool_], names: Sequence[str]) -> NDArray[np.float64]:
    """`(n, h, w)` for each mask the mean of the others of its name; of all others, where no other has its name."""
    labels, found = np.asarray(names), []
    whole = masks.astype(float)
    for row, name in enumerate(labels):
        others = np.arange(len(masks)) != row
        same = others & (labels == name)
        found.append(whole[same if same.any() else others].mean(0))
    return np.stack(found)
