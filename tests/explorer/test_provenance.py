"""Provenance: the record comes back as it was written, from every container, and an altered one is found out."""

import hashlib
import json
import math
import os
import stat
import zlib
from io import BytesIO

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from thoughtspace.explorer.errors import PictureError, ProvenanceError
from thoughtspace.explorer.records.atomic import replacing
from thoughtspace.explorer.records.machine import machine, versions
from thoughtspace.explorer.records.provenance import (
    MAX_CHARACTERS,
    Provenance,
    pixel_hash,
    read,
    stamp_png,
    write_png,
)
from thoughtspace.explorer.records.tensor_json import decode_tensor, encode_tensor
from thoughtspace.explorer.records.video import save_video

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
records = st.dictionaries(st.text(max_size=8).filter(lambda key: key != "hash"), json_values, max_size=5)


def picture(size: tuple[int, int] = (9, 7), seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, size=(size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def example(size: int = 6) -> Provenance:
    points = torch.randn(1, size, generator=torch.Generator().manual_seed(0))
    return Provenance(
        {
            "kind": "decode",
            "expression": '"é" - "狐" + 0.7 * img("q.png")',
            "points": encode_tensor(points),
            "options": {"seed": 0, "guidance": 2.5, "steps": 20},
            "pixels": pixel_hash(picture()),
        }
    )


@settings(max_examples=100, deadline=None)
@given(records)
def test_json_and_back(record):
    provenance = Provenance(record)
    again = Provenance.from_json(provenance.to_json())
    assert again == provenance
    assert again.hash == provenance.hash
    assert again.to_json() == provenance.to_json()
    plain = again.as_dict()
    assert plain.pop("hash") == provenance.hash
    assert plain == json.loads(json.dumps(record))


@settings(max_examples=100, deadline=None)
@given(records.filter(bool), json_values, st.data())
def test_any_altered_value_is_detected(refused, record, value, data):
    document = Provenance(record).as_dict()
    key = data.draw(st.sampled_from(sorted(record)))
    if json.dumps(document[key], sort_keys=True) == json.dumps(value, sort_keys=True):
        return
    for altered in (
        document | {key: value},
        document | {key + "x": 0},
        {k: v for k, v in document.items() if k != key},
    ):
        with refused(ProvenanceError, "altered", "its hash"):
            Provenance.from_json(json.dumps(altered))


def test_order_and_spacing_of_the_json_do_not_matter():
    text = json.dumps(dict(reversed(example().as_dict().items())), indent=2, ensure_ascii=False)
    assert Provenance.from_json(text) == example()


def test_the_hash_is_that_of_the_documented_form():
    record = {"b": [1, 2.5, None], "a": {"é": True}}
    assert Provenance(record).hash == hashlib.sha256(b'{"a":{"\\u00e9":true},"b":[1,2.5,null]}').hexdigest()


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", "3", "{", '{"hash": 3', "[" * 100_000, '{"a":1,"a":2,"hash":"0"}', '{"a":NaN,"hash":"0"}'],
)
def test_text_that_is_not_a_record_is_refused(refused, text):
    with refused(ProvenanceError, "not a record", repr(text[:40])):
        Provenance.from_json(text)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, np.float32(1), torch.zeros(1), object(), {1, 2}, b"x", {(1, 2): 3}]
)
def test_a_record_holds_only_what_json_can(refused, value):
    with refused(ProvenanceError, "not json", "JSON cannot hold"):
        Provenance({"kind": value})


def test_a_record_has_limits(refused):
    with refused(ProvenanceError, "too large", str(MAX_CHARACTERS)):
        Provenance({"points": "x" * MAX_CHARACTERS})
    with refused(ProvenanceError, "mapping", "'hash'"):
        Provenance({"hash": "0"})


def test_a_record_does_not_change_with_what_it_was_made_from():
    source = {"options": {"seed": 0}, "stops": [1, 2]}
    provenance = Provenance(source)
    source["options"]["seed"] = 1
    source["stops"].append(3)
    assert provenance.record["options"]["seed"] == 0
    assert provenance.record["stops"] == (1, 2)
    with pytest.raises(TypeError):
        provenance.record["options"]["seed"] = 1
    assert provenance in {Provenance({"options": {"seed": 0}, "stops": (1, 2)})}


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64, torch.uint8]
)
@pytest.mark.parametrize("shape", [(2, 3), (4,), (), (0, 5)])
def test_tensors_come_back_bit_for_bit(dtype, shape):
    tensor = (100 * torch.rand(shape, generator=torch.Generator().manual_seed(1))).to(dtype)
    document = json.loads(json.dumps(encode_tensor(tensor)))
    again = decode_tensor(document)
    assert again.dtype == dtype
    assert again.shape == tensor.shape
    assert torch.equal(again, tensor)


def test_tensors_keep_nan_signed_zero_and_strides():
    tensor = torch.tensor([[math.nan, -0.0], [math.inf, 1e-45]]).T
    again = decode_tensor(encode_tensor(tensor))
    assert torch.equal(again.view(torch.int32), tensor.contiguous().view(torch.int32))
    again.add_(1)  # the answer is nobody else's memory


GOOD = encode_tensor(torch.zeros(2, 3))


@pytest.mark.parametrize(
    "document",
    [
        {},
        None,
        GOOD | {"dtype": "complex64"},
        GOOD | {"dtype": []},
        GOOD | {"shape": [2, 4]},
        GOOD | {"shape": [2, 2]},
        GOOD | {"shape": [-2, -3]},
        GOOD | {"shape": [10**9, 10**9]},
        GOOD | {"shape": "ab"},
        GOOD | {"shape": None},
        GOOD | {"data": "no base64!"},
        GOOD | {"data": "AAAA"},
        GOOD | {"data": 3},
    ],
)
def test_documents_that_are_not_tensors_are_refused(refused, document):
    with refused(ProvenanceError, "not a tensor", "not a tensor ("):
        decode_tensor(document)


def test_a_few_bytes_cannot_fill_the_memory(refused):
    import base64

    bomb = GOOD | {"data": base64.b64encode(zlib.compress(bytes(50_000_000))).decode()}
    with refused(ProvenanceError, "not a tensor", "do not fill (2, 3)"):
        decode_tensor(bomb)
    with refused(ProvenanceError, "dtype", "complex64"):
        encode_tensor(torch.zeros(1, dtype=torch.complex64))


def test_pixels_are_hashed_as_rgb_bytes():
    images = [picture(seed=seed) for seed in range(2)]
    pixels = b"".join(np.asarray(image).tobytes() for image in images)
    assert pixel_hash(images) == hashlib.sha256(pixels).hexdigest()
    assert pixel_hash(images[0].convert("RGBA")) == pixel_hash(images[0]) == pixel_hash([images[0]])
    assert pixel_hash(images[0]) != pixel_hash(images[1])


def save(kind: str, path, provenance: Provenance) -> None:
    if kind == "png":
        write_png(path, picture(), provenance)
    else:
        save_video([picture((16, 16), seed) for seed in range(3)], path, provenance=provenance)


@pytest.mark.parametrize("size", [6, 400_000])
@pytest.mark.parametrize("kind", ["png", "mp4", "webm", "gif"])
def test_every_container_carries_its_record_however_long(kind, size, tmp_path):
    path = tmp_path / f"made.{kind}"
    save(kind, path, example(size))
    assert read(path) == example(size)
    renamed = path.rename(tmp_path / "no-suffix")
    assert read(renamed) == example(size)


def test_any_reader_opens_a_png_with_a_long_record(tmp_path):
    write_png(tmp_path / "long.png", picture(), example(400_000))
    with Image.open(tmp_path / "long.png") as image:
        assert len(image.text["thoughtspace"]) == 1_000_000
        assert np.array_equal(np.asarray(image), np.asarray(picture()))


def test_text_after_the_pixels_is_found_too(tmp_path):
    """Some editors move text chunks behind the picture."""
    plain, stamped = BytesIO(), stamp_png(picture(), example())
    picture().save(plain, "PNG")
    start = stamped.index(b"zTXt") - 4
    chunk = stamped[start : stamped.index(b"IDAT") - 4]
    moved = plain.getvalue()[:-12] + chunk + plain.getvalue()[-12:]
    (tmp_path / "moved.png").write_bytes(moved)
    assert read(tmp_path / "moved.png") == example()


def test_a_png_saved_again_with_another_record_is_detected(refused, tmp_path):
    write_png(tmp_path / "made.png", picture(), example())
    with Image.open(tmp_path / "made.png") as image:
        text = image.text["thoughtspace"]
        for altered in (text.replace('"seed":0', '"seed":1'), text.replace("0.7 *", "0.8 *")):
            information = PngInfo()
            information.add_itxt("thoughtspace", altered)
            image.save(tmp_path / "altered.png", pnginfo=information)
            with refused(ProvenanceError, "altered", "its hash"):
                read(tmp_path / "altered.png")
        # Negative control: saved again unaltered, it is still its own.
        information = PngInfo()
        information.add_itxt("thoughtspace", text)
        image.save(tmp_path / "again.png", pnginfo=information)
    assert read(tmp_path / "again.png") == example()


@pytest.mark.parametrize("kind", ["png", "gif", "mp4", "webm"])
def test_a_file_without_a_record_is_refused(refused, kind, tmp_path):
    path = tmp_path / f"plain.{kind}"
    if kind == "png":
        picture().save(path)
    else:
        save_video([picture((16, 16))], path)
    with refused(ProvenanceError, "no record", f"plain.{kind}"):
        read(path)


def test_files_that_cannot_be_read_say_why(refused, tmp_path):
    with refused(ProvenanceError, "cannot read", "missing.png", "No such file"):
        read(tmp_path / "missing.png")
    with refused(ProvenanceError, "cannot read", "Is a directory"):
        read(tmp_path)
    for name, content in (
        ("empty.png", b""),
        ("words.mp4", b"only words"),
        ("jpeg.png", b"\xff\xd8\xff\xe0" + bytes(50)),
    ):
        (tmp_path / name).write_bytes(content)
        with refused(ProvenanceError, "damaged", name):
            read(tmp_path / name)


@pytest.mark.parametrize("kind", ["png", "gif", "mp4", "webm"])
def test_a_damaged_file_is_a_one_line_error_or_still_its_own(kind, tmp_path):
    path = tmp_path / f"made.{kind}"
    save(kind, path, example())
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    errors: list[ProvenanceError] = []
    for trial in range(60):
        data = bytearray(whole)
        if trial % 2:
            del data[rng.integers(len(data)) :]
        else:
            for place in rng.integers(0, len(data), size=4):
                data[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        try:
            kept = read(path)
        except ProvenanceError as error:
            errors.append(error)
        else:
            assert kept == example()
    assert errors
    assert {error.code for error in errors} <= {"damaged", "cannot read", "no record", "not a record", "altered"}
    assert all(len(str(error).splitlines()) == 1 for error in errors)


def test_a_text_that_unpacks_to_gigabytes_is_refused(refused, tmp_path):
    """As large as Pillow lets one be: over 1 MiB unpacked it raises, and that is a message here."""
    import struct

    plain = BytesIO()
    picture().save(plain, "PNG")
    body = b"zTXt" + b"thoughtspace\0\0" + zlib.compress(bytes(50_000_000))
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "bomb.png").write_bytes(plain.getvalue()[:33] + chunk + plain.getvalue()[33:])
    with refused(ProvenanceError, "damaged", "bomb.png"):
        read(tmp_path / "bomb.png")


def test_pictures_are_written_whole_or_not_at_all(refused, tmp_path):
    with refused(PictureError, "file name", "a.jpg", ".png"):
        write_png(tmp_path / "a.jpg", picture(), example())
    with refused(PictureError, "cannot write", "No such file or directory"):
        write_png(tmp_path / "missing" / "a.png", picture(), example())
    (tmp_path / "folder.png").mkdir()
    with refused(PictureError, "cannot write", "a folder or device has that name"):
        write_png(tmp_path / "folder.png", picture(), example())
    assert [each.name for each in tmp_path.iterdir()] == ["folder.png"]


def test_replacing_keeps_the_old_file_when_the_writing_fails(tmp_path):
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), replacing(path) as beside:
        beside.write_text("half, then \ud800", encoding="utf-8")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["kept.txt"]
    with replacing(path) as beside:
        beside.write_text("new")
    assert path.read_text() == "new"


def test_replacing_follows_links_and_spares_devices(tmp_path):
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_text("old")
    link.symlink_to(target)
    with replacing(link) as beside:
        beside.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    with pytest.raises(OSError, match="device"), replacing("/dev/null") as beside:
        beside.write_text("gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_machine_and_versions_are_json():
    described = Provenance({"machine": machine(), "versions": versions("torch", "numpy", "no-such-thing")})
    assert described.record["machine"]["threads"] == torch.get_num_threads()
    assert described.record["machine"]["cpu"]
    assert sorted(described.record["versions"]) == ["numpy", "torch"]
