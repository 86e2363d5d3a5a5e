"""Saved maps: coordinates of items, with options and quality scores, in one table per map."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MapError
from ..records.pictures import printable
from .tables import Table, read

if TYPE_CHECKING:
    import pyarrow as pa

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
"""What a map or a direction may be called: also a good name for a file."""
_RECORD = b"thoughtspace"
_COORDINATES = "coordinates"


@dataclass(frozen=True, eq=False)
class SavedMap:
    """A saved projection of a collection.

    Attributes:
        name: the name to load it by.
        ids: the item of each row.
        coordinates: `(n, 2)` or `(n, 3)` float32.
        space: the space of the projected points.
        options: the options of the projection, plain JSON values.
        quality: its scores, plain JSON values.
        columns: further values for each row, `(n,)` or `(n, k)`: trust, neighbours.
        created: when it was saved, ISO 8601 in UTC.
    """

    name: str
    ids: tuple[str, ...]
    coordinates: NDArray[np.float32]
    space: str = "joint"
    options: Mapping[str, Any] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    created: str = ""

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """The row of each item on the map, `(m,)`; -1 for items that are not on it."""
        known = {name: row for row, name in enumerate(self.ids)}
        return np.array([known.get(name, -1) for name in ids], dtype=np.int64)


def map_names(folder: Path) -> list[str]:
    """The names of the maps in a folder, sorted."""
    found = folder.glob("*.lance") if folder.is_dir() else ()
    return sorted(path.stem for path in found if (path / "_versions").is_dir())


def save_map(folder: Path, new: SavedMap) -> SavedMap:
    """See `Collection.save_map`; returns the map as it would be loaded."""
    x, n = new.coordinates, len(new)
    if x.ndim != 2 or x.shape[1] not in (2, 3) or len(x) != n:
        message = f"Got coordinates of shape {x.shape} for {n} items, expected ({n}, 2) or ({n}, 3), or other `ids`."
        raise MapError(message, code="shape")
    if not np.isfinite(x).all():
        raise MapError("Got coordinates that are not finite; leave those items out.", code="not finite")
    for key, values in new.columns.items():
        if len(values) != n or values.ndim not in (1, 2) or key in ("id", _COORDINATES):
            raise MapError(f"Got column {key!r} of shape {values.shape}, expected ({n},) or ({n}, k).", code="column")
    created = datetime.now(UTC).isoformat(timespec="seconds")
    record = {"space": new.space, "options": plain(new.options), "quality": plain(new.quality), "created": created}
    _table(folder, new.name).overwrite(_to_table(new.ids, {_COORDINATES: x, **new.columns}, record))
    return replace(new, **record)


def load_map(folder: Path, name: str) -> SavedMap:
    """See `Collection.load_map`."""
    snapshot = _table(folder, name).open()
    if snapshot is None:
        known = ", ".join(map_names(folder)) or "none yet"
        message = f"Got map {name!r}, expected one of those saved ({known}); make it with `thoughtspace map`."
        raise MapError(message, code="no such map")
    table = read(snapshot, snapshot.schema.names)
    try:
        record = json.loads(snapshot.schema.metadata[_RECORD])
        columns = {key: _array(table.column(key)) for key in table.column_names if key not in ("id", _COORDINATES)}
        return SavedMap(
            name, tuple(table.column("id").to_pylist()), _array(table.column(_COORDINATES)), columns=columns, **record
        )
    except (KeyError, TypeError, ValueError) as error:
        raise MapError(f"Got map {name!r} without its record; make it again.", code="damaged") from error


def _table(folder: Path, name: str) -> Table:
    if not NAME.fullmatch(name):
        raise MapError(
            f"Got map name {printable(name)[:64]!r}, expected up to 64 letters, digits, spaces, dots, dashes and "
            "underscores.",
            code="map name",
        )
    return Table(folder / f"{name}.lance")


def _to_table(ids: Sequence[str], arrays: Mapping[str, NDArray[Any]], record: Any) -> pa.Table:
    import pyarrow as pa

    columns = {"id": pa.array(list(ids), pa.string())} | {key: _column(values) for key, values in arrays.items()}
    return pa.table(columns).replace_schema_metadata({_RECORD: json.dumps(record)})


def _column(values: NDArray[Any]) -> pa.Array:
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    return flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def _array(column: pa.ChunkedArray) -> NDArray[Any]:
    import pyarrow as pa

    array = column.combine_chunks()
    if not pa.types.is_fixed_size_list(array.type):
        return array.to_numpy(zero_copy_only=False)
    return array.flatten().to_numpy(zero_copy_only=False).reshape(len(array), -1)


def plain(value: Any) -> Any:
    """Plain JSON values: NumPy numbers become Python's, numbers that are not finite become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(each) for each in value]
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | None) else str(value)
