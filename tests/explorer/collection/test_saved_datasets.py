"""Data sets that the real `datasets` library has saved: every picture, text, label and split comes back."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.scanned import Scanned
from thoughtspace.explorer.collection.sources import scan
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import CollectionError


@pytest.fixture(scope="module")
def hf():
    """The library, without its progress bars and without the network."""
    patch = pytest.MonkeyPatch()
    patch.setenv("HF_HUB_OFFLINE", "1")
    patch.setenv("HF_DATASETS_OFFLINE", "1")
    patch.setenv("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    import datasets

    yield datasets
    patch.undo()


def picture(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8))


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    picture(seed).save(buffer, "PNG")
    return buffer.getvalue()


SPECIES = ["cat", "dog", "red fox"]


def animals(hf, n: int = 7, start: int = 0):
    """A data set of pictures with captions, a label, tags, which are a list of labels, and numbers."""
    features = hf.Features(
        {
            "image": hf.Image(),
            "text": hf.Value("string"),
            "species": hf.ClassLabel(names=SPECIES),
            "tags": hf.Sequence(hf.ClassLabel(names=["wild", "tame"])),
            "weight": hf.Value("float32"),
            "seed": hf.Value("int64"),
        }
    )
    rows = range(start, start + n)
    columns = {
        "image": [{"bytes": png(row), "path": f"{row}.png"} for row in rows],
        "text": [f"picture {row}" for row in rows],
        "species": [row % 3 if row % 5 != 4 else -1 for row in rows],
        "tags": [[0, 1][: row % 3] for row in rows],
        "weight": [row / 2 for row in rows],
        "seed": [2**63 - 1 - row for row in rows],
    }
    return hf.Dataset.from_dict(columns, features=features)


def expected_extras(row: int) -> dict:
    told = {"tags": json.dumps(["wild", "tame"][: row % 3]), "weight": row / 2, "seed": 2**63 - 1 - row}
    return told if row % 5 == 4 else {"species": SPECIES[row % 3], **told}


@pytest.mark.parametrize("shards", [1, 3])
def test_every_row_of_a_saved_data_set_comes_back(hf, tmp_path, shards):
    animals(hf).save_to_disk(tmp_path / "set", num_shards=shards)
    scanned = Scanned()
    found = list(scan(tmp_path / "set", scanned=scanned))
    assert [each.caption for each in found] == [f"picture {row}" for row in range(7)]
    assert [each.problem for each in found] == [None] * 7
    assert [each.inside.read() for each in found] == [png(row) for row in range(7)]
    assert [dict(each.extras) for each in found] == [expected_extras(row) for row in range(7)]
    reloaded = hf.load_from_disk(str(tmp_path / "set"))
    assert [each["text"] for each in reloaded] == [each.caption for each in found]
    assert [(Path(each.source).name, each.used, each.file, each.texts) for each in scanned.tables] == [
        (f"data-{shard:05}-of-{shards:05}.arrow", True, "image", ["text"]) for shard in range(shards)
    ]
    assert sum(each.matched for each in scanned.tables) == 7
    if shards == 3:
        assert [each.origin.rsplit("/")[-1] for each in found[:4]] == [
            *(f"data-00000-of-00003.arrow:{row}" for row in (1, 2, 3)),
            "data-00001-of-00003.arrow:1",
        ]


@pytest.mark.parametrize("typed", [True, False])
def test_a_data_set_of_webdataset_that_was_saved(hf, tmp_path, typed):
    """Of `load_dataset("webdataset")`: the columns are the endings of the files, and `__key__` is their name."""
    columns = {
        "jpg": [{"bytes": png(row), "path": f"{row:04}.jpg"} if typed else png(row) for row in range(3)],
        "txt": [f"picture {row}" for row in range(3)],
        "cls": [2**53 + 1 + row for row in range(3)],
        "__key__": [f"part/{row:04}" for row in range(3)],
        "__url__": ["shards/00000.tar"] * 3,
    }
    data = hf.Dataset.from_dict(columns)
    (data.cast_column("jpg", hf.Image()) if typed else data).save_to_disk(tmp_path / "set")
    scanned = Scanned()
    found = list(scan(tmp_path / "set", scanned=scanned))
    assert [(each.caption, each.inside.read(), each.problem) for each in found] == [
        (f"picture {row}", png(row), None) for row in range(3)
    ]
    assert [dict(each.extras) for each in found] == [
        {"cls": 2**53 + 1 + row, "__key__": f"part/{row:04}", "__url__": "shards/00000.tar"} for row in range(3)
    ]
    assert [(each.file, each.texts, each.why) for each in scanned.tables] == [("jpg", ["txt"], "")]


def test_its_pictures_are_encoded_and_it_is_known_again(hf, tmp_path, explorer):
    animals(hf).save_to_disk(tmp_path / "set", num_shards=3)
    report = ingest(explorer, tmp_path / "set", tmp_path / "out")
    assert (report.items, report.added, report.failed) == (14, 14, [])
    collection = Collection.open(tmp_path / "out", explorer)
    frame = collection.items("image")
    assert list(frame.species.fillna("none")) == ["cat", "dog", "red fox", "cat", "none", "red fox", "cat"]
    direct = explorer.model.clip.encode_images([picture(row) for row in range(7)])
    np.testing.assert_allclose(collection.vectors(kind="image"), direct, atol=1e-5)
    shutil.rmtree(tmp_path / "set")  # as saved again with a corrected caption, in the same process
    corrected = animals(hf).map(lambda row: {"text": "a fox"} if row["text"] == "picture 2" else row)
    corrected.save_to_disk(tmp_path / "set", num_shards=3)
    report = ingest(explorer, tmp_path / "set", tmp_path / "out")
    assert (report.items, report.added, report.corrected, report.removed) == (14, 1, 1, 1)
    assert list(Collection.open(tmp_path / "out").items("image").caption) == [
        "a fox" if row == 2 else f"picture {row}" for row in range(7)
    ]


def test_splits_become_a_column_and_keep_their_order(hf, tmp_path):
    splits = hf.DatasetDict({"train": animals(hf, 4), "test": animals(hf, 2, 4)})
    splits.save_to_disk(tmp_path / "set", num_shards={"train": 2, "test": 1})
    for root in (tmp_path / "set", tmp_path):  # also in a larger folder
        scanned = Scanned()
        found = list(scan(root, scanned=scanned))
        assert [(each.caption, each.extras["split"]) for each in found] == [
            *((f"picture {row}", "train") for row in range(4)),
            *((f"picture {row}", "test") for row in (4, 5)),
        ]
        assert [each.inside.read() for each in found] == [png(row) for row in range(6)]
        assert [each.used for each in scanned.tables] == [True] * 3  # its files of JSON are not mentioned
    assert all("split" not in each.extras for each in scan(tmp_path / "set" / "test"))


def test_a_data_set_in_an_archive(hf, tmp_path, explorer):
    splits = hf.DatasetDict({"train": animals(hf, 4), "test": animals(hf, 2, 4)})
    splits.save_to_disk(tmp_path / "set", num_shards={"train": 2, "test": 1})
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "set")
    report = ingest(explorer, tmp_path / "packed.zip", tmp_path / "out")
    assert (report.items, report.failed) == (12, [])
    frame = Collection.open(tmp_path / "out").items("image")
    assert list(frame.split) == ["train"] * 4 + ["test"] * 2
    assert list(frame.caption) == [f"picture {row}" for row in range(6)]
    assert frame.source.iloc[4] == f"{tmp_path}/packed.zip/test/data-00000-of-00001.arrow:1"


def test_a_column_called_split_is_kept(hf, tmp_path):
    rows = hf.Dataset.from_dict({"prompt": ["a fox"], "split": ["mine"]})
    hf.DatasetDict({"train": rows}).save_to_disk(tmp_path / "set")
    assert [dict(each.extras) for each in scan(tmp_path / "set")] == [{"split": "mine"}]


def test_pictures_that_are_files_and_such_that_are_missing(hf, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    picture(1).save(tmp_path / "elsewhere" / "far.png")
    features = hf.Features({"image": hf.Image(decode=False), "caption": hf.Value("string")})
    cells = [
        {"bytes": None, "path": str(tmp_path / "elsewhere" / "far.png")},
        {"bytes": None, "path": "near.png"},
        {"bytes": png(3), "path": "only a name.png"},
        {"bytes": None, "path": "gone.png"},
        None,
        {"bytes": png(6), "path": None},
    ]
    table = hf.Dataset.from_dict({"image": cells, "caption": list("abcdef")}, features=features)
    folder = tmp_path / "set"
    folder.mkdir()
    picture(2).save(folder / "near.png")
    with hf.arrow_writer.ArrowWriter(features=features, path=str(folder / "animals-train.arrow")) as writer:
        for row in table.with_format("arrow").iter(batch_size=2):
            writer.write_table(row)
        writer.finalize()
    (folder / "dataset_info.json").write_text(json.dumps({"features": features.to_dict()}))
    found = {each.caption: each for each in scan(folder)}
    assert {caption: each.path.name for caption, each in found.items() if each.path} == {
        "a": "far.png",
        "b": "near.png",
    }
    assert sorted(found) == list("abcdef")
    assert found["c"].inside.read() == png(3)
    assert found["f"].inside.read() == png(6)
    assert "'gone.png'" in found["d"].problem
    with pytest.raises(ValueError, match=r"animals-train.arrow:5 without the bytes"):
        found["e"].inside.read()
    assert [each.problem for caption, each in found.items() if caption != "d"] == [None] * 5


def test_the_cache_of_load_dataset(hf, tmp_path):
    for name, rows in (("a.jsonl", range(3)), ("b.jsonl", range(3, 5))):
        (tmp_path / name).write_text("\n".join(json.dumps({"prompt": f"a fox {row}", "n": row}) for row in rows))
    loaded = hf.load_dataset(
        "json",
        data_files={"train": str(tmp_path / "a.jsonl"), "test": str(tmp_path / "b.jsonl")},
        cache_dir=str(tmp_path / "cache"),
    )
    loaded["train"].shuffle(seed=0)  # leaves a cache of indices beside the rows
    loaded["train"].map(lambda row: {"prompt": row["prompt"].upper()})  # and one of changed rows
    folder = Path(loaded["train"].cache_files[0]["filename"]).parent
    assert len(list(folder.glob("cache-*.arrow"))) == 2
    scanned = Scanned()
    found = list(scan(folder, scanned=scanned))
    assert [(each.caption, dict(each.extras)) for each in found] == [
        *((f"a fox {row}", {"n": row, "split": "test"}) for row in (3, 4)),
        *((f"a fox {row}", {"n": row, "split": "train"}) for row in range(3)),
    ]
    assert sorted((Path(each.source).name[:9], each.used) for each in scanned.tables) == [
        *(("cache-" + path.name[6:9], False) for path in sorted(folder.glob("cache-*.arrow"))),
        *(("json-test", True), ("json-trai", True)),
    ]


def test_rows_without_pictures_are_prompts(hf, tmp_path):
    rows = hf.Dataset.from_dict({"prompt": ["a fox", "a boat"], "seed": [1, 2]})
    rows.save_to_disk(tmp_path / "in" / "set")
    for root in (tmp_path / "in" / "set", tmp_path / "in", tmp_path / "in/set/data-00000-of-00001.arrow"):
        found = list(scan(root))
        assert [(each.caption, each.is_picture, dict(each.extras)) for each in found] == [
            ("a fox", False, {"seed": 1}),
            ("a boat", False, {"seed": 2}),
        ]
    (tmp_path / "loose").mkdir()  # control: an Arrow file by itself might hold anything
    shutil.copy(tmp_path / "in/set/data-00000-of-00001.arrow", tmp_path / "loose" / "rows.arrow")
    with pytest.raises(CollectionError) as caught:
        list(scan(tmp_path / "loose"))
    assert "no column names files" in str(caught.value)


def test_files_of_its_own_are_no_texts_beside_pictures(hf, tmp_path):
    hf.Dataset.from_dict({"prompt": ["a fox"]}).save_to_disk(tmp_path)
    picture(0).save(tmp_path / "state.png")
    found = list(scan(tmp_path))
    assert [(each.path and each.path.name, each.caption, dict(each.extras)) for each in found] == [
        ("state.png", None, {}),
        (None, "a fox", {}),
    ]


def test_a_shard_that_is_cut_off_is_one_line_and_the_rest_is_taken(hf, tmp_path, explorer):
    folder = tmp_path / "set"
    animals(hf, 9).save_to_disk(folder, num_shards=3)
    shard = folder / "data-00001-of-00003.arrow"
    shard.write_bytes(shard.read_bytes()[:-900])
    report = ingest(explorer, folder, tmp_path / "out")
    frame = Collection.open(tmp_path / "out").items("image")
    assert list(frame.caption) == [f"picture {row}" for row in (0, 1, 2, 6, 7, 8)]
    assert [Path(each["source"]).name for each in report.failed] == [shard.name]
    assert [each.used for each in report.scanned.tables] == [True, False, True]
    animals(hf, 9).save_to_disk(tmp_path / "whole", num_shards=3)
    shutil.copy(tmp_path / "whole" / shard.name, shard)
    report = ingest(explorer, folder, tmp_path / "out")
    assert (report.items, report.added, report.failed) == (18, 6, [])


def test_what_is_missing_or_left_over_is_listed(hf, tmp_path):
    folder = tmp_path / "set"
    hf.DatasetDict({"train": animals(hf, 4), "test": animals(hf, 1, 4)}).save_to_disk(
        folder, num_shards={"train": 2, "test": 1}
    )
    shutil.rmtree(folder / "test")
    (folder / "train" / "data-00000-of-00002.arrow").unlink()
    shutil.copy(folder / "train/data-00001-of-00002.arrow", folder / "train/data-00002-of-00003.arrow")
    scanned = Scanned()
    found = list(scan(folder, scanned=scanned))
    assert [each.caption for each in found if each.caption] == ["picture 2", "picture 3"]
    assert [Path(each.name).name for each in found if each.problem] == ["test", "data-00000-of-00002.arrow"]
    assert ["dataset_dict.json" in found[2].problem, "state.json" in found[3].problem] == [True, True]
    assert [(Path(each.source).name, each.used) for each in scanned.tables] == [
        ("data-00001-of-00002.arrow", True),
        ("data-00002-of-00003.arrow", False),
    ]
    assert "does not name it" in scanned.tables[1].why


def test_indices_of_an_older_library_are_not_applied_and_said(hf, tmp_path):
    hf.Dataset.from_dict({"prompt": ["a fox", "a boat"]}).save_to_disk(tmp_path)
    hf.Dataset.from_dict({"indices": [1]}).save_to_disk(tmp_path / "old")
    (tmp_path / "old/data-00000-of-00001.arrow").rename(tmp_path / "indices.arrow")
    shutil.rmtree(tmp_path / "old")
    state = json.loads((tmp_path / "state.json").read_text())
    (tmp_path / "state.json").write_text(json.dumps({**state, "_indices_files": [{"filename": "indices.arrow"}]}))
    scanned = Scanned()
    assert [each.caption for each in scan(tmp_path, scanned=scanned)] == ["a fox", "a boat"]
    assert [each.why.partition(",")[0] for each in scanned.tables] == ["", "it chooses and orders rows"]


@pytest.mark.parametrize("damage", [b"", b"[]", b"{", b'{"_data_files": 3}', b"\xff\xfe\x00"])
def test_a_damaged_state_leaves_the_order_of_names(hf, tmp_path, damage):
    animals(hf, 3).save_to_disk(tmp_path / "set", num_shards=3)
    (tmp_path / "set/state.json").write_bytes(damage)
    scanned = Scanned()
    found = list(scan(tmp_path, scanned=scanned))
    assert [each.caption for each in found] == [f"picture {row}" for row in range(3)]
    said = [Path(each.source).name for each in scanned.tables if not each.used]
    assert said == ([] if b"_data" in damage else ["state.json"])


def test_labels_of_parquet_files_have_their_names_too(hf, tmp_path):
    animals(hf).to_parquet(tmp_path / "animals.parquet")
    found = list(scan(tmp_path / "animals.parquet"))
    assert [dict(each.extras) for each in found] == [expected_extras(row) for row in range(7)]
    assert [each.inside.read() for each in found] == [png(row) for row in range(7)]


def test_a_data_set_with_nothing_to_take_says_so(hf, tmp_path, refused):
    hf.Dataset.from_dict({"weight": [1.0]}).save_to_disk(tmp_path / "set")
    with refused(CollectionError, "no sources", str(tmp_path / "set"), "no column names files or texts"):
        list(scan(tmp_path / "set"))
