"""Parquet tables that are damaged in the middle: the rows of the other parts are taken, and what is lost is said."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from thoughtspace.explorer.collection.report import table_in_words
from thoughtspace.explorer.collection.scanned import Scanned
from thoughtspace.explorer.collection.sources import scan
from thoughtspace.explorer.errors import CollectionError

ROWS, PART = 40, 10


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write(path: Path, parts: list[int], *, compression: str = "none") -> None:
    """A table of pictures and texts in four parts, of which some are damaged in the texts."""
    columns = {
        "image": [{"bytes": png(row), "path": f"{row}.png"} for row in range(ROWS)],
        "text": [f"the caption number {row}" for row in range(ROWS)],
        "seed": pa.array([2**64 - 1 - row for row in range(ROWS)], pa.uint64()),
    }
    pq.write_table(pa.table(columns), path, row_group_size=PART, compression=compression)
    data = bytearray(path.read_bytes())
    for part in parts:
        chunk = pq.ParquetFile(path).metadata.row_group(part).column(2)
        assert chunk.path_in_schema == "text"
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        data[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(data)


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_a_damaged_part_loses_its_own_rows_alone(tmp_path, compression):
    write(tmp_path / "train.parquet", [1, 3], compression=compression)
    scanned = Scanned()
    found = list(scan(tmp_path, scanned=scanned))
    whole = [row for row in range(ROWS) if row // PART in (0, 2)]
    taken = [each for each in found if not each.problem]
    assert [each.caption for each in taken] == [f"the caption number {row}" for row in whole]
    assert [each.inside.read() for each in taken] == [png(row) for row in whole]
    assert [each.extras["seed"] for each in taken] == [2**64 - 1 - row for row in whole]
    assert [each.origin.rpartition(":")[2] for each in taken] == [str(row + 1) for row in whole]
    problems = [each.problem for each in found if each.problem]
    assert len(problems) == 2
    assert "rows 11 to 20" in problems[0]
    assert "rows 31 to 40" in problems[1]
    assert "parts of it cannot be read" in table_in_words(scanned.to_json()["tables"][0])
    assert scanned.read == set()  # so that no caption is taken away because its row is lost


def test_a_table_without_a_part_that_can_be_read_is_refused(tmp_path, refused):
    write(tmp_path / "train.parquet", [0, 1, 2, 3])
    with refused(CollectionError, "cannot read", "train.parquet"):
        list(scan(tmp_path / "train.parquet"))
