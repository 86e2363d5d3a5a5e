"""Sources: which pictures and prompts a folder, a table or a text file has."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from thoughtspace.explorer.collection.folders import write_card
from thoughtspace.explorer.collection.sources import scan
from thoughtspace.explorer.errors import CollectionError


def picture(path: Path, color: str = "red") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), color).save(path, format="PNG")
    return path


def captions_of(folder: Path, **options: Path) -> dict[str, str | None]:
    """Caption by path of the pictures found in a folder."""
    return {os.path.relpath(each.path, folder): each.caption for each in scan(folder, **options) if each.path}


def test_pictures_come_in_the_order_of_their_names_in_every_folder(tmp_path):
    for name in (
        "b.png",
        "a/z.JPG",
        "a/b/c.webp",
        "no-ending",
        ".hidden.png",
        ".git/d.png",
        "old/e.png",
    ):
        picture(tmp_path / name)
    write_card(tmp_path / "old", "pocket", "0" * 64)
    (tmp_path / "notes.md").write_text("# notes")
    (tmp_path / "data.bin").write_bytes(bytes(99))
    assert list(captions_of(tmp_path)) == ["b.png", "no-ending", "a/z.JPG", "a/b/c.webp"]


def test_a_text_beside_a_picture_is_its_caption(tmp_path):
    for name in ("one.png", "two.png", "three.png", "four.png"):
        picture(tmp_path / name)
    (tmp_path / "one.txt").write_text("﻿  a red\nfox ")
    (tmp_path / "two.png.txt").write_text("a blue fox")
    (tmp_path / "three.caption").write_bytes(b"a caf\xe9")
    (tmp_path / "four.txt").write_text(" \n")
    (tmp_path / "orphan.txt").write_text("nobody's")
    expected = {"one.png": "a red fox", "two.png": "a blue fox", "three.png": "a café", "four.png": None}
    assert captions_of(tmp_path) == expected


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_tables_carry_captions_and_further_columns(tmp_path, suffix):
    picture(tmp_path / "in/a.png"), picture(tmp_path / "in/deep/b.png"), picture(tmp_path / "in/c.png")
    frame = pd.DataFrame(
        {
            "File": ["a.png", "deep/b.png"],
            "PROMPT": ["a fox, red", 'the "b"'],
            "hat": ["none", None],
            "size": [3, 4],
            "warm": [True, False],
        }
    )
    table = tmp_path / f"t{suffix}"
    if suffix == ".jsonl":
        frame.to_json(table, orient="records", lines=True)
    elif suffix == ".parquet":
        frame.to_parquet(table)
    else:
        frame.to_csv(table, index=False, sep="\t" if suffix == ".tsv" else ",")
    found = {each.path.name: each for each in scan(tmp_path / "in", table)}
    assert {name: each.caption for name, each in found.items()} == {
        "a.png": "a fox, red",
        "b.png": 'the "b"',
        "c.png": None,
    }
    warm, cold = ("True", "False") if suffix in (".csv", ".tsv") else (True, False)  # a text has no booleans
    assert found["a.png"].extras == {"hat": "none", "size": 3, "warm": warm}
    assert found["b.png"].extras == {"size": 4, "warm": cold}
    assert found["a.png"].origin.endswith(f"t{suffix}:{2 if suffix in ('.csv', '.tsv') else 1}")


def test_a_table_at_the_top_of_the_folder_is_found(tmp_path):
    picture(tmp_path / "a.png"), picture(tmp_path / "sub/b.png")
    (tmp_path / "a.txt").write_text("from the sidecar")
    (tmp_path / "metadata.csv").write_text("file_name,text,style\nb.png,by its bare name,oil\na.png,,ink\n")
    assert captions_of(tmp_path) == {"a.png": "from the sidecar", "sub/b.png": "by its bare name"}
    assert next(scan(tmp_path)).extras == {"style": "ink"}
    (tmp_path / "metadata.csv").write_text("x,y\n1,2\n")
    assert captions_of(tmp_path) == {"a.png": "from the sidecar", "sub/b.png": None}


def test_rows_that_name_nothing_are_problems_and_second_captions_are_kept(tmp_path):
    picture(tmp_path / "a.png")
    table = tmp_path / "t.csv"
    table.write_text("file,caption\na.png,one\na.png,two\ngone.png,three\n,a prompt alone\n,\n")
    found = list(scan(tmp_path, table))
    assert [each.caption for each in found] == ["one", "two", "three", "a prompt alone"]
    assert [each.problem is not None for each in found] == [False, False, True, False]
    assert "gone.png" in str(found[2].problem)
    assert "t.csv:4" in str(found[2].problem)
    assert found[3].path is None


def test_prompts_are_lines(tmp_path):
    prompts = tmp_path / "prompts.txt"
    prompts.write_bytes("﻿a fox\n\n  two\tfoxes \r\nÆrø\n".encode())
    found = list(scan(prompts))
    assert [each.caption for each in found] == ["a fox", "two foxes", "Ærø"]
    assert [each.name.rsplit(":")[-1] for each in found] == ["1", "3", "4"]
    picture(tmp_path / "in/a.png")
    assert [each.caption for each in scan(tmp_path / "in", prompts)] == [None, "a fox", "two foxes", "Ærø"]
    assert [each.caption for each in scan(tmp_path)] == [None, "a fox", "two foxes", "Ærø"]


def test_a_table_and_a_picture_are_sources_too(tmp_path):
    fox = picture(tmp_path / "a.png")
    (tmp_path / "t.csv").write_text("path,caption,n\na.png,a fox,1\nb.png,gone,2\n")
    first, second = scan(tmp_path / "t.csv")
    assert (first.path, first.caption, first.extras, first.problem) == (fox, "a fox", {"n": 1}, None)
    assert second.problem is not None
    (tmp_path / "words.csv").write_text("prompt,style\na fox,oil\n")
    assert [(each.caption, each.extras) for each in scan(tmp_path / "words.csv")] == [("a fox", {"style": "oil"})]
    assert [each.path for each in scan(fox)] == [fox]


@pytest.mark.parametrize(
    ("table", "code", "fact"),
    [
        ("a,b\n1,2\n", "columns", "a, b"),
        ("", "cannot read", "t.csv"),
        (b"file,caption\na.png,\x81\n", "cannot read", "t.csv"),
        (None, "cannot read", "No such file"),
    ],
)
def test_invalid_tables_are_refused(tmp_path, table, code, fact, refused):
    picture(tmp_path / "a.png")
    path = tmp_path / "t.csv"
    if table is not None:
        path.write_bytes(table if isinstance(table, bytes) else table.encode())
    with refused(CollectionError, code, fact):
        list(scan(tmp_path, path))


def test_invalid_sources_are_refused(tmp_path, refused):
    (tmp_path / "empty").mkdir()
    with refused(CollectionError, "no sources", "empty"):
        list(scan(tmp_path / "empty"))
    with refused(CollectionError, "no such file", "missing"):
        list(scan(tmp_path / "missing"))
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\x00")
    with refused(CollectionError, "cannot read", "not UTF-8"):
        list(scan(tmp_path / "bad.txt"))
    with refused(CollectionError, "no table", "captions.xlsx"):
        list(scan(tmp_path / "empty", tmp_path / "captions.xlsx"))
    with refused(CollectionError, "own texts", "bad.txt", "captions.csv"):
        list(scan(tmp_path / "bad.txt", tmp_path / "captions.csv"))


def test_names_of_no_encoding_and_links_in_circles(tmp_path):
    picture(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")))
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "gone")
    found = list(scan(tmp_path))
    assert [each.name.rsplit("/")[-1] for each in found] == ["caf%E9.png", "nowhere.png"]
