"""Small pictures as text, for what a page shows before the pictures themselves are there."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


def picture_address(picture: Image, side: int = 160) -> str:
    """A picture, made small, as a `data:` address of one or two kilobytes."""
    small, buffer = picture.copy(), io.BytesIO()
    small.thumbnail((side, side))
    small.save(buffer, "WEBP", quality=88)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
