"""Texts, tables, names and numbers of every kind come back as they were written."""

from __future__ import annotations

import csv
import io
import json
import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thoughtspace.explorer.collection.items import TAKEN, column_names
from thoughtspace.explorer.collection.reading.columns import roles
from thoughtspace.explorer.collection.reading.names import Names, real, stored
from thoughtspace.explorer.collection.reading.sheets import read_sheet
from thoughtspace.explorer.collection.reading.text import clean, decode, lines, shortened
from thoughtspace.explorer.collection.reading.values import plain, typed
from thoughtspace.explorer.errors import CollectionError

FILES = ("a.png", "b.png")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "utf-16-le", "utf-16-be")
characters = st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"))
captions = st.text(characters, min_size=1, max_size=40).map(clean).filter(bool)


def is_file(name: str) -> bool:
    return name in FILES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


def table_of(rows, *, separator=",", ending="\n", encoding="utf-8", quoting=csv.QUOTE_MINIMAL) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator=ending, quoting=quoting).writerows(rows)
    return text.getvalue().encode(encoding)


@settings(max_examples=200, deadline=None)
@given(
    encoding=st.sampled_from(ENCODINGS),
    separator=st.sampled_from(",;\t|"),
    ending=st.sampled_from(("\n", "\r\n", "\r")),
    header=st.sampled_from(
        [
            *(("file", "caption"), ("Image Name", "Caption Text"), ("filename", "prompt"), ("IMG", "Text"), None),
            *(("Datei", "Beschreibung"), ("image_path", "Positive Prompt"), ("Bildnummer", "Zeile")),
        ]
    ),
    quoting=st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
    first=st.sampled_from(("a red fox", "a café, at dusk; by night", 'she said "hi"', "two | bars\tand a tab")),
    second=st.sampled_from(("007", "a boat", "1e3", "TRUE", "ein Mädchen")),
)
def test_encodings_separators_line_ends_and_headers(
    folder, encoding, separator, ending, header, quoting, first, second
):
    rows = [*([header] if header else []), ("a.png", first), ("b.png", second)]
    (folder / "t.csv").write_bytes(
        table_of(rows, separator=separator, ending=ending, encoding=encoding, quoting=quoting)
    )
    sheet = read_sheet(folder / "t.csv", is_file)
    assert [(row.file, list(row.texts), row.problem) for row in sheet.rows] == [
        ("a.png", [clean(first)], ""),
        ("b.png", [clean(second)], ""),
    ]
    assert sheet.header == (header is not None)
    assert sheet.guessed == (
        encoding in ("utf-16-le", "utf-16-be") or (encoding == "cp1252" and sheet.encoding != "utf-8")
    )


@settings(max_examples=200, deadline=None)
@given(st.lists(captions, min_size=2, max_size=2), st.sampled_from((".csv", ".tsv", ".jsonl", ".json", ".txt")))
def test_captions_of_any_unicode_text_come_back_equal(folder, texts, suffix):
    rows = [{"file": name, "caption": text} for name, text in zip(FILES, texts, strict=True)]
    path = folder / f"u{suffix}"
    if suffix == ".txt":
        path.write_bytes("\n".join(texts).encode("utf-8-sig"))  # without the mark, a first U+FEFF would be one
        assert [clean(line) for line in lines(decode(path.read_bytes()).text)] == texts
        return
    if suffix in (".csv", ".tsv"):
        found = [("file", "caption"), *(tuple(row.values()) for row in rows)]
        path.write_bytes(table_of(found, separator="\t" if suffix == ".tsv" else ",", quoting=csv.QUOTE_ALL))
    else:
        document = rows if suffix == ".json" else None
        whole = json.dumps(document) if document else "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        path.write_text(whole, encoding="utf-8", newline="")
    assert [list(row.texts) for row in read_sheet(path, is_file).rows] == [[text] for text in texts]


def test_only_controls_line_separators_and_surrogates_are_replaced():
    for code in (*range(0x3000), *range(0xD7F0, 0xE010), *range(0xFE00, 0x10000), *range(0xE0000, 0xE0200), 0x1FAE8):
        controls = code < 0x20 or 0x7F <= code < 0xA0 or code in (0x2028, 0x2029)
        kept = "a b" if controls or code == 0x20 else "a\ufffdb" if 0xD800 <= code < 0xE000 else f"a{chr(code)}b"
        assert clean(f"a{chr(code)}b") == kept
    assert lines("a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g\rh\r\ni\n") == ["a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g", "h", "i"]
    assert len("a\x0bb\u2028c".splitlines()) == 3  # control: what a file's lines are not


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"\x81\x8d", b"\x89PNG\r\n\x1a\n\x00\x01\xff", b"caf\xe9\x01"])
def test_what_is_no_text_is_refused(data, refused):
    with refused(CollectionError, "not a text"):
        decode(data)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(0, 2**64 - 1), st.integers(-(2**63), 0)), min_size=1))
def test_whole_numbers_stay_exact(numbers):
    assert typed(["" if number is None else str(number) for number in numbers]) == numbers
    assert [plain(number) for number in numbers] == numbers


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["007", "8"], ["007", "8"]),
        (["1.5", "", "2"], [1.5, None, 2.0]),
        (["1.5", "9007199254740993"], ["1.5", "9007199254740993"]),  # as a float it would be another number
        (["18446744073709551616", "1"], ["18446744073709551616", "1"]),
        (["1", "nan", "inf"], [1, None, None]),
        (["nan", "grandmother"], ["nan", "grandmother"]),
        (["True", "False"], ["True", "False"]),
        (["1e400", "1"], ["1e400", "1"]),
        (["1_000", "２"], ["1_000", "２"]),
    ],
)
def test_types_are_never_guessed_wrong(cells, values):
    found = typed(cells)
    assert found == values
    assert list(map(type, found)) == list(map(type, values))
    json.dumps(found, allow_nan=False)


@settings(max_examples=200, deadline=None)
@given(
    name=st.text(st.characters(categories=("Ll", "Lu", "Nd", "Mn"), max_codepoint=0x3000), min_size=1, max_size=20),
    on_disk=st.sampled_from(("NFC", "NFD")),
    written=st.sampled_from(("NFC", "NFD")),
    change=st.sampled_from(("as it is", "case", "no ending", "backslash", "bare", "spaces")),
)
def test_names_match_in_any_normal_form(name, on_disk, written, change):
    file = f"/data/sub/{unicodedata.normalize(on_disk, name)}.png"
    asked = unicodedata.normalize(written, f"sub/{name}.png")
    asked = {
        "case": asked.replace(".png", ".PNG"),
        "no ending": asked.removesuffix(".png"),
        "backslash": asked.replace("/", "\\"),
        "bare": os.path.basename(asked),
        "spaces": f" {asked} ",
    }.get(change, asked)
    names = Names([file, "/data/sub/another file.jpg"])
    assert names.find(asked, Path("/data")) == file
    assert names.find(f"{asked}-not-there", Path("/data")) is None  # control


def test_a_name_that_means_two_files_means_none():
    names = Names(["/d/a/x.png", "/d/b/x.png", "/d/a/y.png", "/d/a/y.jpg", "/d/fox one.png"])
    assert names.find("x.png", Path("/d")) is None
    assert names.find("a/x.png", Path("/d")) == "/d/a/x.png"
    assert names.find("a/y", Path("/d")) is None
    assert names.find("fox one.jpg", Path("/d")) is None  # another ending is another file
    assert names.nearest("fox on.png") == "fox one.png"
    assert names.nearest("zebra") is None
    assert names.find("n" * 5000, Path("/d")) is None


@given(st.binary(min_size=1, max_size=40).filter(lambda data: not {0, 47} & set(data)))
def test_any_path_is_stored_and_found_again(name):
    path = os.path.abspath(b"/data/" + name)
    assert os.fsencode(real(stored(path))) == path
    stored(path).encode()


def test_cells_are_counted_against_the_header(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("file,caption,n\na.png,a fox,1,,\nb.png,a boat, red,2\nb.png\nb.png,a hill,3\n")
    rows = read_sheet(path, is_file).rows
    assert [(row.file, list(row.texts), dict(row.extras)) for row in rows if not row.problem] == [
        ("a.png", ["a fox"], {"n": 1}),
        ("b.png", ["a hill"], {"n": 3}),
    ]
    assert [(row.line, row.problem) for row in rows if row.problem] == [
        (3, "4 cells where the header has 3"),
        (4, "1 cells where the header has 3"),
    ]
    path.write_text("file,caption\na.png,a fox, red\nb.png,a boat\n")
    sheet = read_sheet(path, is_file)
    assert [list(row.texts) for row in sheet.rows] == [["a fox, red"], ["a boat"]]
    assert sheet.joined == 1


def test_a_quotation_mark_that_is_never_closed_spoils_its_row_alone(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('file,caption\na.png,"a fox\nb.png,"big" boat\na.png,a 6" nail\nb.png,"two\nlines"\n')
    rows = read_sheet(path, is_file).rows
    assert [row.problem for row in rows] == ["a quotation mark that is not closed", "", "", ""]
    assert [list(row.texts) for row in rows[1:]] == [['"big" boat'], ['a 6" nail'], ["two lines"]]
    assert [row.line for row in rows] == [2, 3, 4, 5]


def test_lines_of_json_that_are_none_are_listed(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"file": "a.png", "text": ["one", "two"], "n": NaN}\n{"file"\n3\n{"file": "b.png", "seed": 7}\n')
    rows = read_sheet(path, is_file).rows
    assert [(row.file, list(row.texts), dict(row.extras), bool(row.problem)) for row in rows] == [
        ("a.png", ["one", "two"], {}, False),
        ("", [], {}, True),
        ("", [], {}, True),
        ("b.png", [], {"seed": 7}, False),
    ]


def test_documents_of_json(tmp_path):
    for document in ([{"img": "a.png", "prompt": "a fox"}], {"data": [{"img": "a.png", "prompt": "a fox"}], "v": 1}):
        (tmp_path / "t.json").write_text(json.dumps(document))
        row = read_sheet(tmp_path / "t.json", is_file).rows[0]
        assert (row.file, list(row.texts)) == ("a.png", ["a fox"])
    (tmp_path / "t.json").write_text('{"a": 1}')
    with pytest.raises(CollectionError, match="no list of objects"):
        read_sheet(tmp_path / "t.json", is_file)


def test_columns_are_found_by_their_words_and_by_their_cells():
    def found(header, *sample):
        known = roles(header, sample, is_file)
        return known.file, known.texts

    assert found(["id", "fileName", "negative prompt", "Prompt"]) == (1, (3,))
    assert found(["image", "caption_1", "caption_2", "text"]) == (0, (1, 2))
    assert found(["image", "filename", "caption"], ["http://x", "a.png", "a"]) == (1, (2,))  # files that are there
    assert found(["nom", "mots", "n"], ["a.png", "un renard tout roux", "3"]) == (0, (1,))
    assert found(["file", "author"], ["a.png", "Jane Doe"]) == (0, ())  # a name is no caption
    assert found(["hair", "score"], ["red", "1"]) == (None, ())


@given(st.lists(st.sampled_from((*TAKEN, "style", "score_", "x_", "x__")), unique=True))
def test_no_column_of_a_user_takes_a_name_of_the_program(names):
    found = column_names(names)
    assert list(found) == names
    assert not set(found.values()) & set(TAKEN)
    assert len(set(found.values())) == len(names)
    assert all(found[name] == name for name in names if name not in TAKEN)


def test_texts_in_messages_are_short():
    assert len(shortened("x" * 10_000)) == 80
    assert shortened("a\nb") == "a b"
