"""JSON in the forms that people have: each caption belongs to its picture, and what is not read is said."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from thoughtspace.explorer.collection.scanned import Scanned
from thoughtspace.explorer.collection.sources import scan

FRAME = pd.DataFrame({"file": ["a.png", "b.png"], "caption": ["a red fox", "a boat"], "year": [1990, 2024]})
BOTH = {"a.png": ["a red fox"], "b.png": ["a boat"]}
COCO = {
    "info": {"year": 2014},
    "images": [{"id": 7, "file_name": "a.png", "license": 3}, {"id": 8, "file_name": "b.png", "license": 1}],
    "annotations": [
        {"image_id": 8, "id": 1, "caption": "a boat"},
        {"image_id": 7, "id": 2, "caption": "a red fox"},
        {"image_id": 7, "id": 3, "caption": "a fox"},
    ],
    "licenses": [{"id": 1, "name": "CC"}],
}
KARPATHY = [
    {"filename": "a.png", "sentences": [{"raw": "a red fox", "tokens": ["a", "red", "fox"], "sentid": 3}]},
    {"filename": "b.png", "sentences": [{"raw": "a boat"}, {"raw": "at sea"}]},
]
TWO = {"a.png": ["a red fox", "a fox"], "b.png": ["a boat", "at sea"]}
FORMS = {
    "COCO": ("coco.json", json.dumps(COCO), {**BOTH, "a.png": ["a red fox", "a fox"]}),
    "map": ("any.json", '{"a.png": "a red fox", "b.png": "a boat"}', BOTH),
    "map to lists": ("any.json", json.dumps(TWO), TWO),
    "kohya": ("meta_cap.json", '{"a": {"caption": "a red fox", "tags": "x"}, "b": {"caption": "a boat"}}', BOTH),
    "columns": ("any.json", FRAME.to_json(), BOTH),
    "split": ("any.json", FRAME.to_json(orient="split"), BOTH),
    "index": ("any.json", FRAME.to_json(orient="index"), BOTH),
    "table": ("any.json", FRAME.to_json(orient="table"), BOTH),
    "values of columns": ("any.json", json.dumps(FRAME.to_dict("list")), BOTH),
    "lines": ("any.json", FRAME.to_json(orient="records", lines=True), BOTH),
    "a list in lines": ("any.jsonl", FRAME.to_json(orient="records"), BOTH),
    "stream": ("any.jsonl", "\n".join(json.dumps(row, indent=2) for row in FRAME.to_dict("records")), BOTH),
    "splits": (
        "all.json",
        json.dumps({"train": FRAME[:1].to_dict("records"), "val": FRAME[1:].to_dict("records")}),
        BOTH,
    ),
    "Karpathy": (
        "dataset.json",
        json.dumps({"images": KARPATHY}),
        {"a.png": ["a red fox"], "b.png": ["a boat", "at sea"]},
    ),
    "languages": (
        "any.json",
        '[{"file": "a.png", "caption": {"en": "fox", "de": "Fuchs"}}, {"file": "b.png", "caption": {"zh-CN": "船"}}]',
        {"a.png": ["fox", "Fuchs"], "b.png": ["船"]},
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, colour in (("a.png", "red"), ("b.png", "blue")):
        Image.new("RGB", (8, 8), colour).save(tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(("name", "text", "expected"), FORMS.values(), ids=list(FORMS))
def test_captions_of_every_form(folder, name, text, expected):
    (folder / name).write_text(text)
    scanned = Scanned()
    found: dict[str, list] = {}
    extras = {}
    for each in scan(folder, scanned=scanned):
        assert each.problem is None
        found.setdefault(each.path.name, []).append(each.caption)
        extras |= {(each.path.name, key): value for key, value in each.extras.items()}
    assert found == expected
    assert [table.used for table in scanned.tables] == [True]
    if "year" in text and name != "coco.json":
        assert (extras["a.png", "year"], extras["b.png", "year"]) == (1990, 2024)
    if name == "coco.json":
        assert extras["a.png", "license"] == 3
    if name == "all.json":
        assert (extras["a.png", "split"], extras["b.png", "split"]) == ("train", "val")


def test_settings_are_no_tables_and_what_names_a_picture_is_said(folder):
    (folder / "config.json").write_text('{"name": "x", "depth": {"size": 3}, "width": {"size": 4}}')
    (folder / "00000_stats.json").write_text('{"count": 3, "status_dict": {"success": 3}, "failed_to_download": 0}')
    (folder / "broken.json").write_text('{"bad')
    (folder / "nested.json").write_text('{"x": {"y": {"z": "a.png"}}, "v": 1}')
    scanned = Scanned()
    assert [each.caption for each in scan(folder, scanned=scanned)] == [None, None]
    assert [(Path(table.source).name, table.used) for table in scanned.tables] == [("nested.json", False)]
    assert "no list of objects" in scanned.tables[0].why


def test_a_stream_that_breaks_is_read_to_there(folder):
    (folder / "t.jsonl").write_text('{\n"file": "a.png", "caption": "a fox"\n}\n{\n"file": "b.png",\n')
    found = list(scan(folder))
    assert [each.caption for each in found] == ["a fox", None, None]
    assert "t.jsonl:4" in found[2].problem


def test_an_annotation_of_no_picture_and_boxes(folder):
    orphan = {**COCO, "annotations": [*COCO["annotations"], {"image_id": 9, "caption": "a hill"}]}
    (folder / "coco.json").write_text(json.dumps(orphan))
    assert "'image_id 9'" in next(each.problem for each in scan(folder) if each.problem)
    boxes = {**COCO, "annotations": [{"image_id": 7, "bbox": [0, 0, 1, 1], "category_id": 2}]}
    (folder / "coco.json").write_text(json.dumps(boxes))
    assert [(each.caption, each.extras["license"]) for each in scan(folder)] == [(None, 3), (None, 1)]


def test_a_caption_that_is_an_object_without_a_text_is_listed(folder):
    (folder / "t.json").write_text('[{"file": "a.png", "caption": {"score": 0.5}}, {"file": "b.png", "caption": {}}]')
    found = list(scan(folder))
    assert [each.caption for each in found] == [None, None, None]
    assert [bool(each.problem) for each in found] == [False, False, True]
    assert "t.json:1" in found[2].problem


def test_a_list_of_texts_beside_a_picture(folder):
    (folder / "a.json").write_text('["a red fox", {"caption": "a fox"}]')
    (folder / "b.json").write_text('{"caption": {"en": "a boat", "de": "ein Boot"}, "n": 3}')
    found = list(scan(folder))
    assert [each.caption for each in found] == ["a red fox", "a fox", "a boat", "ein Boot"]
    assert found[2].extras == {"n": 3}


def test_maps_of_an_arrow_table_are_several_captions(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = pa.array([[("en", "fox"), ("de", "Fuchs")], [("en", "boat")]], pa.map_(pa.string(), pa.string()))
    pq.write_table(pa.table({"file": ["a.png", "b.png"], "caption": texts}), folder / "t.parquet")
    assert [each.caption for each in scan(folder)] == ["fox", "Fuchs", "boat"]
