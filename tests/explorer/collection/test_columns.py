"""Which column is the caption, in many languages, and which is none."""

from __future__ import annotations

import pytest

from thoughtspace.explorer.collection.reading.columns import roles, roles_of_records

NAMES = ("a.png", "b.png", "c.png")


def columns(*names: str, cells=("a red fox in snow", "a boat at sea", "a hill by night")):
    rows = [[file, text, "1990"] for file, text in zip(NAMES, cells, strict=True)]
    return roles(["image_id", *names], rows, lambda name: name in NAMES)


@pytest.mark.parametrize(
    "name",
    [
        *("blip_caption", "generated_caption", "AI caption (BLIP)", "label", "cap", "titel", "legenda", "didascalia"),
        *(
            "bijschrift",
            "описание",
            "txt",
            "描述",
            "图片描述",
            "説明",
            "キャプション",
            "설명",
            "Açıklama",
            "Bildunterschrift",
        ),
        *("descrição", "descripción", "légende", "opis", "подпись к фото"),
    ],
)
@pytest.mark.parametrize("cells", [("fox one", "boat two", "hill three"), ("a red fox in snow", "a boat", "a hill")])
def test_words_for_captions(name, cells):
    assert columns(name, "year", cells=cells).texts == (1,)


@pytest.mark.parametrize(
    "name",
    ["caption_length", "text_score", "prompt_id", "negative_prompt", "caption_model", "hair", "label", "alternative"],
)
def test_false_friends(name):
    assert columns(name, "year", cells=("cat", "cat", "dog")).texts == ()
    assert columns(name, "year", cells=("3", "4", "5")).texts == ()


def test_a_better_column_comes_first():
    def found(*names):
        rows = [["a.png", "a red fox", "another red fox"], ["b.png", "a boat", "another boat"]]
        return roles(["file", *names], rows, NAMES.__contains__).texts

    assert found("label", "caption") == found("cap", "blip_caption") == (2,)
    assert found("generated_caption", "caption") == (2,)
    assert found("old_caption", "new_caption") == ()
    assert found("blip_caption_1", "blip_caption_2") == (1, 2)


@pytest.mark.parametrize(
    "header", [["文件名", "描述", "年份"], ["ファイル名", "説明文", "年"], ["имя файла", "описание", "год"], None]
)
def test_scripts_without_spaces(header):
    records = [["a.png", "一只红色的狐狸在雪地里", "1990"], ["b.png", "赤いキツネが眠っている", "2024"]]
    known = roles_of_records([*([header] if header else []), *records], NAMES.__contains__)
    assert (known.file, known.texts, known.header) == (0, (1,), header is not None)
