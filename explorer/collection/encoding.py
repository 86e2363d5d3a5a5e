"""Between a collection and the spaces of a model: encode items to vectors, turn stored vectors into points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..errors import CollectionError, SpaceError
from .items import KINDS, Kind, Vectors

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image
    from torch import Tensor

    from ..explorer import Explorer
    from ..points import Points
    from ..spaces.joint import JointSpace
    from ..spaces.prompt import PromptSpace
    from ..spaces.space import Space

_RAW = "joint"  # the name under which CLIP's vectors are stored, for `joint` and `joint-raw` alike
_ROWS = 65_536  # rows turned into points at once: centring works in float64


def space_of(explorer: Explorer, name: str) -> Space:
    """The space of this name; a SpaceError if the model has none, or a collection cannot store its points."""
    name = name.replace("_", "-")  # an attribute's name, as Explorer.space takes it
    if name not in explorer.spaces:
        message = f"Got space {name!r}, expected one of {', '.join(explorer.spaces)} of {explorer.model.name}."
        raise SpaceError(message, code="no such space")
    space = explorer.spaces[name]
    if not space.encodes & {"image", "text"}:
        message = f"Got space {name!r}, which encodes neither pictures nor texts, expected 'joint' or 'latent'."
        raise SpaceError(message, code="encodes nothing")
    if not space.collectable:
        raise SpaceError(
            f"Got space {name!r}, where the point of a picture depends on options that no item stores, expected "
            f"'joint' or 'latent'; use Explorer.{name}.image for single pictures.",
            code="not collectable",
        )
    return space


def kept_as(space: Space) -> str:
    """The name under which the vectors of a space are stored: `joint-raw` shares the uncentred ones of `joint`."""
    return _RAW if space.keeps_raw else space.name


def only_kind(explorer: Explorer, space: str) -> Kind | None:
    """The only kind of items that a space encodes, or `None` if it encodes both; raises as `space_of`."""
    encoded = [kind for kind in KINDS if kind in space_of(explorer, space).encodes]
    return encoded[0] if len(encoded) == 1 else None


class Encoder:
    """Encodes pictures and texts in several spaces.

    Args:
        spaces: by the name under which their vectors are stored. Vectors that are given are of the first.
        batch: pictures or texts encoded at once.

    Attributes:
        given: the name of the space of given vectors.
    """

    def __init__(self, spaces: Mapping[str, Space], *, batch: int) -> None:
        self._spaces, self.batch = spaces, batch
        self.given = next(iter(spaces))

    def spaces(self, kind: Kind) -> list[str]:
        """The names of the spaces that encode this kind of item."""
        return [name for name, space in self._spaces.items() if kind in space.encodes]

    def shaped(self, given: Vectors) -> Vectors:
        """A given vector as it is stored."""
        return np.asarray(given, np.float32).reshape(self._spaces[self.given].shape)

    def longer(self, texts: Sequence[str]) -> int:
        """How many of these texts are longer than is read of them in one of the spaces."""
        readers = [
            cast("JointSpace | PromptSpace", space) for space in self._spaces.values() if "text" in space.encodes
        ]
        cut = [False] * len(texts)
        for reader in readers:
            for start in range(0, len(texts), _ROWS):
                for row, longer in enumerate(reader.truncated(*texts[start : start + _ROWS]), start):
                    cut[row] |= longer
        return sum(cut)

    def encode(self, name: str, kind: Kind, things: Sequence[Image | str]) -> Vectors:
        """Encode pictures or texts in one space, `(n, *shape)` float32, uncentred."""
        space = self._spaces[name]
        parts = (things[start : start + self.batch] for start in range(0, len(things), self.batch))
        found = [_encode(space, kind, part).float().cpu().numpy() for part in parts]
        return np.concatenate(found) if found else np.empty((0, *space.shape), np.float32)


def _encode(space: Space, kind: Kind, things: Sequence[Any]) -> Tensor:
    if space.keeps_raw:  # store uncentred vectors: the means may be measured again
        clip = space.model.clip
        return clip.encode_images(things) if kind == "image" else clip.encode_texts(things)
    return (space.image(*things) if kind == "image" else space.text(*things)).values


def to_points(space: Space, vectors: Vectors, items: pd.DataFrame) -> Points:
    """Turn the stored vectors of `items` into points `item("…")`; a CollectionError if an item has no vector."""
    import torch

    from ..language.nodes import Item
    from ..points import Points

    kinds = list(items["kind"])
    missing = np.flatnonzero(np.isnan(vectors[:, 0]))
    if len(missing):
        what = f"{len(missing)} items" if len(missing) > 1 else "1 item"
        raise CollectionError(
            f"Got {what} without a vector in {space.name!r} (the first is of kind {kinds[missing[0]]!r}); ask for the "
            "other kind alone, or ingest again with that space.",
            code="no vector",
        )
    values = torch.empty(len(vectors), *space.shape)
    for start in range(0, len(vectors), _ROWS):
        rows = slice(start, start + _ROWS)
        raw = torch.from_numpy(np.array(vectors[rows])).reshape(-1, *space.shape)
        values[rows] = cast("JointSpace", space).centred(raw, kinds[rows]).cpu() if space.keeps_raw else raw
    return Points(values.to(space.model.device), space.info, tuple(map(Item, items["id"])))
