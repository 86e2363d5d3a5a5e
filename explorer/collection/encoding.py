"""Between a collection and the spaces of a model: pictures and texts to raw vectors, raw vectors to points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CollectionError, SpaceError
from .items import Kind, Vectors

_ROWS = 65_536  # rows made into points at once: centring works in float64

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image
    from torch import Tensor

    from ..explorer import Explorer
    from ..points import Points


def space_of(explorer: Explorer, name: str) -> Any:
    """The space of that name.

    Raises:
        SpaceError: the model has none, or one that encodes neither pictures nor texts.
    """
    if name not in explorer.spaces:
        raise SpaceError(
            f"Got space {name!r}, expected one of {', '.join(explorer.spaces)} of {explorer.model.name}; name another."
        )
    space = explorer.spaces[name]
    if not (encodes(space, "image") or encodes(space, "text")):
        raise SpaceError(f"Got space {name!r}, which encodes neither pictures nor texts, expected 'joint' or 'latent'.")
    if name == "noise":  # an item's would depend on the steps and the prompt of its inversion, which no item keeps
        raise SpaceError(
            "Got space 'noise', whose points of pictures are not kept, expected 'joint' or 'latent'; invert pictures "
            "with Explorer.noise.image when they are wanted."
        )
    return space


def kept_as(space: str) -> str:
    """The name under which a space's vectors are kept: those of `joint-raw` are those of `joint`, before centring.

    >>> kept_as("joint-raw"), kept_as("latent")
    ('joint', 'latent')
    """
    return space.removesuffix("-raw")


def encodes(space: Any, kind: Kind) -> bool:
    """Whether the space has points for pictures, or for texts."""
    return hasattr(space, kind)


def only_kind(explorer: Explorer, space: str) -> Kind | None:
    """The kind of items that a space has points for; `None` for both.

    Raises:
        SpaceError: as `space_of`.
    """
    home = space_of(explorer, space)
    if encodes(home, "image") and encodes(home, "text"):
        return None
    return "image" if encodes(home, "image") else "text"


def encode(space: Any, kind: Kind, things: Sequence[Image | str]) -> tuple[Vectors, tuple[int, ...]]:
    """Vectors `(n, d)` float32 of pictures or texts, and the shape of one point.

    Where points are centred by reference means, what is kept is CLIP's own vectors: the means may be measured anew.
    """
    if hasattr(space, "centred"):
        clip = space.model.clip
        values: Tensor = clip.encode_images(things) if kind == "image" else clip.encode_texts(things)
    else:
        values = getattr(space, kind)(*things).values
    return values.float().flatten(1).cpu().numpy(), tuple(values.shape[1:])


def to_points(explorer: Explorer, space: str, vectors: Vectors, items: pd.DataFrame) -> Points:
    """Vectors of a collection's `items`, as they are kept, as points: each an `item("…")` of the expression language.

    Raises:
        CollectionError: some of the items have no vector in the space.
    """
    import torch

    from ..language.nodes import Item
    from ..points import Points

    kinds = list(items["kind"])
    missing = np.flatnonzero(np.isnan(vectors[:, 0]))
    if len(missing):
        what = f"{len(missing)} items" if len(missing) > 1 else "1 item"
        raise CollectionError(
            f"Got {what} without a vector in {space!r} (the first is of kind {kinds[missing[0]]!r}), expected one for "
            "each; ask for the other kind alone, or ingest them again with that space."
        )
    home = space_of(explorer, space)
    values = torch.empty(len(vectors), *home.info.shape)
    for start in range(0, len(vectors), _ROWS):
        rows = slice(start, start + _ROWS)
        raw = torch.from_numpy(np.array(vectors[rows])).reshape(-1, *home.info.shape)
        values[rows] = home.centred(raw, kinds[rows]).cpu() if hasattr(home, "centred") else raw
    return Points(values.to(explorer.model.device), home.info, tuple(map(Item, items["id"])))
