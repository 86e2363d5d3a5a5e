"""Captions that come after their picture, in the same run or a later one: neither they nor earlier extras are lost."""

from __future__ import annotations

import shutil

import pytest

from thoughtspace.explorer.collection import batches
from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.store import Collection


@pytest.mark.parametrize(("batch", "rows"), [(64, 1024), (2, 1024), (2, 4)])
def test_a_picture_met_again_with_a_caption_gets_it_in_the_same_run(
    explorer, make_pictures, tmp_path, monkeypatch, batch, rows
):
    """Whether the picture waits for the encoder, waits for the commit, or is committed when its caption comes."""
    monkeypatch.setattr(batches, "COMMIT_ROWS", rows)
    folder = make_pictures(9)
    shutil.copy(folder / "00008.png", folder / "000.png")  # listed first, and its row has no caption
    (folder / "captions.csv").open("a").write("\n000.png,,,even\n")
    report = ingest(explorer, folder, tmp_path / "out", batch=batch)
    frame = Collection.open(tmp_path / "out").items().set_index("id")
    pictures = frame[frame.kind == "image"].sort_values("caption")
    assert list(pictures.caption) == [f"picture {index}" for index in range(9)]
    assert list(frame.loc[pictures.pair, "caption"]) == list(pictures.caption)
    assert list(pictures.number) == list(range(9))
    assert (report.items, report.added, report.updated, report.skipped) == (18, 18, 1, 0)
    assert ingest(explorer, folder, tmp_path / "out", batch=batch).updated == 0


@pytest.mark.parametrize("late", [False, True])
def test_a_caption_from_a_file_beside_leaves_the_extras_of_the_table(explorer, make_pictures, tmp_path, late):
    folder, out = make_pictures(2), tmp_path / "out"
    (folder / "captions.csv").write_text("file,number,parity\n00000.png,7,odd\n00001.png,8,even\n")
    if late:
        ingest(explorer, folder, out)
        (folder / "00000.txt").write_text("a fox")
    else:
        shutil.copy(folder / "00000.png", folder / "1.png")
        (folder / "1.txt").write_text("a fox")
    ingest(explorer, folder, out)
    frame = Collection.open(out).items("image")
    assert list(frame.caption.fillna("")) == ["a fox", ""]
    assert list(frame.number) == [7, 8]
    assert list(frame.parity) == ["odd", "even"]
