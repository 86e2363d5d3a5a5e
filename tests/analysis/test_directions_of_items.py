"""Directions of a collection: chosen sides, saved steps, what they do in decoded pictures, and what leaks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from thoughtspace.analysis.directions.dose import dose_response, probe
from thoughtspace.analysis.directions.fit import fit_direction
from thoughtspace.analysis.directions.of_items import Sides, from_items, from_prompts, leakages, save
from thoughtspace.analysis.directions.principal import principal
from thoughtspace.analysis.directions.selection import chosen
from thoughtspace.dashboards.cli import main
from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import AnalysisError, CollectionError
from thoughtspace.explorer.explorer import Explorer
from thoughtspace.explorer.points import Points

N = 48


@pytest.fixture(scope="session")
def red_and_blue(tiny_explorer, tmp_path_factory) -> Path:
    """Pictures that are red or blue, and light or dark, with both as columns."""
    folder = tmp_path_factory.mktemp("colours")
    rng, lines = np.random.default_rng(0), ["file,caption,colour,light,number"]
    for row in range(N):
        red, light = rng.random() < 0.5, rng.random() < 0.5
        pixels = rng.integers(0, 40, (16, 16, 3)) + (90 if light else 0)
        pixels[..., 0 if red else 2] += 110
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{row:02}.png")
        colour = "red" if red else "blue"
        lines.append(f"{row:02}.png,a {colour} thing,{colour},{'yes' if light else 'no'},{row}")
    (folder / "captions.csv").write_text("\n".join(lines), encoding="utf-8")
    made = tmp_path_factory.mktemp("made") / "colours.collection"
    ingest(tiny_explorer, folder, made, spaces=("joint", "latent"))
    return made


@pytest.fixture
def collection(red_and_blue, tiny_explorer) -> Collection:
    opened = Collection.open(red_and_blue, tiny_explorer)
    for name in opened.directions.names():
        opened.directions.remove(name)
    return opened


FRAME = pd.DataFrame(
    {
        "id": list("abcd"),
        "caption": ["a red hat", "Red hats", None, "hat (red)"],
        "year": pd.array([1990, 2001, None, 7], dtype="Int64"),
        "size": [0.5, 1.0, np.nan, 1e9],
        "code": ["007", "7", None, "x=y"],
        "flag": [True, False, True, False],
    }
)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("year=1990", [1, 0, 0, 0]),
        ("year = 2001", [0, 1, 0, 0]),
        ("year>=1990", [1, 1, 0, 0]),
        ("year<1990", [0, 0, 0, 1]),
        ("size>0.5", [0, 1, 0, 1]),
        ("size=1", [0, 1, 0, 0]),
        ("caption~red", [1, 1, 0, 1]),
        ("caption~hat", [1, 0, 0, 1]),
        ("caption~RED HAT", [1, 0, 0, 0]),
        ("caption=Red hats", [0, 1, 0, 0]),
        ("code=007", [1, 1, 0, 0]),  # as numbers they are equal
        ("code=x=y", [0, 0, 0, 1]),
        ("flag=True", [1, 0, 1, 0]),
        (["b", "d"], [0, 1, 0, 1]),
    ],
)
def test_a_selection_takes_these_rows(selection, expected):
    assert chosen(FRAME, selection).tolist() == [bool(each) for each in expected]


@pytest.mark.parametrize(
    ("selection", "code", "fact"),
    [
        ("red", "selection", "weather=rain"),
        ("", "selection", "''"),
        ("colour=red", "no such column", "caption"),
        ("year=1", "none chosen", "'1990'"),
        ("caption>3", "not numbers", "~"),
        ("year>x", "not numbers", "'x'"),
        (["e"], "no item", "'e'"),
        ([], "no item", "no ids"),
    ],
)
def test_a_selection_of_nothing_is_refused(refused, selection, code, fact):
    with refused(AnalysisError, code, fact):
        chosen(FRAME, selection)


def test_sides_are_all_others_unless_said(refused, collection):
    positive, negative = Sides("colour=red").rows(collection)
    assert np.array_equal(positive, ~negative)
    frame = collection.items("image")
    ids = frame["id"][frame["colour"] == "blue"][:9].tolist()
    _, few = Sides("colour=red", ids).rows(collection)
    assert frame["id"][few].tolist() == ids
    with refused(AnalysisError, "sides", "both sides"):
        Sides("colour=red", "number>=0").rows(collection)


def test_a_planted_property_is_found_and_shuffled_columns_are_not(collection):
    found = from_items(collection, Sides("colour=red"), n_null=19)
    assert found.auc.value > 0.9
    assert found.auc.p_value == 0.05
    positive, negative = Sides("colour=red").rows(collection)
    x = collection.points("joint", "image").flat.double().numpy()
    assert found.step == pytest.approx(np.linalg.norm(x[positive].mean(0) - x[negative].mean(0)), rel=1e-5)
    odd = collection.items("image")["id"][np.random.default_rng(1).random(N) < 0.5].tolist()
    nothing = from_items(collection, Sides(odd), n_null=19)
    assert nothing.auc.p_value > 0.05


def test_a_step_leads_from_one_mean_to_the_other(collection, tiny_explorer):
    sides = Sides("colour=red")
    save(collection, "red", from_items(collection, sides, n_null=9), space="joint", told=sides.to_json())
    positive, negative = sides.rows(collection)
    x = collection.points("joint", "image")
    made = tiny_explorer.points('dir("red")', items=collection.lookup())
    torch.testing.assert_close(made.flat[0], x.flat[positive].mean(0) - x.flat[negative].mean(0), atol=1e-5, rtol=1e-4)
    saved = collection.directions.load("red")
    assert Sides.of(saved) == sides
    assert saved.evidence["auc"]["n_null"] == 9


def test_other_spaces_have_directions_too(collection, tiny_explorer):
    sides = Sides("light=yes")
    save(collection, "light", from_items(collection, sides, space="latent", n_null=9), space="latent", told={})
    made = tiny_explorer.points('dir("light")', "latent", items=collection.lookup("latent"))
    assert made.shape == (1, *tiny_explorer.latent.shape)


def test_a_direction_is_taken_out_of_another(refused, collection):
    red, light = Sides("colour=red"), Sides("light=yes")
    save(collection, "red", from_items(collection, red, n_null=9), space="joint", told=red.to_json())
    fitted = from_items(collection, light, n_null=9)
    saved = save(collection, "light", fitted, space="joint", told=light.to_json(), without=["red"])
    other = collection.directions.load("red").step
    assert abs(saved.step @ other) < 1e-5 * np.linalg.norm(saved.step) * np.linalg.norm(other)
    assert saved.evidence["without"] == ["red"]
    assert 0 < saved.evidence["kept"] < 1
    with refused(CollectionError, "no such direction", "'green'"):
        save(collection, "x", fitted, space="joint", told={}, without=["green"])
    with refused(AnalysisError, "other space", "'red'", "'latent'"):
        save(collection, "x", fitted, space="latent", told={}, without=["red"])


def test_pairs_of_prompts_give_a_direction(refused, tiny_explorer):
    things = ["fox", "hat", "cat", "man", "boat", "house", "tree", "hill", "lake", "dog"]
    pairs = [(f"a red {thing}", f"a {thing}") for thing in things]
    found = from_prompts(tiny_explorer, pairs, n_null=19)
    texts = [tiny_explorer.joint.text(*side).flat.double().mean(0) for side in zip(*pairs, strict=True)]
    torch.testing.assert_close(torch.from_numpy(found.vector * found.step), texts[0] - texts[1], atol=1e-5, rtol=1e-4)
    with refused(AnalysisError, "too few", "7 positive"):
        from_prompts(tiny_explorer, pairs[:7])
    with refused(AnalysisError, "too few", "no pairs"):
        from_prompts(tiny_explorer, [])


def test_pairs_stay_together():
    """Where pairs have places of their own, a small shift between the sides is found, and nothing where none is."""
    rng = np.random.default_rng(0)
    places = 5 * rng.standard_normal((40, 6))
    shifted = places + [0.7, 0, 0, 0, 0, 0] + 0.2 * rng.standard_normal(places.shape)
    paired = fit_direction(shifted, places, paired=True, n_null=39)
    assert paired.auc.p_value <= 0.05
    assert paired.stability > fit_direction(shifted, places, n_null=9).stability
    same = [places + 0.2 * np.random.default_rng(seed).standard_normal(places.shape) for seed in range(12)]
    p_values = [fit_direction(each, places, paired=True, n_null=19, n_samples=2).auc.p_value for each in same]
    assert np.mean([p <= 0.05 for p in p_values]) <= 0.25


def test_leaks_are_measured_on_the_other_half(refused, collection):
    for name, sides in (("red", Sides("colour=red")), ("light", Sides("light=yes"))):
        save(collection, name, from_items(collection, sides, n_null=9), space="joint", told=sides.to_json())
    found = leakages(collection, n_null=19)
    assert found.names == ("light", "red")
    assert found.auc.diagonal().min() > 0.8
    with refused(AnalysisError, "directions", "'latent'"):
        leakages(collection, space="latent")
    save(collection, "pairs", from_items(collection, Sides("colour=red"), n_null=9), space="joint", told={"pairs": []})
    assert leakages(collection, n_null=9).names == ("light", "red")
    with refused(AnalysisError, "directions", "pairs"):
        leakages(collection, ["pairs"])


def brightness(pictures) -> np.ndarray:
    return np.array([np.asarray(each, float).mean() / 255 for each in pictures])


@pytest.fixture(scope="module")
def latent():
    """The latent space of the pocket model, whose pictures have the brightness that their points are given."""
    return Explorer.open("pocket", device="cpu").latent


def test_what_a_direction_does_is_seen_in_pictures_and_a_random_one_does_not(latent, tmp_path):
    colours = np.random.default_rng(0).integers(40, 215, (72, 3))
    points = latent.image(*(Image.new("RGB", (64, 64), tuple(each)) for each in colours.tolist()))
    x, light = points.flat.double().numpy(), colours.mean(1) > 128
    fitted = fit_direction(x[light], x[~light], n_null=9)
    values = torch.from_numpy(fitted.step * fitted.vector).float().view(1, *latent.shape)
    step = Points.given(values, latent.info, "lighter")
    found = dose_response(latent, points[:8], step, brightness, doses=[0, 0.5, 1])
    assert np.array_equal(found.seen[0], found.random[0])
    assert (np.diff(found.seen, axis=0) > 0).all()
    value, low, high = found.effect
    assert 0.1 < low <= value <= high
    assert abs((found.random[-1] - found.random[0]).mean()) < 0.05
    table = found.table()
    assert table["dose"].tolist() == [0, 0.5, 1]
    assert ((table["low"] <= table["seen"]) & (table["seen"] <= table["high"])).all()
    assert [trace.name for trace in found.plot().data] == ["random direction", "along it"]
    assert json.loads(json.dumps(found.to_json()))["effect"]["value"] == value
    found.save(tmp_path)
    assert len(list(tmp_path.glob("*/*.png"))) == 2 * 24
    cell = latent.model.autoencoder.image_size + 2
    assert Image.open(tmp_path / "sheet.png").size == (6 * cell - 2, 8 * cell - 2)
    # Negative control: a step that is random itself does no more than another random one.
    random = torch.randn(1, *latent.shape, generator=torch.Generator().manual_seed(9))
    nothing = Points.given(float(values.norm()) * random / random.norm(), latent.info, "random")
    _, low, high = dose_response(latent, points[:8], nothing, brightness, doses=[0.6]).effect
    assert -0.05 < low < high < 0.05


def test_a_dose_without_a_meaning_is_refused(refused, tiny_explorer):
    joint = tiny_explorer.joint
    starts, step = joint.text("a fox", "a hat"), joint.text("a man")
    with refused(AnalysisError, "too few", "1 starts"):
        dose_response(joint, starts[:1], step, brightness)
    with refused(AnalysisError, "doses"):
        dose_response(joint, starts, step, brightness, doses=[])
    with refused(AnalysisError, "no variation"):
        dose_response(joint, starts, 0 * step, brightness)
    with refused(AnalysisError, "judge", "shape (1,)"):
        dose_response(joint, starts, step, lambda pictures: [1.0], doses=[0])


def test_a_probe_knows_the_pictures_it_learned_from(refused, collection):
    see = probe(collection, Sides("colour=red"))
    positive, _ = Sides("colour=red").rows(collection)
    pictures = [Image.open(source) for source in collection.items("image")["source"]]
    assert np.mean((see(pictures) > 0.5) == positive) > 0.9
    with refused(AnalysisError, "kind", "'text'"):
        probe(collection, Sides("caption~red", kind="text"))
    with refused(AnalysisError, "one class"):
        probe(collection, Sides("number>=0"))


def run(capsys, *arguments: str) -> dict:
    code = main([*arguments, "--json"])
    told = capsys.readouterr()
    assert code == 0, told.err
    return json.loads(told.out)


def test_the_commands(capsys, collection, tiny_model, tmp_path):
    folder = [str(collection.path), "--model", str(tiny_model)]
    drawn = ("--plot", str(tmp_path / "auc.html"))
    made = run(capsys, "direction", *folder, "red", "--positive", "colour=red", "--null", "9", *drawn)
    assert (tmp_path / "auc.html").stat().st_size > 1e6
    assert made["name"] == "red"
    assert made["evidence"]["auc"]["value"] > 0.9
    ids = tmp_path / "light.txt"
    ids.write_text("\n".join(collection.items("image").query("light == 'yes'")["id"]) + "\n")
    made = run(capsys, "direction", *folder, "light", "--positive", str(ids), "--without", "red", "--null", "9")
    assert abs(made["cosines"]["red"]) < 1e-5
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text(
        "\n".join(f"a red {each}\ta {each}" for each in ["fox", "hat", "cat", "man", "boat", "dog", "lake", "tree"])
    )
    assert len(run(capsys, "direction", *folder, "words", "--pairs", str(pairs), "--null", "9")["sides"]["pairs"]) == 8
    listed = run(capsys, "directions", *folder, "--null", "9", "--plot", str(tmp_path / "leaks.html"))
    assert [each["name"] for each in listed["directions"]] == ["light", "red", "words"]
    assert {each["property"] for each in listed["leakage"]} == {"light", "red"}
    assert (tmp_path / "leaks.html").stat().st_size > 1e6
    out = tmp_path / "doses"
    seen = run(capsys, "dose", *folder, "red", "--n", "2", "--doses", "0", "1", "-o", str(out))
    assert [each["dose"] for each in seen["doses"]] == [0, 1]
    assert len(list(out.glob("*/*.png"))) == 8
    started = run(capsys, "dose", *folder, "red", "--doses", "1", "--start", "a fox", "--start", '"a hat" - "a man"')
    assert started["n"] == 2
    assert run(capsys, "directions", *folder, "--remove", "red")["leakage"] is None


def test_principal_directions_are_saved_under_names(capsys, collection, tiny_model, tmp_path):
    folder = [str(collection.path), "--model", str(tiny_model)]
    page = tmp_path / "pc.html"
    made = run(capsys, "direction", *folder, "pc", "--principal", "2", "--null", "9", "--plot", str(page))["directions"]
    assert [each["name"] for each in made] == ["pc1", "pc2"]
    first, second = (each["evidence"] for each in made)
    assert first["share"]["value"] > max(second["share"]["value"], first["share"]["null_high"])
    assert page.stat().st_size > 1e6
    lookup, x = collection.lookup("joint"), collection.points("joint", "image").flat.double().numpy()
    steps = [lookup.direction(name).numpy().ravel().astype(float) for name in ("pc1", "pc2")]
    assert abs(steps[0] @ steps[1]) < 1e-5 * np.linalg.norm(steps[0]) * np.linalg.norm(steps[1])
    along = (x @ steps[0] / np.linalg.norm(steps[0])).std(ddof=1)
    assert along == pytest.approx(np.linalg.norm(steps[0]), rel=1e-4)  # a step is one standard deviation
    point = collection.explorer.points(['"a fox" + 2 * dir("pc1")'], "joint", items=lookup)
    moved = point.numpy()[0] - collection.explorer.joint.text("a fox").numpy()[0]
    np.testing.assert_allclose(moved, 2 * steps[0], atol=1e-5)
    listed = run(capsys, "directions", *folder, "--null", "9")
    assert {"pc1", "pc2"} <= {each["name"] for each in listed["directions"]}
    assert main(["directions", *folder, "--remove", "pc1", "--remove", "pc2"]) == 0
    capsys.readouterr()


def test_no_principal_direction_of_shuffled_numbers_is_found(refused):
    rng = np.random.default_rng(3)
    planted = rng.normal(size=(100, 6)) + 3 * rng.normal(size=(100, 1)) * np.array([1, 1, 0, 0, 0, 0])
    found = principal(planted, 2)
    assert found.shares[0].p_value == 0.05
    assert found.stability[0] > 0.95 > found.stability[1]
    np.testing.assert_allclose(np.abs(found.vectors[0]), np.array([1, 1, 0, 0, 0, 0]) / 2**0.5, atol=0.1)
    assert principal(rng.normal(size=(100, 6)), 1).shares[0].p_value > 0.05
    assert list(found.table().index) == ["direction 1", "direction 2"]
    with refused(AnalysisError, "no variation"):
        principal(np.ones((20, 6)), 1)
    with refused(AnalysisError, "too few", "9 items"):
        principal(rng.normal(size=(9, 6)), 4)


def test_commands_refuse_at_once(capsys, collection, tmp_path):
    folder = str(collection.path)
    (tmp_path / "bad.tsv").write_text("a red fox\ta fox\na red hat\n")
    (tmp_path / "cp1252.tsv").write_bytes("caf\xe9\ta\n".encode("cp1252"))
    for arguments, fact in (
        (["direction", folder, "x"], "--positive and --pairs"),
        (["direction", folder, "x", "--positive", "a=b", "--pairs", "c"], "--positive and --pairs"),
        (["direction", folder, "x", "--principal", "2", "--positive", "a=b"], "expected it alone"),
        (["direction", folder, "../x", "--principal", "2"], "letters"),
        (["direction", folder, "../x", "--positive", "a=b"], "letters"),
        (["direction", folder, "x", "--pairs", str(tmp_path / "bad.tsv")], "line 2"),
        (["direction", folder, "x", "--pairs", str(tmp_path / "cp1252.tsv")], "UTF-8"),
        (["direction", folder, "x", "--pairs", str(tmp_path / "none.tsv")], "none.tsv"),
        (["directions", folder, "--remove", "x"], "none yet"),
        (["dose", folder, "x"], "none yet"),
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert fact in error, error
        assert len(error.splitlines()) == 1


def test_the_command_structure(capsys, collection, tmp_path):
    found = run(capsys, "structure", str(collection.path), "--null", "2", "--plot", str(tmp_path / "s.html"))
    assert found["sentence"].startswith("Around each item")
    assert found["n"] == N
    assert found["measures"]["two_nn"]["n_null"] == 2
    assert run(capsys, "structure", str(collection.path), "--space", "latent", "--null", "1")["d"] > 0
    assert main(["structure", str(collection.path), "--kind", "text"]) == 2
    assert "expected more than 40" in capsys.readouterr().err
