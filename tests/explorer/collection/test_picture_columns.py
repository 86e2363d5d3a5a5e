"""Pictures in tables, whatever their column is called."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from thoughtspace.explorer.collection.reading.values import plain, typed
from thoughtspace.explorer.collection.scanned import Scanned
from thoughtspace.explorer.collection.sources import scan


def picture(colour: str, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, form)
    return buffer.getvalue()


def save(table: pa.Table, path: Path) -> None:
    if path.suffix == ".parquet":
        pq.write_table(table, path)
        return
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
@pytest.mark.parametrize(
    ("name", "form"), [("image_bytes", "PNG"), ("img_bytes", "JPEG"), ("webp", "WEBP"), ("x", "GIF")]
)
def test_bytes_that_begin_as_a_picture_are_one(tmp_path, suffix, name, form):
    cells = [picture("red", form), picture("blue", form)]
    save(
        pa.table({name: cells, "text": ["a red fox", "a boat"], "hash": [b"1", b"2"]}),
        tmp_path / f"t{suffix}",
    )
    found = list(scan(tmp_path / f"t{suffix}"))
    assert [each.caption for each in found] == ["a red fox", "a boat"]
    assert [each.inside.read() for each in found] == cells


def test_further_pictures_are_said_not_to_be_read(tmp_path):
    cells = [picture("red"), picture("blue")]
    table = pa.table({"image": cells, "mask": cells, "views": [[cells[0]], [cells[1]]], "text": ["a", "b"]})
    save(table, tmp_path / "t.parquet")
    for source in (tmp_path / "t.parquet", table.to_pandas()):
        scanned = Scanned()
        found = list(scan(source, scanned=scanned))
        assert [each.inside.read() for each in found] == cells
        assert scanned.tables[0].why == "the pictures in 'mask', 'views' are not read"


def test_bytes_that_are_no_picture_are_no_pictures(tmp_path):
    save(pa.table({"embedding": [b"\x00\x01", b"\x02"], "text": ["a red fox", "a boat"]}), tmp_path / "t.parquet")
    assert [(each.caption, each.inside) for each in scan(tmp_path / "t.parquet")] == [
        ("a red fox", None),
        ("a boat", None),
    ]


def test_durations_are_texts_by_iso_8601_in_frames_and_tables_alike(tmp_path):
    lasting = [timedelta(days=1, hours=2), timedelta(seconds=-0.5), timedelta(0)]
    frame = pd.DataFrame({"text": ["a", "b", "c"], "lasting": pd.to_timedelta(lasting)})
    frame.to_parquet(tmp_path / "t.parquet")
    expected = ["P1DT2H", "-PT0.5S", "PT0S"]
    for source in (frame, tmp_path / "t.parquet"):
        assert [each.extras["lasting"] for each in scan(source)] == expected
    assert plain([timedelta(minutes=3)]) == '["PT3M"]'


def test_a_negative_zero_is_a_whole_number():
    assert [repr(value) for value in typed(["-0", "7"])] == ["0", "7"]


def test_lines_of_spaces_without_width_are_blank(tmp_path):
    (tmp_path / "prompts.txt").write_text("a fox\n\u00a0\n\u200b\n\ufeff\na boat\n", encoding="utf-8")
    assert [each.caption for each in scan(tmp_path)] == ["a fox", "a boat"]


def test_advice_is_given_once(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(picture("red"))
    (tmp_path / "a.txt").write_bytes(b"\x81\x00\x01")
    (tmp_path / "b.json").write_text("{bad")
    first, second = (each.problem for each in scan(tmp_path) if each.problem)
    assert first.count("save it as UTF-8") == 1
    assert first.endswith(").")
    assert "UTF-8" not in second
    assert "no JSON" in second
