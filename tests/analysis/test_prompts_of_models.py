"""Prompts by their models: the same numbers as by hand, in Python and by the commands `prompts` and `words`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from thoughtspace.analysis.prompts import of_models
from thoughtspace.analysis.prompts.decoded import decoded, left_out
from thoughtspace.dashboards.cli import main
from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import AnalysisError

PROMPTS = ["a red fox", "a red cat", "a blue house", "a house by a lake"]


def unit(explorer, *texts: str) -> np.ndarray:
    x = explorer.joint.text(*texts).flat.double().numpy()
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_similarity_and_styles_are_those_of_the_joint_space(refused, tiny_explorer):
    found = of_models.prompt_similarity(tiny_explorer, PROMPTS)
    x = unit(tiny_explorer, *PROMPTS)
    np.testing.assert_allclose(found.cosines, x @ x.T, atol=1e-5)
    assert len(found.null) == len(PROMPTS) * len(of_models.UNRELATED)
    effects = of_models.styles(tiny_explorer, PROMPTS, ["at night", "in oil"], template="{style}: {prompt}")
    moved = unit(tiny_explorer, *(f"at night: {each}" for each in PROMPTS)) - x
    assert effects.size[0] == pytest.approx(np.linalg.norm(moved, axis=1).mean(), abs=1e-5)
    with refused(AnalysisError, "template", "{style}"):
        of_models.styles(tiny_explorer, PROMPTS, ["a", "b"], template="{prompt}")
    with refused(AnalysisError, "shape"):
        of_models.styles(tiny_explorer, PROMPTS, [])


def test_a_prompt_is_aligned_with_itself_token_by_token(tiny_explorer):
    found = of_models.token_alignment(tiny_explorer, "a red fox", "a red fox")
    assert found.names[0] == found.names[1]
    assert "".join(found.names[0]).replace("</w>", "").startswith("ared")
    assert found.pairs[:, 0].tolist() == found.pairs[:, 1].tolist()
    assert found.f1.value == pytest.approx(1, abs=1e-6)
    assert len(found.f1.null) == len(of_models.UNRELATED)


def test_wording_is_compared_with_unrelated_texts(tiny_explorer):
    found = of_models.wording(tiny_explorer, "a small red fox", paraphrases=["a little red fox"])
    assert list(found.cosines) == ["other orders", "paraphrases"]
    x = unit(tiny_explorer, "a small red fox", "a little red fox")
    assert found.cosines["paraphrases"] == pytest.approx([x[0] @ x[1]], abs=1e-5)


def test_models_that_are_the_same_agree(refused, tiny_explorer):
    prompts = [f"a {colour} {thing}" for colour in ("red", "blue", "green") for thing in ("fox", "cat", "hat", "man")]
    agreed = of_models.agreement({"one": tiny_explorer, "two": tiny_explorer}, prompts, n_null=19)
    table = agreed.table()
    assert table["value"].tolist() == pytest.approx([1, 1], abs=1e-5)
    assert table["p_value"].tolist() == [0.05, 0.05]
    assert len(agreed.to_json()["least"][0]["prompts"]) == 5
    with refused(AnalysisError, "too few", "1 models"):
        of_models.agreement({"one": tiny_explorer}, prompts)


def test_pictures_come_from_the_same_seeds_for_all_prompts(refused, tiny_explorer, tmp_path):
    found = decoded(tiny_explorer, PROMPTS[:2], seeds=3)
    assert found.vectors.shape == (2, 3, tiny_explorer.joint.shape[0])
    assert [each.record["options"]["seed"] for each in found.images.provenances] == [0, 1, 2, 0, 1, 2]
    alone = tiny_explorer.decode(PROMPTS[1], seed=2)
    np.testing.assert_allclose(
        found.vectors[1, 2], tiny_explorer.joint.image(*alone).flat.double().numpy()[0], atol=1e-3
    )
    found.images.save(tmp_path)
    assert tiny_explorer.replay(tmp_path / "0004.png").identical
    with refused(AnalysisError, "too few", "no prompts"):
        decoded(tiny_explorer, [])


def test_a_word_is_left_out_in_the_text_and_in_the_picture(refused, tiny_explorer):
    found = left_out(tiny_explorer, "a red fox", seeds=2)
    assert found.words == ("a", "red", "fox")
    assert found.texts == ("red fox", "a fox", "a red")
    x = unit(tiny_explorer, "a red fox", "a fox")
    assert found.embedding[1] == pytest.approx(1 - x[0] @ x[1], abs=1e-5)
    assert found.pictures.shape == (3, 2)
    assert len(found.images) == 8
    assert len(found.null) == 2
    assert found.plot().data[0].type == "bar"
    assert found.table()["word"].tolist() == ["a", "red", "fox"]
    with refused(AnalysisError, "one word"):
        left_out(tiny_explorer, "fox")
    with refused(AnalysisError, "seeds"):
        left_out(tiny_explorer, "a fox", seeds=1)


@pytest.fixture(scope="module")
def generated(tiny_explorer, tmp_path_factory) -> Path:
    """Pictures that two models made of prompts, red where these say so."""
    folder = tmp_path_factory.mktemp("generated")
    rng, lines = np.random.default_rng(0), ["file,prompt,model"]
    for row in range(40):
        colour, thing = ("red", "blue")[row % 2], ("fox", "cat", "hat")[row % 3]
        pixels = rng.integers(0, 60, (16, 16, 3))
        pixels[..., 0 if colour == "red" else 2] += 150
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{row}.png")
        lines.append(f"{row}.png,{colour} {thing},{'mj' if row < 20 else 'sd'}")
    (folder / "captions.csv").write_text("\n".join(lines), encoding="utf-8")
    made = tmp_path_factory.mktemp("made") / "generated.collection"
    ingest(tiny_explorer, folder, made)
    return made


def test_words_of_a_collection(refused, generated, tiny_explorer):
    collection = Collection.open(generated, tiny_explorer)
    found = of_models.words_of_collection(collection, n_null=19)
    assert set(found.words) == {"red", "blue", "fox", "cat", "hat"}
    assert set(found.words[:2]) == {"red", "blue"}
    assert found.table()["p_value"]["red"] == 0.05
    close = of_models.closeness_of_collection(collection, by="model")
    assert close.table()["n"].to_dict() == {"mj": 20, "sd": 20, "all": 40}
    for column in ({"column": "nothing"}, {"by": "nothing"}):
        with refused(AnalysisError, "no such column", "'nothing'", "caption"):
            of_models.closeness_of_collection(collection, **column)


def run(capsys, *arguments: str) -> dict:
    code = main([*arguments, "--json"])
    told = capsys.readouterr()
    assert code == 0, told.err
    return json.loads(told.out)


def test_the_commands(capsys, generated, tiny_model, tmp_path):
    file = tmp_path / "prompts.txt"
    file.write_text("\ufeffa red cat\n\na blue house\na red fox\n", encoding="utf-8")
    model = ("--model", str(tiny_model))
    found = run(capsys, "prompts", "a red fox", "--file", str(file), *model, "--plot", str(tmp_path / "tree.html"))
    assert found["prompts"] == ["a red fox", "a red cat", "a blue house"]
    assert found["similarity"]["order"]
    assert found["styles"] is found["left_out"] is found["spread"] is found["agreement"] is None
    found = run(capsys, "prompts", "a red fox", "a red cat", *model, "--wording", "--align")
    assert list(found["wording"]["variants"]) == ["other orders", "paraphrases"]
    assert found["alignment"]["f1"]["n_null"] == len(of_models.UNRELATED)
    assert found["similarity"] is None
    assert (tmp_path / "tree.html").stat().st_size > 1e6
    out = tmp_path / "pictures"
    more = ("--style", "at night", "--style", "in oil", "--leave-out", "--seeds", "2", "-o", str(out))
    found = run(capsys, "prompts", "a red fox", "--file", str(file), *model, *more)
    assert list(found["styles"]) == ["at night", "in oil"]
    assert [each["word"] for each in found["left_out"]["words"]] == ["a", "red", "fox"]
    assert found["spread"]["between"]["n_null"] == 199
    assert (len(list((out / "seeds").iterdir())), len(list((out / "without").iterdir()))) == (6, 8)
    found = run(capsys, "words", str(generated), *model, "--by", "model", "--null", "9")
    assert {each["word"] for each in found["words"][:2]} == {"red", "blue"}
    assert [each["group"] for each in found["closeness"]] == ["mj", "sd", "all"]


def test_what_varies_under_one_prompt_is_decoded(capsys, tiny_model, tiny_explorer, tmp_path):
    out, page = tmp_path / "sliders", tmp_path / "shares.html"
    how = ("--varying", "2", "--seeds", "5", "--model", str(tiny_model), "-o", str(out), "--plot", str(page))
    found = run(capsys, "prompts", "a red fox", *how)
    told = found["varying"]
    assert (told["prompt"], told["seeds"], found["spread"]) == ("a red fox", 5, None)
    first, second = told["directions"]
    assert first["value"] > second["value"] > 0
    pictures = vectors_of_pictures(tiny_explorer, "a red fox", 5)
    assert first["deviation"] == pytest.approx(np.linalg.svd(pictures - pictures.mean(0))[1][0] / 2, rel=1e-3)
    assert len(list((out / "varying").iterdir())) == 2 * len(told["amounts"])
    assert page.stat().st_size > 1e6


def vectors_of_pictures(explorer, prompt: str, seeds: int):
    """The vectors of a prompt's pictures, one seed at a time."""
    point = explorer.space(explorer.usual_space).text(prompt)
    images = [explorer.space(explorer.usual_space).decode(point, seed=seed)[0] for seed in range(seeds)]
    return explorer.joint.image(*images).flat.double().numpy()


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (["a fox"], "1 prompts"),
        (["a fox", "a cat"], "three to compare"),
        (["a fox", "--wording", "--align"], "two with --seeds or --align"),
        ([], "0 prompts"),
        (["a", "b", "c", "--style", "x"], "two or more"),
        (["a", "b", "c", "-o", "out"], "--leave-out, --seeds or --varying"),
        (["a fox", "--varying", "4", "--seeds", "4"], "expected fewer"),
        (["a fox", "--leave-out", "--plot", "x.html"], "three or more to draw"),
        (["a", "b", "c", "--plot", "x.png"], ".html"),
        (["a", "b", "c", "--model", "nothing-of-this-name"], "nothing-of-this-name"),
        (["--file", "none.txt"], "none.txt"),
    ],
)
def test_what_cannot_be_compared_is_refused_at_once(capsys, tmp_path, monkeypatch, arguments, fact):
    monkeypatch.chdir(tmp_path)
    assert main(["prompts", *arguments]) == 2
    error = capsys.readouterr().err
    assert fact in error, error
    assert len(error.splitlines()) == 1
