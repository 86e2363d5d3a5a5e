"""Items: one picture or text each, and the Arrow tables and data frames that hold many of them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Kind = Literal["image", "text"]
KINDS: tuple[Kind, ...] = ("image", "text")
Vectors = NDArray[np.float32]

COLUMNS = ("id", "kind", "source", "caption", "pair", "width", "height", "sha256")
"""The columns that every item has; extras come after them."""

TAKEN = (*COLUMNS, "row", "score", "measure", "x", "y", "thumbnail", "fields", "per_point", "trust", "neighbors")
"""Names of the program's own values in answers, tables and menus; an extra of that name gets another one."""

PREFIX = "vector_"


@dataclass(frozen=True)
class Item:
    """One picture or text of a collection.

    Attributes:
        id: its name in expressions, `item("…")`: the first 16 digits of `sha256`.
        kind: `"image"` or `"text"`.
        source: where it came from: a file, or `file:line`.
        caption: the text itself, or the caption of a picture.
        pair: for a picture, the id of its caption; for a caption, the id of the picture that first had it.
        width, height: of the upright picture in pixels; None for texts, and if there is only the vector of a picture.
        sha256: of the file's bytes, or of the text.
        thumbnail: a JPEG, for pictures.
        extras: further columns, plain JSON values.
        vectors: by space, uncentred float32 of the shape of a point; only the spaces that encode the kind.
    """

    id: str
    kind: Kind
    source: str
    caption: str | None
    pair: str | None
    sha256: str
    width: int | None = None
    height: int | None = None
    thumbnail: bytes | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    vectors: Mapping[str, Vectors] = field(default_factory=dict)


def content_hash(content: bytes | str) -> str:
    """The sha256 of a file's bytes or of a text, in hexadecimal.

    >>> content_hash("a red fox")[:16]
    '647c3a6520b87d38'
    """
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def item_id(sha256: str) -> str:
    """The id of the item with this hash."""
    return sha256[:16]


def to_table(items: Sequence[Item], *, first_row: int) -> pa.Table:
    """Items as an Arrow table with rows numbered from `first_row`."""
    import pyarrow as pa

    text = pa.string()
    columns: dict[str, pa.Array] = {"row": pa.array(range(first_row, first_row + len(items)), pa.int64())}
    types = {name: pa.int32() if name in ("width", "height") else text for name in COLUMNS}
    for name, kind in (*types.items(), ("thumbnail", pa.binary())):
        columns[name] = pa.array([getattr(item, name) for item in items], kind)
    columns["extras"] = pa.array([extras_json(item.extras) for item in items], text)
    fields = [pa.field(name, column.type) for name, column in columns.items()]
    for space, shape in vector_shapes(items).items():
        columns[PREFIX + space] = vector_array([item.vectors.get(space) for item in items], math.prod(shape))
        fields.append(vector_field(space, shape))
    return pa.Table.from_arrays(list(columns.values()), schema=pa.schema(fields))


def vector_shapes(items: Sequence[Item]) -> dict[str, tuple[int, ...]]:
    """The spaces in which items have vectors, and the shapes of their points."""
    return {space: vector.shape for item in items for space, vector in item.vectors.items()}


def extras_json(extras: Mapping[str, Any]) -> str | None:
    """Extras as they are stored; `None` without any."""
    return json.dumps(dict(extras), ensure_ascii=False, allow_nan=False) if extras else None


def vector_field(space: str, shape: tuple[int, ...]) -> pa.Field:
    """The column for the vectors of a space, with the shape of its points as metadata."""
    import pyarrow as pa

    return pa.field(PREFIX + space, pa.list_(pa.float32(), math.prod(shape)), metadata={"shape": json.dumps(shape)})


def shapes_of(schema: pa.Schema) -> dict[str, tuple[int, ...]]:
    """The spaces whose vectors a table has, and the shapes of their points."""
    vectors = (each for each in schema if each.name.startswith(PREFIX))
    return {each.name.removeprefix(PREFIX): tuple(json.loads(each.metadata[b"shape"])) for each in vectors}


def vector_array(vectors: Sequence[Vectors | None], width: int) -> pa.Array:
    """Vectors of `width` numbers, of any shape, as an Arrow column; `None` becomes null."""
    import pyarrow as pa

    values = np.zeros((len(vectors), width), dtype=np.float32)
    missing = np.array([vector is None for vector in vectors], dtype=bool)
    for row, vector in enumerate(vectors):
        if vector is not None:
            values[row] = vector.reshape(-1)
    mask = pa.array(missing) if missing.any() else None
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), width, mask=mask)


def to_vectors(column: pa.ChunkedArray) -> Vectors:
    """A column of vectors as `(n, d)` float32, read-only; null rows are NaN. Without nulls nothing is copied."""
    array = column.combine_chunks()
    width = column.type.list_size
    values = array.values.slice(array.offset * width, len(array) * width).to_numpy(zero_copy_only=False)
    vectors = values.reshape(len(array), width)
    if array.null_count:
        vectors = vectors.copy()
        vectors[np.asarray(array.is_null())] = np.nan
    vectors.flags.writeable = False
    return vectors


def to_frame(table: pa.Table) -> pd.DataFrame:
    """The items as a data frame: `COLUMNS`, then one column for each extra.

    An extra with a name of the program's own, one of `TAKEN`, gets a final `_`: an extra `kind` becomes the column
    `kind_`. Whole numbers are `Int64`, or `UInt64` beyond 2^63-1, so that they stay exact where some are missing.
    """
    import pandas as pd
    import pyarrow as pa

    frame = table.select(COLUMNS).to_pandas(types_mapper={pa.int32(): pd.Int32Dtype()}.get)
    values: dict[str, list[Any]] = {}
    for row, text in enumerate(table.column("extras").to_pylist()):
        for name, value in json.loads(text).items() if text else ():
            values.setdefault(name, [None] * len(frame))[row] = value
    names = column_names(values)
    columns = {names[name]: _series(each) for name, each in values.items()}
    return pd.concat([frame, pd.DataFrame(columns, index=frame.index)], axis=1) if columns else frame


def column_names(extras: Iterable[str]) -> dict[str, str]:
    """The columns of these extras in a data frame, by their names.

    >>> column_names(["style", "score", "score_"])
    {'style': 'style', 'score': 'score__', 'score_': 'score_'}
    """
    given = list(extras)
    taken, found = {*TAKEN, *given}, {}
    for name in given:
        column = name
        while column in TAKEN or (column != name and column in taken):
            column += "_"
        taken.add(column)
        found[name] = column
    return found


def _series(values: list[Any]) -> pd.Series:
    """A column of JSON values in the narrowest type that keeps them all as they are."""
    import pandas as pd

    told = [value for value in values if value is not None]
    kinds = {type(value) for value in told}
    if kinds == {int}:
        low, high = min(told), max(told)
        if high < 2**63:
            return pd.Series(values, dtype="Int64")
        return pd.Series(values, dtype="UInt64" if low >= 0 else object)
    if kinds == {float} or (kinds == {int, float} and max(map(abs, told)) <= 2**53):
        return pd.Series(values, dtype="float64")
    if kinds == {bool} and len(told) == len(values):
        return pd.Series(values, dtype=bool)
    return pd.Series(values, dtype="str" if kinds == {str} else object)
