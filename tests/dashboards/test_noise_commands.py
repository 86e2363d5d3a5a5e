"""The commands on noise, on a small model: one JSON document each, figures, and mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from thoughtspace.analysis.noise.of_model import measure_noise
from thoughtspace.dashboards.cli import main


@pytest.fixture(scope="module")
def folder(pictures, tmp_path_factory) -> Path:
    """Eight pictures, of which seven have captions and one of these is broken."""
    made = tmp_path_factory.mktemp("noise") / "pictures"
    made.mkdir()
    for row, picture in enumerate(pictures):
        picture.save(made / f"{row}.png")
        if row:
            (made / f"{row}.txt").write_text(f"a {('red', 'blue', 'green')[row % 3]} fox")
    (made / "1.png").write_bytes(b"\x89PNG no picture")
    return made


@pytest.fixture(scope="module")
def mapped(pictures, tiny_model, tmp_path_factory, fits_in_this_process) -> Path:
    base = tmp_path_factory.mktemp("mapped")
    (base / "pictures").mkdir()
    for row, picture in enumerate(pictures):
        picture.rotate(90).save(base / "pictures" / f"{row}.png")
    collection = base / "collection"
    assert main(["ingest", str(base / "pictures"), str(collection), "--model", str(tiny_model)]) == 0
    assert main(["map", str(collection), "--method", "pca"]) == 0
    return collection


@pytest.fixture
def answered(capsys, tiny_model, tmp_path):
    def run(*arguments, plot: bool = True) -> dict:
        capsys.readouterr()
        page = tmp_path / "figure.html"
        assert main([*map(str, arguments), "--json", *(["--plot", str(page)] if plot else [])]) == 0
        assert not plot or "plotly" in page.read_text(encoding="utf-8")
        return json.loads(capsys.readouterr().out)

    return run


def test_denoise_answers_as_the_function(folder, answered, tiny_model, tiny_explorer, pictures, tmp_path):
    told = answered("denoise", folder, "--model", tiny_model, "--levels", 3, "-o", tmp_path / "seen")
    assert (told["n"], told["captions"]) == (6, 6)
    assert len(told["failed"]) == 2
    assert {row["guide"] for row in told["errors"]} == {"right", "wrong", "none"}
    assert set(told["effects"]) == {"wrong", "none"}
    captions = [f"a {('red', 'blue', 'green')[row % 3]} fox" for row in range(2, 8)]
    expected = measure_noise(tiny_explorer, pictures[2:], captions, levels=3).table()
    assert [row["error"] for row in told["errors"]] == pytest.approx(list(expected["error"]), rel=1e-3)
    assert sorted(each.name for each in (tmp_path / "seen").glob("*/sheet.png")) == ["sheet.png"] * 3


def test_denoise_reads_a_collection_and_other_guides(mapped, answered, tiny_model):
    by_vectors = answered("denoise", mapped, "--model", tiny_model, "--guide", "joint", "--levels", 2, plot=False)
    assert by_vectors["n"] == 8
    assert set(by_vectors["effects"]) == {"wrong", "none"}
    without = answered("denoise", mapped, "--model", tiny_model, "--levels", 2, plot=False)
    assert (without["captions"], without["effects"]) == (0, {})


def test_trajectory_places_each_step(mapped, answered, tmp_path):
    told = answered("trajectory", mapped, "a red fox", "a blue cat", "--seeds", 1, "-o", tmp_path / "paths")
    assert told["n"] == len(told["paths"]) == 2
    assert len(told["paths"][0]["places"]) == len(told["steps"]) == 4
    assert told["map"] == "joint-pca"
    assert (tmp_path / "paths" / "sheet.png").exists()


def test_guidance_and_cost(answered, tiny_model, tmp_path):
    (tmp_path / "prompts.txt").write_text("a red fox\n\na blue cat\n")
    prompts = [tmp_path / "prompts.txt", "a king"]
    told = answered("guidance", *prompts, "--scales", 1, 4, "--seeds", 2, "--model", tiny_model)
    assert told["n"] == 3
    assert [row["scale"] for row in told["scales"]] == [1, 4]
    told = answered("cost", "--model", tiny_model, "--repeats", 1)
    assert [row["part"] for row in told["parts"]] == ["latent", "pixels", "decoding"]


def test_novelty_decodes_captions_of_what_was_held_out(mapped, folder, answered, tmp_path):
    told = answered("novelty", mapped, folder, "-o", tmp_path / "made")
    assert [row["n"] for row in told["distances"]] == [6, 6]
    assert 0 <= told["closer"]["value"] <= 1
    assert len(list((tmp_path / "made").glob("*.png"))) == 6


def test_mistakes_are_one_line(mapped, folder, tiny_model, tmp_path, capsys):
    clip = f"clip:{tiny_model / 'clip'}"
    for arguments, expected in (
        (["denoise", folder, "--model", clip], "without generator"),
        (["cost", "--model", clip], "without generator"),
        (["denoise", tmp_path / "nothing"], "expected"),
        (["denoise", folder, "--model", tiny_model, "--most", 2, "--plot", tmp_path / "a.png"], ".html"),
        (["trajectory", mapped, "a fox", "--map", "other"], "other"),
        (["trajectory", mapped, "a fox", "--seeds", 1], "two or more"),
        (["guidance", "a fox", "--model", tiny_model], "two or more"),
        (["novelty", mapped, mapped], "captions"),
    ):
        capsys.readouterr()
        assert main(list(map(str, arguments))) == 2, arguments
        error = capsys.readouterr().err.strip()
        assert len([line for line in error.split("\n") if "error:" in line]) == 1, error
        assert expected in error
