"""A folder of pictures by every program, ingested as it is; and one where half of the files are broken."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.store import Collection

UUID = "8f3c2b1a-0d4e-4f6a-9b8c-7d6e5f4a3b2c"
INFOTEXT = (
    "a fox of forge <lora:x:1>\nNegative prompt: ugly\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Model: sd15"
)
GRAPH = {
    "1": {"class_type": "KSampler", "inputs": {"seed": 2, "steps": 21, "cfg": 8, "sampler_name": "euler",
          "positive": ["2", 0], "negative": ["3", 0], "model": ["4", 0]}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox of comfy"}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "ugly"}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15"}},
    "5": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
}  # fmt: skip
INVOKE = {"positive_prompt": "a fox of invoke", "negative_prompt": "ugly", "seed": 3, "steps": 22, "cfg_scale": 6.5,
          "scheduler": "ddim", "model": {"name": "sd15"}}  # fmt: skip
NOVEL = {"prompt": "a fox of novel", "uc": "ugly", "seed": 5, "steps": 23, "scale": 5.0, "sampler": "k_euler"}
SWARM = {"sui_image_params": {"prompt": "a fox of swarm", "negativeprompt": "ugly", "seed": 6, "steps": 24,
         "cfgscale": 7.5, "sampler": "euler", "model": "sd15"}}  # fmt: skip
FOOOCUS = {"prompt": "a fox of fooocus", "negative_prompt": "ugly", "seed": "7", "steps": 30, "guidance_scale": 4.0,
           "sampler": "dpmpp", "base_model": "sd15", "version": "Fooocus v2.5.5"}  # fmt: skip
TEXTS = {
    "a1111.png": {"parameters": INFOTEXT},
    "comfyui.png": {"prompt": json.dumps(GRAPH), "workflow": "{}"},
    "invokeai.png": {"invokeai_metadata": json.dumps(INVOKE)},
    "midjourney.png": {"Description": f"a fox of midjourney --no ugly --seed 4 --v 6 Job ID: {UUID}", "Author": "fox"},
    "novelai.png": {"Software": "NovelAI", "Source": "sd15", "Description": "", "Comment": json.dumps(NOVEL)},
    "swarmui.png": {"parameters": json.dumps(SWARM)},
    "fooocus.png": {"parameters": json.dumps(FOOOCUS), "fooocus_scheme": "fooocus"},
    "plain.png": {"Description": "a photograph", "Comment": "Steps: we walked"},
}
COLUMNS = ("negative", "seed", "steps", "guidance", "sampler", "model")
EXPECTED = {
    "a1111.png": ("a fox of forge <lora:x:1>", "ugly", 1, 20, 7.0, "Euler a", "sd15"),
    "comfyui.png": ("a fox of comfy", "ugly", 2, 21, 8.0, "euler", "sd15"),
    "invokeai.png": ("a fox of invoke", "ugly", 3, 22, 6.5, "ddim", "sd15"),
    "midjourney.png": ("a fox of midjourney", "ugly", 4, None, None, None, "midjourney 6"),
    "novelai.png": ("a fox of novel", "ugly", 5, 23, 5.0, "k_euler", "sd15"),
    "swarmui.png": ("a fox of swarm", "ugly", 6, 24, 7.5, "euler", "sd15"),
    "fooocus.png": ("a fox of fooocus", "ugly", 7, 30, 4.0, "dpmpp", "sd15"),
    "plain.png": (None,) * 7,
    "sidecar.png": ("a fox of a sidecar", "ugly", 8, 20, 7.0, "Euler a", None),
    f"anna_a_fox_of_a_name_{UUID}_0.png": ("a fox of a name", None, None, None, None, None, None),
    "exif.jpg": ("a fox of forge <lora:x:1>", "ugly", 1, 20, 7.0, "Euler a", "sd15"),
}


def save(path: Path, number: int, texts: dict[str, str] | None = None) -> None:
    """A PNG of its own pixels, with these texts."""
    info = PngImagePlugin.PngInfo()
    for keyword, text in (texts or {}).items():
        info.add_text(keyword, text)
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, pnginfo=info)


@pytest.fixture
def folder(tmp_path, exif, holding) -> Path:
    path = tmp_path / "in"
    path.mkdir()
    for number, (name, texts) in enumerate(TEXTS.items()):
        save(path / name, number, texts)
    save(path / "sidecar.png", 20)
    infotext = "a fox of a sidecar\nNegative prompt: ugly\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 8"
    (path / "sidecar.txt").write_text(infotext)
    save(path / f"anna_a_fox_of_a_name_{UUID}_0.png", 21)
    comment = b"UNICODE\0" + INFOTEXT.encode("utf-16-be")
    (path / "exif.jpg").write_bytes(holding("JPEG", exif(comment)))
    return path


def rows(collection: Path) -> dict[str, dict]:
    """The pictures of a collection by the name of their file, unknown values as None."""
    frame = Collection.open(collection).items("image")
    records = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return {Path(each["source"]).name: each for each in records}


def test_every_prompt_alone_is_the_caption_and_the_rest_are_columns(explorer, folder, tmp_path):
    report = ingest(explorer, folder, tmp_path / "c")
    found = rows(tmp_path / "c")
    assert {name: (row["caption"], *(row[key] for key in COLUMNS)) for name, row in found.items()} == EXPECTED
    assert report.failed == []
    texts = set(Collection.open(tmp_path / "c").items("text")["caption"])
    assert texts == {row[0] for row in EXPECTED.values() if row[0]}
    assert not any("ugly" in text or "Steps" in text for text in texts)


def test_the_source_and_the_raw_text_are_kept(explorer, folder, tmp_path):
    ingest(explorer, folder, tmp_path / "c")
    found = rows(tmp_path / "c")
    sources = {name: row["prompt_source"] for name, row in found.items()}
    for name in ("a1111", "comfyui", "invokeai", "midjourney", "novelai", "swarmui", "fooocus"):
        assert sources[f"{name}.png"] == name
    assert (sources["plain.png"], sources["sidecar.png"], sources["exif.jpg"]) == (None, "a1111", "a1111")
    named = found[f"anna_a_fox_of_a_name_{UUID}_0.png"]
    assert named["prompt_source"] == "midjourney file name"
    assert "file name" in named["prompt_note"]
    assert found["a1111.png"]["prompt_raw"] == INFOTEXT
    assert json.loads(found["comfyui.png"]["prompt_raw"]) == GRAPH


def test_a_caption_of_a_table_comes_first_and_its_columns_win(explorer, folder, tmp_path):
    table = "file,caption,seed\na1111.png,my own words,99\ncomfyui.png,,98\ninvokeai.png,a fox of invoke,97\n"
    (folder / "captions.csv").write_text(table)
    ingest(explorer, folder, tmp_path / "c")
    found = rows(tmp_path / "c")
    row = found["a1111.png"]
    assert (row["caption"], row["prompt"], row["seed"], row["steps"]) == (
        "my own words",
        "a fox of forge <lora:x:1>",
        99,
        20,
    )
    assert (found["comfyui.png"]["caption"], found["comfyui.png"]["seed"]) == ("a fox of comfy", 98)
    assert found["invokeai.png"]["prompt"] is None  # the same text needs no second column


def test_a_plain_text_beside_a_picture_stays_a_caption(explorer, folder, tmp_path):
    (folder / "a1111.txt").write_text("Steps: we walked\nto a fox")
    ingest(explorer, folder, tmp_path / "c")
    row = rows(tmp_path / "c")["a1111.png"]
    assert (row["caption"], row["prompt"]) == ("Steps: we walked to a fox", "a fox of forge <lora:x:1>")


def test_pictures_ingested_before_get_their_prompts(explorer, folder, tmp_path, monkeypatch):
    """A collection made before prompts were read is completed without encoding a picture again."""
    with monkeypatch.context() as patch:
        patch.setattr("thoughtspace.explorer.collection.loading.with_settings", lambda source, data: source)
        ingest(explorer, folder, tmp_path / "c")
    assert rows(tmp_path / "c")["comfyui.png"]["caption"] is None
    ingest(explorer, folder, tmp_path / "c")
    found = rows(tmp_path / "c")
    assert {name: row["caption"] for name, row in found.items()} == {name: row[0] for name, row in EXPECTED.items()}
    assert found["comfyui.png"]["steps"] == 21


def test_a_folder_where_half_is_broken(explorer, folder, tmp_path):
    broken = {
        "cut json.png": {"parameters": '{"sui_image_params": {"prompt": "a f'},
        "cut graph.png": {"prompt": json.dumps(GRAPH)[:-9]},
        "wrong types.png": {"invokeai_metadata": '{"positive_prompt": [1], "seed": "x", "steps": {}}'},
        "cycle.png": {"prompt": '{"1": {"class_type": "KSampler", "inputs": {"seed": ["1", 0], "positive": ["1", 0], '
                      '"negative": ["1", 0]}}}'},
        "surrogate.png": {"parameters": '{"sui_image_params": {"prompt": "a \\ud800fox\\u0000", "seed": 1e400}}'},
    }  # fmt: skip
    for number, (name, texts) in enumerate(broken.items()):
        save(folder / name, 100 + number, texts)
    whole = io.BytesIO()
    Image.new("RGB", (64, 64)).save(whole, "PNG")
    (folder / "cut.png").write_bytes(whole.getvalue()[:50])
    report = ingest(explorer, folder, tmp_path / "c")
    found = rows(tmp_path / "c")
    assert {name: found[name]["caption"] for name in EXPECTED} == {name: row[0] for name, row in EXPECTED.items()}
    assert [Path(each["source"]).name for each in report.failed] == ["cut.png"]
    assert {name: found[name]["caption"] for name in broken} == {
        "cut json.png": None,
        "cut graph.png": None,
        "wrong types.png": None,
        "cycle.png": None,
        "surrogate.png": "a fox",
    }
    assert found["surrogate.png"]["seed"] is None
