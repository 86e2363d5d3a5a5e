"""Decoding by retrieval: the pictures that a model without a decoder shows, and their records."""

from __future__ import annotations

from pathlib import Path

import pytest

from thoughtspace.dashboards import cli
from thoughtspace.explorer import Collection, Explorer
from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.errors import CannotError, CollectionError, ProvenanceError, SpaceError
from thoughtspace.explorer.records.provenance import pixel_hash
from thoughtspace.explorer.replays import replay


@pytest.fixture(scope="module")
def alone(tiny_model: Path) -> Explorer:
    """A CLIP without a generator."""
    return Explorer.open(f"clip:{tiny_model / 'clip'}", device="cpu")


@pytest.fixture
def folder(pictures, tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for number, picture in enumerate(pictures):
        picture.save(tmp_path / "pictures" / f"{number}.png")
    return tmp_path / "pictures"


@pytest.fixture
def collection(alone, folder, tmp_path: Path) -> Collection:
    ingest(alone, folder, tmp_path / "collection")
    return Collection.open(tmp_path / "collection", alone)


def test_a_picture_finds_itself(alone, collection, pictures):
    found = collection.retrieve(alone.joint.image(*pictures[:3]))
    assert [pixel_hash(a) for a in found] == [pixel_hash(b) for b in pictures[:3]]
    record = found.provenances[0].record
    assert (record["kind"], record["space"]) == ("retrieval", "joint")
    assert record["item"]["score"] == pytest.approx(1, abs=1e-5)
    assert record["item"]["id"] in set(collection.items()["id"])


def test_where_the_file_is_gone_its_thumbnail_is_shown(alone, collection, folder, pictures):
    point = alone.joint.image(pictures[0])
    for file in folder.iterdir():
        file.unlink()
    assert collection.retrieve(point)[0].size == (64, 64)


@pytest.mark.parametrize("space", ["joint", "joint_raw"])
def test_the_command_line_finds_and_takes_no_options_of_decoding(alone, collection, tmp_path, capsys, space):
    out = tmp_path / "found.png"
    command = ["decode", "a red fox", "--model", alone.model.name, "--space", space, "-o", str(out)]
    command += ["--collection", str(collection.path)]
    assert cli.main([*command, "--steps", "5", "--until", "0.5"]) == 2
    assert "Got --steps, --until where nothing is decoded" in capsys.readouterr().err
    assert not out.exists()
    assert cli.main(command) == 0
    assert "found, not made" in capsys.readouterr().out


def test_retrieved_pictures_are_not_replayed(alone, collection, tmp_path, refused):
    (path,) = collection.retrieve(alone.joint.text("a red fox")).save(tmp_path / "a.png")
    with refused(ProvenanceError, "not decoded", "a.png"):
        replay(path, alone.spaces)


def test_a_space_that_does_not_decode_says_what_to_do(alone, refused):
    assert (alone.usual_space, alone.joint.decodes) == ("joint", False)
    with refused(CannotError, "no decoder", "joint", "collection.retrieve"):
        alone.decode("a red fox")


def test_points_of_another_model_are_refused(tiny_explorer, collection, refused):
    with refused(SpaceError, "other space", "joint"):
        collection.retrieve(tiny_explorer.joint.text("a red fox"))


def test_without_pictures_nothing_is_retrieved(alone, tmp_path, refused):
    (tmp_path / "prompts.txt").write_text("a fox")
    ingest(alone, tmp_path / "prompts.txt", tmp_path / "texts")
    with refused(CollectionError, "no pictures", "texts"):
        Collection.open(tmp_path / "texts", alone).retrieve(alone.joint.text("a fox"))
