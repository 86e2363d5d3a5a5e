"""Archives are folders: what is ingested from a zip or tar is what is ingested from the folder that was packed."""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.report import report_in_words
from thoughtspace.explorer.collection.scanned import Scanned
from thoughtspace.explorer.collection.sources import scan
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import CollectionError
from thoughtspace.explorer.records import archives
from thoughtspace.explorer.records.pictures import open_picture, read_bytes

KINDS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def png(shade: int = 0, size: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), (shade, 20, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def packed(path: Path, files: dict[str, bytes]) -> Path:
    """An archive of the kind that the ending says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return path
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w")
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
    return path


TREE = {
    "captions.csv": b"file,caption,year\nred/fox.png,a fox,1990\nblue/fox.png,another fox,\n",
    "red/fox.png": png(1),
    "blue/fox.png": png(2),
    "blue/owl.png": png(3),
    "blue/owl.txt": "ein Käuzchen".encode(),
    "prompts.txt": b"a snowy mountain\n",
    "__MACOSX/._fox.png": b"junk",
    ".hidden.png": png(4),
    "notes.md": b"# notes",
}


def unpacked(folder: Path) -> Path:
    for name, data in TREE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def told(source, root):
    """What a source says, with its paths from the root of the folder or archive."""
    name, origin = (os.path.relpath(each, root) if each else "" for each in (source.name, source.origin))
    return name, source.caption, origin, dict(source.extras), source.problem


@pytest.mark.parametrize("ending", KINDS)
def test_an_archive_gives_what_its_folder_gives(tmp_path, ending):
    folder = unpacked(tmp_path / "folder")
    archive = packed(tmp_path / f"pack{ending}", TREE)
    expected = [told(each, folder) for each in scan(folder)]
    assert [told(each, archive) for each in scan(archive)] == expected
    assert [each[1] for each in expected] == ["another fox", "ein Käuzchen", "a fox", "a snowy mountain"]
    for source in scan(archive):
        if source.path is not None:
            inner = os.path.relpath(source.path, archive)
            assert read_bytes(source.path) == TREE[inner]
            assert open_picture(source.path).size == (8, 8)


def test_archives_in_a_folder_are_folders_and_those_inside_of_archives_are_counted(tmp_path):
    inner = packed(tmp_path / "inner.zip", {"a.png": png()}).read_bytes()
    (tmp_path / "inner.zip").unlink()
    (tmp_path / "plain.png").write_bytes(png(9))
    packed(tmp_path / "some.tar", {"b.png": png(1), "deep/inner.zip": inner})
    scanned = Scanned()
    names = [os.path.relpath(each.name, tmp_path) for each in scan(tmp_path, scanned=scanned)]
    assert names == ["plain.png", "some.tar/b.png"]
    assert [(each.format, each.count, each.remedy) for each in scanned.unread] == [("archive", 1, "unpack it")]


def test_a_table_beside_an_archive_of_its_name_starts_in_it(tmp_path):
    for kind, shade in (("cats", 1), ("dogs", 2)):
        packed(tmp_path / f"{kind}.zip", {"1.png": png(shade), "x/1.png": png(shade + 10)})
        (tmp_path / f"{kind}.csv").write_text(f"file,caption\n1.png,{kind} one\nx/1.png,{kind} two\n")
    found = {os.path.relpath(each.name, tmp_path): each.caption for each in scan(tmp_path)}
    assert found == {
        "cats.zip/1.png": "cats one",
        "cats.zip/x/1.png": "cats two",
        "dogs.zip/1.png": "dogs one",
        "dogs.zip/x/1.png": "dogs two",
    }


def test_one_file_of_an_archive_is_a_source(tmp_path):
    archive = packed(tmp_path / "a.zip", TREE)
    (owl,) = scan(archive / "blue" / "owl.png")
    assert (owl.caption, owl.name) == ("ein Käuzchen", str(archive / "blue" / "owl.png"))
    assert [each.caption for each in scan(archive / "prompts.txt")] == ["a snowy mountain"]
    assert [each.caption for each in scan(archive / "captions.csv")] == ["a fox", "another fox"]


def shard(folder: Path, number: int, *, json_too: bool = True) -> list[str]:
    """A shard as img2dataset writes it: a tar, its table, its figures; every third download has failed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    files, rows = {}, []
    for index in range(6):
        key = f"{number:05d}{index:04d}"
        row = {"url": f"https://example.org/{key}.png", "caption": f"caption {key}", "key": key}
        row |= {"status": "failed_to_download" if index % 3 == 2 else "success", "width": 8, "height": 8}
        row |= {"error_message": "timeout" if index % 3 == 2 else None, "sha256": f"sha{key}"}
        rows.append(row)
        if row["status"] == "success":
            files[f"{key}.jpg"] = png(number * 10 + index)
            files[f"{key}.txt"] = str(row["caption"]).encode()
            if json_too:
                files[f"{key}.json"] = json.dumps(row).encode()
    packed(folder / f"{number:05d}.tar", files)
    pq.write_table(pa.Table.from_pylist(rows), folder / f"{number:05d}.parquet")
    (folder / f"{number:05d}_stats.json").write_text(json.dumps({"count": 6, "successes": 4}))
    return [row["key"] for row in rows if row["status"] == "success"]


@pytest.mark.parametrize("json_too", [True, False])
def test_shards_of_img2dataset_keep_their_captions_and_columns(tmp_path, json_too):
    keys = [key for number in (0, 1) for key in shard(tmp_path, number, json_too=json_too)]
    scanned = Scanned()
    found = list(scan(tmp_path, scanned=scanned))
    assert [Path(each.name).stem for each in found] == keys
    assert [each.caption for each in found] == [f"caption {key}" for key in keys]
    assert [each.extras["url"] for each in found] == [f"https://example.org/{key}.png" for key in keys]
    assert all(each.extras["status"] == "success" and each.problem is None for each in found)
    assert [(each.used, each.file, each.matched, each.rows) for each in scanned.tables] == [(True, "key", 4, 6)] * 2
    assert all(each.why == "2 rows whose picture was not downloaded are left out" for each in scanned.tables)


def test_webdataset_keys_end_at_the_first_dot_and_classes_are_columns(tmp_path):
    files = {"7.left.png": png(1), "7.right.png": png(2), "7.txt": b"a pair", "7.cls": b"3", "7.json": b'{"seed": 5}'}
    found = list(scan(packed(tmp_path / "set.tar", files)))
    assert [each.caption for each in found] == ["a pair", "a pair"]
    assert [dict(each.extras) for each in found] == [{"seed": 5, "cls": 3}] * 2
    loose = tmp_path / "loose"
    loose.mkdir()
    for name, data in files.items():
        (loose / name).write_bytes(data)
    assert [each.caption for each in scan(loose)] == [None, None]  # in a folder, a dot is part of a name


def test_names_of_other_systems_are_read(tmp_path):
    name = "Füchse\\Käuzchen.png"  # as Windows' Explorer writes it, in UTF-8 and without saying so
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("x" * len(name.encode()), png())
    data = raw.getvalue().replace(b"x" * len(name.encode()), name.encode())
    (tmp_path / "a.zip").write_bytes(data)
    assert [Path(each.name).relative_to(tmp_path).as_posix() for each in scan(tmp_path)] == [
        "a.zip/Füchse/Käuzchen.png"
    ]
    (tmp_path / "a.zip").unlink()
    packed(tmp_path / "b.zip", {"Übung.png": png()})
    assert [Path(each.name).name for each in scan(tmp_path)] == ["Übung.png"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["..", ".", "", "a", "b.png", "C:"]), min_size=1, max_size=6), st.sampled_from(["", "/"])
)
def test_no_name_leads_out_of_an_archive(parts, root):
    plain = archives._plain(root + "/".join(parts))
    assert ".." not in plain.split("/")
    assert not plain.startswith("/")


def test_names_that_would_lead_out_are_read_inside(tmp_path):
    archive = packed(tmp_path / "a.tar", {"../../up.png": png(1), "/root.png": png(2)})
    assert [os.path.relpath(each.name, archive) for each in scan(archive)] == ["root.png", "up.png"]
    assert read_bytes(archive / "up.png") == png(1)


def problems(root: Path) -> dict[str, str]:
    """Name in the archive -> problem, of what is scanned and then read."""
    from thoughtspace.explorer.collection.loading import load
    from thoughtspace.explorer.records.pictures import decode_picture

    loaded = [load(each, decode_picture, lambda _: True) for each in scan(root)]
    return {os.path.basename(each.source.name): each.problem for each in loaded if each.problem}


def test_a_cut_off_tar_gives_its_first_files(tmp_path):
    rng = np.random.default_rng(0)
    noise = [Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)) for _ in range(4)]
    files = {}
    for number, picture in enumerate(noise):
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        files[f"{number}.png"] = buffer.getvalue()
    for ending in (".tar", ".tar.gz"):
        whole = packed(tmp_path / f"whole{ending}", files)
        cut = tmp_path / f"cut{ending}"
        cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
        (problem,) = (each.problem for each in scan(cut) if each.problem)
        assert "cut off or damaged" in problem
        assert "\n" not in problem
        good = [each for each in scan(cut) if each.problem is None]
        assert [Path(each.name).name for each in good][:2] == ["0.png", "1.png"]
        assert read_bytes(str(good[0].path)) == files["0.png"]


def test_bad_members_and_archives_are_listed_one_line_each(tmp_path):
    with zipfile.ZipFile(tmp_path / "mixed.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.png", png())
        archive.writestr("bomb.png", b"\0" * (70 * 2**20))
        archive.writestr("secret.png", png(1))
        archive.writestr("broken.png", png(2) * 40)
    data = bytearray((tmp_path / "mixed.zip").read_bytes())
    for mark, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):  # as if secret.png were encrypted
        at = data.index(b"secret.png", data.index(mark) if mark == b"PK\x03\x04" else data.index(b"PK\x01\x02"))
        start = data.rindex(mark, 0, at)
        struct.pack_into("<H", data, start + flags, 1)
    at = data.index(b"broken.png") + len("broken.png") + 20
    data[at] ^= 0xFF
    (tmp_path / "mixed.zip").write_bytes(data)
    (tmp_path / "no.zip").write_bytes(b"PK\x03\x04 this is none")
    (tmp_path / "no.tar").write_bytes(b"nor is this" * 100)
    (tmp_path / "empty.tar").write_bytes(b"")
    found = problems(tmp_path)
    assert found.keys() == {"bomb.png", "secret.png", "broken.png", "no.zip", "no.tar", "empty.tar"}
    assert "too large" in found["bomb.png"]
    assert "encrypted" in found["secret.png"]
    assert "damaged" in found["broken.png"]
    assert all("\n" not in each for each in found.values())


def test_links_in_a_tar_are_followed_inside_of_it_only(tmp_path):
    path = tmp_path / "links.tar"
    (tmp_path / "outside.png").write_bytes(png(7))
    with tarfile.open(path, "w") as archive:
        about = tarfile.TarInfo("one.png")
        about.size = len(png(1))
        archive.addfile(about, io.BytesIO(png(1)))
        for name, target, kind in (
            ("soft.png", "one.png", tarfile.SYMTYPE),
            ("hard.png", "one.png", tarfile.LNKTYPE),
            ("out.png", "../outside.png", tarfile.SYMTYPE),
            ("round.png", "round.png", tarfile.SYMTYPE),
        ):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, target
            archive.addfile(link)
    found = problems(path)
    assert found.keys() == {"out.png", "round.png"}
    assert read_bytes(path / "soft.png") == read_bytes(path / "hard.png") == png(1)


def test_a_tar_that_unpacks_to_too_much_is_refused(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(archives, "LARGE", 2**20)
    archive = packed(tmp_path / "bomb.tar.gz", {"bomb.png": b"\0" * (30 * 2**20)})
    assert archive.stat().st_size < 2**20
    with refused(CollectionError, "cannot read", "unpacks to more than", "bomb.tar.gz"):
        list(scan(archive))


@pytest.mark.parametrize("source", ["missing.zip", "a.zip/none.png", "a.zip/blue/none.txt", "folder.png/x.png"])
def test_what_is_not_there_is_said(tmp_path, refused, source):
    packed(tmp_path / "a.zip", TREE)
    (tmp_path / "folder.png").mkdir()
    with refused(CollectionError, "no such file", Path(source).name):
        list(scan(tmp_path / source))


def test_an_archive_that_cannot_be_opened_is_said(tmp_path, refused):
    path = packed(tmp_path / "a.zip", TREE)
    assert stat.S_ISREG(path.stat().st_mode)
    path.write_bytes(b"PK nothing")
    with refused(CollectionError, "cannot read", "a.zip", "no zip or tar"):
        list(scan(path))


def test_ingest_from_archives_again_and_corrected(tmp_path, explorer):
    archive = packed(tmp_path / "photos.zip", TREE)
    report = ingest(explorer, archive, tmp_path / "c.collection")
    assert (report.items, report.added, report.failed) == (7, 7, [])
    assert ingest(explorer, archive, tmp_path / "c.collection").added == 0
    corrected = TREE | {"blue/owl.txt": b"a small owl"}
    archive.unlink()
    packed(archive, corrected)
    report = ingest(explorer, archive, tmp_path / "c.collection")
    assert (report.corrected, report.removed) == (1, 1)
    collection = Collection.open(tmp_path / "c.collection", explorer)
    items = collection.items("image").set_index("source")["caption"].to_dict()
    assert items[str(archive / "blue" / "owl.png")] == "a small owl"
    assert any("table" in line and "photos.zip" in line for line in report_in_words(report.to_json()))
    (found,) = collection.retrieve(explorer.joint.text("a small owl")).pictures
    assert found.size == (8, 8)  # the file in the archive, not its thumbnail


@pytest.mark.parametrize("home", [False, True])
def test_a_picture_in_an_archive_or_at_home_is_a_term(tmp_path, explorer, monkeypatch, home):
    archive = packed(tmp_path / "a.zip", TREE)
    (tmp_path / "fox.png").write_bytes(TREE["red/fox.png"])
    monkeypatch.setenv("HOME", str(tmp_path))
    root = "~" if home else str(tmp_path)
    expected = explorer.joint.image(open_picture(tmp_path / "fox.png"))
    for written in (f"{root}/fox.png", f"{root}/{archive.name}/red/fox.png"):
        found = explorer.points(f'img("{written}")', "joint")
        np.testing.assert_array_equal(found.values.cpu().numpy(), expected.values.cpu().numpy())
