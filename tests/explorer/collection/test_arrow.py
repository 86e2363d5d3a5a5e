"""Arrow and Feather files of every kind: streams and files, compressed or not, whole, cut off or damaged."""

from __future__ import annotations

import datetime
import io
import json
import random
import tarfile
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from thoughtspace.explorer.collection.reading.schema import with_names
from thoughtspace.explorer.collection.reading.sheets import read_sheet
from thoughtspace.explorer.collection.scanned import Scanned
from thoughtspace.explorer.collection.sources import scan
from thoughtspace.explorer.errors import CollectionError, PictureError


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write(path: Path, table: pa.Table, kind: str) -> Path:
    """Write a table in batches of two rows."""
    if kind == "parquet":
        pq.write_table(table, path, row_group_size=2)
        return path
    if kind == "feather":
        feather.write_feather(table, path, chunksize=2)
        return path
    form, _, packed = kind.partition(" ")
    options = pa.ipc.IpcWriteOptions(compression=packed or None)
    new = pa.ipc.new_stream if form == "stream" else pa.ipc.new_file
    with new(str(path), table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=2)
    return path


KINDS = ("stream", "file", "stream zstd", "file lz4", "feather", "parquet")


def nobody(_name: str) -> bool:
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_gives_the_same_rows(tmp_path, kind):
    table = pa.table(
        {
            "image": [{"bytes": png(n), "path": f"{n}.png"} for n in range(4)] + [{"bytes": None, "path": "4.png"}],
            "mask": [{"bytes": png(9), "path": f"mask {n}.png"} for n in range(5)],
            "text": pa.array(["a", "b", "c", None, "e"]).dictionary_encode(),
            "n": pa.array([1, None, 2**63, 4, 5], pa.uint64()),
            "when": [datetime.datetime(2024, 5, 1, 12, 30)] * 5,
            "price": [Decimal("1.50")] * 5,
            "raw": [b"\0\1"] * 5,
            "frames": [[b"\0\1"]] * 5,
            "vector": [[1.0, float("nan")]] * 5,
        }
    )
    path = write(tmp_path / ("t.parquet" if kind == "parquet" else "t.arrow"), table, kind)
    sheet = read_sheet(path, nobody)
    assert (sheet.file, list(sheet.texts), sheet.whole, len(sheet.rows)) == ("image", ["text"], True, 5)
    assert [list(row.texts) for row in sheet.rows] == [["a"], ["b"], ["c"], [], ["e"]]
    assert [row.picture and row.picture.read() for row in sheet.rows] == [*map(png, range(4)), None]
    assert sheet.rows[4].file == "4.png"
    expected = {
        "mask": "mask 2.png",
        "n": 2**63,
        "when": "2024-05-01T12:30:00",
        "price": "1.50",
        "vector": "[1.0, null]",
    }
    assert dict(sheet.rows[2].extras) == expected
    assert sheet.rows[1].empty == {"n", "raw", "frames"}


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(KINDS))
def test_pictures_are_those_of_their_rows_in_any_order(tmp_path_factory, data, kind):
    cells = data.draw(st.lists(st.one_of(st.none(), st.binary(min_size=1, max_size=40)), min_size=1, max_size=9))
    order = data.draw(st.permutations(range(len(cells))))
    bare = data.draw(st.booleans())
    column = cells if bare else [None if cell is None else {"bytes": cell, "path": None} for cell in cells]
    kept = pa.binary() if bare else pa.struct({"bytes": pa.binary(), "path": pa.string()})
    suffix = "parquet" if kind == "parquet" else "arrow"
    table = pa.table({"image": pa.array(column, kept)})
    rows = read_sheet(write(tmp_path_factory.getbasetemp() / f"h.{suffix}", table, kind), nobody).rows
    for at in order:
        if cells[at] is None:
            with pytest.raises(PictureError, match=rf"h.{suffix}:{at + 1} without the bytes"):
                rows[at].picture.read()
        else:
            assert rows[at].picture.read() == cells[at]


def test_a_file_that_was_written_again_is_read_again(tmp_path):
    for kind in KINDS:
        path = tmp_path / ("t.parquet" if kind == "parquet" else "t.arrow")
        for seed in (1, 2):
            write(tmp_path / "new", pa.table({"image": [png(seed)]}), kind)
            (tmp_path / "new").replace(path)
            assert read_sheet(path, nobody).rows[0].picture.read() == png(seed)
        place = read_sheet(path, nobody).rows[0].picture
        path.unlink()
        with pytest.raises(PictureError, match="cannot be read"):
            place.read()


@pytest.mark.parametrize("archive", [".zip", ".tar", ".tar.gz"])
def test_tables_in_archives_are_read_as_in_folders(tmp_path, archive):
    table = pa.table({"image": [png(n) for n in range(5)], "text": [f"picture {n}" for n in range(5)]})
    for kind in ("stream", "feather", "parquet"):
        write(tmp_path / f"{kind}.{'parquet' if kind == 'parquet' else 'arrow'}", table, kind)
    name = tmp_path / f"t{archive}"
    if archive == ".zip":
        with zipfile.ZipFile(name, "w") as packed:
            [packed.write(path, f"deep/{path.name}") for path in tmp_path.iterdir() if path != name]
    else:
        with tarfile.open(name, "w:gz" if archive.endswith("gz") else "w") as packed:
            [packed.add(path, f"deep/{path.name}") for path in tmp_path.iterdir() if path != name]
    found = list(scan(name))
    assert [each.origin for each in found] == [
        f"{name}/deep/{file}:{row}"
        for file in ("feather.arrow", "parquet.parquet", "stream.arrow")
        for row in range(1, 6)
    ]
    assert [each.inside.read() for each in found] == 3 * [png(n) for n in range(5)]
    name.unlink()
    with pytest.raises(PictureError, match="cannot be read"):
        found[0].inside.read()


def test_of_a_stream_that_is_cut_off_the_first_rows_are_taken(tmp_path):
    table = pa.table({"image": [png(n) for n in range(6)], "text": [f"picture {n}" for n in range(6)]})
    data = write(tmp_path / "whole.arrow", table, "stream").read_bytes()
    counts = set()
    for end in range(1, len(data) - 8, 97):
        (tmp_path / "cut.arrow").write_bytes(data[:end])
        try:
            sheet = read_sheet(tmp_path / "cut.arrow", nobody)
        except CollectionError:
            counts.add(0)
            continue
        good = [row for row in sheet.rows if not row.problem]
        assert [row.picture.read() for row in good] == [png(n) for n in range(len(good))]
        assert len(good) == 6 or ([bool(row.problem) for row in sheet.rows[len(good) :]], sheet.whole) == (
            [True],
            False,
        )
        counts.add(len(good))
    assert counts == {0, 2, 4}


def test_the_first_rows_of_a_given_file_and_one_line_for_the_others(tmp_path):
    table = pa.table({"prompt": [f"a fox {n}" for n in range(4)]})
    path = write(tmp_path / "t.arrow", table, "stream")
    path.write_bytes(path.read_bytes()[:-100])
    scanned = Scanned()
    found = list(scan(path, scanned=scanned))
    assert [each.caption for each in found] == ["a fox 0", "a fox 1", None]
    assert found[2].name == f"{path}:3"
    assert "cut off or damaged" in found[2].problem
    assert "\n" not in found[2].problem
    assert [(each.used, each.why) for each in scanned.tables] == [(True, "the rest of it cannot be read")]
    assert scanned.read == set()  # so that captions of its other rows are not removed


@pytest.mark.parametrize("kind", ["stream", "file"])
def test_damaged_bytes_are_an_error_and_never_a_crash(tmp_path, kind):
    table = pa.table(
        {
            "image": [{"bytes": png(n), "path": f"{n}.png"} for n in range(4)],
            "text": [f"picture {n}" for n in range(4)],
            "tags": [["a", "b"]] * 4,
        }
    )
    whole = write(tmp_path / "whole.arrow", table, kind).read_bytes()
    chance = random.Random(0)
    outcomes = set()
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 4, 16))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        (tmp_path / "bad.arrow").write_bytes(data)
        try:
            for row in read_sheet(tmp_path / "bad.arrow", nobody).rows:
                if row.picture is not None:
                    row.picture.read()
            outcomes.add("read")
        except (CollectionError, PictureError) as error:
            outcomes.add(f"{error.code}, {len(str(error).splitlines())} line")
    assert outcomes - {"empty, 1 line"} == {"read", "cannot read, 1 line"}


@pytest.mark.parametrize("data", [b"", b"FEA1 and more", b"no table at all", b"ARROW1\0\0 without an end"])
def test_files_that_are_no_arrow_tables_are_refused(tmp_path, data, refused):
    (tmp_path / "t.feather").write_bytes(data)
    with refused(CollectionError, "cannot read", "t.feather"):
        list(scan(tmp_path / "t.feather"))


def test_a_feather_file_of_captions_beside_pictures(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(png(len(name)))
    write(tmp_path / "words.feather", pa.table({"file": ["a.png", "b.png"], "caption": ["a fox", "a boat"]}), "feather")
    (tmp_path / "other.arrow").write_bytes(b"nothing")
    scanned = Scanned()
    found = list(scan(tmp_path, scanned=scanned))
    assert {each.path.name: each.caption for each in found} == {"a.png": "a fox", "b.png": "a boat"}
    assert [(Path(each.source).name, each.used) for each in scanned.tables] == [
        ("other.arrow", False),
        ("words.feather", True),
    ]


def test_sounds_are_no_pictures(tmp_path):
    sound = [{"bytes": b"RIFF", "path": "a.wav"}]
    features = {"info": {"features": {"sound": {"_type": "Audio"}, "photo": {"_type": "Image"}}}}
    both = pa.table({"sound": sound, "photo": [{"bytes": png(0), "path": "a.png"}]})
    path = write(tmp_path / "t.arrow", both.replace_schema_metadata({"huggingface": json.dumps(features)}), "stream")
    row = read_sheet(path, nobody).rows[0]
    assert (row.picture.read(), dict(row.extras)) == (png(0), {"sound": "a.wav"})
    write(path, both, "stream")  # control: nothing says what it is
    assert read_sheet(path, nobody).file == "photo"  # by its name
    write(path, both.select(["sound"]), "stream")
    assert read_sheet(path, nobody).file == "sound"


LABEL = {"_type": "ClassLabel", "names": ["cat", "dog"]}


@pytest.mark.parametrize(
    ("value", "feature", "named"),
    [
        (1, LABEL, "dog"),
        (-1, LABEL, None),
        (None, LABEL, None),
        (7, LABEL, 7),  # a number that has no name stays
        (1, {"_type": "ClassLabel"}, 1),
        ([0, None, 1], {"_type": "Sequence", "feature": LABEL, "length": -1}, ["cat", None, "dog"]),
        ([0], [LABEL], ["cat"]),
        ({"a": 1, "b": 2}, {"a": LABEL, "b": {"_type": "Value"}}, {"a": "dog", "b": 2}),
        ({"a": [0, 1]}, {"_type": "Sequence", "feature": {"a": LABEL}}, {"a": ["cat", "dog"]}),
        ([{"a": 1}], [{"a": LABEL}], [{"a": "dog"}]),
        (3, {"_type": "Value", "dtype": "int64"}, 3),
        (3, None, 3),
        ([3], [], [3]),
    ],
)
def test_class_labels_have_their_names(value, feature, named):
    assert with_names(value, feature) == named


@pytest.mark.parametrize("metadata", [b"{", b"3", b'{"info": null}', b'{"info": {"features": []}}', b"\xff"])
def test_metadata_of_other_forms_change_nothing(tmp_path, metadata):
    table = pa.table({"prompt": ["a fox"], "label": [1]}).replace_schema_metadata({b"huggingface": metadata})
    for kind in ("stream", "parquet"):
        path = write(tmp_path / f"t.{'parquet' if kind == 'parquet' else 'arrow'}", table, kind)
        (row,) = read_sheet(path, nobody).rows
        assert (list(row.texts), dict(row.extras)) == (["a fox"], {"label": 1})
