"""The command `places`: a sheet of overlays, scores on known scenes, and mistakes in one line."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from thoughtspace.dashboards.cli import main


@pytest.fixture
def run(capsys, tiny_model):
    def ran(*arguments, model: bool = True) -> tuple[int, dict, str]:
        capsys.readouterr()
        rc = main(["places", *map(str, arguments), "--json", *(["--model", str(tiny_model)] if model else [])])
        said = capsys.readouterr()
        return rc, json.loads(said.out) if said.out else {}, said.err

    return ran


def test_each_word_of_a_prompt_has_an_overlay(run, tmp_path):
    rc, told, _ = run("a red fox with a hat", "--steps", 2, "-o", tmp_path / "out.png")
    assert rc == 0
    assert [each["word"] for each in told["words"]] == ["a", "red", "fox", "with", "hat"]
    assert all(0 < each[side] < 1 for each in told["words"] for side in "xy")
    assert told["path"] == str(tmp_path / "out.png")
    assert Image.open(tmp_path / "out.png").size == (6 * 64 + 5 * 2, 64)


def test_words_concepts_and_a_picture_that_is_given(run, pictures, tiny_explorer, tmp_path):
    out = tmp_path / "out.png"
    assert [each["word"] for each in run("a red fox", "--word", "fox", "--steps", 1, "-o", out)[1]["words"]] == ["fox"]
    pictures[0].save(tmp_path / "seen.png")
    seen = ("--picture", tmp_path / "seen.png", "--steps", 2, "--seed", 3)
    _, told, _ = run("a red fox", *seen, "--concepts", "cat", "hat", "-o", out)
    expected = tiny_explorer.heat_maps(
        "a red fox", picture=pictures[0], concepts=["cat", "hat"], steps=2, seed=3, keep=()
    ).on_picture("hat")
    y, x = divmod(int(expected.argmax()), 64)
    assert told["words"][1] == {"word": "hat", "x": (x + 0.5) / 64, "y": (y + 0.5) / 64}


def test_scenes_of_the_pocket_world_are_scored(run, tmp_path):
    rc, told, _ = run(
        "--world", 6, "--steps", 2, "--plot", tmp_path / "scores.html", model=False
    )  # which knows these words
    assert rc == 0
    assert set(told) == {"words", "concepts"}
    for each in told.values():
        assert each["n"] == 6
        assert [row["score"] for row in each["scores"]] == ["pointing", "iou", "ap"]
        assert sum(row["n"] for row in each["names"]) == 6
    # Six are few, but the maps of words are not those of chance.
    assert told["words"]["scores"][2]["p_value"] < 0.05
    assert "plotly" in (tmp_path / "scores.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        ((), "no prompt"),
        (("a fox",), "--out"),
        (("a fox", "-o", "x.png", "--world", "9"), "--world"),
        (("a fox", "-o", "x.png", "--plot", "y.html"), "--plot"),
        (("a fox", "-o", "x.png", "--word", "fox", "--concepts", "a", "b"), "--concepts"),
        (("a fox", "-o", "x.jpg"), ".png"),
        (("a fox", "-o", "x.png", "--word", "dog", "--steps", "1"), "'dog'"),
        (("a fox", "-o", "x.png", "--concepts", "dog", "--steps", "1"), "two"),
        (('"a fox" + "a cat"', "-o", "x.png", "--steps", "1"), "not a single text"),
        (("--world", "2"), "2"),
    ],
)
def test_mistakes_are_one_line(run, arguments, fact, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rc, told, error = run(*arguments)
    assert (rc, told) == (2, {})
    assert len(error.strip().splitlines()) == 1
    assert fact in error
    assert not (tmp_path / "x.png").exists()
