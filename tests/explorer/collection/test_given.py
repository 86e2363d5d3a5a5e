"""Vectors that were made elsewhere are taken bit for bit, with what their table says, if this model made them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.sources import scan
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import CollectionError
from thoughtspace.explorer.records.pictures import open_picture


@pytest.fixture
def raw(explorer):
    """CLIP's own vectors of pictures and texts, of unit length in half precision, as clip-retrieval keeps them."""

    def encode(pictures=(), texts=()):
        clip = explorer.model.clip
        opened = [open_picture(path) for path in pictures]
        found = clip.encode_images(opened) if pictures else clip.encode_texts(list(texts))
        unit = found / found.norm(dim=1, keepdim=True)
        return unit.cpu().numpy().astype(np.float16)

    return encode


@pytest.fixture
def folder(make_pictures, raw, tmp_path) -> Path:
    """A folder as clip-retrieval writes it, two parts of three pictures; the pictures are elsewhere."""
    pictures = sorted(make_pictures(6, captions=False).glob("*.png"))
    root = tmp_path / "embeddings"
    for name in ("img_emb", "text_emb", "metadata"):
        (root / name).mkdir(parents=True)
    for part in (0, 1):
        some = pictures[3 * part : 3 * part + 3]
        texts = [f"picture {path.stem}" for path in some]
        np.save(root / "img_emb" / f"img_emb_{part}.npy", raw(some))
        np.save(root / "text_emb" / f"text_emb_{part}.npy", raw(texts=texts))
        table = pa.table({"image_path": [str(path) for path in some], "caption": texts, "similarity": [0.5, 0.25, 1.0]})
        pq.write_table(table, root / "metadata" / f"metadata_{part}.parquet")
    return root


def stored(collection, kind):
    frame = collection.items(kind)
    return dict(zip(frame["caption"], collection.vectors("joint", kind), strict=True))


def test_a_folder_of_clip_retrieval_is_taken_as_it_is(explorer, encoded, folder, tmp_path):
    made = sum(map(len, encoded))
    report = ingest(explorer, folder, tmp_path / "out")
    assert (report.items, report.failed) == (12, [])
    assert sum(map(len, encoded)) - made == 6  # those that were compared, and no more
    collection = Collection.open(tmp_path / "out", explorer)
    frame = collection.items("image")
    assert list(frame["similarity"]) == [0.5, 0.25, 1.0] * 2
    assert [Path(each).name for each in frame["source"]] == [f"{index:05}.png" for index in range(6)]
    for kind, name in (("image", "img_emb"), ("text", "text_emb")):
        expected = np.concatenate([np.load(folder / name / f"{name}_{part}.npy") for part in (0, 1)])
        found = np.stack([stored(collection, kind)[f"picture {index:05}"] for index in range(6)])
        np.testing.assert_array_equal(found, expected.astype(np.float32))
    assert [(each.kind, each.count, each.compared) for each in report.scanned.given] == [
        ("image", 6, 6),
        ("text", 6, 6),
    ]
    assert all(each.cosine > 0.999 for each in report.scanned.given)
    assert sum("taken as they are: 6 vectors" in line for line in report.in_words()) == 2
    again = ingest(explorer, folder, tmp_path / "out")
    assert (again.added, again.updated) == (0, 0)


def test_pictures_that_are_gone_are_their_vectors_and_rows(explorer, make_pictures, raw, folder, tmp_path):
    for path in (tmp_path / "in").glob("*.png"):
        path.unlink()
    report = ingest(explorer, folder, tmp_path / "out")
    assert (report.items, report.failed) == (12, [])
    assert [(each.kind, each.compared) for each in report.scanned.given] == [("image", 0), ("text", 6)]
    assert any("nothing was there to check" in line for line in report.in_words())
    collection = Collection.open(tmp_path / "out", explorer)
    frame = collection.items("image")
    assert [Path(each).name for each in frame["image_path"]] == [f"{index:05}.png" for index in range(6)]
    assert frame["source"].iloc[4] == f"{folder / 'img_emb' / 'img_emb_1.npy'}:2"
    assert collection.thumbnails([0]) == [None]
    assert frame["width"].isna().all()
    assert collection.points("joint", "image").flat.shape == (6, explorer.joint.shape[0])
    first = collection.search(f'item("{frame["id"].iloc[2]}")', 1, kind="image")
    assert first["id"].iloc[0] == frame["id"].iloc[2]
    again = ingest(explorer, folder, tmp_path / "out")
    assert (again.added, again.updated, again.corrected) == (0, 0, 0)


def test_an_array_and_a_table_are_rows_of_texts_or_of_pictures(explorer, raw, tmp_path):
    texts = ["a red fox", "a green cat", "a sad face"]
    table = tmp_path / "texts.csv"
    table.write_text("caption,year\n" + "".join(f"{text},{1990 + at}\n" for at, text in enumerate(texts)))
    vectors = raw(texts=texts)
    report = ingest(explorer, vectors, tmp_path / "texts", captions=table)
    collection = Collection.open(tmp_path / "texts", explorer)
    assert list(collection.items("text")["year"]) == [1990, 1991, 1992]
    np.testing.assert_array_equal(collection.vectors("joint", "text"), vectors.astype(np.float32))
    assert (report.items, report.scanned.given[0].compared) == (3, 3)

    np.save(tmp_path / "v.npy", np.random.default_rng(0).standard_normal((4, vectors.shape[1])).astype(np.float32))
    report = ingest(explorer, tmp_path / "v.npy", tmp_path / "bare")
    collection = Collection.open(tmp_path / "bare", explorer)
    assert [(each.kind, each.count, each.compared) for each in report.scanned.given] == [("image", 4, 0)]
    assert list(collection.items()["source"]) == [f"{tmp_path / 'v.npy'}:{row}" for row in (1, 2, 3, 4)]
    np.testing.assert_array_equal(collection.vectors("joint"), np.load(tmp_path / "v.npy"))


def test_equal_vectors_are_items_of_their_own(explorer, tmp_path):
    vectors = np.ones((3, explorer.joint.shape[0]), np.float32)
    assert ingest(explorer, vectors, tmp_path / "out").items == 3


def test_other_spaces_are_encoded_where_there_is_a_picture(explorer, make_pictures, raw, tmp_path):
    pictures = sorted(make_pictures(3).glob("*.png"))
    vectors = raw(pictures)
    pictures[1].unlink()
    out = tmp_path / "out"
    report = ingest(explorer, vectors, out, captions=tmp_path / "in" / "captions.csv", spaces=("joint", "latent"))
    collection = Collection.open(out, explorer)
    assert report.failed == []
    assert len(collection.lacking("latent", "image")) == 1
    assert np.isfinite(collection.vectors("joint", "image")).all()
    latents = collection.vectors("latent", "image").reshape(3, -1)
    own = explorer.latent.image(pictures[0]).flat[0].cpu().numpy()
    row = list(collection.items("image")["source"]).index(str(pictures[0]))
    np.testing.assert_allclose(latents[row], own, atol=1e-5)


def test_latents_are_given_in_their_own_shape(explorer, make_pictures, tmp_path):
    pictures = sorted(make_pictures(2).glob("*.png"))
    latents = explorer.latent.image(*pictures).values.cpu().numpy()
    report = ingest(explorer, latents, tmp_path / "out", captions=tmp_path / "in" / "captions.csv", spaces=("latent",))
    assert [(each.space, each.compared) for each in report.scanned.given] == [("latent", 2)]
    collection = Collection.open(tmp_path / "out", explorer)
    np.testing.assert_array_equal(collection.vectors("latent", "image").reshape(latents.shape), latents)


def test_vectors_of_another_model_are_refused(explorer, make_pictures, raw, tmp_path, refused):
    pictures = sorted(make_pictures(6).glob("*.png"))
    wrong = np.random.default_rng(1).standard_normal((6, explorer.joint.shape[0])).astype(np.float32)
    table = tmp_path / "in" / "captions.csv"
    with refused(CollectionError, "other model", "6 that were encoded again", "median cosine"):
        ingest(explorer, wrong, tmp_path / "out", captions=table)
    with refused(CollectionError, "vectors", "12 numbers", f"expected {explorer.joint.shape[0]}"):
        ingest(explorer, wrong[:, :12], tmp_path / "out", captions=table)
    assert not (tmp_path / "out").exists()
    assert ingest(explorer, raw(pictures), tmp_path / "out", captions=table).items == 12  # negative control


def test_bad_rows_are_listed_and_the_others_taken(explorer, tmp_path):
    vectors = np.random.default_rng(0).standard_normal((5, explorer.joint.shape[0])).astype(np.float32)
    vectors[1], vectors[3, 7] = 0, np.nan
    report = ingest(explorer, vectors, tmp_path / "out")
    assert report.items == 3
    assert [each["source"] for each in report.failed] == ["array:2", "array:4"]
    assert all("not finite or all zero" in each["reason"] for each in report.failed)


def test_what_is_no_vectors_is_said(explorer, tmp_path, refused):
    vectors = np.zeros((3, 4), np.float32)
    table = tmp_path / "t.csv"
    table.write_text("file,caption\na.png,one\n")
    with refused(CollectionError, "rows", "3 vectors of pictures", "a table of 1 rows"):
        list(scan(vectors, table))
    for wrong in (np.zeros(3), np.zeros((2, 3), int), np.zeros((0, 3))):
        with refused(CollectionError, "vectors", str(wrong.shape)):
            list(scan(wrong))
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY no")
    with refused(CollectionError, "cannot read", "bad.npy"):
        list(scan(tmp_path / "bad.npy"))
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with refused(CollectionError, "cannot read", "objects.npy"):  # never unpickled
        list(scan(tmp_path / "objects.npy"))


def test_a_part_that_cannot_be_read_is_listed(explorer, folder, tmp_path):
    (folder / "img_emb" / "img_emb_0.npy").write_bytes(b"cut")
    np.save(folder / "text_emb" / "text_emb_1.npy", np.load(folder / "text_emb" / "text_emb_1.npy")[:2])
    (folder / "img_emb" / "img_emb_2.npy").write_bytes((folder / "img_emb" / "img_emb_1.npy").read_bytes())
    report = ingest(explorer, folder, tmp_path / "out")
    assert report.items == 3  # those of the third part, which has no table
    assert [Path(each["source"]).name for each in report.failed] == ["img_emb_0.npy", "img_emb_1.npy"]
    assert "one row for each vector" in report.failed[1]["reason"]


def test_the_rows_of_vectors_may_be_a_data_frame(explorer, make_pictures, raw, tmp_path, monkeypatch, refused):
    folder = make_pictures(4, captions=False)
    monkeypatch.chdir(folder)
    paths = sorted(folder.glob("*.png"))
    cells = [Image.open(paths[2]).convert("RGB"), paths[3].read_bytes()]
    frame = pd.DataFrame({"image": ["00000.png", "gone.png", *cells], "caption": list("abcd"), "n": [1, 2, 3, 4]})
    report = ingest(explorer, raw(paths), tmp_path / "out", captions=frame)
    assert report.failed == []
    assert [(each.source, each.file, each.rows) for each in report.scanned.tables] == [("DataFrame", "image", 4)]
    (told,) = report.scanned.given
    assert (told.count, told.compared, told.cosine > 0.999) == (4, 3, True)  # those whose pictures are there
    collection = Collection.open(tmp_path / "out", explorer)
    items = collection.items("image").set_index("caption")
    assert dict(items.n) == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert items.width.dropna().to_dict() == {"a": 8, "c": 8, "d": 8}
    assert items.image.dropna().to_dict() == {"b": "gone.png"}
    found = stored(collection, "image")
    np.testing.assert_array_equal(np.stack([found[name] for name in "abcd"]), raw(paths).astype(np.float32))
    with refused(CollectionError, "rows", "4 vectors", "a table of 3 rows"):
        list(scan(raw(paths), frame.iloc[:3]))


def test_another_array_takes_nothing_from_an_earlier_one(explorer, raw, tmp_path):
    """Rows of arrays have no file that could be looked at again, so nothing of them is ever gone."""
    for texts in (["one", "two"], ["three", "four"], ["one", "five"]):
        report = ingest(explorer, raw(texts=texts), tmp_path / "out", captions=pd.DataFrame({"caption": texts}))
        assert (report.removed, report.corrected) == (0, 0)
    assert sorted(Collection.open(tmp_path / "out").items()["caption"]) == ["five", "four", "one", "three", "two"]
