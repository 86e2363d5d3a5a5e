"""Where tables begin and what they are: titles above the header, no header, other contents than the name says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.report import table_in_words
from thoughtspace.explorer.collection.scanned import Scanned
from thoughtspace.explorer.collection.sources import scan
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import CollectionError

ROWS = [("a.png", "a red fox", 1990), ("b.png", "a boat; blue, | big", 1991)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for seed, name in enumerate("ab"):
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "in" / f"{name}.png")
    return tmp_path / "in"


def rows_of(source: Path) -> list[tuple]:
    """File, caption and columns of what a scan takes, and the line of each problem."""
    found = []
    for each in scan(source):
        if each.problem:
            found.append(("problem", int(each.origin.rpartition(":")[2])))
        else:
            found.append((each.path.name if each.path else None, each.caption, dict(each.extras)))
    return found


def report_of(source: Path) -> dict:
    scanned = Scanned()
    list(scan(source, scanned=scanned))
    return scanned.to_json()


@pytest.mark.parametrize(
    "above",
    [
        "My photos 2024",
        "# exported, by a program\n# on two days",
        "// one\n\n-- two",
        "Liste;;;\n;;;",
        "Captions",
        "Captions, written by Ann",
        "a title over three cells, as wide as the table, really",
        '"a title, quoted"',
        "Photo",
        "# comment\nBilder:\nPhotos",
        "Report 2024; v2\n1",
    ],
)
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_titles_and_comments_above_the_header_are_left_out_and_said(folder, above, separator):
    lines = [separator.join(("file", "caption", "year"))]
    lines += [separator.join((name, f'"{caption}"', str(year))) for name, caption, year in ROWS]
    for end, encoding in (("\n", "utf-8"), ("\r\n", "utf-16"), ("\r", "utf-8-sig")):
        (folder / "captions.csv").write_bytes(end.join([*above.split("\n"), *lines]).encode(encoding))
        assert rows_of(folder) == [(name, caption, {"year": year}) for name, caption, year in ROWS]
    (table,) = report_of(folder)["tables"]
    assert above.split("\n")[0] in table["why"]
    assert "left out above" in table_in_words(table)


def test_marks_in_the_texts_of_a_plain_table_make_no_other_table_of_it(folder):
    texts = ["a fox | red", "; a boat, x ; % y"]
    rows = "".join(f"{name}\t{text}\t{2**64 - 1}\n" for name, text in zip(("a.png", "b.png"), texts, strict=True))
    for header in ("img\tcaption\tseed\n", "Bild\tText\tseed\n"):
        (folder / "captions.csv").write_text(header + rows)
        assert rows_of(folder) == [("a.png", texts[0], {"seed": 2**64 - 1}), ("b.png", texts[1], {"seed": 2**64 - 1})]
        assert report_of(folder)["tables"][0]["why"] == ""


def test_a_title_above_rows_without_a_header(folder):
    (folder / "list.csv").write_text("my list\na.png,a red fox\nb.png,a boat\n")
    assert rows_of(folder) == [("a.png", "a red fox", {}), ("b.png", "a boat", {})]


def test_a_title_above_prompts(folder):
    (folder / "prompts.csv").write_text("My prompts of May\nprompt,seed\na red fox,18446744073709551615\na boat,2\n")
    assert rows_of(folder / "prompts.csv") == [
        (None, "a red fox", {"seed": 2**64 - 1}),
        (None, "a boat", {"seed": 2}),
    ]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("#file,caption\na.png,a fox\n", [("a.png", "a fox", {}), ("b.png", None, {})]),
        ("gone.png,a fox\na.png,a boat\n", [("a.png", "a boat", {}), ("b.png", None, {}), ("problem", 1)]),
        ("name,caption\ngone,a fox\na,a boat\n", [("a.png", "a boat", {}), ("b.png", None, {}), ("problem", 2)]),
        (
            "file,caption\ngone.png,one\nfile,two\nb.png,a fox\n",
            [("a.png", None, {}), ("b.png", "a fox", {}), ("problem", 2), ("problem", 3)],
        ),
    ],
)
def test_no_row_is_taken_for_a_title(folder, text, rows):
    (folder / "captions.csv").write_text(text)
    assert [each for each in rows_of(folder) if each not in rows] == []
    assert [each for each in rows if each not in rows_of(folder)] == []
    assert "left out" not in report_of(folder)["tables"][0]["why"]


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("a red fox\na boat at sea\n", ["a red fox", "a boat at sea"]),
        ("a red fox, in snow\na boat, big, at sea\n", ["a red fox, in snow", "a boat, big, at sea"]),
        ("a red fox, in snow\na boat, at sea\n", ["a red fox, in snow", "a boat, at sea"]),
        ('"a red fox, in snow"\n"a ""boat"""\n', ["a red fox, in snow", 'a "boat"']),
        ("0,a red fox\n1,a boat\n", ["a red fox", "a boat"]),
        (",0\n0,a red fox\n1,a boat\n", ["a red fox", "a boat"]),
        ("prompt\nphoto, a fox\nphoto, text\n", ["photo, a fox", "photo, text"]),
        ("ein Fuchs\n", ["ein Fuchs"]),
        ("一只狐狸\n一艘船\n", ["一只狐狸", "一艘船"]),
    ],
)
@pytest.mark.parametrize("name", ["prompts.csv", "Prompts.tsv", "other.csv"])
def test_prompts_of_one_column_need_no_header(folder, text, prompts, name):
    (folder / name).write_text(text, encoding="utf-8")
    assert [caption for _, caption, _ in rows_of(folder / name)] == prompts
    found = [caption for file, caption, _ in rows_of(folder) if file is None]
    assert found == ([] if name == "other.csv" else prompts)


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "Ann,May\nBob,June\n", "fox;5;red\nboat;7;blue\n"])
def test_a_table_of_unknown_columns_is_no_list_of_prompts(folder, text, refused):
    (folder / "other.csv").write_text(text)
    with refused(CollectionError, "columns"):
        list(scan(folder / "other.csv"))


def test_lines_of_json_texts_are_prompts(folder):
    (folder / "prompts.jsonl").write_text('"a red fox"\n"a boat"\n7\n')
    assert rows_of(folder / "prompts.jsonl") == [(None, "a red fox", {}), (None, "a boat", {}), ("problem", 3)]


RECORDS = [{"file": "a.png", "caption": "a red fox", "n": 2**64 - 1}, {"file": "b.png", "caption": "a boat", "n": 1}]
CSV = "file,caption,n\n" + "".join(f"{each['file']},{each['caption']},{each['n']}\n" for each in RECORDS)
LINES = "\n".join(map(json.dumps, RECORDS))


@pytest.mark.parametrize(
    "name", ["captions.csv", "captions.json", "captions.jsonl", "captions.parquet", "captions.tsv"]
)
@pytest.mark.parametrize("content", ["csv", "list", "lines", "parquet", "feather"])
def test_a_table_is_what_its_content_is(folder, name, content):
    frame = pd.DataFrame(RECORDS).astype({"n": "uint64"})
    if content == "parquet":
        frame.to_parquet(folder / name)
    elif content == "feather":
        frame.to_feather(folder / name)
    else:
        (folder / name).write_text({"csv": CSV, "list": json.dumps(RECORDS), "lines": LINES}[content])
    rows = [("a.png", "a red fox", {"n": 2**64 - 1}), ("b.png", "a boat", {"n": 1})]
    assert rows_of(folder) == rows


def test_a_spreadsheet_under_another_name_says_so(folder):
    (folder / "captions.csv").write_bytes(b"PK\x03\x04" + bytes(99))
    (problem,) = [each.problem for each in scan(folder) if each.problem]
    assert "spreadsheet" in problem
    assert "CSV" in problem


def test_lists_that_are_written_as_text_are_several_captions(folder):
    texts = [["a red fox", 'it\'s "red"'], ["a boat\\ship", "狐"]]
    for write in (str, json.dumps, lambda each: str(np.array(each, dtype=object))):
        frame = pd.DataFrame({"file": ["a.png", "b.png"], "captions": [write(each) for each in texts]})
        frame.to_csv(folder / "captions.csv", index=False)
        rows = [(name, text, {}) for name, several in zip(("a.png", "b.png"), texts, strict=True) for text in several]
        assert rows_of(folder) == rows
        assert "lists" in report_of(folder)["tables"][0]["why"]
    (folder / "captions.csv").write_text("file,captions\na.png,['one fox']\nb.png,[a boat]\n")
    assert rows_of(folder) == [("a.png", "['one fox']", {}), ("b.png", "[a boat]", {})]


@pytest.mark.parametrize(
    ("text", "caption"),
    [
        ("0 0.5 0.5 0.2 0.3\n12 .1 .2 .3 .4\n", None),  # YOLO
        ("0 0.48 0.63 0.69 0.71 0.5 0.6\r\n\r\n", None),  # its outlines
        ("100,200,30,40\n", None),
        ("Car 0.00 0 1.55 614.24 181.78 727.31 284.77 -1e-05\n", None),  # KITTI
        ("10.0 20.0 30.0 20.0 30.0 40.0 10.0 40.0 plane 0\n", None),  # DOTA
        ("1984", "1984"),
        ("7 foxes, 3 boats", "7 foxes, 3 boats"),
        ("1 2 3 4 and a fox", "1 2 3 4 and a fox"),
    ],
)
def test_labels_beside_pictures_are_counted_and_no_captions(folder, text, caption):
    (folder / "a.txt").write_text(text)
    assert [each.caption for each in scan(folder)] == [caption, None]
    unread = report_of(folder)["unread"]
    assert [(each["count"], each["example"]) for each in unread] == ([] if caption else [(1, str(folder / "a.txt"))])


def test_a_caption_beside_labels_is_taken_and_an_old_one_of_numbers_goes(explorer, folder, tmp_path):
    (folder / "a.txt").write_text("a fox")
    ingest(explorer, folder, tmp_path / "out")
    (folder / "a.txt").write_text("0 0.5 0.5 0.2 0.3\n")
    ingest(explorer, folder, tmp_path / "out")
    assert list(Collection.open(tmp_path / "out").items()["caption"].fillna("")) == ["", ""]
    (folder / "a.caption").write_text("a cat")
    report = ingest(explorer, folder, tmp_path / "out")
    frame = Collection.open(tmp_path / "out").items("image")
    assert dict(zip(frame["source"].str[-5:], frame["caption"].fillna(""), strict=True)) == {
        "a.png": "a cat",
        "b.png": "",
    }
    assert any("text of numbers" in line for line in report.in_words())


def test_a_table_without_texts_says_which_columns_it_has(folder):
    (folder / "captions.csv").write_text("file,animal,year\na.png,fox,1990\nb.png,boat,1991\n")
    assert rows_of(folder) == [
        ("a.png", None, {"animal": "fox", "year": 1990}),
        ("b.png", None, {"animal": "boat", "year": 1991}),
    ]
    (table,) = report_of(folder)["tables"]
    assert table["used"]
    assert "'animal', 'year'" in table["why"]
    assert "call it 'caption'" in table["why"]
    assert "no texts" in table_in_words(table)
    (folder / "captions.csv").write_text("file\na.png\n")
    assert report_of(folder)["tables"][0]["why"] == ""  # a table of nothing but files has none to be called so
