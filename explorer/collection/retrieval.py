"""Decoding by retrieval: pictures found for points, for models that cannot decode joint vectors."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from ..errors import PictureError
from ..models.model import Model
from ..points import Points
from ..records.images import Images
from ..records.pictures import open_picture
from ..spaces.records import record
from .reading.names import real


def found_images(
    model: Model, points: Points, items: Sequence[Mapping[Any, Any]], thumbnails: Sequence[bytes | None]
) -> Images:
    """The pictures of items (`id, score, source`), one per point, or their thumbnails where a file is gone.

    Their records name the item and its score. Raises PictureError for an unreadable file without a thumbnail.
    """
    pictures, records = [], []
    for point, item, thumbnail in zip(points, items, thumbnails, strict=True):
        picture = _picture(str(item["source"]), thumbnail)
        about = {"id": item["id"], "score": float(item["score"]), "source": str(item["source"])}
        pictures.append(picture)
        records.append(record("retrieval", point, model, {}, [picture], item=about))
    return Images(tuple(pictures), tuple(records))


def _picture(source: str, thumbnail: bytes | None) -> Image.Image:
    try:
        return open_picture(real(source))
    except PictureError:
        if thumbnail is None:
            raise
        return Image.open(io.BytesIO(thumbnail), formats=["JPEG"]).convert("RGB")
