"""Data frames as sources and as captions: every cell comes back as what it is, and pictures are those of their rows."""

from __future__ import annotations

import datetime
import io
import json
import os
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.reading.frames import as_png, read_frame
from thoughtspace.explorer.collection.reading.text import clean
from thoughtspace.explorer.collection.scanned import Scanned
from thoughtspace.explorer.collection.sources import scan
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import CollectionError, PictureError
from thoughtspace.explorer.records.pictures import open_picture


def picture(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8))


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    picture(seed).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    """The working directory, with three pictures in `photos`."""
    (tmp_path / "photos").mkdir()
    for seed, name in enumerate(("a.png", "b.png", "c.png")):
        (tmp_path / "photos" / name).write_bytes(png(seed))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def nobody(_name: str) -> bool:
    return False


def test_rows_name_files_of_the_working_directory(here):
    frame = pd.DataFrame(
        {
            "file": ["photos/a.png", here / "photos" / "b.png", "c.png", "photos/z.png", None],
            "caption": ["a fox", ["a boat", "a ship"], None, "gone", "a prompt alone"],
            "stars": pd.array([1, 2, None, 4, 5], dtype="Int64"),
        },
        index=[7, 7, 7, 7, 7],
    )
    scanned = Scanned()
    found = list(scan(frame, scanned=scanned))
    assert [(each.path and each.path.name, each.caption, dict(each.extras)) for each in found] == [
        ("a.png", "a fox", {"stars": 1}),
        ("b.png", "a boat", {"stars": 2}),
        ("b.png", "a ship", {}),
        ("c.png", None, {}),  # found in another folder, as a table's would be
        (None, "gone", {"stars": 4}),
        (None, "a prompt alone", {"stars": 5}),
    ]
    assert [each.origin for each in found] == [f"DataFrame:{row}" for row in (1, 2, 2, 3, 4, 5)]
    assert "'photos/z.png' in DataFrame:4" in found[4].problem
    (told,) = scanned.tables
    assert (told.source, told.used, told.file, told.texts, told.rows, told.matched) == (
        *("DataFrame", True, "file"),
        *(["caption"], 5, 3),
    )


def test_pictures_in_cells_are_encoded(explorer, here):
    frame = pd.DataFrame(
        {
            "photo": [
                *(picture(10), png(11), {"bytes": png(12), "path": "x.png"}, bytearray(png(13))),
                *({"bytes": None, "path": "photos/c.png"}, "photos/b.png", None),
            ],
            "caption": [f"picture {seed}" for seed in (10, 11, 12, 13, 2, 1, 99)],
        }
    )
    report = ingest(explorer, frame, here / "out")
    collection = Collection.open(here / "out", explorer)
    items = collection.items("image")
    seeds = [int(caption.split()[1]) for caption in items.caption]
    assert sorted(seeds) == [1, 2, 10, 11, 12, 13]
    assert sorted(items.source)[2:] == [f"DataFrame:{row}" for row in (1, 2, 3, 4)]
    assert [(each["source"], "without the bytes" in each["reason"]) for each in report.failed] == [
        ("DataFrame:7", True)
    ]
    direct = explorer.model.clip.encode_images([picture(seed) for seed in seeds])
    np.testing.assert_allclose(collection.vectors(kind="image"), direct, atol=1e-5)
    assert ingest(explorer, frame, here / "out").added == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK", "HSV", "LAB", "YCbCr", "I", "F"])
def test_a_picture_of_any_mode_gives_the_point_of_its_file(mode):
    grey = Image.fromarray(np.linspace(0, 65535, 64, dtype=np.uint16).reshape(8, 8))
    given = {
        "I;16": grey,
        "I": grey.convert("I"),
        "F": Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)),
        "LA": picture(3).convert("RGBA").convert("LA"),
        "RGBA": Image.fromarray(np.random.default_rng(3).integers(0, 256, (8, 8, 4), dtype=np.uint8)),
        "LAB": Image.fromarray(np.random.default_rng(3).integers(0, 256, (8, 8, 3), dtype=np.uint8), mode="LAB"),
    }.get(mode) or picture(3).convert(mode)
    assert given.mode == mode
    data = as_png(given)
    np.testing.assert_array_equal(np.asarray(open_picture(data)), np.asarray(open_picture(given)))
    if mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        with Image.open(io.BytesIO(data)) as kept:
            assert kept.mode == mode
            np.testing.assert_array_equal(np.asarray(kept), np.asarray(given))


def test_a_picture_that_cannot_be_decoded_is_one_line():
    buffer = io.BytesIO()
    picture(0).resize((64, 64)).save(buffer, "JPEG")
    cut = Image.open(io.BytesIO(buffer.getvalue()[:-200]))
    (row,) = read_frame(pd.DataFrame({"image": [cut]}), nobody).rows
    with pytest.raises(PictureError, match="damaged or cut short") as caught:
        row.picture.read()
    assert len(str(caught.value).splitlines()) == 1


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
scalars = st.one_of(
    *(st.integers(-(2**70), 2**70), st.floats(), st.booleans(), texts, st.none()),
    *(st.sampled_from([pd.NA, pd.NaT, np.nan, np.datetime64("NaT"), Decimal("NaN"), np.ma.masked_array([1])[0]]),),
    *(st.integers(-128, 127).map(np.int8), st.integers(0, 2**64 - 1).map(np.uint64), st.booleans().map(np.bool_)),
    *(st.floats(width=32).map(np.float32), st.floats().map(np.longdouble), texts.map(np.str_)),
    *(st.datetimes(min_value=datetime.datetime(1800, 1, 1), max_value=datetime.datetime(2200, 1, 1)), st.dates()),
    st.times(),
)


def as_json(value: object) -> object:
    """What a cell should become, said in another way than the program does."""
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(float(value)) else None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value) if -(2**63) <= int(value) < 2**64 else str(value)
    if isinstance(value, str):
        return clean(value) or None
    if not isinstance(value, type(pd.NaT)) and isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(scalars, scalars, scalars), min_size=1, max_size=6))
def test_any_frame_of_mixed_cells_comes_back(rows):
    frame = pd.DataFrame({"prompt": [f"row {at}" for at in range(len(rows))]})
    for at in range(3):
        frame[f"column {at}"] = pd.Series([row[at] for row in rows], dtype=object)
    sheet = read_frame(frame, nobody)
    assert [list(row.texts) for row in sheet.rows] == [[f"row {at}"] for at in range(len(rows))]
    for row, given_row in zip(sheet.rows, rows, strict=True):
        expected = {f"column {at}": as_json(cell) for at, cell in enumerate(given_row)}
        assert dict(row.extras) == {name: value for name, value in expected.items() if value is not None}
        assert row.empty == {name for name, value in expected.items() if value is None}
        assert [type(row.extras[name]) for name in row.extras] == [type(expected[name]) for name in row.extras]
        json.dumps(dict(row.extras), allow_nan=False)


def test_columns_of_every_type_of_pandas(explorer, here):
    frame = pd.DataFrame(
        {
            "prompt": ["a fox", "a boat"],
            "kind_of": pd.Categorical(["wild", None]),
            "number": pd.array([1, None], dtype="UInt8"),
            "when": pd.to_datetime(["2024-05-01 12:30", None], format="mixed"),
            "zone": pd.to_datetime(["2024-05-01 12:30", None], format="mixed").tz_localize("Asia/Tokyo"),
            "day": [datetime.date(2024, 5, 1), None],
            "np_day": pd.Series([np.datetime64("2024-05-01"), None], dtype=object),
            "flag": pd.array([True, None], dtype="boolean"),
            "text": pd.array(["007", None], dtype="string"),
            "arrow": pd.array([2**63 - 1, None], dtype="int64[pyarrow]"),
            "price": [Decimal("1.50"), None],
            "vector": [np.array([1.5, np.nan]), None],
            "tags": [{"a"}, ("b",)],
            "about": [{"size": np.int64(3), "none": pd.NA}, {}],
            "code": ["007", "8"],
            "span": [pd.Timedelta("1h"), None],
            "blob": [b"\0", None],
        }
    )
    expected = {
        "kind_of": "wild",
        "number": 1,
        "when": "2024-05-01T12:30:00",
        "zone": "2024-05-01T12:30:00+09:00",
        "day": "2024-05-01",
        "np_day": "2024-05-01",
        "flag": True,
        "text": "007",
        "arrow": 2**63 - 1,
        "price": "1.50",
        "vector": "[1.5, null]",
        "tags": '["a"]',
        "about": '{"size": 3, "none": null}',
        "code": "007",
        "span": "0 days 01:00:00",
    }
    first, second = read_frame(frame.rename(columns={"text": "note"}), nobody).rows
    assert dict(first.extras) == {("note" if name == "text" else name): value for name, value in expected.items()}
    assert first.empty == {"blob"}
    assert dict(second.extras) == {"tags": '["b"]', "about": "{}", "code": "8"}
    ingest(explorer, frame.drop(columns="text"), here / "out")
    items = Collection.open(here / "out").items()
    assert list(items.number.dropna()) == [1]
    assert list(items.code) == ["007", "8"]


def test_an_index_that_has_a_name_is_a_column(here):
    frame = pd.DataFrame(
        {"caption": ["a fox", "a boat"]}, index=pd.Index(["photos/a.png", "photos/b.png"], name="file")
    )
    assert [(each.path.name, each.caption) for each in scan(frame)] == [("a.png", "a fox"), ("b.png", "a boat")]
    frame = frame.set_index(pd.MultiIndex.from_tuples([(1, "x"), (2, "y")], names=["number", None]), append=True)
    assert [dict(each.extras) for each in scan(frame)] == [{"number": 1}, {"number": 2}]


@pytest.mark.parametrize(
    ("columns", "file", "texts"),
    [
        (["file", "caption"], "file", ["caption"]),
        ([0, 1], "0", ["1"]),
        ([("image", ""), ("caption", "en")], "image", ["caption en"]),
        (["file", "file"], "file", ["file (2)"]),
        (["", "caption"], "column 1", ["caption"]),
    ],
)
def test_names_of_columns_of_every_kind(columns, file, texts):
    frame = pd.DataFrame([["photos/a.png", "a red fox asleep"], ["photos/b.png", "a blue boat at sea"]])
    frame.columns = pd.MultiIndex.from_tuples(columns) if isinstance(columns[0], tuple) else columns
    scanned = Scanned()
    assert [each.path.name for each in scan(frame, scanned=scanned)] == ["a.png", "b.png"]
    assert (scanned.tables[0].file, scanned.tables[0].texts) == (file, texts)


def test_prompts_alone(here):
    frame = pd.DataFrame({"prompt": ["a fox", "", None, "a boat"], "seed": [1, 2, 3, 4]})
    found = list(scan(frame))
    assert [(each.origin, each.caption, dict(each.extras)) for each in found] == [
        ("DataFrame:1", "a fox", {"seed": 1}),
        ("DataFrame:4", "a boat", {"seed": 4}),
    ]


def test_files_are_searched_only_if_one_is_not_found(here, monkeypatch):
    from thoughtspace.explorer.collection import sources

    walked, walk = [], sources.walk
    monkeypatch.setattr(sources, "walk", lambda *given, **how: walked.append(given) or walk(*given, **how))
    for frame, times in (
        (pd.DataFrame({"file": ["photos/a.png"]}), 0),
        (pd.DataFrame({"image": [picture(0)]}), 0),
        (pd.DataFrame({"prompt": ["a fox"]}), 0),
        (pd.DataFrame({"file": ["A.PNG"]}), 1),
    ):
        assert [each.problem for each in scan(frame)] == [None]
        assert len(walked) == times


def test_captions_of_a_folder(explorer, here):
    frame = pd.DataFrame({"file": ["a.png", "photos/b.png", "z.png"], "caption": ["a fox", "a boat", "gone"]})
    report = ingest(explorer, here / "photos", here / "out", captions=frame)
    items = Collection.open(here / "out").items("image")
    assert list(items.caption.fillna("")) == ["a fox", "a boat", ""]
    assert [each["source"] for each in report.failed] == ["DataFrame:3"]
    (alone,) = scan(here / "photos/a.png", frame.iloc[:1])
    assert (alone.path, alone.caption) == (here / "photos/a.png", "a fox")
    (here / "photos/more.csv").write_text("file,caption\nc.png,unused\n")
    scanned = Scanned()
    assert [each.caption for each in scan(here / "photos", frame, scanned=scanned)][2:] == [None, "gone"]
    assert [(os.path.basename(each.source), each.used) for each in scanned.tables] == [
        ("DataFrame", True),
        ("more.csv", False),
    ]
    (here / "prompts.txt").write_text("a hill\n")
    assert [each.caption for each in scan(frame.iloc[:1], here / "prompts.txt")] == ["a fox", "a hill"]


def test_two_folders_may_have_files_of_one_name(here):
    (here / "photos/deep").mkdir()
    (here / "photos/deep/a.png").write_bytes(png(9))
    frame = pd.DataFrame({"file": ["photos/a.png", "photos/deep/a.png"], "caption": ["a fox", "a boat"]})
    found = {each.path.relative_to(here / "photos"): each.caption for each in scan(here / "photos", frame)}
    assert found == {Path("a.png"): "a fox", Path("b.png"): None, Path("c.png"): None, Path("deep/a.png"): "a boat"}


def frame_of(**captions: str) -> pd.DataFrame:
    return pd.DataFrame({"file": [f"photos/{name}.png" for name in captions], "caption": list(captions.values())})


def texts_in(out: Path) -> list[str]:
    return sorted(Collection.open(out).items("text").caption)


def test_a_corrected_frame_corrects_and_another_one_removes_nothing(explorer, here):
    out = here / "out"
    first = frame_of(a="a fox", b="a baot").assign(stars=[1, 2])
    ingest(explorer, first, out)
    report = ingest(explorer, frame_of(c="a hill"), out)  # another frame
    assert (report.added, report.corrected, report.removed) == (2, 0, 0)
    assert texts_in(out) == ["a baot", "a fox", "a hill"]
    corrected = first.assign(caption=["a fox", "a boat"], stars=pd.array([1, None], dtype="Int64")).iloc[::-1]
    report = ingest(explorer, corrected, out)  # in another order
    assert (report.added, report.corrected, report.removed) == (1, 1, 1)
    assert texts_in(out) == ["a boat", "a fox", "a hill"]
    items = Collection.open(out).items("image")
    assert list(items.caption) == ["a fox", "a boat", "a hill"]
    assert list(items.stars.dropna()) == [1]
    assert ingest(explorer, corrected, out).updated == 0


def test_second_captions_of_an_earlier_frame_stay(explorer, here):
    out = here / "out"
    ingest(explorer, pd.DataFrame({"file": ["photos/a.png"], "caption": [["one", "two"]]}), out)
    report = ingest(explorer, frame_of(a="one"), out)
    assert (report.corrected, report.removed) == (0, 0)
    assert texts_in(out) == ["one", "two"]


def test_pictures_in_cells_are_corrected_wherever_their_row_is(explorer, here):
    out = here / "out"
    frame = pd.DataFrame({"image": [picture(7), picture(8)], "caption": ["a fox", "a baot"], "n": [1, 2]})
    ingest(explorer, frame, out)
    later = pd.DataFrame({"image": [picture(9), picture(8)], "caption": ["a hill", "a boat"], "n": [3, 4]}).iloc[::-1]
    report = ingest(explorer, later, out)
    assert (report.added, report.corrected, report.removed) == (3, 1, 1)
    items = Collection.open(out).items("image")
    assert dict(zip(items.caption, items.n, strict=True)) == {"a fox": 1, "a boat": 4, "a hill": 3}


def test_another_file_with_the_picture_of_a_frame_corrects_nothing(explorer, here):
    out, other = here / "out", here / "other"
    other.mkdir()
    (other / "x.png").write_bytes(png(0))
    (other / "x.txt").write_text("a second text")
    ingest(explorer, frame_of(a="a fox"), out)
    for _ in range(2):
        report = ingest(explorer, other, out)
        assert (report.corrected, report.removed) == (0, 0)
    assert list(Collection.open(out).items("image").caption) == ["a fox"]
    assert texts_in(out) == ["a fox", "a second text"]


def test_a_file_called_like_a_frame_changes_nothing(explorer, here):
    (here / "DataFrame").write_text("somebody's")
    test_a_corrected_frame_corrects_and_another_one_removes_nothing(explorer, here)


def test_failures_of_an_earlier_frame_are_forgotten(explorer, here):
    frame = pd.DataFrame({"file": ["photos/a.png", "photos/z.png"], "caption": ["a fox", "gone"]})
    assert len(ingest(explorer, frame, here / "out").failed) == 1
    assert ingest(explorer, frame.iloc[:1], here / "out").failed == []
    assert Collection.open(here / "out").failed() == []


@pytest.mark.parametrize(
    ("frame", "code", "facts"),
    [
        (pd.DataFrame(), "no rows", ["DataFrame", "without rows"]),
        (pd.DataFrame({"file": [], "caption": []}), "no rows", ["without rows"]),
        (pd.DataFrame({"weight": [1.0], "colour": ["red"]}), "columns", ["DataFrame", "weight, colour", "'caption'"]),
        (pd.DataFrame({"blob": [png(0)]}), "columns", ["blob"]),
        (pd.DataFrame(index=[1, 2]), "columns", ["DataFrame"]),
        (pd.DataFrame({"file": [None], "caption": [""]}), "no sources", ["DataFrame"]),
        ([{"file": "photos/a.png"}], "source", ["list", "pandas.DataFrame"]),
        (b"photos", "source", ["bytes", "path"]),
        (None, "source", ["NoneType"]),
    ],
)
def test_invalid_frames_are_refused(explorer, here, frame, code, facts, refused):
    with refused(CollectionError, code, *facts):
        ingest(explorer, frame, here / "out")
    assert not (here / "out").exists()


def test_invalid_captions_are_refused(explorer, here, refused):
    frame = frame_of(a="a fox")
    with refused(CollectionError, "own texts", "DataFrame", "t.csv"):
        list(scan(frame, here / "t.csv"))
    (here / "t.csv").write_text("prompt\na fox\n")
    with refused(CollectionError, "own texts", "DataFrame", "t.csv"):
        list(scan(here / "t.csv", frame))
    with refused(CollectionError, "own texts"):
        list(scan(frame, frame))
    with refused(CollectionError, "no rows"):
        list(scan(here / "photos", frame.iloc[:0]))
    with refused(CollectionError, "source", "dict", "captions"):
        list(scan(here / "photos", {"a.png": "a fox"}))
    with refused(CollectionError, "nothing readable", "DataFrame", "1 failed"):
        ingest(explorer, pd.DataFrame({"image": [b"no picture"]}), here / "out")
