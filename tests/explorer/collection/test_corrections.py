"""Captions and columns that were corrected are corrected in the collection; nothing else is."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.collection.writer import Writer


def texts(out):
    return list(Collection.open(out).items("text").caption)


def captions(out):
    return list(Collection.open(out).items("image").caption)


def test_a_corrected_caption_takes_the_place_of_the_typo(explorer, encoded, make_pictures, tmp_path):
    folder, out = make_pictures(3), tmp_path / "out"
    ingest(explorer, folder, out)
    shown = Collection.open(out)
    shown.save_map("all", np.zeros((len(shown), 2)))
    pictures = list(shown.items("image").id)
    shown.save_map("pictures", np.zeros((len(pictures), 2)), ids=pictures)
    table = folder / "captions.csv"
    table.write_text(table.read_text().replace("picture 1,1,odd", "a picture of one,11,"))
    encoded.clear()
    report = ingest(explorer, folder, out)
    assert encoded == []
    assert (report.items, report.added, report.corrected, report.updated, report.removed) == (6, 1, 1, 1, 1)
    assert report.skipped == 2
    assert report.stale_maps == ["all"]
    assert any("draw again" in line and "'all'" in line for line in report.in_words())
    collection = Collection.open(out, explorer)
    frame = collection.items("image")
    assert list(frame.caption) == ["picture 0", "a picture of one", "picture 2"]
    assert list(frame.number) == [0, 11, 2]
    assert list(frame.parity.fillna("none")) == ["even", "none", "even"]
    assert sorted(texts(out)) == ["a picture of one", "picture 0", "picture 2"]
    assert collection.vectors().shape[0] == len(collection.points()) == 6
    assert set(frame.pair) == set(collection.items("text").id)
    again = ingest(explorer, folder, out)
    assert (again.items, again.added, again.updated, again.corrected, again.removed) == (6, 0, 0, 0, 0)
    make_pictures(4)  # the rows of removed items are not given again
    ingest(explorer, folder, out)
    assert captions(out) == [f"picture {number}" for number in range(4)]


def test_the_text_of_a_typo_stays_if_it_is_used_or_a_prompt_of_its_own(explorer, make_pictures, tmp_path):
    folder, out, prompts = make_pictures(3), tmp_path / "out", tmp_path / "prompts.txt"
    table = folder / "captions.csv"
    table.write_text("file,caption\n00000.png,shared\n00001.png,shared\n00002.png,a prompt too\n")
    ingest(explorer, folder, out)
    prompts.write_text("a prompt too\na prompt alone\n")
    ingest(explorer, prompts, out)
    table.write_text("file,caption\n00000.png,new\n00001.png,shared\n00002.png,newer\n")
    report = ingest(explorer, folder, out)
    assert (report.corrected, report.removed) == (2, 0)
    assert captions(out) == ["new", "shared", "newer"]
    assert sorted(texts(out)) == ["a prompt alone", "a prompt too", "new", "newer", "shared"]


def test_second_captions_and_prompts_of_the_same_run(explorer, make_pictures, tmp_path):
    folder, out = make_pictures(1), tmp_path / "out"
    table = folder / "captions.csv"
    table.write_text("file,caption\n00000.png,one\n00000.png,tow\n00000.png,three\n")
    (folder / "prompts.txt").write_text("three\n")
    ingest(explorer, folder, out)
    assert ingest(explorer, folder, out).updated == 0
    table.write_text("file,caption\n00000.png,one\n00000.png,two\n")
    report = ingest(explorer, folder, out)
    assert (report.corrected, report.removed) == (0, 1)
    assert captions(out) == ["one"]
    assert sorted(texts(out)) == ["one", "three", "two"]


def test_another_file_with_the_same_picture_corrects_nothing(explorer, make_pictures, tmp_path):
    folder, out = make_pictures(1, captions=False), tmp_path / "out"
    (folder / "00000.txt").write_text("first")
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(folder / "00000.png", other / "b.png")
    (other / "b.txt").write_text("second")
    ingest(explorer, folder, out)
    report = ingest(explorer, other, out)
    assert (report.added, report.corrected, report.removed) == (1, 0, 0)
    assert captions(out) == ["first"]
    shutil.rmtree(folder)  # but where the picture has moved, its caption is that of its new place
    (other / "b.txt").write_text("third")
    report = ingest(explorer, other, out)
    assert (report.corrected, report.removed) == (1, 2)
    assert captions(out) == ["third"] == texts(out)
    assert list(Collection.open(out).items("image").source) == [str(other / "b.png")]


@pytest.mark.parametrize("broken", ["correct", "remove"])
def test_a_run_that_is_killed_before_its_corrections_is_finished_by_the_next(
    explorer, make_pictures, tmp_path, monkeypatch, broken
):
    folder, out = make_pictures(2), tmp_path / "out"
    ingest(explorer, folder, out)
    table = folder / "captions.csv"
    table.write_text(table.read_text().replace("picture 1", "picture one"))

    def killed(*_given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Writer, broken, killed)
        with pytest.raises(KeyboardInterrupt):
            ingest(explorer, folder, out)
    assert len(Collection.open(out)) == 5
    ingest(explorer, folder, out)
    assert captions(out) == ["picture 0", "picture one"]
    assert sorted(texts(out)) == ["picture 0", "picture one"]


def test_a_table_that_cannot_be_read_now_removes_nothing(explorer, make_pictures, tmp_path):
    folder, out = make_pictures(2), tmp_path / "out"
    ingest(explorer, folder, out)
    good = (folder / "captions.csv").read_bytes()
    (folder / "captions.csv").write_bytes(b"\x81\x00\x01")
    report = ingest(explorer, folder, out)
    assert (report.items, report.corrected, report.removed, len(report.failed)) == (4, 0, 0, 1)
    (folder / "captions.csv").write_bytes(good)
    assert ingest(explorer, folder, out).failed == []
    assert Collection.open(out).failed() == []  # a table that was mended is no longer on the list


def test_a_moved_folder_gets_its_new_places(explorer, encoded, make_pictures, tmp_path):
    folder, out = make_pictures(3), tmp_path / "out"
    (folder / "captions.csv").rename(folder / "table.csv")
    ingest(explorer, folder, out)
    moved = folder.rename(tmp_path / "elsewhere")
    (moved / "00002.png").rename(moved / "renamed.png")
    (moved / "table.csv").write_text((moved / "table.csv").read_text().replace("00002", "renamed"))
    encoded.clear()
    report = ingest(explorer, moved, out)
    assert encoded == []
    assert (report.added, report.corrected, report.skipped, report.removed, report.kept) == (0, 6, 0, 0, 0)
    items = Collection.open(out).items()
    assert sorted(items[items.kind == "image"].source) == [
        str(moved / name) for name in ("00000.png", "00001.png", "renamed.png")
    ]
    assert sorted(items[items.kind == "text"].source) == [f"{moved / 'table.csv'}:{line}" for line in (2, 3, 4)]
    assert ingest(explorer, moved, out).corrected == 0
    copy = shutil.copytree(moved, tmp_path / "copy")
    assert ingest(explorer, copy, out).corrected == 0  # the first place is still there


def test_an_emptied_caption_is_taken_away(explorer, make_pictures, tmp_path):
    folder, out = make_pictures(3), tmp_path / "out"
    (folder / "00001.txt").write_text("never read: the table has a caption")
    ingest(explorer, folder, out)
    table = folder / "captions.csv"
    table.write_text(table.read_text().replace("picture 0,0", ",0"))
    report = ingest(explorer, folder, out)
    assert (report.corrected, report.removed) == (1, 1)
    assert [each if isinstance(each, str) else None for each in captions(out)] == [None, "picture 1", "picture 2"]
    assert texts(out) == ["picture 1", "picture 2"]
    again = ingest(explorer, folder, out)
    assert (again.corrected, again.removed, again.updated) == (0, 0, 0)
    table.write_text(table.read_text().replace("00000.png,,0", "00000.png,picture zero,0"))
    assert ingest(explorer, folder, out).added == 1
    assert captions(out) == ["picture zero", "picture 1", "picture 2"]


def test_a_caption_of_a_row_that_cannot_be_used_stays(explorer, make_pictures, tmp_path):
    folder, out = make_pictures(2), tmp_path / "out"
    ingest(explorer, folder, out)
    table = folder / "captions.csv"
    table.write_text(table.read_text().replace("00001.png", "gone.jpg"))
    report = ingest(explorer, folder, out)
    assert (len(report.failed), report.corrected, report.removed) == (1, 0, 0)
    assert captions(out) == ["picture 0", "picture 1"]


def test_captions_whose_file_was_deleted_stay_and_are_counted(explorer, make_pictures, tmp_path):
    folder, out = make_pictures(2), tmp_path / "out"
    (folder / "prompts.txt").write_text("one\ntwo\n")
    ingest(explorer, folder, out)
    (folder / "captions.csv").unlink()
    (folder / "prompts.txt").write_text("one\n2\n")
    report = ingest(explorer, folder, out)
    assert (report.corrected, report.removed, report.kept) == (0, 0, 3)
    assert captions(out) == ["picture 0", "picture 1"]
    assert any("kept: 3" in line for line in report.in_words())


def test_settings_that_were_taken_out_of_a_text_are_gone(explorer, make_pictures, tmp_path):
    folder, out = make_pictures(1, captions=False), tmp_path / "out"
    beside = folder / "00000.txt"
    settings = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 64x64, Model: dream"
    beside.write_text(f"a red fox\nNegative prompt: bad\n{settings}")
    report = ingest(explorer, folder, out)
    assert dict(report.prompts) == {"a1111": 1}
    assert [line for line in report.in_words() if "a1111 1" in line or "texts beside pictures: 1" in line][1:]
    assert list(Collection.open(out).items("image").negative) == ["bad"]
    beside.write_text(f"a red fox\n{settings}")
    assert ingest(explorer, folder, out).corrected == 1
    assert "negative" not in Collection.open(out).items("image")
