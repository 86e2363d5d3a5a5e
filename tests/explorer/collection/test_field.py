"""Folders as people have them: every caption, column and pixel is the right one, and what is not taken is listed."""

from __future__ import annotations

import io
import json
import os
import struct
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.report import IngestReport
from thoughtspace.explorer.collection.scanned import Scanned
from thoughtspace.explorer.collection.sources import scan
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import CollectionError
from thoughtspace.explorer.records.pictures import open_picture


def picture(seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8))


def png(seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    picture(seed).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def pictures(folder: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(seed))


@pytest.fixture
def taken(explorer, folder, tmp_path) -> Callable[[], tuple[IngestReport, pd.DataFrame]]:
    """Ingest the folder: the report, and its pictures by the name of their file."""

    def take():
        report = ingest(explorer, folder, tmp_path / "out")
        frame = Collection.open(tmp_path / "out").items("image")
        json.dumps(report.to_json(), allow_nan=False)
        assert Collection.open(tmp_path / "out").report() == json.loads(json.dumps(report.to_json()))
        return report, frame.set_index(frame.source.map(os.path.basename))

    return take


RED_AND_BLUE = {"a.png": "a red fox", "b.png": "a blue boat"}
TABLES = {
    "semicolon": ("captions.csv", "file;caption\r\na.png;a red fox\r\nb.png;a blue boat\r\n".encode("utf-8-sig")),
    "tab": ("captions.csv", b"file\tcaption\na.png\ta red fox\nb.png\ta blue boat\n"),
    "pipe": ("metadata.csv", b"file|caption\na.png|a red fox\nb.png|a blue boat\n"),
    "as Excel says": ("captions.csv", b"sep=;\r\nfile;caption\r\na.png;a red fox\r\nb.png;a blue boat\r\n"),
    "trailing comma": ("captions.csv", b"file,caption\na.png,a red fox,\nb.png,a blue boat,\n"),
    "no header": ("captions.csv", b"a.png,a red fox\nb.png,a blue boat\n"),
    "capital": ("Captions.CSV", b"file,caption\na.png,a red fox\nb.png,a blue boat\n"),
    "other words": ("list of pictures.csv", b"Image Name,Caption Text\na.png,a red fox\nb.png,a blue boat\n"),
    "UTF-16": ("captions.csv", "file,caption\na.png,a red fox\nb.png,a blue boat\n".encode("utf-16")),
    "JSON": ("metadata.json", b'[{"file":"a.png","text":"a red fox"},{"file":"b.png","text":"a blue boat"}]'),
    "backslashes": ("captions.csv", b"file,caption\n.\\a.png,a red fox\n.\\b.png,a blue boat\n"),
    "case": ("captions.csv", b"file,caption\nA.PNG,a red fox\nB.PNG,a blue boat\n"),
    "no ending": ("captions.csv", b"file,caption\na,a red fox\nb,a blue boat\n"),
}


@pytest.mark.parametrize(("name", "data"), TABLES.values(), ids=list(TABLES))
@pytest.mark.parametrize("place", ["", "sub/"])
def test_tables_of_every_dialect(folder, name, data, place):
    pictures(folder, f"{place}a.png", f"{place}b.png")
    (folder / place / name).write_bytes(data)
    scanned = Scanned()
    found = list(scan(folder, scanned=scanned))
    assert {each.path.name: each.caption for each in found} == RED_AND_BLUE
    assert [each.problem for each in found] == [None, None]
    assert [(table.used, table.matched) for table in scanned.tables] == [(True, 2)]


def test_a_table_that_is_not_used_is_reported_with_its_columns(folder, taken):
    pictures(folder, "a.png")
    (folder / "weather.csv").write_text("day;rain\n1;2\n")
    (folder / "package.json").write_text('{"name": "x"}')
    (folder / "captions.csv").write_text("")
    report, _ = taken()
    assert [(Path(each.source).name, each.used, each.columns) for each in report.scanned.tables] == [
        ("captions.csv", False, ()),
        ("weather.csv", False, ["day", "rain"]),
    ]
    assert [Path(each["source"]).name for each in report.failed] == ["captions.csv"]
    words = report.in_words()
    assert any("weather.csv" in line and "'day', 'rain'" in line and "'file'" in line for line in words)


def test_guessed_encodings_are_said(folder, taken):
    pictures(folder, "a.png", "b.png")
    (folder / "captions.csv").write_bytes("file,caption\na.png,a café at dusk\n".encode("cp1252"))
    (folder / "b.txt").write_bytes("ein Mädchen".encode("cp1252"))
    (folder / "prompts.txt").write_bytes("a red fox\x0basleep\na caf\u00e9\n".encode("cp1252"))
    report, frame = taken()
    assert dict(frame.caption) == {"a.png": "a café at dusk", "b.png": "ein Mädchen"}
    assert [(each.encoding, each.guessed) for each in report.scanned.tables] == [("cp1252", True)]
    assert sorted(Path(path).name for path in report.scanned.guessed) == ["b.txt", "prompts.txt"]
    assert sum("guessed" in line for line in report.in_words()) == 3


def test_numbers_keep_their_digits_and_types(folder, taken):
    pictures(folder, *(f"{n:04}.png" for n in range(4)))
    (folder / "captions.csv").write_text(
        "file,caption,seed,year,code,size\n0000,007,18446744073709551615,1990,007,1.5\n0001,1984,9007199254740993,,8,2\n"
        "0002,1e3,,1992,9,\n0003,2.50,7,1993,10,nan\n"
    )
    _, frame = taken()
    assert list(frame.caption) == ["007", "1984", "1e3", "2.50"]
    assert [str(each) for each in frame.seed] == ["18446744073709551615", "9007199254740993", "<NA>", "7"]
    assert [str(each) for each in frame.year] == ["1990", "<NA>", "1992", "1993"]
    assert list(frame.code) == ["007", "8", "9", "10"]
    assert list(frame["size"].dropna()) == [1.5, 2.0]


def test_columns_called_as_the_programs_own(folder, taken):
    pictures(folder, "a.png", "b.png")
    (folder / "captions.csv").write_text(
        "file,caption,score,x,y,kind,id,source,row\na.png,a fox,0.5,1,2,k,3,web,9\nb.png,a boat,,4,5,l,6,web,8\n"
    )
    _, frame = taken()
    assert list(frame["kind"]) == ["image", "image"]
    assert not {"score", "x", "y", "row"} & set(frame)
    assert [next(iter(frame[f"{name}_"])) for name in ("score", "x", "y", "kind", "id", "source", "row")] == [
        *(0.5, 1, 2, "k", 3, "web", 9)
    ]


def test_lists_of_captions_are_several_texts(folder, tmp_path, taken):
    pictures(folder, "a.png", "b.png")
    rows = [{"file_name": f"{n}.png", "caption": [f"one {n}", f"two {n}"]} for n in "ab"]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)) + '\n{"file_name": "b.png", "te')
    report, frame = taken()
    assert dict(frame.caption) == {"a.png": "one a", "b.png": "one b"}
    assert sorted(Collection.open(tmp_path / "out").items("text").caption) == ["one a", "one b", "two a", "two b"]
    assert [Path(each["source"]).name for each in report.failed] == ["metadata.jsonl:3"]


def test_pictures_inside_a_table_are_read_from_their_bytes(folder, tmp_path, explorer):
    cells = [{"bytes": png(n), "path": f"{n}.png"} for n in range(5)] + [{"bytes": None, "path": "none.png"}]
    table = pa.table({"image": cells, "text": [f"picture {n}" for n in range(6)], "n": list(range(6))})
    pq.write_table(table, folder / "train.parquet", row_group_size=2)
    report = ingest(explorer, folder, tmp_path / "out")
    collection = Collection.open(tmp_path / "out", explorer)
    frame = collection.items("image")
    assert list(frame.caption) == [f"picture {n}" for n in range(5)]
    assert list(frame.n) == list(range(5))
    assert [Path(each["source"]).name for each in report.failed] == ["train.parquet:6"]
    direct = explorer.model.clip.encode_images([picture(n) for n in range(5)])
    np.testing.assert_allclose(collection.vectors(kind="image"), direct, atol=1e-5)
    other = explorer.model.clip.encode_images([picture(n + 1) for n in range(5)])
    assert not np.allclose(collection.vectors(kind="image"), other, atol=1e-3)  # control


@pytest.mark.parametrize(
    ("cell", "fact"),
    [
        ("https://cdn.example/a.png?ex=" + "6f" * 160, "address"),
        ("iVBORw0KGgo/" + "A" * 9000, "no name of a file"),
        ("long " * 60, "no name of a file"),
        ("b.pngg", "did you mean 'b.png'"),
        ("zebra", "no such file"),
    ],
)
def test_a_cell_that_names_no_file_is_listed_and_cut(folder, taken, cell, fact):
    pictures(folder, "a.png", "b.png")
    (folder / "captions.csv").write_text(f"image,caption\na.png,a fox\n{cell},a boat\n")
    report, frame = taken()
    assert dict(frame.caption.fillna("")) == {"a.png": "a fox", "b.png": ""}
    assert len(report.failed) == 1
    assert fact in report.failed[0]["reason"]
    assert len(report.failed[0]["reason"]) < 330 + len(str(folder))


def test_names_of_every_length_and_form(folder, taken):
    long = "prompt " * 35 + "end.png"
    names = [
        *("100% #1?.png", "line\nbreak.png", "family 👨‍👩‍👧.png", "می‌خواهم.png", " leading space.png", "-o.png", long),
        *("back\\slash.png", unicodedata.normalize("NFD", "café.png"), "n" * 251 + ".png"),
    ]
    pictures(folder, *names)
    (folder / "captions.csv").write_text("file,caption\ncafé.png,a red fox\nfamily 👨‍👩‍👧.png,a family\n")
    report, frame = taken()
    assert sorted(frame.source) == sorted(str(folder / name) for name in names)
    assert report.failed == []
    assert frame.caption[names[-2]] == "a red fox"
    assert frame.caption["family 👨‍👩‍👧.png"] == "a family"


def test_a_name_in_no_encoding_is_stored_as_an_address_that_opens(folder, taken, tmp_path, explorer):
    Path(os.fsdecode(os.fsencode(folder) + b"/latin\xe9.png")).write_bytes(png(4))
    _, frame = taken()
    assert list(frame.source) == [f"file://{folder}/latin%E9.png"]
    collection = Collection.open(tmp_path / "out", explorer)
    found = collection.retrieve(collection.points("joint", "image"))
    np.testing.assert_array_equal(np.asarray(found.pictures[0]), np.asarray(picture(4)))


def test_links_are_followed_once_and_clutter_is_passed_over(folder, tmp_path):
    real = tmp_path / "real"
    pictures(real, "a.png", "b.png")
    pictures(folder, "c.png", "@eaDir/c.png/thumb.png", "__MACOSX/._c.png", ".cache/x.png", "._c.png")
    (folder / "Thumbs.db").write_bytes(png())
    for name, target in (("set", real), ("twice", real), ("loop", folder), ("real loop", tmp_path)):
        (folder / name).symlink_to(target)
    assert sorted(each.path.name for each in scan(folder)) == ["a.png", "b.png", "c.png"]


def test_formats_that_are_not_read_are_counted_with_a_remedy(folder, taken):
    pictures(folder, "a.png")
    for name in ("1.HEIC", "2.heic", "new.jxl", "raw.dng", "raw.CR2", "drawing.svg", "moving.mp4", "table.xlsx"):
        (folder / name).write_bytes(b"II*\0" + b"\0" * 64)
    report, frame = taken()
    assert list(frame.index) == ["a.png"]
    assert {each.format: each.count for each in report.scanned.unread} == {
        "HEIC": 2,
        "JPEG XL": 1,
        "camera RAW": 2,
        "SVG": 1,
        "video": 1,
        "spreadsheet": 1,
    }
    assert all(each.remedy for each in report.scanned.unread)
    assert report.failed == []
    assert any("2 HEIC" in line and "pillow-heif" in line for line in report.in_words())


def test_a_folder_of_unread_formats_alone_says_so(folder, refused):
    (folder / "a.json").write_text("[]")
    (folder / "b.xlsx").write_text("PK")
    with refused(CollectionError, "no sources", "1 spreadsheet", "CSV"):
        list(scan(folder))


@pytest.mark.parametrize(
    ("name", "data", "caption"),
    [
        ("a.txt", "a red fox".encode("utf-16"), "a red fox"),
        ("A.TXT", b"a red fox", "a red fox"),
        (
            "a.png.txt",
            "\U0001fae8 🏴\U000e0067\U000e0062\U000e007f".encode(),
            "\U0001fae8 🏴\U000e0067\U000e0062\U000e007f",
        ),
        ("a.caption", "می‌خواهم ببینم".encode(), "می‌خواهم ببینم"),
        ("a.json", b'{"caption": "a red fox", "seed": 18446744073709551615}', "a red fox"),
        ("a.txt", b"\x81\x00\x01", None),
    ],
)
def test_texts_beside_pictures(folder, taken, name, data, caption):
    pictures(folder, "a.png")
    (folder / name).write_bytes(data)
    report, frame = taken()
    assert list(frame.caption.fillna("")) == [caption or ""]
    assert [Path(each["source"]).name for each in report.failed] == ([] if caption else [name])
    assert ("seed" in frame) == (name == "a.json")
    if name == "a.json":
        assert int(frame.seed.iloc[0]) == 2**64 - 1


def test_prompts_end_where_lines_end(folder, tmp_path, explorer):
    (folder / "prompts.txt").write_bytes("a red fox\x0basleep\na boat\x0c at sea\ra hill\u2028in snow\r\n".encode())
    ingest(explorer, folder, tmp_path / "out")
    assert list(Collection.open(tmp_path / "out").items().caption) == [
        "a red fox asleep",
        "a boat at sea",
        "a hill in snow",
    ]


def test_captions_longer_than_the_model_reads_are_counted(folder, taken):
    pictures(folder, "a.png", "b.png", "c.png")
    for name, end in (("a", "with a red hat"), ("b", "under a blue star")):
        (folder / f"{name}.txt").write_text("a portrait of a person " * 30 + end)
    (folder / "c.txt").write_text("a short one")
    report, _ = taken()
    assert report.longer == 2
    assert any("longer than the model reads: 2" in line for line in report.in_words())


def test_only_collections_of_ours_are_skipped(folder):
    pictures(folder, "a.png", "set/b.png")
    (folder / "set/collection.json").write_text('{"format": "of another program"}')
    assert sorted(each.path.name for each in scan(folder)) == ["a.png", "b.png"]


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_end_marker_is_whole_and_one_cut_short_is_not(folder, taken, progressive):
    buffer = io.BytesIO()
    picture(3).resize((64, 64)).save(buffer, "JPEG", progressive=progressive)
    data = buffer.getvalue()
    (folder / "whole.jpg").write_bytes(data[:-2])
    (folder / "cut.jpg").write_bytes(data[:-20])
    report, frame = taken()
    assert list(frame.index) == ["whole.jpg"]
    assert [Path(each["source"]).name for each in report.failed] == ["cut.jpg"]
    np.testing.assert_array_equal(np.asarray(open_picture(data[:-2])), np.asarray(open_picture(data)))


def test_a_large_profile_and_sixteen_bit_transparency(folder):
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4), 30000, np.uint16)).save(buffer, "PNG")
    clear = buffer.getvalue()[:33] + chunk(b"tRNS", struct.pack(">H", 30000)) + buffer.getvalue()[33:]
    assert np.asarray(open_picture(clear)).min() == 255  # white shows through
    noise = np.random.default_rng(0).bytes(1_500_000)
    large = png(1)[:33] + chunk(b"iCCP", b"icc\0\0" + zlib.compress(noise)) + png(1)[33:]
    np.testing.assert_array_equal(np.asarray(open_picture(large)), np.asarray(picture(1)))
