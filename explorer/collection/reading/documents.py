"""JSON that has captions: lists of objects, JSON lines, the exports of COCO and pandas, maps from files to captions."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import CollectionError
from .columns import IsFile, roles
from .text import lines, shortened
from .words import file_rank

Found = list[tuple[int, Any]]
"""Objects, each with its line or its number from 1; in place of one that cannot be read, what is wrong with it."""

_SPLITS = ("train", "training", "val", "valid", "validation", "dev", "test")
_QUOTED = re.compile(r'"([^"\\\n]{1,255})"')
_MOST_MENTIONS = 20_000  # texts of a document that are looked up as files
_SPACE = re.compile(r"[\s,\x1e]*")  # between the objects of a stream; RFC 7464 has a record separator


def records(text: str, is_file: IsFile, *, whole: bool) -> Found:
    """The objects of a `whole` document, or of JSON lines; each kind is also read under the name of the other.

    Raises:
        ValueError: it is no JSON.
        CollectionError: it is, but no list of objects, and nothing that is one in another form.
    """
    try:
        document = json.loads(text, parse_constant=_nothing)
    except ValueError:
        stream = list(_stream(text)) if whole or _begins(text) else []
        if stream:
            return stream
        if whole:
            raise
        return _lines(text)
    return _lines(text) if not whole and isinstance(document, dict) else _listed(document, is_file)


def mentions_files(text: str, is_file: IsFile) -> bool:
    """Whether a text in quotation marks in a document, which may be damaged, names a file that is there."""
    found = (match[1] for _, match in zip(range(_MOST_MENTIONS), _QUOTED.finditer(text), strict=False))
    return any(os.path.splitext(name)[1] and is_file(name) for name in found)


def _lines(text: str) -> Found:
    """The value of each line, or what is wrong with it."""
    found: Found = []
    for number, line in enumerate(lines(text), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_constant=_nothing)
            found.append((number, _object(value) or "a line that is no JSON object"))
        except (ValueError, RecursionError):
            found.append((number, f"a line that is no JSON: {shortened(line)}"))
    return found


def _object(value: Any) -> dict[str, Any] | None:
    """An object, or a text as one; None for other values."""
    return {"text": value} if isinstance(value, str) and value else value if isinstance(value, dict) else None


def _begins(text: str) -> bool:
    """Whether the first line is the beginning of an object only, so that each line is not an object."""
    try:
        json.loads(next((line for line in lines(text) if line.strip()), ""))
    except ValueError:
        return text.lstrip().startswith("{")
    return False


def _stream(text: str) -> Iterator[tuple[int, Any]]:
    """Objects one after the other, each with the line where it begins, to the first that is none."""
    decoder = json.JSONDecoder(parse_constant=_nothing)
    at, line, counted = 0, 1, 0
    while (match := _SPACE.match(text, at)) is not None and (at := match.end()) < len(text):
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            if counted:
                yield line, f"no JSON from here on: {shortened(text[counted:])}"
            return
        yield line, value if isinstance(value, dict) else "a value that is no object"


def _listed(document: Any, is_file: IsFile) -> Found:
    """The objects of a document."""
    if isinstance(document, dict):
        document = _of_object(document, is_file)
    if not isinstance(document, list):
        raise CollectionError("it has no list of objects with files and captions", code="no table")
    if document and all(isinstance(each, str) for each in document):
        document = [{"text": each} for each in document]
    return [(number, each if isinstance(each, dict) else None) for number, each in enumerate(document, start=1)]


def _of_object(document: Mapping[str, Any], is_file: IsFile) -> list[Any] | None:
    """The list of objects that an object holds or means, or None."""
    lists = {name: value for name, value in document.items() if _is_list(value, dict)}
    if "images" in lists and "annotations" in lists:
        return _joined(lists["images"], lists["annotations"])
    if len(lists) == 1:
        return next(iter(lists.values()))
    if lists and all(name.lower() in _SPLITS for name in document):
        return [{**each, "split": name} for name, several in lists.items() for each in several]
    names, rows = document.get("columns"), document.get("data")
    if isinstance(names, list) and isinstance(rows, list) and _is_list(rows, list):
        return [dict(zip(map(str, names), row, strict=False)) for row in rows]  # pandas, orient="split"
    return _columns(document) or _map(document, is_file)


def _joined(images: Sequence[Any], annotations: Sequence[Any]) -> list[Any]:
    """COCO (Lin et al. 2014): captions belong to pictures by `image_id`. Boxes and masks are no captions."""
    names = list(dict.fromkeys(name for each in annotations if isinstance(each, dict) for name in each))
    if not roles(names, [], lambda _: False).texts:
        return list(images)
    of_picture: dict[Any, list[dict[str, Any]]] = {}
    for each in annotations:
        if isinstance(each, dict):
            told = {name: value for name, value in each.items() if name not in ("id", "image_id")}
            of_picture.setdefault(str(each.get("image_id")), []).append(told)
    named = [name for name in images[0] if file_rank(name) is not None and name != "id"]
    found: list[Any] = []
    for image in images:
        about = {name: value for name, value in image.items() if name != "id"} if isinstance(image, dict) else {}
        found += [{**about, **each} for each in of_picture.pop(str(image.get("id")), [{}])] if about else [image]
    orphans = [(f"image_id {name}", each) for name, several in of_picture.items() for each in several]
    return found + [{**dict.fromkeys(named or ["file"], name), **each} for name, each in orphans]


def _columns(document: Mapping[str, Any]) -> list[Any] | None:
    """The rows of columns: lists of one length, or objects with the same keys, as pandas writes them."""
    values, names = list(document.values()), list(document)
    known = roles(names, [], lambda _: False)
    if len(names) < 2 or not known.known or known.file in known.texts:
        return None
    if all(isinstance(each, list) for each in values) and len({len(each) for each in values}) == 1:
        return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
    if all(isinstance(each, dict) and each.keys() == values[0].keys() for each in values):
        return [{name: document[name][key] for name in names} for key in values[0]]
    return None


def _map(document: Mapping[str, Any], is_file: IsFile) -> list[Any] | None:
    """The rows of a map from files to captions, or to objects, as kohya's scripts write it; or from row to object."""
    there = [is_file(name) for name in document]
    ended = any(found and os.path.splitext(name)[1] for name, found in zip(document, there, strict=True))
    if ended or (there and 2 * sum(there) >= len(there)):
        rows: list[Any] = []
        for name, value in document.items():
            rows.append({"file": name, **value} if isinstance(value, dict) else {"file": name, "caption": value})
        return rows
    rows = list(document.values())
    if not rows or not all(isinstance(each, dict) for each in rows):
        return None
    numbered = list(document) == [str(number) for number in range(len(rows))]
    named = any(isinstance(value, str) and is_file(value) for row in rows for value in row.values())
    return rows if numbered or named else None


def _is_list(value: Any, kind: type) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], kind)


def _nothing(_name: str) -> None:
    """JSON has no NaN and no infinity."""
