"""Whether vectors that were made elsewhere are those of the model: some are encoded again and compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CollectionError, PictureError
from ..records.pictures import decode_picture
from .encoding import Encoder, kept_as
from .items import KINDS, Kind, Vectors
from .loading import bytes_of
from .scanned import GivenReport
from .source import Source

if TYPE_CHECKING:
    from ..spaces.space import Space

COMPARED = 16
"""Vectors of a kind that are encoded again."""

LEAST_COSINE = 0.9
"""Least cosine, as a median, between a given vector and that of the model. Half precision and another program's way to
shrink pictures cost a hundredth or two; vectors of other models have one near 0."""


def check_given(encoder: Encoder, space: Space, sources: Sequence[Source]) -> list[GivenReport]:
    """Refuse given vectors that are not of the shape of the space, or not those of its model.

    Args:
        space: that of the given vectors.

    Raises:
        CollectionError: vectors of another shape or another model, or of a kind that the space does not encode.
    """
    reports = []
    for kind in KINDS:
        some = [source for source in sources if kind in source.vectors]
        if not some:
            continue
        what = "pictures" if kind == "image" else "texts"
        if kind not in space.encodes:
            message = f"Got vectors of {what} for the space {space.name!r}, which has none; name another space."
            raise CollectionError(message, code="kind")
        shape = some[0].vectors[kind].shape
        if math.prod(shape) != math.prod(space.shape):
            raise CollectionError(
                f"Got vectors of {what} of {math.prod(shape)} numbers, expected {math.prod(space.shape)}, as "
                f"{space.model.name} has in {space.name!r}; open the model that made them.",
                code="vectors",
            )
        cosines = _cosines(encoder, kind, some)
        median = float(np.median(cosines)) if len(cosines) else None
        if median is not None and median < LEAST_COSINE:
            raise CollectionError(
                f"Got vectors of {what} that are not those of {space.model.name} in {space.name!r}: the median cosine "
                f"of {len(cosines)} that were encoded again is {median:.2f}, expected at least {LEAST_COSINE}; open "
                "the model that made them.",
                code="other model",
            )
        reports.append(GivenReport(kind, len(some), kept_as(space), len(cosines), median))
    return reports


def _cosines(encoder: Encoder, kind: Kind, sources: Sequence[Source]) -> Vectors:
    """Cosines between some given vectors and those that the model makes of the same pictures or texts."""
    usable = [source for source in sources if (source.has_file if kind == "image" else source.caption)]
    things, given = [], []
    for at in np.unique(np.linspace(0, len(usable) - 1, COMPARED).astype(int)) if usable else ():
        try:
            source = usable[at]
            things.append(source.caption if kind == "text" else decode_picture(bytes_of(source), source.name))
            given.append(encoder.shaped(source.vectors[kind]).ravel())
        except PictureError:
            continue  # it will be listed when it is loaded
    if not things:
        return np.empty(0, np.float32)
    own = encoder.encode(encoder.given, kind, things).reshape(len(things), -1)
    theirs = np.stack(given)
    norms = np.linalg.norm(own, axis=1) * np.linalg.norm(theirs, axis=1)
    return (own * theirs).sum(1) / np.maximum(norms, np.finfo(np.float32).tiny)
