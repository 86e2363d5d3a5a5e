"""The command line: answers that scripts can rely on, and mistakes answered by one line and exit code 2."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import resource
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from thoughtspace.dashboards import cli
from thoughtspace.dashboards.arguments import UsageError
from thoughtspace.dashboards.console import Console
from thoughtspace.explorer import Collection, read_frames
from thoughtspace.explorer.errors import (
    CannotError,
    CollectionError,
    ExpressionError,
    MapError,
    ModelError,
    PictureError,
    ProvenanceError,
    SpaceError,
    VideoError,
)
from thoughtspace.explorer.records.provenance import Provenance, read

pytestmark = pytest.mark.usefixtures("fits_in_this_process")

SCORES = {"trustworthiness", "continuity", "knn_recall", "triplet_accuracy"}


@dataclass
class Answer:
    """What a command printed, its exit code, and the error whose line it printed."""

    code: int
    out: str
    err: str
    error: BaseException | None = None

    @property
    def json(self):
        return json.loads(self.out)


class WatchedConsole(Console):
    """A console that keeps the error whose line it prints."""

    printed: BaseException | None = None

    def error(self, text):
        WatchedConsole.printed = sys.exc_info()[1]
        super().error(text)


def run(*arguments):
    out, err = io.StringIO(), io.StringIO()
    WatchedConsole.printed = None
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(cli, "Console", WatchedConsole)
        code = cli.main([str(each) for each in arguments])
    return Answer(code, out.getvalue(), err.getvalue(), WatchedConsole.printed)


def answered(*arguments):
    """The document of a command that must succeed."""
    answer = run(*arguments, "--json")
    assert answer.code == 0, answer.err
    assert answer.out.count("\n") == 1
    return answer.json


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pictures):
    """Eight pictures with captions, one broken file among them."""
    place = tmp_path_factory.mktemp("pictures")
    rows = ["file,caption,color"]
    for row, picture in enumerate(pictures):
        picture.save(place / f"{row}.png")
        rows.append(f"{row}.png,a red fox number {row},red")
    (place / "captions.csv").write_text("\n".join(rows))
    (place / "broken.png").write_bytes((place / "0.png").read_bytes()[:80])
    return place


@pytest.fixture(scope="module")
def collection(tmp_path_factory, folder, tiny_model, fits_in_this_process):
    """A collection made by the command itself, with its map."""
    place = tmp_path_factory.mktemp("collections") / "foxes"
    report = answered("ingest", folder, place, "--model", tiny_model)
    assert report["items"] == report["added"] == 16
    assert [Path(each["source"]).name for each in report["failed"]] == ["broken.png"]
    assert "Got broken.png" in report["failed"][0]["reason"]
    answered("map", place, "--method", "pca")
    return place


@pytest.fixture(scope="module")
def other_model(tmp_path_factory, tiny_model):
    """The same weights, one of them changed: another model."""
    place = tmp_path_factory.mktemp("models") / "other"
    shutil.copytree(tiny_model, place)
    (place / "clip" / "notes.txt").write_text("changed")
    return place


@pytest.fixture(scope="module")
def decoded(tmp_path_factory, tiny_model):
    place = tmp_path_factory.mktemp("decoded") / "fox.png"
    answered("decode", "a red fox", "-o", place, "--model", tiny_model, "--steps", 2, "--seed", 3)
    return place


# --- Answers


def test_ingesting_again_adds_nothing(collection, folder):
    report = answered("ingest", folder, collection)
    assert report["items"] == report["skipped"] + 8 == 16
    assert (report["added"], len(report["failed"])) == (0, 1)


def test_a_map_is_scored_and_saved_under_its_name(collection):
    document = answered("map", collection, "--name", "mine", "--seed", 1)
    assert (document["name"], document["n"]) == ("mine", 16)
    assert document["quality"].keys() >= SCORES
    assert document["quality"]["null"].keys() == SCORES
    saved = Collection.open(collection).load_map("mine")
    assert saved.coordinates.shape == (16, 2)
    assert saved.options["method"] == "umap"
    assert saved.columns["trust"].shape == (16,)
    assert set(Collection.open(collection).maps()) == {"joint-pca", "mine"}


def test_search_finds_a_picture_by_itself(collection, folder):
    found = answered("search", collection, f'img("{folder}/3.png")', "-k", 4, "--kind", "image")["items"]
    assert len(found) == 4
    assert found[0].keys() >= {"id", "score", "measure", "caption", "source"}
    assert found[0]["source"] == str(folder / "3.png")
    assert found[0]["score"] == pytest.approx(1, abs=1e-5)
    assert found[0]["caption"] == "a red fox number 3"
    scores = [each["score"] for each in found]
    assert scores == sorted(scores, reverse=True)


def test_search_takes_items_of_the_collection_as_operands(collection):
    first = Collection.open(collection).items()["id"][0]
    assert answered("search", collection, f'item("{first}") + 0 * "a fox"', "-k", 1)["items"][0]["id"] == first


def test_decode_writes_a_picture_with_its_record(decoded, tiny_model):
    again = answered("decode", "a red fox", "-o", decoded, "--model", tiny_model, "--steps", 2, "--seed", 3)
    assert again["path"] == str(decoded)
    provenance = Provenance.from_json(json.dumps(again["provenance"]))
    assert provenance.record["expression"] == '"a red fox"'
    assert dict(provenance.record["options"]).items() >= {"seed": 3, "steps": 2}.items()
    assert Image.open(decoded).size == (64, 64)


def test_decode_takes_items_of_a_collection(collection, tmp_path, tiny_model):
    item = Collection.open(collection).items()["id"][0]
    options = ["--model", tiny_model, "--steps", 1, "--collection", collection]
    document = answered("decode", f'item("{item}") + "a hat"', "-o", tmp_path / "out.png", *options)
    assert item in document["provenance"]["expression"]


def test_replay_makes_the_same_picture(decoded):
    assert answered("replay", decoded) == {"identical": True, "max_difference": 0.0}


def test_replay_tells_a_changed_picture(decoded, tmp_path):
    """Negative control: one pixel of the file is repainted, its record kept."""
    image = Image.open(decoded)
    from PIL.PngImagePlugin import PngInfo

    record, pixels = PngInfo(), np.array(image)
    for key, text in image.text.items():
        record.add_itxt(key, text)
    pixels[0, 0] = 255 - pixels[0, 0]
    Image.fromarray(pixels).save(tmp_path / "changed.png", pnginfo=record)
    document = answered("replay", tmp_path / "changed.png")
    assert not document["identical"]
    assert document["max_difference"] > 0


@pytest.mark.parametrize("spacing", ["equal", "uniform"])
def test_walk_writes_a_video_and_measures_its_steps(tmp_path, tiny_model, spacing):
    place = tmp_path / "walk.gif"
    options = ["--model", tiny_model, "--frames", 4, "--spacing", spacing, "--steps", 1, "--interpolant", "nlerp"]
    document = answered("walk", "a red fox", '"a cat" + "a hat"', "a king", "-o", place, *options)
    assert (document["path"], document["frames"], len(document["steps"])) == (str(place), 4, 3)
    assert document["cv"] == pytest.approx(np.std(document["steps"]) / np.mean(document["steps"]), rel=1e-6)
    assert read_frames(place)
    assert answered("replay", place)["identical"]


def test_blend_writes_a_sheet(tmp_path, tiny_model):
    place = tmp_path / "sheet.png"
    document = answered("blend", "a fox", "a cat", "-o", place, "--grid", 3, "--model", tiny_model, "--steps", 1)
    assert document["path"] == str(place)
    assert document["provenance"]["kind"] == "blend"
    assert Image.open(place).width > 3 * 64
    assert answered("replay", place)["identical"]


OPTIONS = {"negative": "a hat", "scheduler": "euler", "prompt": "a face"}


@pytest.mark.parametrize("name", ["decode", "walk", "blend"])
def test_options_of_decoding_reach_the_record_and_count(tmp_path, tiny_model, name):
    ends, more = {
        "decode": (["a fox"], []),
        "walk": (["a fox", "a cat"], ["--frames", 2]),
        "blend": (["a fox", "a cat"], ["--grid", 2]),
    }[name]
    common = ["--model", tiny_model, "--steps", 2, "--guidance", 3, *more]
    suffix, pixels = ".gif" if name == "walk" else ".png", set()
    for options in ({}, *({key: value} for key, value in OPTIONS.items())):
        place = tmp_path / f"a{'-'.join(options)}{suffix}"
        answered(
            name, *ends, "-o", place, *common, *(part for key, value in options.items() for part in (f"--{key}", value))
        )
        record = read(place).record
        assert dict(record["options"]).items() >= options.items()
        pixels.add(record["pixels"])
    assert len(pixels) == 1 + len(OPTIONS)  # each option is seen


def test_size_and_attention_are_those_asked_for(tmp_path, tiny_model):
    options = ["--model", tiny_model, "--steps", 1]
    answered("decode", "a fox", "-o", tmp_path / "a.png", "--size", 96, *options)
    assert Image.open(tmp_path / "a.png").size == (96, 96)
    assert answered("replay", tmp_path / "a.png")["identical"]
    answered("walk", "a fox", "a cat", "-o", tmp_path / "w.gif", "--frames", 3, "--attention", "outer", *options)
    assert read(tmp_path / "w.gif").record["path"]["attention"] == "outer"


def test_texts_are_weighted_and_read_in_chunks_by_the_name_of_their_space(tmp_path, tiny_model):
    source = f'weighted("a (red:1.4) fox {"and a cat " * 8}")'
    options = ["--space", "prompt-x2", "--model", tiny_model, "--steps", 1]
    document = answered("decode", source, "-o", tmp_path / "a.png", *options)
    assert document["provenance"]["space"] == "prompt-x2"
    assert answered("replay", tmp_path / "a.png")["identical"]


def test_models_lists_the_pocket_model():
    known = {each["name"]: each for each in answered("models")["models"]}
    assert known["pocket"]["spaces"] == ["joint", "latent", "prompt", "noise", "bottleneck"]
    assert all(each["licence"] and each["spaces"] and each["memory_gib"] > 0 for each in known.values())


def test_the_page_of_models_is_what_the_registry_says():
    page = Path(__file__).parents[1] / "docs" / "models.md"
    assert run("models", "--markdown").out == page.read_text(encoding="utf-8")


def test_demo_builds_once_and_again_when_asked_for_another(tmp_path, tiny_model):
    out = tmp_path / "demo"
    first = answered("demo", "--items", 16, "--no-serve", "--out", out, "--model", tiny_model)
    items = Collection.open(first["collection"]).items()
    assert first["items"] == len(items) > 16
    assert first["quality"].keys() >= SCORES
    assert first["seconds"].keys() == {"pictures", "encoding", "map"}
    assert {"world", "hat", "terrain", "shape"} <= set(items.columns)
    assert items.query("kind == 'image'")["caption"].notna().all()
    assert answered("demo", "--items", 16, "--no-serve", "--out", out, "--model", tiny_model)["seconds"] == {}
    (out / "done").unlink()  # as if it had been killed at the very end
    resumed = answered("demo", "--items", 16, "--no-serve", "--out", out, "--model", tiny_model)
    assert resumed["items"] == first["items"]
    assert "pictures" not in resumed["seconds"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["models"], "pocket"),
        (["--version"], "thoughtspace 0"),
        (["decode", "--help"], "EXPRESSION"),
    ],
)
def test_without_json_the_answer_is_text(arguments, text):
    answer = run(*arguments)
    assert answer.code == 0
    assert text in answer.out
    assert not answer.err


def test_what_libraries_print_is_no_part_of_a_json_answer(monkeypatch):
    from thoughtspace.explorer.models.find import presets

    def loud():
        print("a library says hello")
        return {}

    monkeypatch.setattr(presets, "presets", loud)
    answer = run("models", "--json")
    assert answer.json == {"models": []}
    assert answer.err == "a library says hello\n"


# --- Mistakes


@pytest.fixture(scope="module")
def places(tmp_path_factory, collection, folder, tiny_model, other_model, decoded):
    """Names for the cases below: `{empty}` in an argument is the folder of that name."""
    root = tmp_path_factory.mktemp("mistakes")
    (root / "empty").mkdir()
    (root / "cut").mkdir()
    shutil.copy(folder / "broken.png", root / "cut" / "cut.png")
    (root / "full").mkdir()
    (root / "taken.png").mkdir()
    (root / "taken.mp4").mkdir()
    (root / "full" / "letter.doc").write_text("mine")
    Image.open(decoded).convert("RGB").save(root / "plain.png")
    (root / "prompts.txt").write_text("a fox\na cat\n")
    return {
        "root": root,
        "out": root / "out.png",
        "collection": collection,
        "pictures": folder,
        "model": tiny_model,
        "other": other_model,
        "readonly": Path("/sys"),  # nobody makes files there, not even root
    }


MISTAKES: dict[str, tuple[list[str], type[Exception], str, str]] = {
    "no command": ([], UsageError, "arguments", "the following arguments are required"),
    "unknown command": (["fly"], UsageError, "arguments", "invalid choice"),
    "unknown option": (["models", "--colour"], UsageError, "arguments", "`thoughtspace models --help`"),
    "no output": (["decode", "a fox"], UsageError, "arguments", "-o/--out"),
    "no number": (["decode", "a fox", "-o", "{out}", "--seed", "one"], UsageError, "arguments", "'one'"),
    "a map of texts that is not there": (
        ["decode", "a fox", "-o", "{out}", "--model", "{model}", "--gap", "linear"],
        ModelError,
        "no text map",
        "'linear'",
    ),
    "negative seed": (["decode", "a fox", "-o", "{out}", "--seed", "-1"], UsageError, "arguments", "'-1'"),
    "infinite guidance": (["decode", "a fox", "-o", "{out}", "--guidance", "inf"], UsageError, "arguments", "'inf'"),
    "other ending": (["decode", "a fox", "-o", "{root}/out.bmp"], PictureError, "file name", "out.bmp"),
    "no such ending of a video": (["walk", "a", "b", "-o", "{root}/out.avi"], PictureError, "file name", "out.avi"),
    "output in a missing folder": (
        ["decode", "a fox", "-o", "{root}/no/out.png"],
        PictureError,
        "no folder",
        "no/out.png",
    ),
    "output on a read-only disk": (
        ["decode", "a fox", "-o", "{readonly}/out.png"],
        PictureError,
        "cannot write",
        "/sys/out.png",
    ),
    "output in the name of a folder": (
        ["decode", "a fox", "-o", "{root}/taken.png"],
        PictureError,
        "not a file",
        "taken.png",
    ),
    "video in the name of a folder": (
        ["walk", "a", "b", "-o", "{root}/taken.mp4"],
        PictureError,
        "not a file",
        "taken.mp4",
    ),
    "missing picture": (
        ["decode", 'img("{root}/no.png")', "-o", "{out}", "--model", "{model}"],
        PictureError,
        "cannot read",
        "No such file",
    ),
    "truncated picture": (
        ["decode", 'img("{root}/cut/cut.png")', "-o", "{out}", "--model", "{model}"],
        PictureError,
        "damaged",
        "cut.png",
    ),
    "unknown model": (["decode", "a fox", "-o", "{out}", "--model", "grand"], ModelError, "no such model", "'grand'"),
    "folder that is no model": (
        ["decode", "a fox", "-o", "{out}", "--model", "{root}"],
        ModelError,
        "no such model",
        "clip/",
    ),
    "expression that does not parse": (
        ["decode", '"a fox" +', "-o", "{out}", "--model", "{model}"],
        ExpressionError,
        "operand",
        "the end",
    ),
    "text that is not UTF-8": (["decode", "caf\udce9", "-o", "{out}"], ExpressionError, "not utf-8", "character 4"),
    "expression of a number": (
        ["decode", '2 * 3 + "a"', "-o", "{out}", "--model", "{model}"],
        ExpressionError,
        "number",
        "position 7",
    ),
    "expression that mixes spaces": (
        ["decode", 'img("{pictures}/0.png") + "a hat"', "-o", "{out}", "--space", "latent", "--model", "{model}"],
        CannotError,
        "no text",
        "latent",
    ),
    "item without a collection": (
        ["decode", 'item("0") + "a"', "-o", "{out}", "--model", "{model}"],
        SpaceError,
        "no items",
        'item("0")',
    ),
    "unknown space": (
        ["decode", "a fox", "-o", "{out}", "--space", "outer", "--model", "{model}"],
        SpaceError,
        "no such space",
        "'outer'",
    ),
    "unknown scheduler": (
        ["decode", "a fox", "-o", "{out}", "--scheduler", "lucky", "--model", "{model}"],
        ModelError,
        "scheduler",
        "'lucky'",
    ),
    "adapter scale without an adapter": (
        ["decode", "a fox", "-o", "{out}", "--adapter-scale", "0.5", "--model", "{model}"],
        ModelError,
        "adapter_scale",
        "adapter_scale=0.5",
    ),
    "adapter scale of prompts": (
        ["decode", "a fox", "-o", "{out}", "--space", "prompt", "--adapter-scale", "0.5", "--model", "{model}"],
        ModelError,
        "adapter_scale",
        "adapter_scale=0.5",
    ),
    "size that is none": (["blend", "a", "b", "-o", "{out}", "--size", "0"], UsageError, "arguments", "'0'"),
    "size between": (
        ["decode", "a fox", "-o", "{out}", "--size", "65", "--model", "{model}"],
        ModelError,
        "size",
        "65",
    ),
    "preview of a model without": (
        ["decode", "a fox", "-o", "{out}", "--preview", "--model", "{model}"],
        ModelError,
        "preview",
        "+preview:",
    ),
    "attention that is none": (
        ["walk", "a", "b", "-o", "{root}/w.mp4", "--attention", "all"],
        UsageError,
        "arguments",
        "'all'",
    ),
    "prompt beside prompts": (
        ["decode", "a fox", "-o", "{out}", "--space", "prompt", "--prompt", "a cat", "--model", "{model}"],
        SpaceError,
        "prompt",
        "prompt='a cat'",
    ),
    "bracket left open": (
        ["decode", 'weighted("a (red fox")', "-o", "{out}", "--space", "prompt", "--model", "{model}"],
        ExpressionError,
        "bracket",
        "position 3",
    ),
    "one stop": (["walk", "a fox", "-o", "{root}/w.mp4"], UsageError, "stops", "1 expression"),
    "no steps": (
        ["decode", "a fox", "-o", "{out}", "--steps", "0", "--model", "grand"],
        ModelError,
        "steps",
        "steps 0",
    ),
    "an edit beyond the end": (
        ["blend", "a", "b", "-o", "{out}", "--space", "bottleneck", "--until", "1.5", "--model", "grand"],
        ModelError,
        "until",
        "until 1.5",
    ),
    "a wide tolerance": (
        ["walk", "a", "b", "-o", "{root}/w.mp4", "--tolerance", "11", "--model", "grand"],
        SpaceError,
        "tolerance",
        "tolerance 11",
    ),
    "unknown spacing": (
        ["walk", "a", "b", "-o", "{root}/w.mp4", "--spacing", "even"],
        UsageError,
        "arguments",
        "invalid choice: 'even'",
    ),
    "one corner": (["blend", "a fox", "-o", "{out}"], UsageError, "stops", "1 expression"),
    "one frame": (["walk", "a", "b", "-o", "{root}/w.mp4", "--frames", "1"], UsageError, "arguments", "'1'"),
    "standing still": (["walk", "a", "b", "-o", "{root}/w.mp4", "--fps", "0"], VideoError, "fps", "fps 0"),
    "walking back in time": (["walk", "a", "b", "-o", "{root}/w.mp4", "--fps=-24"], VideoError, "fps", "fps -24"),
    "faster than a GIF": (["walk", "a", "b", "-o", "{root}/w.GIF", "--fps", "60"], VideoError, "fps", ".gif"),
    "a large grid": (["blend", "a", "b", "-o", "{out}", "--grid", "51"], UsageError, "arguments", "'51'"),
    "unknown interpolant": (
        ["walk", "a", "b", "-o", "{root}/w.mp4", "--interpolant", "hop", "--model", "{model}"],
        UsageError,
        "interpolant",
        "hop",
    ),
    "replay of nothing": (["replay", "{root}/no.png"], ProvenanceError, "cannot read", "no.png"),
    "replay of a picture without a record": (["replay", "{root}/plain.png"], ProvenanceError, "no record", "plain.png"),
    "ingest of nothing": (["ingest", "{root}/no", "{root}/new"], CollectionError, "no such file", "/no"),
    "ingest of an empty folder": (["ingest", "{root}/empty", "{root}/new"], CollectionError, "no sources", "/empty"),
    "ingest of a truncated picture alone": (
        ["ingest", "{root}/cut", "{root}/new", "--model", "{model}"],
        CollectionError,
        "nothing readable",
        "cut.png",
    ),
    "ingest into other files": (
        ["ingest", "{pictures}", "{root}/full", "--model", "{model}"],
        CollectionError,
        "other files",
        "/full",
    ),
    "ingest onto a read-only disk": (
        ["ingest", "{pictures}", "{readonly}/new"],
        CollectionError,
        "cannot write",
        "/sys/new",
    ),
    "ingest with another model": (
        ["ingest", "{pictures}", "{collection}", "--model", "{other}"],
        CollectionError,
        "other model",
        "foxes",
    ),
    "ingest with an unknown model": (
        ["ingest", "{pictures}", "{root}/new", "--model", "grand"],
        ModelError,
        "no such model",
        "'grand'",
    ),
    "ingest by an unknown engine": (
        ["ingest", "{pictures}", "{root}/new", "--engine", "steam"],
        UsageError,
        "engine",
        "'steam'",
    ),
    "ingest in a space that encodes nothing": (
        ["ingest", "{pictures}", "{root}/new", "--space", "noise", "--model", "{model}"],
        SpaceError,
        "not collectable",
        "noise",
    ),
    "map of nothing": (["map", "{root}/empty"], CollectionError, "no collection", "/empty"),
    "map by an unknown method": (["map", "{collection}", "--method", "tsne"], MapError, "map method", "'tsne'"),
    "map of a space without vectors": (
        ["map", "{collection}", "--space", "latent"],
        CollectionError,
        "no vectors",
        "latent",
    ),
    "map under an impossible name": (
        ["map", "{collection}", "--method", "pca", "--name", "../up"],
        MapError,
        "map name",
        "../up",
    ),
    "map with another model": (["map", "{collection}", "--model", "{other}"], CollectionError, "other model", "foxes"),
    "search in nothing": (["search", "{root}/empty", "a fox"], CollectionError, "no collection", "/empty"),
    "search for an unknown item": (["search", "{collection}", 'item("zz")'], CollectionError, "no item", "'zz'"),
    "search for none": (["search", "{collection}", "a fox", "-k", "0"], UsageError, "arguments", "'0'"),
    "search with another model": (
        ["search", "{collection}", "a fox", "--model", "{other}"],
        CollectionError,
        "other model",
        "foxes",
    ),
    "decode of another model's item": (
        ["decode", "a fox", "-o", "{out}", "--collection", "{collection}", "--model", "{other}"],
        CollectionError,
        "other model",
        "foxes",
    ),
    "serve of nothing": (["serve", "{root}/empty"], CollectionError, "no collection", "/empty"),
    "serve with another model": (
        ["serve", "{collection}", "--model", "{other}", "--port", "0"],
        CollectionError,
        "other model",
        "foxes",
    ),
    "serve of an unknown map": (
        ["serve", "{collection}", "--map", "mars", "--port", "0"],
        UsageError,
        "no such map",
        "'mars'",
    ),
    "serve at another machine's address": (
        ["serve", "{collection}", "--host", "203.0.113.7", "--port", "0"],
        UsageError,
        "cannot listen",
        "203.0.113.7",
    ),
    "serve at no address": (
        ["serve", "{collection}", "--host", "no.such.host.invalid"],
        UsageError,
        "address",
        "no.such.host.invalid",
    ),
    "serve at an impossible port": (["serve", "{collection}", "--port", "70000"], UsageError, "arguments", "'70000'"),
    "demo into other files": (
        ["demo", "--no-serve", "--out", "{root}/full", "--model", "{model}"],
        CollectionError,
        "other files",
        "/full",
    ),
    "demo onto a read-only disk": (
        ["demo", "--no-serve", "--out", "{readonly}/new"],
        CollectionError,
        "cannot write",
        "/sys/new",
    ),
    "demo of an unknown model": (
        ["demo", "--no-serve", "--out", "{root}/new", "--model", "grand"],
        ModelError,
        "no such model",
        "'grand'",
    ),
}
"""Arguments, the kind and the code of the error, and a fact in its message."""


def mistaken(answer, kind, code, fact):
    """One line on standard error, nothing on standard output, exit code 2, for an error of this kind and code."""
    assert answer.code == 2, answer.err
    assert answer.err.count("\n") == 1, answer.err
    assert answer.err.startswith("error: ")
    assert "Traceback" not in answer.err
    assert not answer.out
    assert (type(answer.error), answer.error.code) == (kind, code), answer.err
    assert fact in answer.err


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(case, places):
    arguments, *expected = MISTAKES[case]
    filled = [each.format(**places) if "{" in each else each for each in arguments]
    mistaken(run(*filled, "--json") if arguments else run(), *expected)
    assert not (places["root"] / "new" / "items.lance").exists()


def test_the_limits_of_arguments_are_those_of_the_work():
    from thoughtspace.explorer.walk import MAX_FRAMES, MAX_GRID

    for option, most in (("--frames", MAX_FRAMES), ("--grid", MAX_GRID)):
        command = ["walk" if option == "--frames" else "blend", "a", "b", "-o", "x.png", option]
        assert cli.parser().parse_args([*command, str(most)])
        mistaken(run(*command, most + 1), UsageError, "arguments", f"from 2 to {most}")


def test_the_same_commands_without_the_mistake_succeed(places):
    """Negative control: it is the mistake that is refused, not the command."""
    answered("ingest", places["root"] / "prompts.txt", places["root"] / "prompts", "--model", places["model"])
    answered("decode", '"a fox" + "a hat"', "-o", places["out"], "--model", places["model"], "--steps", 1)


def test_a_port_in_use_is_refused(collection):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        mistaken(run("serve", collection, "--port", port), UsageError, "port in use", str(port))


@contextlib.contextmanager
def full_disk():
    """No file grows beyond a few bytes, as on a full disk; pytest's own report may be such a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    logging.disable()  # a log may go to a file as well
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        (
            ["decode", "a fox", "-o", "{place}/out.png", "--steps", "1", "--model", "{model}"],
            PictureError,
            "cannot write",
        ),
        (
            ["walk", "a fox", "a cat", "-o", "{place}/w.gif", "--frames", "2", "--steps", "1", "--model", "{model}"],
            VideoError,
            "cannot write",
        ),
        (
            ["blend", "a fox", "a cat", "-o", "{place}/b.png", "--grid", "2", "--steps", "1", "--model", "{model}"],
            PictureError,
            "cannot write",
        ),
        (["demo", "--no-serve", "--out", "{place}/new", "--model", "{model}"], CollectionError, "disk full"),
        (["ingest", "{pictures}", "{place}/new", "--model", "{model}"], CollectionError, "disk full"),
        (["map", "{collection}", "--method", "pca", "--name", "late"], CollectionError, "disk full"),
    ],
    ids=["decode", "walk", "blend", "demo", "ingest", "map"],
)
def test_a_full_disk_leaves_nothing_half_written(arguments, kind, code, places, tmp_path):
    with full_disk():
        answer = run(*[each.format(place=tmp_path, **places) for each in arguments])
    mistaken(answer, kind, code, "File too large")
    assert not list(tmp_path.glob("*.png")) + list(tmp_path.glob("*.gif")) + list(tmp_path.glob(".*.part"))
    assert "late" not in Collection.open(places["collection"]).maps()


# --- Being stopped


def test_ctrl_c_is_one_line_and_its_own_exit_code(monkeypatch):
    from thoughtspace.explorer.models.find import presets

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(presets, "presets", interrupted)
    answer = run("models")
    assert answer.code == cli.INTERRUPTED
    assert answer.err == "error: Stopped. What was finished before is kept.\n"


def test_a_reader_who_leaves_is_no_error():
    command = [sys.executable, "-m", "thoughtspace.dashboards.cli", "models"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == cli.READER_LEFT


def test_serve_answers_at_the_address_it_prints_until_it_is_interrupted(collection):
    command = [sys.executable, "-m", "thoughtspace.dashboards.cli", "serve", str(collection), "--port", "0", "--json"]
    # A shell's background job hands on that Ctrl-C is ignored; the server under test is one in the foreground.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        document = json.loads(process.stdout.readline())
        assert document["host"] == "127.0.0.1"
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())  # the token is kept as a cookie
        with opener.open(document["url"], timeout=60) as page:
            assert b"Thoughtspace" in page.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in err


# --- What a terminal shows


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colour_is_for_terminals_and_can_be_switched_off(monkeypatch, no_color, coloured):
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    Console().error("Got this,\nexpected that.")
    assert ("\033[" in terminal.getvalue()) is coloured
    assert "Got this, expected that." in terminal.getvalue()


def test_progress_gives_the_same_items_on_a_terminal_and_in_a_log(monkeypatch):
    for stream in (io.StringIO(), Terminal()):
        monkeypatch.setattr(sys, "stderr", stream)
        assert list(Console().progress(iter(range(5)), total=5, desc="counting")) == list(range(5))


def test_a_log_gets_a_line_of_progress_now_and_then(monkeypatch):
    from thoughtspace.dashboards import console

    monkeypatch.setattr(console, "_EVERY", 0.0)
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    list(Console().progress(range(3), total=3, desc="counting"))
    assert log.getvalue().splitlines() == ["counting: 0 of 3", "counting: 1 of 3", "counting: 2 of 3"]


def test_models_lists_what_one_model_can_do_and_why_not_the_rest():
    document = answered("models", "sdxl")
    assert document["class"] == "StableDiffusionXLPipeline"
    assert {each["name"]: each["there"] for each in document["abilities"]}["heat maps"]
    other = {each["name"]: each for each in answered("models", "PixArtSigmaPipeline")["abilities"]}
    assert other["noise space"]["there"]
    assert (other["inversion"]["there"], "its own loop" in other["inversion"]["reason"]) == (False, True)
    mistaken(run("models", "nonsense"), ModelError, "no such model", "pocket,")
