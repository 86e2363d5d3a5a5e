"""Neighbours among many rows: cut the space into cells, and look only into those nearby (IVF, Jégou et al. 2011).

Matrix products from end to end, so there is nothing to compile: pynndescent is as fast once warm and takes a minute
to become so in every process.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .arrays import Matrix, blocks, pairwise, smallest

_ROUNDS = 5  # of k-means; the cells only need to be compact, not best
_SAMPLE = 40  # rows a cell to place its centre by


def search_cells(rows: Matrix, k: int, metric: str, generator: np.random.Generator) -> Iterator[NDArray[np.int32]]:
    """Candidates `(n, k)` for the nearest others of each row, in no order: from 16 cells, then from twice as many...

    There are √n cells. Ends before the round that would look into half of them.
    """
    centres = _centres(rows, math.isqrt(len(rows)), generator)
    owner = _nearest_centre(rows, centres)
    order = np.argsort(owner, kind="stable")
    members = np.split(order, np.searchsorted(owner[order], np.arange(1, len(centres))))
    by_distance = np.argsort(pairwise(centres, centres, "euclidean"), axis=1, kind="stable")
    probes = 16
    while probes < len(centres) / 2:
        candidates = np.empty((len(rows), k), dtype=np.int32)
        complete = True
        for cell, mine in enumerate(members):
            others = np.concatenate([members[near] for near in by_distance[cell, :probes]])
            if len(mine) and len(others) <= k:
                complete = False
                break
            for block in blocks(len(mine), len(others)):
                asked = mine[block]
                distances = pairwise(rows[asked], rows[others], metric)
                distances[asked[:, None] == others] = np.inf
                candidates[asked] = others[smallest(distances, k)]
        if complete:
            yield candidates
        probes *= 2


def _centres(rows: Matrix, n_cells: int, generator: np.random.Generator) -> Matrix:
    sample = rows[generator.permutation(len(rows))[: n_cells * _SAMPLE]]
    centres = sample[:n_cells].copy()
    for _ in range(_ROUNDS):
        owner = _nearest_centre(sample, centres)
        order = np.argsort(owner, kind="stable")
        kept, starts = np.unique(owner[order], return_index=True)
        sizes = np.diff(np.append(starts, len(sample)))
        centres[kept] = np.add.reduceat(sample[order], starts, axis=0) / sizes[:, None]
    return centres


def _nearest_centre(rows: Matrix, centres: Matrix) -> NDArray[np.intp]:
    parts = [pairwise(rows[block], centres, "euclidean").argmin(axis=1) for block in blocks(len(rows), len(centres))]
    return np.concatenate(parts)
