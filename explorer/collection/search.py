"""Search: the items nearest to a point, exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CollectionError
from .encoding import only_kind

if TYPE_CHECKING:
    import pandas as pd

    from ..explorer import Explorer
    from ..points import Points
    from .items import Kind
    from .store import Collection

_ROWS = 65_536  # rows of a block: what is compared at once stays small beside the vectors


def search(
    collection: Collection,
    vector: Points | ArrayLike,
    k: int = 10,
    kind: Kind | None = None,
    *,
    explorer: Explorer | None = None,
    space: str = "joint",
) -> pd.DataFrame:
    """The `k` items of highest cosine with a point, best first; equal ones in the order of the collection.

    Args:
        vector: one point of the space, or its values `(d,)`.
        kind: only pictures, or only texts; by default all that the space has points for.
        explorer: what makes points of the items' raw vectors. Without it raw vectors are compared, so `vector` must
            be one itself.

    Returns:
        columns `id, kind, score, caption, source, row`, `row` in `collection.items()`.

    Raises:
        CollectionError: a point of another width, without a direction, or without an explorer for its items.
    """
    if k < 1:
        raise CollectionError(f"Got k = {k}, expected at least 1; ask for one item or more.")
    query = _query(vector, explorer)
    if explorer is not None:
        kind = kind or only_kind(explorer, space)
        x = collection.points(explorer, space, kind).flat.cpu().numpy()
    else:
        x = collection.vectors(space, kind)
    if query.shape != x.shape[1:]:
        raise CollectionError(
            f"Got a point of width {query.size} for space {space!r} of width {x.shape[1]}; encode it in that space."
        )
    score = cosines(x, query)
    best = top(score, k)
    rows = best if kind is None else collection.rows(kind)[best]
    found = collection.take(rows).assign(score=score[best], row=rows)
    return found[["id", "kind", "score", "caption", "source", "row"]]


def cosines(x: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """`(n, d), (d,) -> (n,)` in [-1, 1]; NaN for rows that are NaN or zero.

    >>> cosines(np.array([[2.0, 0.0], [-3.0, 0.0]], np.float32), np.array([5.0, 0.0], np.float32)).tolist()
    [1.0, -1.0]
    """
    score = np.empty(len(x), dtype=np.float32)
    unit = query / np.linalg.norm(query)
    for start in range(0, len(x), _ROWS):
        block = x[start : start + _ROWS]
        with np.errstate(invalid="ignore", divide="ignore"):
            score[start : start + _ROWS] = block @ unit / np.sqrt(np.einsum("nd,nd->n", block, block))
    return np.clip(score, -1, 1)


def top(score: NDArray[Any], k: int) -> NDArray[np.int64]:
    """The positions of the `k` greatest, greatest first, equal ones in order; NaN is never among them."""
    known = np.flatnonzero(~np.isnan(score))
    if k < len(known):
        least = np.partition(score[known], len(known) - k)[len(known) - k]
        known = known[score[known] >= least]
    return known[np.argsort(-score[known], kind="stable")][:k]


def _query(vector: Points | ArrayLike, explorer: Explorer | None) -> NDArray[np.float32]:
    values: Any = vector
    if hasattr(vector, "space"):
        if explorer is None:
            raise CollectionError(
                "Got points to search with and no explorer, expected the model that made them; pass explorer=."
            )
        if len(values) != 1:
            raise CollectionError(f"Got {len(values)} points to search with, expected one; choose one by index.")
        values = values.flat[0].cpu().numpy()
    query = np.asarray(values, dtype=np.float32).reshape(-1)
    norm = float(np.linalg.norm(query))
    if not np.isfinite(norm) or norm == 0:
        raise CollectionError(
            "Got a point without a direction, expected finite values that are not all zero; use another."
        )
    return query
