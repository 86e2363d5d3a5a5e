"""The store: what is written reads back the same, in one snapshot; what does not fit is an error of one line."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from thoughtspace.explorer.collection import folders
from thoughtspace.explorer.collection.atlas import atlas
from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.items import Item, content_hash, item_id
from thoughtspace.explorer.collection.maps import SavedMap
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import CollectionError, MapError
from thoughtspace.explorer.records.pictures import thumbnail


def items(n: int, start: int = 0, width: int = 4) -> list[Item]:
    rng = np.random.default_rng(start)
    made = []
    for index in range(start, start + n):
        sha256 = content_hash(f"item {index}")
        kind = "text" if index % 3 == 2 else "image"
        picture = thumbnail(Image.new("RGB", (30, 20), (index % 256, 99, 200))) if kind == "image" else None
        vector = rng.normal(size=width).astype(np.float32)
        extras = {"number": index, "kind": "odd"} if index % 2 else {}
        made.append(
            Item(
                item_id(sha256), kind, f"{index}.png", f"caption {index}", None, sha256,
                width=30, height=20, thumbnail=picture, extras=extras, vectors={"joint": vector},
            )
        )  # fmt: skip
    return made


@pytest.fixture
def collection(explorer, tmp_path: Path) -> Collection:
    made = Collection.create(tmp_path / "some where" / "Ærø %20#1", explorer)
    for start in (0, 5):
        with made.writer() as writer:
            writer.append(items(5, start))
    return made


def test_items_read_back_as_they_were_written(explorer, collection):
    again = Collection.open(collection.path)
    assert (again.model_name, again.model_hash, len(again)) == (explorer.model.name, explorer.model.hash, 10)
    kept, frame = items(5) + items(5, 5), again.items()
    for name in ("id", "kind", "source", "caption", "sha256"):
        assert list(frame[name]) == [getattr(item, name) for item in kept]
    assert list(frame.columns) == [
        *("id", "kind", "source", "caption", "pair", "width", "height", "sha256", "number", "kind_")
    ]
    assert list(frame.number.dropna()) == [1, 3, 5, 7, 9]
    np.testing.assert_array_equal(again.vectors(), np.stack([item.vectors["joint"] for item in kept]))
    assert [again.thumbnail(item.id) for item in kept] == [item.thumbnail for item in kept]
    assert again.thumbnails([9, 0, 2]) == [kept[9].thumbnail, kept[0].thumbnail, None]
    assert again.spaces == {"joint": (4,)}


def test_each_kind_is_a_part_of_all_items(collection):
    frame, vectors = collection.items(), collection.vectors()
    for kind in ("image", "text"):
        chosen = (frame.kind == kind).to_numpy()
        assert list(collection.items(kind).id) == list(frame.id[chosen])
        np.testing.assert_array_equal(collection.vectors(kind=kind), vectors[chosen])


def test_what_is_returned_cannot_change_what_is_stored(collection):
    frame = collection.items()
    frame.loc[0, "caption"] = "changed"
    assert collection.items().caption[0] == "caption 0"
    with pytest.raises(ValueError, match="read-only"):
        collection.vectors()[0] = 0


def test_vectors_of_one_commit_are_the_memory_of_arrow(explorer, tmp_path):
    made = Collection.create(tmp_path / "c", explorer)
    with made.writer() as writer:
        writer.append(items(50))
    vectors = made.vectors()
    assert vectors.dtype == np.float32
    assert not vectors.flags.owndata
    assert made.vectors() is vectors


def test_vectors_added_later_keep_items_in_place(collection):
    ids = list(collection.items().id)
    before = collection.vectors()
    x = np.random.default_rng(1).normal(size=(10, 6)).astype(np.float32)
    collection.add_vectors("latent", x.reshape(10, 1, 2, 3))
    assert collection.spaces == {"joint": (4,), "latent": (1, 2, 3)}
    assert list(collection.items().id) == ids
    np.testing.assert_array_equal(collection.vectors("latent"), x)
    np.testing.assert_array_equal(collection.vectors(), before)
    collection.add_vectors("latent", 2 * x[[7, 2]].reshape(2, 1, 2, 3), ids=[ids[7], ids[2]])
    x[[7, 2]] *= 2
    np.testing.assert_array_equal(Collection.open(collection.path).vectors("latent"), x)
    assert Collection.open(collection.path).thumbnail(ids[7]) == items(5, 5)[2].thumbnail
    with collection.writer() as writer:
        writer.append(items(1, 10))
    assert np.isnan(collection.vectors("latent")[-1]).all()
    assert collection.lacking("latent", "image") == [items(1, 10)[0].id]


@pytest.mark.parametrize(
    ("vectors", "options", "code", "fact"),
    [
        (np.zeros((9, 6)), {}, "vectors", "(9, 6) for 10 items"),
        (np.zeros(10), {}, "vectors", "(10,) for 10 items"),
        (np.zeros((1, 6)), {"ids": ["nobody"]}, "no item", "'nobody'"),
    ],
)
def test_vectors_that_do_not_fit(collection, vectors, options, code, fact, refused):
    with refused(CollectionError, code, fact):
        collection.add_vectors("latent", vectors, **options)
    assert "latent" not in collection.spaces


def test_a_space_does_not_change_its_shape(collection, refused):
    with collection.writer() as writer, refused(CollectionError, "shape", "(5,)", "'joint'", "(4,)"):
        writer.append(items(2, 20, width=5))
    assert len(Collection.open(collection.path)) == 10


def test_without_a_model_there_are_items_and_maps_and_no_points(explorer, other_explorer, collection, refused):
    unbound = Collection.open(collection.path)
    unbound.save_map("m", np.zeros((10, 2)))
    assert len(unbound.items()) == len(unbound.load_map("m")) == 10
    item = unbound.items().id[0]
    for ask in (unbound.points, lambda: unbound.points_of([item]), lambda: unbound.search("a fox")):
        with refused(CollectionError, "no model", explorer.model.name):
            ask()
    bound = unbound.bound(explorer)
    assert bound.explorer is explorer
    assert bound.bound(explorer) is bound
    with refused(CollectionError, "no model", explorer.model.name):
        unbound.points()  # binding gives another object
    with refused(CollectionError, "other model", other_explorer.model.hash[:12]):
        unbound.bound(other_explorer)


def test_an_empty_collection_is_one(explorer, tmp_path, refused):
    Collection.create(tmp_path / "c", explorer)
    empty = Collection.open(tmp_path / "c")
    assert (len(empty), empty.version, empty.spaces, empty.maps(), empty.failed()) == (0, 0, {}, [], [])
    assert len(empty.items()) == 0
    with refused(CollectionError, "no vectors", "'joint'", "empty"):
        empty.vectors()


def test_folders_where_no_collection_can_be_made(explorer, tmp_path, collection, refused):
    with refused(CollectionError, "exists", collection.path.name):
        Collection.create(collection.path, explorer)
    with refused(CollectionError, "other files", str(collection.path.parent)):
        Collection.create(collection.path.parent, explorer)
    (tmp_path / "file").touch()
    with refused(CollectionError, "other files", str(tmp_path / "file")):
        Collection.create(tmp_path / "file", explorer)
    with refused(CollectionError, "cannot write", str(tmp_path / "file" / "below")):
        Collection.create(tmp_path / "file" / "below", explorer)


def test_folders_that_are_no_collections(tmp_path, collection, refused):
    with refused(CollectionError, "no collection", "missing", "does not exist"):
        Collection.open(tmp_path / "missing")
    with refused(CollectionError, "no collection", str(tmp_path), "is no collection"):
        Collection.open(tmp_path)
    card = collection.path / "collection.json"
    whole = card.read_text()
    for text in ("", "[]", '{"format": 1}', "{", '{"format": "x", "model": {}}'):
        card.write_text(text)
        with refused(CollectionError, "damaged", "collection.json"):
            Collection.open(collection.path)
    card.write_text(json.dumps(json.loads(whole) | {"format": 2}))
    with refused(CollectionError, "format", "format 2", "at most 1"):
        Collection.open(collection.path)


@pytest.mark.parametrize("what", ["data", "_versions"])
def test_damaged_tables_are_one_line(collection, refused, what):
    for path in (collection.path / "items.lance" / what).iterdir():
        path.write_bytes(b"garbage")
    with refused(CollectionError, "cannot read", "items.lance") as caught:
        Collection.open(collection.path).vectors()
    assert ".rs:" not in str(caught.value)  # the place in Lance's own source


def test_items_and_rows_that_do_not_exist(collection, refused):
    with refused(CollectionError, "no item", "'x'", "10 items"):
        collection.thumbnail("x")
    for row in (10, -1):
        with refused(CollectionError, "row", f"row {row},", "0 to 9"):
            collection.thumbnails([row])
    assert collection.thumbnails([]) == []


def test_maps_read_back_as_they_were_saved(collection):
    rng = np.random.default_rng(0)
    x, near = rng.normal(size=(10, 2)), rng.integers(10, size=(10, 3)).astype(np.int32)
    trust = rng.random(10).astype(np.float32)
    quality = {"trustworthiness": np.float32(0.5), "null": float("nan"), "counts": np.arange(2)}
    collection.save_map(
        "umap", x, options={"n_neighbors": 15}, quality=quality, columns={"trust": trust, "neighbors": near}
    )
    collection.save_map("first two", x[:2], ids=list(collection.items().id[:2]), space="latent")
    again = Collection.open(collection.path)
    assert again.maps() == ["first two", "umap"]
    loaded = again.load_map("umap")
    assert loaded.ids == tuple(collection.items().id)
    np.testing.assert_array_equal(loaded.coordinates, x.astype(np.float32))
    assert loaded.options == {"n_neighbors": 15}
    assert loaded.quality == {"trustworthiness": 0.5, "null": None, "counts": [0, 1]}
    np.testing.assert_array_equal(loaded.columns["trust"], trust)
    np.testing.assert_array_equal(loaded.columns["neighbors"], near)
    assert again.load_map("first two").space == "latent"
    assert list(loaded.rows([loaded.ids[4], "new"])) == [4, -1]


def test_a_map_of_the_same_name_takes_the_place_of_the_first(collection):
    for value in (1.0, 2.0):
        collection.save_map("m", np.full((10, 3), value), options={"value": value})
    assert collection.maps() == ["m"]
    loaded = collection.load_map("m")
    assert isinstance(loaded, SavedMap)
    assert (loaded.coordinates == 2).all()
    assert loaded.options == {"value": 2.0}


@pytest.mark.parametrize("name", ["", ".hidden", "../out", "a/b", "a\\b", "x" * 65, "nul\0", "ü"])
def test_names_of_maps_are_no_paths(collection, name, refused):
    with refused(MapError, "map name", "64"):
        collection.save_map(name, np.zeros((10, 2)))
    with refused(MapError, "map name", "64"):
        collection.load_map(name)


def test_maps_that_do_not_fit(collection, refused):
    for x in (np.zeros((9, 2)), np.zeros((10, 4)), np.zeros(10)):
        with refused(MapError, "shape", str(x.shape), "10 items"):
            collection.save_map("m", x)
    with refused(MapError, "not finite", "coordinates"):
        collection.save_map("m", np.full((10, 2), np.nan))
    with refused(MapError, "column", "'trust'", "(3,)"):
        collection.save_map("m", np.zeros((10, 2)), columns={"trust": np.zeros(3)})
    with refused(MapError, "no such map", "'m'", "none yet"):
        collection.load_map("m")


def test_an_atlas_shows_each_picture_in_its_cell(collection, refused):
    sheet = atlas(collection, [0, 2, 3, 9], cell=16)
    assert (sheet.rows, sheet.columns, sheet.cell) == ((0, 3, 9), 2, 16)
    pixels = np.asarray(Image.open(io.BytesIO(sheet.jpeg)), dtype=int)
    assert pixels.shape == (32, 32, 3)
    for place, row in enumerate(sheet.rows):
        y, x = place // 2 * 16 + 8, place % 2 * 16 + 8
        assert np.abs(pixels[y, x] - [row, 99, 200]).max() < 12
    assert np.abs(pixels[24, 24] - 128).max() < 12  # the unused cell
    assert atlas(collection, [2]).rows == ()
    with refused(CollectionError, "too many pictures", "1 thumbnails", "9000"):
        atlas(collection, [0], cell=9000)


def test_a_network_disk_gives_a_warning(explorer, tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "file_system", lambda folder: "nfs4")
    with pytest.warns(UserWarning, match="network file system"):
        Collection.create(tmp_path / "far", explorer)
    monkeypatch.undo()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Collection.create(tmp_path / "near", explorer)


def test_importing_collections_is_light():
    code = (
        "import sys; from thoughtspace.explorer.collection.store import Collection;"
        "print(sorted({'torch', 'pandas', 'pyarrow', 'lance'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_a_damaged_list_of_failures_is_refused(explorer, make_pictures, tmp_path, refused):
    folder = make_pictures(1)
    ingest(explorer, folder, tmp_path / "out")
    (tmp_path / "out" / "failed.json").write_text("{")
    with refused(CollectionError, "damaged", "failed.json"):
        Collection.open(tmp_path / "out").failed()


def test_files_are_only_those_of_the_collection(collection):
    collection.save_map("m", np.zeros((10, 2)))
    assert {entry.name for entry in os.scandir(collection.path)} == {"collection.json", "items.lance", "maps", ".lock"}
