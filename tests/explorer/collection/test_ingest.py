"""Ingest: every readable source is added once, no commit is ever lost, and every error is one line."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from thoughtspace.explorer.collection import batches
from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import Cancelled, CollectionError, SpaceError


def test_pictures_and_their_captions_become_items(explorer, make_pictures, tmp_path):
    folder, out = make_pictures(10), tmp_path / "out"
    report = ingest(explorer, folder, out)
    told = report.to_json()
    assert [told[name] for name in ("items", "added", "updated", "skipped", "failed")] == [20, 20, 0, 0, []]
    assert (told["corrected"], told["removed"], told["longer"], told["unread"], told["guessed"]) == (0, 0, 0, [], [])
    assert [(each["used"], each["rows"], each["matched"]) for each in told["tables"]] == [(True, 10, 10)]
    collection = Collection.open(out)
    frame = collection.items()
    images, texts = frame[frame.kind == "image"], frame[frame.kind == "text"]
    assert list(images.caption) == [f"picture {index}" for index in range(10)] == list(texts.caption)
    assert dict(zip(images.id, images.pair, strict=True)) == dict(zip(texts.pair, texts.id, strict=True))
    assert list(images.number) == list(range(10))
    assert list(images.source) == [str(folder / f"{index:05}.png") for index in range(10)]
    assert texts.source.iloc[3] == f"{folder / 'captions.csv'}:5"
    assert set(images.width) == {8}
    assert texts.width.isna().all()
    assert frame.id.is_unique


def test_vectors_are_those_of_the_encoder_and_points_those_of_the_space(explorer, make_pictures, tmp_path):
    folder = make_pictures(7)
    ingest(explorer, folder, tmp_path / "out", batch=3)
    collection = Collection.open(tmp_path / "out", explorer)
    pictures = [Image.open(path).convert("RGB") for path in sorted(folder.glob("*.png"))]
    texts = [f"picture {index}" for index in range(7)]
    clip = explorer.model.clip
    np.testing.assert_allclose(collection.vectors(kind="image"), clip.encode_images(pictures), atol=1e-5)
    np.testing.assert_allclose(collection.vectors(kind="text"), clip.encode_texts(texts), atol=1e-5)
    for kind, direct in (("image", explorer.joint.image(*pictures)), ("text", explorer.joint.text(*texts))):
        points = collection.points(kind=kind)
        np.testing.assert_allclose(points.values, direct.values, atol=1e-5)
        assert points.expressions == tuple(f'item("{name}")' for name in collection.items(kind).id)
    raw = collection.points("joint-raw").values.numpy()  # the same vectors, their gap left open
    kept = collection.vectors()
    np.testing.assert_allclose(raw * np.linalg.norm(kept, axis=1)[:, None], kept, atol=1e-5)
    assert not np.allclose(collection.points().values, raw, atol=1e-2)  # control: centring does something


def test_running_again_adds_nothing_and_encodes_nothing(explorer, encoded, make_pictures, tmp_path):
    folder = make_pictures(5)
    ingest(explorer, folder, tmp_path / "out")
    encoded.clear()
    report = ingest(explorer, folder, tmp_path / "out")
    assert (report.items, report.added, report.skipped) == (10, 0, 5)
    assert encoded == []
    make_pictures(8)
    report = ingest(explorer, folder, tmp_path / "out")
    assert (report.items, report.added, report.skipped) == (16, 6, 5)
    assert [len(each) for each in encoded] == [3]


def test_items_are_known_by_content_and_not_by_name(explorer, make_pictures, tmp_path):
    folder = make_pictures(3, captions=False)
    for path in sorted(folder.glob("*.png")):
        shutil.copy(path, folder / f"copy of {path.name}")
    report = ingest(explorer, folder, tmp_path / "out")
    assert (report.items, report.added, report.skipped) == (3, 3, 3)


def test_one_caption_of_many_pictures_is_one_item(explorer, make_pictures, tmp_path):
    folder = make_pictures(4)
    (folder / "captions.csv").write_text("file,caption\n" + "".join(f"{index:05}.png,the same\n" for index in range(4)))
    report = ingest(explorer, folder, tmp_path / "out", batch=2)
    frame = Collection.open(tmp_path / "out").items()
    assert report.items == 5
    text = frame[frame.kind == "text"].iloc[0]
    assert set(frame.pair[frame.kind == "image"]) == {text.id}
    assert text.pair == frame.id.iloc[0]


def test_second_captions_are_texts_of_the_same_picture(explorer, make_pictures, tmp_path):
    folder = make_pictures(1)
    (folder / "captions.csv").write_text("file,caption\n00000.png,one\n00000.png,two\n")
    ingest(explorer, folder, tmp_path / "out")
    frame = Collection.open(tmp_path / "out").items()
    assert list(frame.caption) == ["one", "one", "two"]
    assert list(frame.pair[1:]) == [frame.id[0]] * 2


def test_captions_that_come_later_are_added_without_encoding_again(explorer, encoded, make_pictures, tmp_path):
    folder = make_pictures(3, captions=False)
    ingest(explorer, folder, tmp_path / "out")
    make_pictures(3)
    encoded.clear()
    report = ingest(explorer, folder, tmp_path / "out")
    assert (report.items, report.added, report.updated, report.skipped) == (6, 3, 3, 0)
    assert encoded == []
    frame = Collection.open(tmp_path / "out").items()
    assert list(frame.kind) == ["image"] * 3 + ["text"] * 3  # corrected rows keep their places
    assert list(frame.caption) == [f"picture {index}" for index in (0, 1, 2)] * 2
    assert list(frame.number[:3]) == [0, 1, 2]
    assert ingest(explorer, folder, tmp_path / "out").updated == 0


def test_a_space_added_later_is_filled_for_all(explorer, make_pictures, tmp_path, refused):
    folder = make_pictures(5)
    ingest(explorer, folder, tmp_path / "out")
    before = Collection.open(tmp_path / "out")
    report = ingest(explorer, folder, tmp_path / "out", spaces=("latent",), batch=2)
    assert (report.added, report.updated, report.items) == (0, 5, 10)
    collection = Collection.open(tmp_path / "out", explorer)
    assert collection.spaces == {"joint": explorer.joint.shape, "latent": explorer.latent.shape}
    assert list(collection.items().id) == list(before.items().id)
    np.testing.assert_array_equal(collection.vectors("joint"), before.vectors("joint"))
    pictures = [Image.open(path) for path in sorted(folder.glob("*.png"))]
    expected = explorer.latent.image(*pictures)
    np.testing.assert_allclose(collection.vectors("latent", "image"), expected.flat, atol=1e-4)
    assert np.isnan(collection.vectors("latent", "text")).all()
    assert collection.points("latent", "image").values.shape == expected.values.shape
    with refused(CollectionError, "no vector", "5 items", "'latent'", "'text'"):
        collection.points("latent")
    pair = list(collection.items("image").id[[3, 1]])
    some = collection.points_of(pair, "latent")  # other items may lack a vector
    np.testing.assert_array_equal(some.values, collection.points("latent", "image").values[[3, 1]])
    assert some.expressions == tuple(f'item("{name}")' for name in pair)
    with refused(CollectionError, "no vector", "1 item ", "'latent'"):
        collection.points_of(list(collection.items("text").id[:1]), "latent")
    make_pictures(6)
    assert ingest(explorer, folder, tmp_path / "out").added == 2  # spaces of the collection stay complete
    assert not np.isnan(Collection.open(tmp_path / "out").vectors("latent", "image")).any()


def test_prompts_alone_and_a_space_without_texts(explorer, tmp_path, refused):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a fox\na cat\na fox\n")
    report = ingest(explorer, prompts, tmp_path / "out", spaces=("joint", "latent"))
    assert (report.items, report.skipped) == (2, 1)
    assert Collection.open(tmp_path / "out").spaces == {"joint": explorer.joint.shape}
    with refused(SpaceError, "not collectable", "'noise'", "Explorer.noise.image"):
        ingest(explorer, prompts, tmp_path / "out2", spaces=("noise",))
    with refused(SpaceError, "no such space", "'jiont'", "joint, "):
        ingest(explorer, prompts, tmp_path / "out2", spaces=("jiont",))
    assert not (tmp_path / "out2").exists()


def test_what_cannot_be_read_is_listed_and_skipped(explorer, make_pictures, tmp_path):
    folder = make_pictures(4)
    whole = (folder / "00001.png").read_bytes()
    (folder / "00001.png").write_bytes(whole[:80])
    (folder / "text.jpg").write_text("not a picture")
    (folder / "empty.gif").touch()
    report = ingest(explorer, folder, tmp_path / "out")
    assert [Path(each["source"]).name for each in report.failed] == ["00001.png", "empty.gif", "text.jpg"]
    assert all("\n" not in each["reason"] and each["reason"].startswith("Got ") for each in report.failed)
    assert report.items == 6
    assert Collection.open(tmp_path / "out").failed() == report.failed
    (folder / "00001.png").write_bytes(whole)  # repaired
    (folder / "text.jpg").unlink()
    report = ingest(explorer, folder, tmp_path / "out")
    assert [Path(each["source"]).name for each in report.failed] == ["empty.gif"]
    assert report.added == 2
    listed = {Path(each["source"]).name for each in Collection.open(tmp_path / "out").failed()}
    assert listed == {"text.jpg", "empty.gif"}  # a source that is gone stays on the list


def test_nothing_at_all_is_an_error(explorer, tmp_path, refused):
    (tmp_path / "in").mkdir()
    with refused(CollectionError, "no sources", str(tmp_path / "in")):
        ingest(explorer, tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "in/a.png").write_bytes(b"\x89PNG")
    with refused(CollectionError, "nothing readable", "1 failed", "a.png"):
        ingest(explorer, tmp_path / "in", tmp_path / "out")


def test_vectors_that_are_not_finite_are_failures(explorer, make_pictures, tmp_path, monkeypatch):
    folder, clip = make_pictures(3, captions=False), explorer.model.clip
    encode = clip.encode_images
    monkeypatch.setattr(clip, "encode_images", lambda pictures: encode(pictures) * torch.tensor([[1], [np.inf], [1]]))
    report = ingest(explorer, folder, tmp_path / "out")
    assert report.items == 2
    assert "not finite" in report.failed[0]["reason"]


def test_large_pictures_are_averaged_down_before_they_wait(explorer, encoded, tmp_path, monkeypatch):
    monkeypatch.setattr("thoughtspace.explorer.collection.loading.LARGE_SIDE", 100)
    (tmp_path / "in").mkdir()
    Image.effect_noise((430, 210), 50).convert("RGB").save(tmp_path / "in/a.png")
    ingest(explorer, tmp_path / "in", tmp_path / "out")
    assert encoded == [[(215, 105)]]
    frame = Collection.open(tmp_path / "out").items()
    assert (frame.width[0], frame.height[0]) == (430, 210)


def test_processes_decode_as_threads_do(explorer, make_pictures, tmp_path):
    folder = make_pictures(6)
    (folder / "bad.png").write_bytes(b"\x89PNG")
    reports = [ingest(explorer, folder, tmp_path / f"out{flag}", isolated=flag) for flag in (False, True)]
    assert reports[0] == reports[1]
    x, y = (Collection.open(tmp_path / f"out{flag}").vectors() for flag in (False, True))
    np.testing.assert_array_equal(x, y)


def test_progress_wraps_the_sources_and_may_stop_them(explorer, make_pictures, tmp_path, monkeypatch):
    folder = make_pictures(40)
    calls = []

    def stopping(iterable, *, total, desc):
        calls.append((total, desc))
        for number, each in enumerate(iterable):
            if number == 25:
                raise Cancelled
            yield each

    with pytest.raises(Cancelled):
        ingest(explorer, folder, tmp_path / "out", batch=10, progress=stopping)
    assert calls == [(40, "encoding")]
    assert len(Collection.open(tmp_path / "out")) == 40  # two batches of ten, with their captions
    assert ingest(explorer, folder, tmp_path / "out").added == 40


def test_an_encoder_that_fails_loses_only_its_batch(explorer, make_pictures, tmp_path, monkeypatch):
    encode, calls = explorer.model.clip.encode_images, []

    def failing(pictures):
        calls.append(len(pictures))
        if len(calls) == 3:
            raise MemoryError
        return encode(pictures)

    monkeypatch.setattr(explorer.model.clip, "encode_images", failing)
    with pytest.raises(MemoryError):
        ingest(explorer, make_pictures(40), tmp_path / "out", batch=10)
    assert len(Collection.open(tmp_path / "out")) == 40


def test_another_models_collection_is_refused_by_name_and_hash(
    explorer, other_explorer, make_pictures, tmp_path, refused
):
    folder = make_pictures(2)
    ingest(explorer, folder, tmp_path / "out")
    hashes = [each.model.hash[:12] for each in (explorer, other_explorer)]
    with refused(CollectionError, "other model", *hashes):
        ingest(other_explorer, folder, tmp_path / "out")
    with refused(CollectionError, "other model", *hashes):
        Collection.open(tmp_path / "out", other_explorer)
    assert len(Collection.open(tmp_path / "out").items()) == 4  # without a model it opens


def test_there_is_one_writer_at_a_time(explorer, make_pictures, tmp_path, refused):
    folder = make_pictures(2)
    ingest(explorer, folder, tmp_path / "out")
    with Collection.open(tmp_path / "out").writer(), refused(CollectionError, "other writer", str(tmp_path / "out")):
        ingest(explorer, folder, tmp_path / "out")
    assert ingest(explorer, folder, tmp_path / "out").skipped == 2


def test_a_full_disk_in_the_middle_keeps_what_was_committed(explorer, make_pictures, tmp_path, monkeypatch, refused):
    import lance

    monkeypatch.setattr(batches, "COMMIT_ROWS", 10)
    folder, write, calls = make_pictures(20), lance.write_dataset, []

    def full(*args, **options):
        calls.append(args)
        if len(calls) == 3:
            raise OSError("LanceError(IO): No space left on device (os error 28), /src/lance/io.rs:12:3")
        return write(*args, **options)

    monkeypatch.setattr(lance, "write_dataset", full)
    with refused(CollectionError, "disk full", "(No space left on device)"):
        ingest(explorer, folder, tmp_path / "out", batch=5)
    collection = Collection.open(tmp_path / "out")
    assert len(collection) == 20
    assert collection.vectors().shape == (20, *explorer.joint.shape)
    monkeypatch.undo()
    assert ingest(explorer, folder, tmp_path / "out").items == 40


def test_a_full_disk_at_the_first_byte(explorer, make_pictures, tmp_path, monkeypatch, refused):
    def full(*args, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder = make_pictures(2)
    monkeypatch.setattr(Path, "write_text", full)
    with refused(CollectionError, "disk full", "(No space left on device)"):
        ingest(explorer, folder, tmp_path / "out")
    monkeypatch.undo()
    assert ingest(explorer, folder, tmp_path / "out").items == 4  # nothing prevents another try


def test_killed_at_any_moment_it_opens_and_goes_on(explorer, slow_ingests, make_pictures, tmp_path):
    folder, out, kept = make_pictures(60), tmp_path / "out", 0
    for after in (3, 20, 33):
        slow_ingests.kill(folder, out, after=after)
        collection = Collection.open(out)
        assert len(collection) >= kept  # what was committed once stays
        kept = len(collection)
        if kept:
            frame = collection.items()
            assert frame.id.is_unique
            assert set(frame.pair[frame.kind == "text"]) <= set(frame.id)
            assert np.isfinite(collection.vectors()).all()
            assert all(collection.thumbnails(np.flatnonzero(frame.kind == "image")))
    assert kept > 0
    report = ingest(explorer, folder, out)
    assert (report.items, report.added) == (120, 120 - kept)
    whole = ingest(explorer, folder, tmp_path / "whole")
    assert whole.items == report.items
    x, y = Collection.open(out), Collection.open(tmp_path / "whole")
    assert set(x.items().id) == set(y.items().id)
    used = {file.path for part in x.table.open().get_fragments() for file in part.data_files()}
    assert {path.name for path in (out / "items.lance" / "data").iterdir()} == used  # no stray files are left


def test_killed_while_the_first_commit_is_written(explorer, make_pictures, tmp_path):
    folder, out = make_pictures(3), tmp_path / "out"
    out.mkdir()
    (out / ".collection.json.0123.part").write_text("half a card")
    collection = Collection.create(out, explorer)
    for name in ("data", "_transactions", "_versions"):
        (out / "items.lance" / name).mkdir(parents=True)
        (out / "items.lance" / name / "half").write_bytes(b"half a file")
        collection.refresh()
        assert len(collection) == 0
        assert list(collection.items().columns[:3]) == ["id", "kind", "source"]
    assert ingest(explorer, folder, out).items == 6
    assert not list(out.glob(".*.part"))


def test_a_quota_of_the_system_is_a_full_disk(explorer, slow_ingests, make_pictures, tmp_path):
    folder = make_pictures(60, side=64)
    printed = slow_ingests.run(folder, tmp_path / "out", confined="quota")
    assert "refused: disk full: Got" in printed
    assert "File too large" in printed
    assert len(printed.strip().splitlines()) == 1
    assert ingest(explorer, folder, tmp_path / "out").items == 120


@pytest.mark.parametrize("before", [False, True])
def test_a_read_only_folder_is_refused_and_can_still_be_read(explorer, slow_ingests, make_pictures, tmp_path, before):
    folder, out = make_pictures(3), tmp_path / "home" / "out"
    out.parent.mkdir()
    if before:
        ingest(explorer, folder, out)
        make_pictures(5)
    try:
        for path in [out.parent, *out.parent.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        printed = slow_ingests.run(folder, out, confined="permissions")
    finally:
        for path in [out.parent, *out.parent.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert "refused: forbidden: Got" in printed
    assert "(Permission denied)" in printed
    if before:
        assert len(Collection.open(out)) == 6


def test_reading_goes_on_while_it_is_written(explorer, make_pictures, tmp_path):
    folder = make_pictures(3)
    ingest(explorer, folder, tmp_path / "out")
    reader = Collection.open(tmp_path / "out")
    frame = reader.items()
    make_pictures(6)
    ingest(explorer, folder, tmp_path / "out")
    assert len(reader) == len(reader.vectors()) == len(frame) == 6  # one snapshot, whatever was read first
    reader.refresh()
    assert len(reader.items()) == len(reader.vectors()) == 12
