"""Infotext of A1111 and Forge, written by its documented rules."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thoughtspace.explorer.collection.prompts import find
from thoughtspace.explorer.collection.prompts.a1111 import read_text
from thoughtspace.explorer.collection.prompts.carried import Carried, read_carried
from thoughtspace.explorer.collection.prompts.settings import MAX_INTEGER, MAX_RAW

SETTINGS = (
    "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 18446744073709551615, "
    'Size: 512x768, Model hash: 6ce0161689, Model: v1-5-pruned, Lora hashes: "fox: 1a2b, cat: 3c4d", '
    'Hires prompt: "a fox,\\nin snow: \\"deep\\"", Version: v1.10.1'
)
INFOTEXT = f"a red fox <lora:fox:0.8>, (snow:1.2)\nBREAK a cabin\nNegative prompt: blurry,\nugly\n{SETTINGS}"


def quote(text: str) -> str:
    """As infotext_utils.quote of the web UI."""
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ",\n:") else text


def infotext(prompt: str, negative: str, settings: dict[str, str]) -> str:
    """As create_infotext of the web UI."""
    line = ", ".join(f"{key}: {quote(value)}" for key, value in settings.items())
    return f"{prompt}\nNegative prompt: {negative}\n{line}" if negative else f"{prompt}\n{line}"


def check_infotext(found):
    assert found.source == "a1111"
    assert found.prompt == "a red fox <lora:fox:0.8>, (snow:1.2)\nBREAK a cabin"
    assert found.negative == "blurry,\nugly"
    assert (found.seed, found.steps, found.sampler) == (MAX_INTEGER, 20, "DPM++ 2M")
    assert (found.guidance, found.model, found.size) == (7.5, "v1-5-pruned", (512, 768))
    assert found.more == {
        "Schedule type": "Karras",
        "Model hash": "6ce0161689",
        "Lora hashes": "fox: 1a2b, cat: 3c4d",
        "Hires prompt": 'a fox,\nin snow: "deep"',
        "Version": "v1.10.1",
    }
    assert (found.raw, found.note) == (INFOTEXT, "")


def test_the_text_of_a_png(png):
    check_infotext(find.settings_of(read_carried(png({"parameters": INFOTEXT}))))


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "PNG"])
def test_the_exif_of_other_formats(holding, exif, format):
    comment = b"UNICODE\0" + INFOTEXT.encode("utf-16-be")
    check_infotext(find.settings_of(read_carried(holding(format, exif(comment, order=">")))))


def test_a_file_beside_the_picture():
    check_infotext(find.settings_in_text(INFOTEXT))
    windows = find.settings_in_text(INFOTEXT.replace("\n", "\r\n") + "\r\n")
    assert (windows.prompt, windows.negative) == (
        "a red fox <lora:fox:0.8>, (snow:1.2)\nBREAK a cabin",
        "blurry,\nugly",
    )


def test_the_columns_are_plain_and_typed():
    assert read_text(INFOTEXT).columns() == {
        "negative": "blurry,\nugly",
        "seed": MAX_INTEGER,
        "steps": 20,
        "sampler": "DPM++ 2M",
        "guidance": 7.5,
        "model": "v1-5-pruned",
        "prompt_source": "a1111",
        "prompt_raw": INFOTEXT,
    }
    long = read_text(f"{'fox ' * MAX_RAW}\n{SETTINGS}").columns()
    assert "prompt_raw" not in long
    assert str(4 * MAX_RAW + len(SETTINGS) + 1) in long["prompt_note"]


def test_without_a_negative_prompt():
    found = read_text("a fox\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1")
    assert (found.prompt, found.negative, found.seed, found.guidance) == ("a fox", None, 1, 7.0)
    assert "negative" not in found.columns()


def test_without_settings_or_with_two():
    bare = read_text("a fox\nNegative prompt: blurry")
    assert (bare.prompt, bare.negative, bare.steps) == ("a fox", "blurry", None)
    two = read_text("a fox\nNegative prompt: blurry\nSteps: 20, Seed: 1")
    assert (two.prompt, two.negative, two.steps, two.seed) == ("a fox", "blurry", 20, 1)


def test_without_a_prompt():
    found = read_text("Negative prompt: blurry\nSteps: 20, Sampler: Euler a, Seed: 1")
    assert (found.prompt, found.negative, found.steps) == ("", "blurry", 20)


def test_a_prompt_that_looks_like_settings_or_holds_negatives_stays_whole():
    prompt = "Steps: a stair, Size: huge, Model: old\nwith Negative prompt: in a line"
    found = read_text(f"{prompt}\nNegative prompt: blurry\n{SETTINGS}")
    assert (found.prompt, found.negative, found.steps, found.note) == (prompt, "blurry", 20, "")
    pasted = read_text(f"a fox\nSteps: 9, Sampler: Heun, CFG scale: 3, Seed: 5\nin snow\n{SETTINGS}")
    assert (pasted.steps, pasted.prompt.count("\n")) == (20, 2)


def test_a_second_negative_line_is_said():
    found = read_text(f"a fox\nNegative prompt: one\nNegative prompt: two\n{SETTINGS}")
    assert (found.prompt, found.negative) == ("a fox", "one\ntwo")
    assert "2 lines" in found.note


def test_what_extensions_write_below_is_kept():
    found = read_text(f"a fox\n{SETTINGS}\nTemplate: a {{fox|cat}}")
    assert (found.prompt, found.steps) == ("a fox", 20)
    assert found.more["after the settings"] == "Template: a {fox|cat}"


@pytest.mark.parametrize(
    "caption",
    [
        "Steps: we walked",
        "Steps: 3, then a door",
        "Steps: we walked, Size: large, Model: Anna",
        "Height: 3 m, Width: 2 m, Colour: red",
        "a fox, seed: 3, in snow",
        "a plain caption\non two lines",
        "",
        " \n",
    ],
)
def test_a_caption_is_no_settings(caption):
    """Negative control: these stay captions; in a PNG's `parameters` they are prompts."""
    assert find.settings_in_text(caption) is None
    assert find.settings_of(Carried(exif={"UserComment": caption})) is None
    inside = find.settings_of(Carried(texts={"parameters": caption}))
    assert (inside.prompt if inside else "") == caption.strip()


words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=40)
prompts = (
    st.lists(words.map(str.strip).filter(lambda line: not line.startswith("Negative prompt:")), min_size=1, max_size=4)
    .map("\n".join)
    .map(str.strip)
)
values = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), max_size=30).map(str.strip)


@given(
    prompts,
    prompts,
    st.integers(0, MAX_INTEGER),
    st.integers(1, 150),
    st.floats(0, 30),
    values.filter(lambda value: value and not value.startswith('"')),
)
def test_infotext_of_any_prompt_comes_back(prompt, negative, seed, steps, guidance, extra):
    settings = {"Steps": str(steps), "Sampler": "Euler a", "CFG scale": f"{guidance:.6f}", "Seed": str(seed)}
    found = read_text(infotext(prompt, negative, {**settings, "Model": "fox", "Hires prompt": extra}))
    assert (found.prompt, found.negative or "") == (prompt, negative)
    assert (found.seed, found.steps, found.sampler, found.model) == (seed, steps, "Euler a", "fox")
    assert found.guidance == float(f"{guidance:.6f}")
    assert found.more["Hires prompt"] == extra


@pytest.mark.parametrize(
    ("text", "prompt", "negative"),
    [
        (f"a red fox, snow, {SETTINGS}", "a red fox, snow", None),
        (f"a red fox. Negative prompt: blurry, ugly {SETTINGS}", "a red fox.", "blurry, ugly"),
        (f"a red fox\nNegative prompt: blurry, {SETTINGS}", "a red fox", "blurry"),
        (SETTINGS, "", None),
        (f'a fox\n{SETTINGS}, ADetailer prompt: "a face, Steps: 3, x"', "a fox", None),
    ],
)
def test_lines_that_were_put_into_one_are_parted_again(text, prompt, negative):
    found = read_text(text)
    assert (found.prompt, found.negative) == (prompt, negative)
    assert (found.steps, found.seed, found.raw) == (20, MAX_INTEGER, text)


def test_a_sentence_about_steps_is_no_infotext():
    assert read_text("how to dance: Steps: 3, then go. Negative prompt: none") is None
