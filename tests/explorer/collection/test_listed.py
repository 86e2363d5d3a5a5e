"""Text files: tables in them, texts beside pictures, and those that belong to nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from thoughtspace.explorer.collection.scanned import Scanned
from thoughtspace.explorer.collection.sources import scan

CHILD = "A child in a pink dress, climbing up stairs"
DOG = "A dog on grass"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("Images/10_a.jpg", "Images/11_b.jpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), "red").save(tmp_path / "in" / name)
    return tmp_path / "in"


def texts(found) -> list[tuple[str | None, str | None]]:
    return [(each.path and each.path.name, each.caption) for each in found]


LISTS = {
    "Flickr8k": ("captions.txt", f"image,caption\n10_a.jpg,{CHILD}\n10_a.jpg,A girl\n11_b.jpg,{DOG}\n"),
    "its tokens": ("Flickr8k.token.txt", f"10_a.jpg#0\t{CHILD}\n10_a.jpg#1\tA girl\n11_b.jpg#0\t{DOG}\n"),
    "Flickr30k": (
        "results.text",
        f"image_name| comment_number| comment\n10_a.jpg| 0| {CHILD}\n10_a.jpg| 1| A girl\n11_b.jpg| 0| {DOG}\n",
    ),
    "no ending": ("list.txt", f"10_a\t{CHILD}\n10_a\tA girl\n11_b\t{DOG}\n"),
}


@pytest.mark.parametrize(("name", "text"), LISTS.values(), ids=list(LISTS))
@pytest.mark.parametrize("way", ["found", "given", "source"])
def test_a_text_whose_lines_name_pictures_is_a_table(folder, tmp_path, name, text, way):
    table = (tmp_path if way == "given" else folder) / name
    table.write_text(text)
    scanned = Scanned()
    found = list(scan(table if way == "source" else folder, table if way == "given" else None, scanned=scanned))
    assert texts(found) == [("10_a.jpg", CHILD), ("10_a.jpg", "A girl"), ("11_b.jpg", DOG)]
    assert [(each.used, each.matched, each.rows) for each in scanned.tables] == [(True, 3, 3)]
    assert scanned.unread == []


@pytest.mark.parametrize(
    "text", ["a red fox\na boat, at sea\n", "10_a, in the snow\n11_b, at night\n", "10_a.jpg\n11_b.jpg\n"]
)
def test_other_lines_are_prompts_where_they_are_given_and_are_counted_where_they_are_found(folder, tmp_path, text):
    (tmp_path / "words.txt").write_text(text)
    assert texts(scan(tmp_path / "words.txt")) == [(None, line) for line in text.splitlines()]
    assert texts(scan(folder, tmp_path / "words.txt"))[2:] == [(None, line) for line in text.splitlines()]
    for name in ("words.txt", "fox2.txt", "a.prompts", "notes.md"):
        (folder / name).write_text(text)
    scanned = Scanned()
    assert texts(scan(folder, scanned=scanned)) == [("10_a.jpg", None), ("11_b.jpg", None)]
    assert [(each.format, each.count, os.path.basename(each.example)) for each in scanned.unread] == [
        (".txt beside no picture", 2, "fox2.txt"),
        (".prompts beside no picture", 1, "a.prompts"),
    ]
    scanned = Scanned()
    assert len(texts(scan(folder, folder / "words.txt", scanned=scanned))) == 4
    assert [each.count for each in scanned.unread] == [1, 1]  # the one that was given is not left over


@pytest.mark.parametrize("word", ["supplemental-metadata", "supplemental-meta", "suppl"])
def test_texts_beside_pictures_have_many_endings(folder, word):
    (folder / "Images/10_a.text").write_text(CHILD)
    google = '{"title": "11_b.jpg", "description": "A dog on grass", "imageViews": "7"}'
    (folder / f"Images/11_b.jpg.{word}.json").write_text(google)
    scanned = Scanned()
    found = list(scan(folder, scanned=scanned))
    assert texts(found) == [("10_a.jpg", CHILD), ("11_b.jpg", DOG)]
    assert found[1].extras["imageViews"] == "7"
    assert (scanned.unread, scanned.tables) == ([], [])


def test_texts_beside_pictures_that_say_what_they_are(folder):
    for name, text in {
        "10_a.caption.txt": CHILD,  # as in shards of several texts
        "11_b.jpg.prompt.txt": "not this one",
        "11_b.txt": json.dumps({"prompt": DOG, "seed": 2**64 - 1}),  # JSON under another name
    }.items():
        (folder / "Images" / name).write_text(text)
    found = list(scan(folder))
    assert texts(found) == [("10_a.jpg", CHILD), ("11_b.jpg", DOG)]  # the plain name comes first
    assert found[1].extras == {"seed": 2**64 - 1}
    (folder / "Images/11_b.txt").unlink()
    assert texts(scan(folder)) == [("10_a.jpg", CHILD), ("11_b.jpg", "not this one")]
