"""What the schema of a Parquet or Arrow table says: which column holds pictures, what labels are called."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PIL import Image

from ...records.pictures import FORMATS
from .cells import Inside
from .words import file_rank

if TYPE_CHECKING:
    import pyarrow as pa

FIRST = 4
"""Cells of a column of bytes that are looked at."""

_WEAK = frozenset(("DIB", "SGI", "PCX", "FLI", "TGA"))  # of which a byte or two are fixed, as numbers may have them
_FIRST_BYTES = 64  # of a file, by which Pillow knows its format
PICTURE_NAMES = ("image", "img", "picture", "photo", "jpg", "png", "bytes")
"""Names, in lower case, of columns of bytes that are taken for pictures."""


@dataclass(frozen=True)
class Lost:
    """Rows of a table that cannot be read, from `start`, which counts from 0, to before `stop`, and why."""

    start: int
    stop: int
    why: str


@dataclass(frozen=True)
class Records:
    """The records of a table whose columns have types.

    Attributes:
        names: the names of the columns.
        rows: the cells of each row. That of a picture has the name of its file, or None.
        pictures: the column that holds pictures, or None.
        places: where the picture of a row is, by the number of the row from 0. A row whose picture is a file has none.
        unread: further columns that hold pictures, which are not read.
        lost: rows among these that cannot be read.
        damage: why the rows after these cannot be read; empty if these are all.
    """

    names: Sequence[str]
    rows: Sequence[Sequence[Any]]
    pictures: str | None = None
    places: Mapping[int, Inside] = field(default_factory=dict)
    damage: str = ""
    unread: Sequence[str] = ()
    lost: Sequence[Lost] = ()


def likeliest(names: Iterable[str]) -> str | None:
    """The likeliest column of pictures: by the words of its name, else the first.

    >>> likeliest(["conditioning_image", "image"])
    'image'
    """
    ranks = {name: file_rank(name) for name in names}
    return min(ranks, key=lambda name: (ranks[name] is None, ranks[name] or 0), default=None)


def picture_columns(schema: pa.Schema, first: Callable[[str], Sequence[Any]]) -> tuple[str | None, list[str]]:
    """The column that holds pictures, or None; and the others that do, of which none is read.

    Args:
        first: gives the first cells of a column.
    """
    features = features_of(schema)
    held = [each.name for each in schema if holds_pictures(each, first, features.get(each.name))]
    best = likeliest(held)
    lists = [each.name for each in schema if _is_list(each.type) and _has_bytes(each.type)]
    return best, [name for name in (*held, *lists) if name != best]


def begins_as_picture(data: Any) -> bool:
    """Whether bytes begin as a file of a format that can be read."""
    if not isinstance(data, bytes | bytearray | memoryview):
        return False
    start = bytes(data[:_FIRST_BYTES]).ljust(_FIRST_BYTES, b"\0")
    Image.init()
    accepts = (Image.OPEN[name][1] for name in FORMATS if name in Image.OPEN and name not in _WEAK)
    return any(accept is not None and accept(start) is True for accept in accepts)


def holds_pictures(column: pa.Field, first: Callable[[str], Sequence[Any]], feature: Any = None) -> bool:
    """Whether a column may hold pictures: structs with `bytes`, or bytes, if their name or beginning says so.

    Args:
        first: gives the first cells of a column.
        feature: what Hugging Face's `datasets` says of the column. Sounds and videos are structs with bytes too.
    """
    import pyarrow as pa

    kind = feature.get("_type", "Image") if isinstance(feature, dict) else "Image"
    if pa.types.is_struct(column.type):
        return kind == "Image" and any(each.name == "bytes" and is_binary(each.type) for each in column.type)
    if not is_binary(column.type):
        return False
    return column.name.lower() in PICTURE_NAMES or any(map(begins_as_picture, first(column.name)))


def is_binary(kind: pa.DataType) -> bool:
    """Whether values of this type are bytes."""
    import pyarrow as pa

    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)


def leaves(column: pa.Field) -> list[str]:
    """The parts of a column that are read at once: all but bytes, and of structs with bytes the `path` alone."""
    if _has_bytes(column.type):
        return [f"{column.name}.path"] if _path(column) else []
    return [column.name]


def cells(column: pa.Field, values: pa.Array | pa.ChunkedArray, feature: Any = None) -> list[Any]:
    """The cells of a column as Python values, bytes left out: a struct with bytes becomes its `path`."""
    import pyarrow.compute as pc

    if not _has_bytes(column.type):
        found = values.to_pylist()
        return found if feature is None else [with_names(value, feature) for value in found]
    if _path(column):
        return [path or None for path in pc.struct_field(values, "path").to_pylist()]
    return [None] * len(values)


def features_of(schema: pa.Schema) -> Mapping[str, Any]:
    """What Hugging Face's `datasets` has written of the columns into a schema; empty if it has not."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def labels_of(schema: pa.Schema) -> Mapping[str, Any]:
    """The features of those columns that have class labels in them."""
    found = features_of(schema)
    return {name: feature for name, feature in found.items() if '"ClassLabel"' in json.dumps(feature)}


def with_names(value: Any, feature: Any) -> Any:
    """A value with the names of its class labels in place of their numbers; -1, no label, becomes None.

    >>> with_names([1, -1], {"_type": "List", "feature": {"_type": "ClassLabel", "names": ["cat", "dog"]}})
    ['dog', None]
    """
    if isinstance(feature, list):  # a list of one feature is the older form of a sequence
        feature = {"feature": feature[0]} if feature else None
    if value is None or not isinstance(feature, dict):
        return value
    names = feature.get("names")
    if feature.get("_type") == "ClassLabel" and isinstance(names, list) and isinstance(value, int):
        return str(names[value]) if 0 <= value < len(names) else None if value == -1 else value
    inner = feature.get("feature")
    if isinstance(value, list):
        return [with_names(each, inner) for each in value]
    if isinstance(value, dict) and isinstance(inner, dict):  # a sequence of structs is stored as a struct of lists
        return {name: with_names(each, [inner.get(name)]) for name, each in value.items()}
    if isinstance(value, dict):
        return {name: with_names(each, feature.get(name)) for name, each in value.items()}
    return value


def _is_list(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _path(column: pa.Field) -> bool:
    """Whether it is a struct with bytes and the name of their file."""
    import pyarrow as pa

    return (
        pa.types.is_struct(column.type)
        and {each.name for each in column.type if is_binary(each.type)} == {"bytes"}
        and any(each.name == "path" and each.type in (pa.string(), pa.large_string()) for each in column.type)
    )


def _has_bytes(kind: pa.DataType) -> bool:
    """Whether values of this type are bytes or have bytes in them."""
    inner = [kind.field(at).type for at in range(kind.num_fields)]
    return is_binary(kind) or any(map(_has_bytes, inner))
