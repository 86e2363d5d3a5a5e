"""What a picture carries: texts of every kind of chunk and every encoding, whole or damaged."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from thoughtspace.explorer.collection.prompts.carried import MAX_TEXT, read_carried
from thoughtspace.explorer.collection.prompts.exif import user_comment

WORDS = "a fox, 一只狐狸 🦊 naïve\nline 2"


def test_every_kind_of_chunk_in_its_encoding(png):
    data = png(
        {"Title": "café"},  # Pillow writes Latin-1
        (b"tEXt", b"utf8\0" + WORDS.encode()),
        (b"zTXt", b"packed\0\0" + zlib.compress("café".encode("latin-1"))),
        (b"iTXt", b"plain\0\0\0en\0Titel\0" + WORDS.encode()),
        (b"iTXt", b"both\0\1\0\0\0" + zlib.compress(WORDS.encode())),
        (b"tEXt", b"twice\0first"),
        (b"tEXt", b"twice\0last"),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>"),
    )
    found = read_carried(data, "fox.png")
    assert dict(found.texts) == {
        "Title": "café",
        "utf8": WORDS,
        "packed": "café",
        "plain": WORDS,
        "both": WORDS,
        "twice": "last",
    }
    assert (found.xmp, found.name) == ("<x/>", "fox.png")


def latin_that_reads_as_utf8(text: str) -> bool:
    """Whether Pillow writes a text as Latin-1 bytes that are valid UTF-8 too, such as `Ã©` for `é`."""
    try:
        return not text.isascii() and text.encode("latin-1").decode("utf-8") != text
    except UnicodeError:
        return False


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_that_pillow_writes_comes_back(png, text):
    assume(not latin_that_reads_as_utf8(text))
    assert read_carried(png({"parameters": text})).texts["parameters"] == text


def test_latin_1_that_reads_as_utf_8_is_the_one_exception(png):
    """Negative control of the condition above."""
    assert latin_that_reads_as_utf8("Ã©")
    assert read_carried(png({"parameters": "Ã©"})).texts["parameters"] == "é"


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_texts_of_every_container(holding, exif, format, order):
    comment = b"UNICODE\0" + WORDS.encode("utf-16-be")
    data = holding(format, exif(comment, order=order, ImageDescription="a naïve fox", Software="NovelAI", Model="m"))
    found = read_carried(data)
    assert found.user_comment == WORDS
    assert (found.description, found.software, found.exif["Model"]) == ("a naïve fox", "NovelAI", "m")


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_exif_and_xmp_as_pillow_writes_them(format):
    """Fooocus sets UserComment so: Pillow puts it, as ASCII text, into the first directory."""
    exif = Image.Exif()
    exif[0x9286], exif[0x0131], exif[0x927C] = '{"prompt": "a fox"}', "Fooocus v2.5.5", "fooocus"
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, format, exif=exif, xmp=b"<x/>")
    found = read_carried(buffer.getvalue())
    assert (found.user_comment, found.software, found.exif["MakerNote"]) == (
        '{"prompt": "a fox"}',
        "Fooocus v2.5.5",
        "fooocus",
    )
    assert found.xmp == "<x/>"


@pytest.mark.parametrize(
    ("code", "encoding"),
    [
        (b"UNICODE\0", "utf-16-be"),
        (b"UNICODE\0", "utf-16-le"),
        (b"UNICODE\0", "utf-16"),
        (b"UNICODE\0", "utf-8"),
        (b"ASCII\0\0\0", "utf-8"),
        (bytes(8), "utf-8"),
        (b"", "utf-8"),
    ],
)
def test_user_comments_of_every_code(code, encoding):
    assert user_comment(code + WORDS.encode(encoding)) == WORDS
    assert user_comment(code + (WORDS + "\0").encode(encoding)) == WORDS


def test_a_comment_in_the_wrong_byte_order_would_be_seen():
    """Negative control: the two orders give different texts."""
    assert WORDS.encode("utf-16-be").decode("utf-16-le", "replace") != WORDS


def test_texts_that_unpack_to_too_much_are_left_out_and_cost_little(png):
    bomb = zlib.compress(bytes(200 * MAX_TEXT), 9)
    data = png({"kept": "a fox"}, (b"zTXt", b"bomb\0\0" + bomb), (b"tEXt", b"long\0" + b"x" * (MAX_TEXT + 1)))
    tracemalloc.start()
    found = read_carried(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert dict(found.texts) == {"kept": "a fox"}
    assert peak < 6 * MAX_TEXT


def test_all_texts_together_are_bounded(png):
    packed = zlib.compress(b"x" * MAX_TEXT, 9)
    found = read_carried(png({}, *((b"zTXt", b"%d\0\0" % n + packed) for n in range(10))))
    assert list(found.texts) == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    "chunk",
    [
        (b"zTXt", b"parameters\0\0not zlib"),
        (b"zTXt", b"parameters\0\0" + zlib.compress(b"a fox" * 99)[:-9]),
        (b"iTXt", b"parameters\0\1"),
        (b"tEXt", b"no zero"),
        (b"tEXt", b"\0no keyword"),
        (b"eXIf", b"II*\0\xff\xff\xff\xff"),
        (b"eXIf", b"no header"),
    ],
)
def test_damaged_parts_are_left_out(png, chunk):
    found = read_carried(png({"kept": "a fox"}, chunk))
    assert (dict(found.texts), dict(found.exif)) == ({"kept": "a fox"}, {})


@given(st.binary(max_size=300), st.integers(0, 400), st.sampled_from(["PNG", "JPEG", "WEBP"]))
def test_damage_never_raises(png, holding, exif, noise, at, format):
    data = png({"parameters": "a fox"}) if format == "PNG" else holding(format, exif(b"ASCII\0\0\0a fox", Make="x"))
    damaged = data[:at] + noise + data[at + len(noise) :]
    for each in (damaged, damaged[:at], data[:12] + noise, data[:2] + noise):
        found = read_carried(each, "name")
        assert found.name == "name"
        assert all(isinstance(text, str) for text in (*found.texts.values(), *found.exif.values(), found.xmp))


@given(st.binary(max_size=200))
def test_exif_data_of_any_bytes_never_raise(holding, noise):
    data = b"Exif\0\0II*\0" + struct.pack("<I", 8) + noise
    assert set(read_carried(holding("PNG", data)).exif) <= {"Make", "Model", "Software", "ImageDescription"} | {
        "UserComment",
        "MakerNote",
    }
