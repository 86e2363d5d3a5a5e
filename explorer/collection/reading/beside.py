"""Texts beside pictures: `fox.txt`, `fox.png.txt`, `fox.caption`, `fox.json` or `fox.cls` for `fox.png`, and so on."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import CollectionError, reason
from ...records.archives import contents, split
from ..prompts.find import settings_in_text
from ..prompts.settings import COLUMNS
from .columns import roles
from .text import clean, decode, lines
from .tree import SIDECARS
from .values import plain, texts_of, typed
from .words import text_rank

_GOOGLE = "supplemental-metadata"
_MAX_BYTES = 2**20  # of a text beside a picture
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Beside:
    """What a file beside a picture says of it.

    Attributes:
        texts: captions.
        extras: further values, plain JSON values.
        origin: the path of the file.
        encoding: what it was decoded from, and whether that is a guess.
        labels: whether it has boxes or classes as numbers, as detectors of objects are trained with, and no caption.
        problem: why it cannot be read.
    """

    texts: tuple[str, ...] = ()
    extras: Mapping[str, Any] = field(default_factory=dict)
    origin: str = ""
    encoding: str = ""
    guessed: bool = False
    labels: bool = False
    problem: str = ""

    @property
    def empty(self) -> frozenset[str]:
        """The columns of settings that the file lacks, if it has settings."""
        return COLUMNS - self.extras.keys() if "prompt_source" in self.extras else frozenset()


class Sidecars:
    """The texts beside the pictures of a tree, found in upper or lower case and in any normal form.

    Google's `fox.png.supplemental-metadata.json`, whose name may be cut short, is taken for `fox.png.json`.

    In an archive the name of a picture ends at its first dot, as WebDataset has it: `7.txt` is beside `7.left.png`.

    Args:
        texts: the paths of files that may be such texts.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        ordered = sorted(texts, key=lambda path: _plain_name(path) == path)  # so that `fox.txt` counts first
        self._paths = {_folded(_plain_name(path)): path for path in ordered}

    def of(self, picture: str) -> list[str]:
        """The files beside a picture, likeliest first."""
        if not self._paths:
            return []
        names = [os.path.splitext(picture)[0], picture]
        folder, name = os.path.split(picture)
        if name.count(".") > 1 and split(picture) is not None:
            names.append(os.path.join(folder, name.partition(".")[0]))
        found = (self._paths.get(_folded(name + ending)) for ending in SIDECARS for name in names)
        return list(dict.fromkeys(path for path in found if path is not None))


def read_beside(path: str) -> Beside:
    """Read a text beside a picture; it has a `problem` if it cannot be read."""
    try:
        text = decode(contents(path, _MAX_BYTES))
        if path.lower().endswith(".txt") and has_labels(text.text):
            return Beside(origin=path, encoding=text.encoding, labels=True)
        usual = _of_json if _is_object(text.text) else _of_text
        texts, extras = _READ.get(os.path.splitext(path)[1].lower(), usual)(text.text)
    except CollectionError as error:
        return Beside(origin=path, problem=str(error))
    except OSError as error:
        return Beside(origin=path, problem=reason(error))
    except (ValueError, RecursionError) as error:
        return Beside(origin=path, problem=f"it is no JSON: {reason(error)}; correct it")
    return Beside(texts, extras, path, text.encoding, text.guessed)


def has_labels(text: str) -> bool:
    """Whether each line of a text has two numbers or more and nothing else, as in YOLO's boxes; or four or more beside
    the name of a class, as in KITTI and DOTA.

    >>> has_labels("0 0.5 0.5 0.2 0.3\\n2 .1 .2 .3 .4"), has_labels("Car 0.0 0 1.5 614 181"), has_labels("1984")
    (True, True, False)
    """
    told = [line.replace(",", " ").split() for line in lines(text) if line.strip()]
    counts = [(len(words), sum(_NUMBER.fullmatch(word) is not None for word in words)) for words in told]
    return bool(counts) and all(
        numbers >= (2 if numbers == words else 4) and words - numbers <= 1 for words, numbers in counts
    )


def _is_object(text: str) -> bool:
    """Whether a text is an object of JSON, which may stand in a `.txt` too."""
    try:
        return text.lstrip().startswith("{") and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _of_text(text: str) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    """The caption in a text file, and values: of the settings that a generator of pictures wrote, each by itself."""
    settings = settings_in_text(text)
    caption = clean(text if settings is None else settings.prompt)
    return (caption,) if caption else (), {} if settings is None else settings.columns()


def _of_json(text: str) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    document = json.loads(text)
    if not isinstance(document, dict):
        return tuple(texts_of(document)) if isinstance(document, list) else (), {}
    names = [str(name) for name in document]
    captions = roles(names, [], lambda _: False).texts
    texts = [text for column in captions for text in texts_of(document[names[column]])]
    others = [name for column, name in enumerate(names) if column not in captions]
    extras = {clean(name): value for name in others if (value := plain(document[name])) is not None}
    return tuple(dict.fromkeys(texts)), extras


def _of_class(text: str) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    """The class of a picture, as WebDataset has it."""
    (value,) = typed([text])
    return (), {} if value is None else {"cls": value}


_READ = {".json": _of_json, ".cls": _of_class}


def _plain_name(path: str) -> str:
    """The path of a text without the word that Google puts into it, or a word for a text, as in `fox.caption.txt`."""
    start, word, ending = (*path.rsplit(".", 2), "", "")[:3]
    google = ending.lower() == "json" and len(word) > 1 and _GOOGLE.startswith(word.lower())
    told = f".{ending.lower()}" in SIDECARS and os.sep not in word and text_rank(word) is not None
    return f"{start}.{ending}" if google or told else path


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()
