"""Decoding by retrieval: pictures found for points, for models that cannot decode joint vectors."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

from ..errors import CollectionError, PictureError
from ..points import Points
from ..records.images import Images
from ..records.pictures import open_picture, printable
from ..spaces.records import record

if TYPE_CHECKING:
    from .store import Collection


def retrieve(collection: Collection, points: Points) -> Images:
    """See `Collection.retrieve`."""
    pictures, records = [], []
    for point in points:
        found = collection.search(point, 1, kind="image")
        if not len(found):
            message = f"Got collection {printable(collection.path.name)} without pictures; ingest some."
            raise CollectionError(message, code="no pictures")
        item = found.iloc[0]
        picture = _picture(str(item.source), collection.thumbnail(item.id))
        about = {"id": item.id, "score": float(item.score), "source": str(item.source)}
        pictures.append(picture)
        records.append(record("retrieval", point, collection.explorer.model, {}, [picture], item=about))
    return Images(tuple(pictures), tuple(records))


def _picture(source: str, thumbnail: bytes | None) -> Image.Image:
    try:
        return open_picture(source)
    except PictureError:
        if thumbnail is None:
            raise
        return Image.open(io.BytesIO(thumbnail), formats=["JPEG"]).convert("RGB")
