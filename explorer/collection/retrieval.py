"""Decoding by retrieval: the nearest pictures of a collection, for models whose vectors no denoiser decodes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from ..errors import CollectionError, PictureError
from ..records.images import Images
from ..records.pictures import open_picture
from ..spaces.records import record
from .search import search

if TYPE_CHECKING:
    from ..explorer import Explorer
    from ..points import Points
    from .store import Collection


def retrieve(collection: Collection, explorer: Explorer, points: Points) -> Images:
    """The picture of a collection that is nearest to each point, by cosine: found, not made.

    The records say so: of what kind they are (`retrieval`), which item it is, and how near. Where an item's file is
    gone, its thumbnail stands for it.

    Raises:
        CollectionError: a collection of another model, without pictures, or without vectors in the points' space.
    """
    pictures, records = [], []
    for point in points:
        found = search(collection, point, 1, "image", explorer=explorer, space=point.space.name)
        if not len(found):
            raise CollectionError(f"Got {collection.path.name} without pictures, expected some; ingest pictures.")
        (nearest,) = found.to_dict("records")
        picture = _picture(collection, nearest)
        item = {"id": nearest["id"], "score": float(nearest["score"]), "source": str(nearest["source"])}
        records.append(record("retrieval", point, explorer.model, {}, [picture], item=item))
        pictures.append(picture)
    return Images(tuple(pictures), tuple(records))


def _picture(collection: Collection, item: dict[Any, Any]) -> Any:
    from PIL import Image

    try:
        return open_picture(item["source"])
    except PictureError:
        thumbnail = collection.thumbnail(item["id"])
        if thumbnail is None:
            raise
        return Image.open(io.BytesIO(thumbnail), formats=["JPEG"]).convert("RGB")
