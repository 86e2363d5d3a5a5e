"""Sources, and tables of captions: which file has which text and which further columns."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CollectionError, reason
from ..records.pictures import printable

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
FILE_COLUMNS = ("file", "filename", "file_name", "path", "image")
TEXT_COLUMNS = ("caption", "text", "prompt", "description")


@dataclass(frozen=True)
class Source:
    """One thing to ingest: a picture (`path` is set) with or without a caption, or a prompt (`caption` alone).

    Attributes:
        path: the picture's file.
        caption: its text, or the prompt.
        origin: where the text was found, as `file` or `file:line`.
        extras: further columns of the table of captions, plain JSON values.
        problem: why this source cannot be read, if that is known in advance.
    """

    path: Path | None = None
    caption: str | None = None
    origin: str = ""
    extras: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None

    @property
    def name(self) -> str:
        """Its name in reports and errors: the absolute path of the file, or where the prompt was found."""
        return printable(os.path.abspath(self.path)) if self.path is not None else self.origin


class Captions:
    """The rows of a table, looked up by the picture that they name.

    Args:
        rows: one source per row, with its path as written in the table.
        root: the folder that relative paths start from.
    """

    def __init__(self, rows: Sequence[Source] = (), *, root: Path) -> None:
        self._rows, self._root = rows, root
        named = {number: row.path for number, row in enumerate(rows) if row.path is not None}
        self._by_path = {os.path.abspath(root / path): number for number, path in reversed(named.items())}
        names = Counter(path.name for path in named.values())
        self._by_name = {path.name: number for number, path in named.items() if names[path.name] == 1}
        self._taken: set[int] = set()

    @classmethod
    def read(cls, table: Path, *, root: Path, optional: bool = False) -> Captions:
        """Read a CSV, TSV, JSON-lines or Parquet file.

        A column `file`, `filename`, `path` or `image` names the picture and `caption`, `text` or `prompt` its text,
        in upper or lower case. All others are kept as extras. With `optional`, a table without those columns is empty.

        Raises:
            CollectionError: the file cannot be read, or has neither column.
        """
        frame = _read_table(table)
        columns = {str(name).strip().lower(): name for name in reversed(frame.columns)}
        file_column = next((columns[name] for name in FILE_COLUMNS if name in columns), None)
        text_column = next((columns[name] for name in TEXT_COLUMNS if name in columns), None)
        if file_column is None and (text_column is None or optional):
            if optional:
                return cls(root=root)
            raise CollectionError(
                f"Got {printable(str(table))} with columns {', '.join(map(str, frame.columns))[:200]}, expected one "
                f"named {' or '.join(FILE_COLUMNS)} and one named {' or '.join(TEXT_COLUMNS)}; rename them.",
                code="columns",
            )
        rows = []
        first_line = 2 if table.suffix.lower() in (".csv", ".tsv") else 1
        for number, record in enumerate(frame.to_dict("records"), start=first_line):
            values = {name: value for name, cell in record.items() if (value := plain_value(cell)) is not None}
            file, text = values.pop(file_column, None), values.pop(text_column, None)
            path, caption = (None if file is None else Path(str(file))), (None if text is None else str(text))
            extras = {str(name): value for name, value in values.items()}
            if path is not None or caption is not None:
                rows.append(Source(path, caption, f"{printable(os.path.abspath(table))}:{number}", extras))
        return cls(rows, root=root)

    def take(self, path: Path) -> Source | None:
        """The row of a picture: by its path, else by its file name if only one row has that name."""
        number = self._by_path.get(os.path.abspath(path))
        if number is None:
            number = self._by_name.pop(path.name, None)
        if number is None:
            return None
        self._taken.add(number)
        return self._rows[number]

    def left_over(self) -> Iterator[Source]:
        """The rows that `take` did not return: prompts, second captions, pictures elsewhere, missing files."""
        for number, row in enumerate(self._rows):
            if number in self._taken:
                continue
            if row.path is None:
                yield row
                continue
            path, problem = self._root / row.path, None
            if not path.is_file():
                name = printable(str(row.path))
                problem = f"Got {name} in {row.origin}, but there is no such file; correct the row or add it."
            yield replace(row, path=path, problem=problem)


def plain_text(text: str) -> str:
    """A caption as one line of printable characters with single spaces."""
    return " ".join(printable(text).split())


def plain_value(value: Any) -> Any:
    """A cell as a JSON value: `None`, a boolean, a finite number, or text.

    >>> plain_value(np.int64(3)), plain_value(float("nan")), plain_value(" red\\n"), plain_value([1])
    (3, None, 'red', '[1]')
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | dict):
        value = json.dumps(value, default=str)
    text = "" if str(value) in ("NaT", "<NA>") else plain_text(str(value))
    return text or None


def _read_table(table: Path) -> pd.DataFrame:
    import pandas as pd

    suffix = table.suffix.lower()
    try:
        if suffix in (".csv", ".tsv"):
            options: dict[str, Any] = {"keep_default_na": False, "na_values": [""], "encoding": "utf-8-sig"}
            return pd.read_csv(table, sep="\t" if suffix == ".tsv" else ",", skipinitialspace=True, **options)
        if suffix == ".jsonl":
            lines = table.read_text(encoding="utf-8-sig").splitlines()
            return pd.DataFrame.from_records([json.loads(line) for line in lines if line.strip()])
        if suffix == ".parquet":
            return pd.read_parquet(table)
    except Exception as error:  # pandas, pyarrow and the codec each have errors of their own
        detail = " ".join(reason(error).split())[:160]
        message = f"Got {printable(str(table))}, which cannot be read as a table of files and captions ({detail})."
        raise CollectionError(message, code="cannot read") from error
    raise CollectionError(
        f"Got captions in {printable(str(table))}, expected {', '.join(TABLE_SUFFIXES)} or a .txt of prompts; "
        "convert it.",
        code="no table",
    )
