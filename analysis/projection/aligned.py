"""Two maps drawn together, by AlignedUMAP of umap-learn: an item is held at one place on both."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..arrays import Matrix
from ..knn import NUMBA
from .placing import Places

EPOCHS, MIN_DIST = 200, 0.1


def draw_aligned(
    first: Matrix, second: Matrix, *, n_neighbors: int, alignment: float, random_state: int
) -> tuple[tuple[Places, Places], dict[str, Any]]:
    """Places `(n, 2)` of prepared rows `(n, d)` and `(n, e)` of the same items, and the options to save with a map.

    An item that has no neighbours has no place: NaN.

    Args:
        n_neighbors: of an item, counting the item itself.
        alignment: how strongly an item is held at its place on the other map; `alignment_regularisation` of umap-learn.
        random_state: the same seed gives the same maps.
    """
    import umap
    from umap.umap_ import find_ab_params

    a, b = (float(value) for value in find_ab_params(1.0, MIN_DIST))
    options = {"n_neighbors": n_neighbors, "min_dist": MIN_DIST, "n_epochs": EPOCHS, "a": a, "b": b}
    reducer = umap.AlignedUMAP(
        n_neighbors=n_neighbors,
        min_dist=MIN_DIST,
        n_epochs=EPOCHS,
        a=a,
        b=b,
        alignment_regularisation=alignment,
        random_state=random_state,
        transform_seed=random_state,
    )
    with NUMBA, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_jobs value")  # one thread, as the seed wants
        reducer.fit([first, second], relations=[{row: row for row in range(len(first))}])
    places = [np.asarray(each, np.float32) for each in reducer.embeddings_]
    return (places[0], places[1]), options | {"alignment": alignment, "random_state": random_state}
