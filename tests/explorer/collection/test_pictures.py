"""Guarded pictures: every allowed format opens, everything else is one error of one line."""

from __future__ import annotations

import io
import os
import signal
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from thoughtspace.explorer.collection import safe_decoding
from thoughtspace.explorer.collection.safe_decoding import PictureWorker
from thoughtspace.explorer.errors import PictureError
from thoughtspace.explorer.records.pictures import (
    FORMATS,
    SUFFIXES,
    decode_picture,
    open_picture,
    printable,
    thumbnail,
)


def photo(width: int = 40, height: int = 30) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x * 6 % 256, y * 8 % 256, (x + y) * 3 % 256], -1).astype(np.uint8))


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width: int, height: int) -> bytes:
    """A PNG with the header of any size and almost no data."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


def opens_or_is_refused(data: bytes) -> bool:
    """Whether a damaged file still opens as RGB, or is refused in one line for one of the reasons that damage has."""
    try:
        return decode_picture(data, name="cut").mode == "RGB"
    except PictureError as error:
        reasons, message = ("damaged", "format", "too large", "empty", "memory"), str(error)
        return error.code in reasons and "cut" in message and "\n" not in message


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM", "TGA", "SGI", "PCX", "QOI", "DIB", "DDS"])
def test_lossless_formats_give_back_the_pixels(form):
    opened = decode_picture(encoded(photo(), form), name=f"a.{form}")
    assert opened.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(opened), np.asarray(photo()))


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "AVIF", "GIF", "JPEG2000", "ICO", "ICNS"])
def test_other_formats_come_close(form):
    small = photo(32, 32)
    opened = decode_picture(encoded(small, form))
    assert opened.mode == "RGB"
    assert np.abs(np.asarray(opened.resize((32, 32)), float) - np.asarray(small, float)).mean() < 12


def test_transparent_pixels_become_white_whatever_their_colour():
    layered = photo().convert("RGBA")
    layered.putalpha(0)
    for picture in (layered, layered.convert("LA")):
        assert np.asarray(decode_picture(encoded(picture, "PNG"))).min() == 255
    palette = photo().quantize(8)
    opened = np.asarray(decode_picture(encoded(palette, "PNG", transparency=palette.getpixel((0, 0)))))
    assert (opened[0, 0] == 255).all()


def test_deep_greys_keep_their_tones():
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (4, 1))
    expected = np.tile(np.arange(256), (4, 1))
    opened = np.asarray(decode_picture(encoded(Image.fromarray(ramp), "PNG")))[..., 0]
    assert np.abs(opened.astype(int) - expected).max() <= 1
    floats = Image.fromarray((ramp / 1000 - 7).astype(np.float32))
    assert np.abs(np.asarray(decode_picture(encoded(floats, "TIFF")))[..., 0].astype(int) - expected).max() <= 1


def test_exif_orientation_is_applied_and_invalid_exif_ignored():
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode_picture(encoded(photo(), "PNG", exif=exif))
    np.testing.assert_array_equal(np.asarray(turned), np.asarray(photo().transpose(Image.Transpose.ROTATE_270)))
    assert decode_picture(encoded(photo(), "JPEG", exif=b"Exif\0\0MM\0*nonsense")).size == (40, 30)


def test_an_animation_gives_its_first_frame():
    frames = [photo(), Image.new("RGB", (40, 30), "red")]
    data = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(np.asarray(decode_picture(data)), np.asarray(frames[0]))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "AVIF", "GIF", "QOI"])
def test_a_picture_cut_anywhere_is_one_line_or_a_picture(form, refused):
    data = encoded(photo(), form)
    for end in range(1, len(data), max(1, len(data) // 25)):
        assert opens_or_is_refused(data[:end])
    with refused(PictureError, "format" if form == "AVIF" else "damaged", "half"):  # half an AVIF is not recognised
        decode_picture(data[: len(data) // 2], name="half")


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remarks on what it skips
def test_random_damage_never_raises_another_kind_of_error():
    rng = np.random.default_rng(0)
    for form in ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "PSD", "ICO"):
        whole = encoded(photo(), form) if form != "PSD" else b"8BPS\0\1" + bytes(300)
        for _ in range(30):
            data = bytearray(whole)
            for place in rng.integers(len(data), size=8):
                data[place] = rng.integers(256)
            assert opens_or_is_refused(bytes(data))


@pytest.mark.parametrize("side", [9_500, 15_000, 60_000])
def test_bombs_are_refused_before_they_are_unpacked(side, refused):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with refused(PictureError, "too large", "expected at most"):
            decode_picture(png_of(side, side))
    with refused(PictureError, "damaged", "cut short"):  # the same file within bounds fails for its data instead
        decode_picture(png_of(300, 300))


def test_programs_are_never_started(refused):
    assert not {"EPS", "WMF", "MPEG", "HDF5", "GRIB", "BUFR"} & set(FORMATS)
    Image.init()
    assert {*FORMATS} - {*Image.OPEN} <= {"HEIF"}  # which a plugin adds
    assert {Image.EXTENSION[suffix] for suffix in SUFFIXES} <= {*FORMATS, "MPO"}
    postscript = encoded(photo(), "EPS")
    with refused(PictureError, "format", "a.eps"):
        decode_picture(postscript, name="a.eps")


def test_a_picture_with_too_long_a_text_opens_without_it():
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "a" * 3_000_000, zip=True)
    data = encoded(photo(), "PNG", pnginfo=texts)
    with pytest.raises(ValueError, match="too large"):
        Image.open(io.BytesIO(data)).load()
    np.testing.assert_array_equal(np.asarray(decode_picture(data)), np.asarray(photo()))


def test_missing_files_and_other_things_are_refused(tmp_path: Path, refused):
    with refused(PictureError, "cannot read", "No such file"):
        open_picture(tmp_path / "missing.png")
    with refused(PictureError, "not a file", tmp_path.name):
        open_picture(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")  # reading it would wait for ever
    with refused(PictureError, "not a file", "pipe.png"):
        open_picture(tmp_path / "pipe.png")
    (tmp_path / "empty.png").touch()
    with refused(PictureError, "empty", "empty.png"):
        open_picture(tmp_path / "empty.png")
    with refused(PictureError, "cannot read", "null"):
        open_picture("a\0b.png")


def test_names_are_made_printable():
    assert printable("a\udcffb") == "a?b"
    assert printable("line\nbreak") == "line break"
    assert printable("Ærø 画 🦊") == "Ærø 画 🦊"


def test_thumbnails_are_small_jpegs_that_look_alike():
    wide = photo(400, 100)
    small = Image.open(io.BytesIO(thumbnail(wide)))
    assert (small.format, small.size) == ("JPEG", (96, 24))
    kept = Image.open(io.BytesIO(thumbnail(photo())))
    assert kept.size == (40, 30)
    assert np.abs(np.asarray(kept, float) - np.asarray(photo(), float)).mean() < 8
    assert wide.size == (400, 100)


def test_a_worker_gives_the_same_pictures_and_errors(refused):
    data = encoded(photo(), "PNG")
    with PictureWorker() as decode:
        np.testing.assert_array_equal(np.asarray(decode(data)), np.asarray(photo()))
        with refused(PictureError, "damaged", "cut.png"):
            decode(data[:60], "cut.png")
        np.testing.assert_array_equal(np.asarray(decode(data)), np.asarray(photo()))


def test_a_worker_that_dies_or_hangs_loses_one_picture(refused, monkeypatch):
    data = encoded(photo(), "PNG")
    with PictureWorker() as decode:
        decode(data)
        decode._process.kill()
        decode._process.wait()
        assert decode(data).size == (40, 30)
        os.kill(decode._process.pid, signal.SIGSTOP)
        monkeypatch.setattr(safe_decoding, "SECONDS", 0.2)
        with refused(PictureError, "too slow", "0.2 s"):
            decode(data)
        monkeypatch.undo()
        assert decode(data).size == (40, 30)
