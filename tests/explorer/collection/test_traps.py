"""What would take minutes, gigabytes or forever is refused by a look: pictures, tables, pipes, arrays."""

from __future__ import annotations

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.prompts.carried import read_carried
from thoughtspace.explorer.collection.reading.rows import MOST_COLUMNS, MOST_LETTERS
from thoughtspace.explorer.collection.reading.sheets import read_sheet
from thoughtspace.explorer.collection.reading.vectors import read_vectors
from thoughtspace.explorer.records import picture_colours, picture_traps
from thoughtspace.explorer.records.pictures import decode_picture


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def photo(mode: str, side: int = 64) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (side, side, 4), dtype=np.uint8)
    if mode == "F":
        return Image.fromarray(values[..., 0].astype(np.float32) * 3 - 100)
    if mode == "I;16":
        return Image.fromarray(values[..., 0].astype(np.uint16) * 16)
    return Image.fromarray(values).convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "L", "CMYK", "F", "I;16"])
def test_pictures_converted_in_bands_have_the_same_pixels(mode, monkeypatch):
    data = encoded(photo(mode), "TIFF" if mode in ("CMYK", "F") else "PNG")
    whole = decode_picture(data)
    monkeypatch.setattr(picture_colours, "_BAND", 64 * 7)  # bands of 7 rows, and a last one of 1
    banded = decode_picture(data)
    assert banded.mode == "RGB"
    assert banded.tobytes() == whole.tobytes()


def test_a_jpeg_of_many_scans_is_refused_and_one_of_few_is_read(refused, monkeypatch):
    given = encoded(Image.new("L", (64, 64)), "JPEG", progressive=True)
    last = given.rindex(b"\xff\xda")
    many = given[:last] + given[last:-2] * 50 + given[-2:]
    assert decode_picture(many).size == (64, 64)  # so many scans of so small a picture take no time
    monkeypatch.setattr(picture_traps, "MOST_PASSES", 64 * 64 * 20)
    assert decode_picture(given).size == (64, 64)
    refused("too slow", "scans", lambda: decode_picture(many))


def test_parts_without_end_are_refused(refused, monkeypatch):
    monkeypatch.setattr(picture_traps, "MOST_PARTS", 100)
    jpeg, png = encoded(photo("RGB"), "JPEG"), encoded(photo("RGB"), "PNG")
    empty = struct.pack(">I4sI", 0, b"abCd", zlib.crc32(b"abCd"))
    assert decode_picture(jpeg[:2] + b"\xff\xfe\0\2" * 80 + jpeg[2:]).size == (64, 64)
    assert decode_picture(png[:33] + empty * 80 + png[33:]).size == (64, 64)
    for many in (b"\xff\xfe\0\2" * 200, b"\xff" * 200):
        refused("too slow", "segments", lambda many=many: decode_picture(jpeg[:2] + many + jpeg[2:]))
    refused("too slow", "chunks", lambda: decode_picture(png[:33] + empty * 200 + png[33:]))


def test_texts_are_found_behind_fill_bytes_however_many():
    """A loop over each of them would take minutes."""
    exif = Image.Exif()
    exif[0x010E] = "a red fox"
    given = encoded(photo("RGB"), "JPEG", exif=exif)
    at = given.index(b"\xff\xe1")
    plain, filled = read_carried(given), read_carried(given[:at] + b"\xff" * (64 * 2**20) + given[at:])
    assert plain.exif["ImageDescription"] == "a red fox"
    assert filled.exif == plain.exif


@pytest.mark.parametrize("form", ["QOI", "DDS"])
def test_formats_that_are_slow_to_decode_have_fewer_pixels(form, refused, monkeypatch):
    data = encoded(photo("RGB"), form)
    assert decode_picture(data).size == (64, 64)
    monkeypatch.setattr(picture_traps, "MOST_SLOW_PIXELS", dict.fromkeys(picture_traps.MOST_SLOW_PIXELS, 64 * 63))
    refused("too slow", "64 × 64 pixels", lambda: decode_picture(data))


def test_pipes_called_tables_texts_archives_and_arrays_are_never_opened(explorer, make_pictures, tmp_path, refused):
    folder = make_pictures(1, captions=False)
    names = ("captions.csv", "metadata.parquet", "00000.txt", "a.zip", "prompts.txt", "b.png")
    for name in names:
        os.mkfifo(folder / name)
    (folder / "inside").mkdir()
    os.mkfifo(folder / "inside" / "collection.json")
    report = ingest(explorer, folder, tmp_path / "out")
    assert report.items == 1
    assert sorted(each["source"] for each in report.failed) == sorted(str(folder / name) for name in names)
    os.mkfifo(tmp_path / "a.npy")
    refused("cannot read", "regular", lambda: read_vectors(tmp_path / "a.npy"))


def test_a_table_that_cannot_be_read_has_one_reason(explorer, make_pictures, tmp_path):
    folder = make_pictures(1, captions=False)
    (folder / "captions.csv").write_bytes(b"\x89PNG\0\1\xff")
    report = ingest(explorer, folder, tmp_path / "out")
    assert [each["source"] for each in report.failed] == [str(folder / "captions.csv")]
    assert sum("captions.csv" in line for line in report.in_words()) == 1


def test_wide_tables_long_cells_and_names_of_many_words(tmp_path, refused):
    table = tmp_path / "a.csv"
    table.write_text("file,caption" + ",c" * (MOST_COLUMNS - 2) + "\n" + "a.png,a" + "," * (MOST_COLUMNS - 2))
    assert read_sheet(table, lambda _: False).rows[0].texts == ["a"]
    table.write_text("," * MOST_COLUMNS)
    refused("cannot read", str(MOST_COLUMNS), lambda: read_sheet(table, lambda _: False))
    table.write_text(f"file,caption,n\na.png,a,1\nb.png,{'b' * (MOST_LETTERS + 1)},2\nc.png,c,3\n")
    rows = read_sheet(table, lambda _: False).rows
    assert [bool(row.problem) for row in rows] == [False, True, False]
    assert [row.extras.get("n") for row in rows] == [1, None, 3]
    table.write_text("filename" * 40 + "q,caption\na,b\n")  # a pattern that tries every split would not come back
    assert read_sheet(table, lambda _: False).file is None


@pytest.mark.parametrize(
    "header", ["__import__('os')", "[" * 9000, "{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }"]
)
def test_headers_of_arrays_are_refused_in_plain_words(tmp_path, header, refused):
    data = b"\x93NUMPY\1\0" + struct.pack("<H", len(header) + 1) + header.encode() + b"\n" + bytes(64)
    (tmp_path / "a.npy").write_bytes(data)
    refused("cannot read", "header", lambda: read_vectors(tmp_path / "a.npy"))
