"""Tables and texts beside pictures: a hundred thousand columns, cells of 50 MB, depth without end, what is no text."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from .case import Case, of_bytes
from .whole import whole

ROW = b"file,caption\ngood.png,a good picture\n"


def _noise(seed: int, size: int = 5000) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def _columns(count: int) -> bytes:
    names = ",".join(f"c{column}" for column in range(count))
    cells = ",".join(["1"] * count)
    return f"file,caption,{names}\ngood.png,a good picture,{cells}\n".encode()


def parquet(rows: int = 3) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    names = pa.array(["good.png"] * rows)
    pq.write_table(pa.table({"file": names, "caption": pa.array(["a"] * rows)}), buffer)
    return buffer.getvalue()


def _footer(length: int) -> bytes:
    return parquet()[:-8] + struct.pack("<I", length) + b"PAR1"


def _spoilt_parquet(at: float) -> bytes:
    """A Parquet table with noise at this share of it, and a whole footer length."""
    given = bytearray(parquet())
    start = int(at * len(given))
    given[start : start + 60] = _noise(30, 60)
    return bytes(given)


REFUSED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "CSV of 100000 columns": ("captions.csv", lambda: _columns(100_000)),
    "CSV of 100000 columns without a name": ("captions.csv", lambda: b"," * 100_000 + b"\n" + b"," * 100_000),
    "CSV with a column called by 40 words": ("captions.csv", lambda: b"filename" * 40 + b"q,b\nc,d\n"),
    "CSV with a cell of 50 MB": ("captions.csv", lambda: b"file,caption\ngood.png," + b"word " * (10 * 2**20)),
    "CSV with a name of 50 MB": ("captions.csv", lambda: b"file,caption\n" + b"a" * (50 * 2**20) + b",a\n"),
    "CSV of NUL bytes": ("captions.csv", lambda: bytes(10**6)),
    "CSV with NUL bytes in it": ("captions.csv", lambda: ROW + b"a\0b,\0\n"),
    "CSV that is a picture": ("captions.csv", lambda: whole("PNG")),
    "CSV that is an executable": ("captions.csv", lambda: b"\x7fELF" + _noise(31)),
    "CSV without a row": ("captions.csv", lambda: b"\n" * 100),
    "CSV of 10 million line ends": ("captions.csv", lambda: b"\n" * 10**7),
    "CSV of half a million quotation marks": ("captions.csv", lambda: b"file,caption\n" + b'"' * 500_001),
    "CSV of 50000 open quotation marks": ("data.csv", lambda: b'number,of\n"\n' * 50_000),
    "CSV in UTF-16 of odd length": ("captions.csv", lambda: ROW.decode().encode("utf-16")[:-1]),
    "CSV in UTF-32 with a sign that is none": ("captions.csv", lambda: b"\xff\xfe\0\0" + b"\xff" * 40),
    "CSV that begins in UTF-8 and is noise": ("captions.csv", lambda: b"\xef\xbb\xbf" + _noise(32)),
    "CSV whose row is wider than the header": ("captions.csv", lambda: ROW + b"a.png" + b",b" * 1_000_000),
    "TSV of noise": ("captions.tsv", lambda: _noise(33)),
    "JSON of depth 100000": ("captions.json", lambda: b"[" * 100_000 + b"]" * 100_000),
    "JSON of objects of depth 100000": ("captions.json", lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "JSON that is cut": ("captions.json", lambda: b'[{"file": "good.png", "caption": "a go'),
    "JSON of a number": ("captions.json", lambda: b"17"),
    "JSON with a number of a million digits": ("captions.json", lambda: b'[{"file": ' + b"9" * 10**6 + b"}]"),
    "JSON of noise": ("captions.json", lambda: _noise(34)),
    "JSON of 100000 empty objects": ("captions.json", lambda: b"[" + b"{}," * 99_999 + b"{}]"),
    "JSON of 100000 different names": (
        "captions.json",
        lambda: json.dumps([{"file": "good.png", **{f"c{each}": 1 for each in range(100_000)}}]).encode(),
    ),
    "JSON of objects that have no name in common": (
        "captions.json",
        lambda: json.dumps([{f"c{each}": 1} for each in range(20_000)]).encode(),
    ),
    "JSON lines of nulls": ("captions.jsonl", lambda: b"null\n" * 100_000),
    "JSON lines of numbers": ("captions.jsonl", lambda: b"17\n" * 300_000),
    "JSON lines of depth 100000": ("captions.jsonl", lambda: b"[" * 100_000 + b"\n"),
    "JSON lines of brackets": ("captions.jsonl", lambda: b"[{" * 10**6),
    "Parquet cut in the middle": ("captions.parquet", lambda: parquet()[: len(parquet()) // 2]),
    "Parquet without its footer": ("captions.parquet", lambda: parquet()[:-8]),
    "Parquet with a footer of 4 GB": ("captions.parquet", lambda: _footer(2**32 - 1)),
    "Parquet with a footer of 2 GB": ("captions.parquet", lambda: _footer(2**31 - 1)),
    "Parquet with a footer of no length": ("captions.parquet", lambda: _footer(0)),
    "Parquet with noise in its footer": ("captions.parquet", lambda: _spoilt_parquet(0.6)),
    "Parquet with noise in its pages": ("captions.parquet", lambda: _spoilt_parquet(0.01)),
    "Parquet of marks alone": ("captions.parquet", lambda: b"PAR1PAR1"),
    "Parquet that is empty": ("captions.parquet", lambda: b""),
    "spreadsheet": ("captions.xlsx", lambda: b"PK\3\4" + _noise(35)),
    "prompts of noise": ("prompts.txt", lambda: _noise(36)),
    "text of noise beside a picture": ("good.txt", lambda: _noise(37)),
    "text of NUL bytes beside a picture": ("good.txt", lambda: bytes(5000)),
    "text of 2 MB beside a picture": ("good.txt", lambda: b"word " * 420_000),
    "JSON of noise beside a picture": ("good.json", lambda: _noise(38)),
    "JSON of depth 100000 beside a picture": ("good.json", lambda: b"[" * 100_000),
    "class of noise beside a picture": ("good.cls", lambda: _noise(39)),
    "caption of noise beside a picture": ("good.caption", lambda: _noise(40)),
}

READ: dict[str, tuple[str, Callable[[], bytes]]] = {
    "CSV of 4 million separators": ("captions.csv", lambda: b"file;caption\n" + b";" * 4_000_000),
    "CSV of 300 columns": ("captions.csv", lambda: _columns(300)),
    "CSV in UTF-16 without a mark": ("captions.csv", lambda: ROW.decode().encode("utf-16-le")),
    "CSV with control characters": ("captions.csv", lambda: b"file,caption\ngood.png,a \x1b[31mred\x1b[0m\x7f fox\n"),
    "CSV of 50000 rows of one picture": ("captions.csv", lambda: ROW + b"good.png,a good picture\n" * 50_000),
    "CSV of one column that has one name twice": ("captions.csv", lambda: b"file,file,file\n" + b"good.png," * 3),
    "JSON lines with not a number": ("captions.jsonl", lambda: b'{"file": "good.png", "score": NaN, "c": -Infinity}\n'),
    "JSON with one name twice": ("captions.json", lambda: b'[{"file": "x", "file": "good.png"}]'),
    "half surrogates": ("captions.json", lambda: b'[{"file": "good.png", "caption": "a \\ud800 fox"}]'),
}


def cases() -> Iterator[Case]:
    for damage, (name, data) in REFUSED.items():
        kind = "text beside a picture" if name.startswith("good") else "table"
        yield of_bytes(kind, damage, name, data)
    for damage, (name, data) in READ.items():
        yield of_bytes("table", damage, name, data, read=True)
    yield Case("table", "prompts of 1 GB of nothing", "prompts.txt", sparse)
    yield Case("table", "CSV of 1 GB of nothing", "captions.csv", sparse)
    yield Case("table", "Parquet of 1 GB of nothing", "captions.parquet", sparse)
    yield Case("text beside a picture", "1 GB of nothing", "good.txt", sparse)
    yield Case("text beside a picture", "JSON of 1 GB of nothing", "good.json", sparse)


def sparse(path: Path) -> None:
    """A file of 1 GB that takes no space on the disk."""
    with open(path, "wb") as file:
        file.truncate(2**30)
