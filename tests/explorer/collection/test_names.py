"""Paths from another root, and texts of which a part is in another encoding."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from thoughtspace.explorer.collection.reading.names import Names
from thoughtspace.explorer.collection.reading.text import decode
from thoughtspace.explorer.collection.scanned import Scanned
from thoughtspace.explorer.collection.sources import scan

TRAIN, VAL = "/d/images/train/1.png", "/d/images/val/1.png"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("train/1.png", TRAIN),
        ("images/val/1.png", VAL),
        ("C:\\Users\\me\\Train\\1.PNG", TRAIN),
        ("/home/other/data/val/1", VAL),
        ("val/1.png#2", VAL),
        ("rain/1.png", None),  # parts are whole
        ("1.png", None),
    ],
)
def test_the_longest_same_end_counts(name, file):
    assert Names([TRAIN, VAL]).find(name, Path("/d/annotations")) == file


def test_names_as_addresses_and_the_case_of_folders():
    names = Names(["/d/a b.png", "/d/train/a.png", "/d/val/A.png", "/d/100%25.png"])
    assert names.find("a%20b.png", Path("/x")) == "/d/a b.png"
    assert names.find("100%25.png", Path("/x")) == "/d/100%25.png"
    assert names.find("Train/A.png", Path("/x")) == "/d/train/a.png"
    assert names.find("A.png", Path("/x")) == "/d/val/A.png"


def test_names_of_two_files_are_said_with_both(tmp_path):
    for name in ("images/train/1.png", "images/val/1.png", "images/val/2.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "captions.csv").write_text("file,caption\n1.png,a fox\n2.png,a boat\n")
    found = list(scan(tmp_path))
    assert [each.caption for each in found if each.path] == [None, None, "a boat"]
    assert "two files fit: 'train/1.png' and 'val/1.png'" in next(each.problem for each in found if each.problem)


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        ("é\nü\n".encode() + b"caf\xe9\n", "é\nü\ncafé\n", "utf-8, cp1252 in line 3"),
        (b"\xe9t\xe9\r\n" + "ü\r\n".encode(), "été\r\nü\r\n", "utf-8, cp1252 in line 1"),
        ("é\nein Mädchen".encode()[:-6], "é\nein M", "utf-8, cut in its last character"),
        (b"caf\xe9\nna\xefve\n", "café\nnaïve\n", "cp1252"),
        (b"a caf\xe9", "a café", "cp1252"),
    ],
)
def test_one_bad_byte_spoils_its_line_alone(data, text, encoding):
    found = decode(data)
    assert (found.text, found.encoding, found.guessed) == (text, encoding, True)


def test_the_report_names_the_lines_that_are_guessed(tmp_path):
    (tmp_path / "prompts.txt").write_bytes("ein Mädchen\nein Käuzchen\n".encode() + b"un caf\xe9\n")
    scanned = Scanned()
    assert [each.caption for each in scan(tmp_path, scanned=scanned)] == ["ein Mädchen", "ein Käuzchen", "un café"]
    assert list(scanned.guessed.values()) == ["utf-8, cp1252 in line 3"]


@pytest.mark.parametrize(
    ("text", "encoding", "doubt"),
    [
        ("un café – “crème brûlée”", "cp1252", False),
        ("ein Mädchen äß", "cp1252", False),
        ("красная лиса", "cp1251", True),
        ("红色的狐狸在雪地里", "gbk", True),
        ("κόκκινη αλεπού", "cp1253", True),
    ],
)
def test_texts_of_other_alphabets_are_doubted(text, encoding, doubt):
    found = decode(text.encode(encoding))
    assert found.guessed
    assert found.encoding.startswith("cp1252")
    assert ("UTF-8" in found.encoding) == doubt


def test_a_mark_that_was_written_twice_is_none_of_the_text():
    assert decode(b"\xef\xbb\xbf" * 2 + b"file,caption").text == "file,caption"
