"""Places on a map: the point that a place stands for, and the places where points land."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.language.nodes import Call, Item, Node, Number

if TYPE_CHECKING:
    from thoughtspace.explorer.points import Points


@dataclass(frozen=True, eq=False)
class Spot:
    """A place on a map and the point that it is lifted to.

    Attributes:
        point: one point of the map's space, whose values are the lifted vector, bit for bit.
        place: its coordinates on the map.
        confidence: in [0, 1]: about 1 among the data, low in the gaps. See `Lifter`.
        items: ids of the items that the point is the mean of, the nearest on the map first.
        weights: the weights of these items.
    """

    point: Points
    place: tuple[float, ...]
    confidence: float
    items: tuple[str, ...]
    weights: tuple[float, ...]


class Landing(NamedTuple):
    """Where points land on a map.

    Attributes:
        places: `(m, c)` float32.
        agreement: `(m,)` in [0, 1]: the cosine of each point with the point lifted from its place, at least 0.
    """

    places: NDArray[np.float32]
    agreement: NDArray[np.float32]


def mean_of(items: Sequence[str], weights: Sequence[float]) -> Node:
    """The expression tree of the weighted mean of items; for a single item, the item."""
    if len(items) == 1:
        return Item(items[0])
    return Call("mean", (*map(Item, items), *map(Number, weights)))
