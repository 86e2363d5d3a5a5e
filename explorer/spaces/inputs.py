"""The inputs of all spaces: open pictures, check texts, and label both for expressions."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

from ..errors import SpaceError
from ..language.nodes import Given, Node
from ..language.nodes import Image as ImageNode
from ..language.parser import not_utf8

PICTURE = "a picture"
"""The label of a picture without a file begins so."""


def opened(images: Sequence[Any]) -> tuple[list[Any], tuple[Node, ...]]:
    """Open pictures, in any form that `open_picture` takes, as RGB pictures; and name each for its expression.

    Raises:
        PictureError: a file that is missing, damaged, too large or not a picture; or an object of another kind.
    """
    from ..records.pictures import open_picture

    pictures = [open_picture(image) for image in images]
    nodes = tuple(
        ImageNode(os.fsdecode(image))
        if isinstance(image, str | os.PathLike)
        else Given(f"{PICTURE} of {picture.width}x{picture.height}")
        for image, picture in zip(images, pictures, strict=True)
    )
    return pictures, nodes


def require_texts(texts: Sequence[Any]) -> list[str]:
    """Check that all are texts, and return them as a list.

    Raises:
        SpaceError: an object that is not a text, or a text that is not UTF-8.
    """
    for text in texts:
        if not isinstance(text, str):
            raise SpaceError(
                f"Got a {type(text).__name__} as a text, expected a str; pass several texts as several arguments.",
                code="not a text",
            )
        if message := not_utf8(text):
            raise SpaceError(message, code="not utf-8")
    return list(texts)


def warn_truncated(texts: Sequence[str], truncated: Sequence[bool]) -> None:
    """Warn of the first text whose end the model does not read."""
    for text in [text for text, cut in zip(texts, truncated, strict=True) if cut][:1]:
        warnings.warn(
            f"Got the text {text[:40]!r}…, longer than the model reads; its end is left out. Shorten it.", stacklevel=4
        )
