"""Damaged and hostile texts give no settings or a part of them: they never raise, and they end."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thoughtspace.explorer.collection.prompts.carried import Carried
from thoughtspace.explorer.collection.prompts.find import READERS, settings_in_text, settings_of
from thoughtspace.explorer.collection.prompts.settings import MAX_INTEGER, Settings

KEYS = ("parameters", "prompt", "workflow", "invokeai_metadata", "sd-metadata", "Dream", "Description", "Comment")
PLACES = (*KEYS, "UserComment", "Model", "ImageDescription", "xmp")
FIELDS = (
    *("prompt", "negative_prompt", "negativeprompt", "positive_prompt", "uc", "seed", "steps", "sampler", "scale"),
    *("cfg_scale", "model", "image", "sui_image_params", "base_model", "full_prompt", "resolution", "version"),
    *("v4_prompt", "caption", "base_caption", "char_captions", "class_type", "inputs", "1", "nodes", "Comment"),
    *("Software", "text", "positive", "negative", "latent_image", "noise_seed", "cfg"),
)


def carrying(place: str, text: str) -> Carried:
    """The text in one place, with what makes readers look there."""
    if place in KEYS:
        return Carried(texts={"Software": "NovelAI" if place == "Comment" else "", place: text})
    return Carried(xmp=text) if place == "xmp" else Carried(exif={place: text, "MakerNote": "fooocus"})


def check(found: Settings | None) -> None:
    """Whatever was read has the right types and can be stored."""
    if found is None:
        return
    columns = found.columns()
    for name in ("negative", "sampler", "model", "prompt_source", "prompt_raw", "prompt_note"):
        assert isinstance(columns.get(name, ""), str)
    assert isinstance(columns.get("steps", 0), int)
    assert -(2**63) <= columns.get("seed", 0) <= MAX_INTEGER
    assert isinstance(columns.get("guidance", 0.0), float)
    json.dumps([columns, found.prompt, dict(found.more)], ensure_ascii=False, allow_nan=False).encode()


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.just("\ud800\0")
    | st.sampled_from(["KSampler", "CLIPTextEncode", "SaveImage", "1"])
)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=8,
)


@given(st.sampled_from(PLACES), st.dictionaries(st.sampled_from(FIELDS), documents, max_size=5))
@settings(suppress_health_check=[HealthCheck.too_slow])  # of the machine, where others work
def test_json_of_any_shape(place, values):
    check(settings_of(carrying(place, json.dumps(values))))


@given(st.sampled_from(PLACES), st.text(max_size=200))
def test_any_text(place, text):
    check(settings_of(carrying(place, text)))
    check(settings_in_text(text))


lines = st.lists(
    st.sampled_from(["Steps: ", "Seed: ", "CFG scale: ", "Negative prompt:", '"', "\\", ",", "\n", "a", "9" * 30, "é"]),
    max_size=40,
).map("".join)


@given(lines)
def test_pieces_of_infotext(text):
    check(settings_in_text(text))


BIG = 10 * 2**20
PIECE = {"class_type": "CLIPTextEncode", "inputs": {"text": ["1", 0], "positive": ["2", 0]}}
SAMPLER = {"class_type": "KSampler", "inputs": {"seed": 1, "positive": ["5", 0], "negative": ["5", 0]}}
PASSED = (
    "model",
    "sampler",
    "sigmas",
    "noise",
    "latent_image",
    "seed",
    "steps",
    "cfg",
    "text",
    "value",
    "conditioning",
)
CHAIN = {str(n): {"class_type": "X", "inputs": {key: [str(n + 1), 0] for key in PASSED}} for n in range(30, 10_000)}
LINKED = {name: ["30", 0] for name in (*PASSED, "guider", "positive", "negative")}
HOSTILE = {
    "letters": "a" * BIG,
    "spaces": " " * BIG,
    "newlines": "\n" * BIG,
    "pairs": "Steps: 1, Seed: " + "a:" * 2**19,
    "spaced pairs": "\n".join(["Steps: Seed: " + " " * 60_000] * 40),
    "wordy pairs": "\n".join(["Steps: Seed: " + "word " * 12_000] * 40),
    "quotes": 'Steps: 1, Seed: "' + '\\"' * 2**19,
    "negatives": "Negative prompt:\n" * 2**18,
    "jobs": "Job ID: " * 2**18,
    "descriptions": "<dc:description><rdf:li " * 2**17,
    "brackets": '"' + "[" * 2**20 + '" -s',
    "dashes": '"a"' + " -S " * 2**18,
    "deep lists": '{"prompt": ' + "[" * 2**19,
    "deep objects": '{"a":' * 2**18 + "1" + "}" * 2**18,
    "long number": '{"seed": ' + "9" * 2**19 + "}",
    "cut": '{"sui_image_params": {"prompt": "a fo',
    "not finite": '{"sui_image_params": {"prompt": "a", "seed": NaN, "steps": 1e999, "cfgscale": -Infinity}}',
    "chain": json.dumps({str(n): {**PIECE, "inputs": {"conditioning": [str(n + 1), 0]}} for n in range(20_000)}),
    "nodes": json.dumps({str(n): PIECE for n in range(20_000)}),
    "samplers of a chain": json.dumps({str(n): {"class_type": "Y", "inputs": LINKED} for n in range(30)} | CHAIN),
    "samplers": json.dumps({str(n): SAMPLER for n in range(20_000)}),
}


@pytest.mark.parametrize("place", ["parameters", "prompt", "Dream", "Description", "xmp", "UserComment"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_end(name, place):
    """A reader whose time grows with the square of the length would not come back from these for hours."""
    check(settings_of(carrying(place, HOSTILE[name])))
    check(settings_in_text(HOSTILE[name]))


def test_every_reader_takes_nothing_from_nothing():
    assert [read(Carried()) for read in READERS] == [None] * len(READERS)
