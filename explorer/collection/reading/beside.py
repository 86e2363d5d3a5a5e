"""Texts beside pictures: `fox.txt`, `fox.png.txt`, `fox.caption` or `fox.json` for `fox.png`."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import CollectionError, reason
from ..prompts.find import settings_in_text
from .columns import roles
from .text import clean, decode
from .tree import SIDECARS
from .values import plain, texts_of

_MAX_BYTES = 2**20  # of a text beside a picture


@dataclass(frozen=True)
class Beside:
    """What a file beside a picture says of it.

    Attributes:
        texts: captions.
        extras: further values, plain JSON values.
        origin: the path of the file.
        encoding: what it was decoded from, and whether that is a guess.
        problem: why it cannot be read.
    """

    texts: tuple[str, ...] = ()
    extras: Mapping[str, Any] = field(default_factory=dict)
    origin: str = ""
    encoding: str = ""
    guessed: bool = False
    problem: str = ""


class Sidecars:
    """The texts beside the pictures of a tree, found in upper or lower case and in any normal form.

    Args:
        texts: the paths of files that may be such texts.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._paths = {_folded(path): path for path in texts}

    def of(self, picture: str) -> str | None:
        """The file beside a picture, or None."""
        for ending in SIDECARS:
            for name in (os.path.splitext(picture)[0] + ending, picture + ending):
                if (found := self._paths.get(_folded(name))) is not None:
                    return found
        return None


def read_beside(path: str) -> Beside:
    """Read a text beside a picture; it has a `problem` if it cannot be read."""
    try:
        with open(path, "rb") as file:
            text = decode(file.read(_MAX_BYTES))
        texts, extras = _of_json(text.text) if path.lower().endswith(".json") else _of_text(text.text)
    except CollectionError as error:
        return Beside(origin=path, problem=str(error))
    except (OSError, ValueError, RecursionError) as error:
        return Beside(origin=path, problem=reason(error))
    return Beside(texts, extras, path, text.encoding, text.guessed)


def _of_text(text: str) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    """The caption in a text file, and values: of the settings that a generator of pictures wrote, each by itself."""
    settings = settings_in_text(text)
    caption = clean(text if settings is None else settings.prompt)
    return (caption,) if caption else (), {} if settings is None else settings.columns()


def _of_json(text: str) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    document = json.loads(text)
    if not isinstance(document, dict):
        return (), {}
    names = [str(name) for name in document]
    captions = roles(names, [], lambda _: False).texts
    texts = [text for column in captions for text in texts_of(document[names[column]])]
    others = [name for column, name in enumerate(names) if column not in captions]
    extras = {clean(name): value for name in others if (value := plain(document[name])) is not None}
    return tuple(dict.fromkeys(texts)), extras


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()
