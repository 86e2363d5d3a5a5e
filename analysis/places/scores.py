"""Scores of a heat map against a mask: the pointing game, intersection over union, average precision.

All are functions of flat maps `(n, p)` and masks `(m, p)` and score each map against each mask, since the null matches
maps with the masks of other pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Masks = NDArray[np.bool_]
Scorer = Callable[[Values, Masks], Values]

THRESHOLD = 0.5
"""Of the range of a map, from its least heat to its most: what is above is said to be the thing."""


def pointing(maps: Values, masks: Masks) -> Values:
    """`(n, m)` whether the hottest pixel is in the mask (Zhang et al., 2018; no margin around the mask).

    Several hottest pixels count by the share of them that is inside, so a flat map has the mask's share of the picture.
    """
    hottest = maps == maps.max(1, keepdims=True)
    return (hottest.astype(float) @ masks.T.astype(float)) / hottest.sum(1, keepdims=True)


def overlap(maps: Values, masks: Masks, threshold: float = THRESHOLD) -> Values:
    """`(n, m)` intersection over union of the mask and of the pixels from `threshold` of a map's range upwards."""
    low, high = maps.min(1, keepdims=True), maps.max(1, keepdims=True)
    above = (maps >= low + threshold * (high - low)).astype(float)
    both = above @ masks.T.astype(float)
    return both / (above.sum(1)[:, None] + masks.sum(1)[None] - both)


def average_precision(maps: Values, masks: Masks) -> Values:
    """`(n, m)` the area under precision over recall, Σ (R_k - R_{k-1}) P_k over the distinct heats of a map.

    It needs no threshold. By chance it is about the mask's share of the picture.
    """
    return np.stack([_precisions(each, masks) for each in maps])


def _precisions(heat: Values, masks: Masks) -> Values:
    order = np.argsort(-heat, kind="stable")
    # Pixels of one heat are taken together: only the last of them is a place to cut.
    cuts = np.append(np.flatnonzero(np.diff(heat[order])), heat.size - 1)
    inside = masks[:, order].cumsum(1)[:, cuts].astype(float)
    recall = inside / masks.sum(1, keepdims=True)
    return np.asarray((np.diff(recall, axis=1, prepend=0) * inside / (cuts + 1)).sum(1))


def scorers(threshold: float = THRESHOLD) -> dict[str, Scorer]:
    """The scores by their short names."""
    return {"pointing": pointing, "iou": partial(overlap, threshold=threshold), "ap": average_precision}
