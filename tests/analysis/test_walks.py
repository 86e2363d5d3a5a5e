"""How walks run: closed forms for steps, detours, PPL and geodesics, and what the tiny model's walks give."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from thoughtspace.analysis.paths.geodesic import pullback_geodesic
from thoughtspace.analysis.paths.nearness import nearness
from thoughtspace.analysis.paths.of_models import (
    geodesic_stops,
    latent_geodesic,
    morphs,
    nearness_of,
    path_length_of,
    steps_of,
)
from thoughtspace.analysis.paths.perceptual_length import perceptual_length
from thoughtspace.analysis.paths.steps import measure_steps
from thoughtspace.analysis.paths.walk_lengths import walk_lengths
from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.errors import AnalysisError


def as_json(result) -> dict:
    return json.loads(json.dumps(result.to_json(), allow_nan=False))


# steps


def test_a_great_circle_in_equal_steps_has_no_detour():
    angles = np.linspace(0, np.pi / 2, 10)
    found = measure_steps(np.stack([np.cos(angles), np.sin(angles), 0 * angles], 1), n_null=49)
    assert found.lengths == pytest.approx(np.full(9, np.pi / 18), abs=1e-6)
    assert found.direct == pytest.approx(np.pi / 2, abs=1e-6)
    values = {name: each.value for name, each in found.measures.items()}
    assert values["cv"] == pytest.approx(0, abs=1e-5)
    assert values["detour"] == pytest.approx(1, abs=1e-6)
    assert values["turn"] == pytest.approx(np.pi / 18, abs=1e-5)  # chords of a circle turn by one step
    assert found.measures["detour"].p_value == 0.04  # no random order is as short
    assert len(as_json(found)["lengths"]) == 9
    assert found.table().index.tolist() == ["cv", "detour", "turn"]
    assert [trace.type for trace in found.plot().data] == ["bar", *["box", "scatter"] * 3]


def test_a_square_round_a_corner_is_longer_by_the_root_of_two():
    found = measure_steps([[0, 0], [1, 0], [1, 1]], metric="euclidean", n_null=1)
    assert found.measures["detour"].value == pytest.approx(np.sqrt(2))
    assert found.turns == pytest.approx([np.pi / 2])
    there_and_back = measure_steps([[0, 0], [3, 0], [1, 0]], metric="euclidean", n_null=1)
    assert there_and_back.turns == pytest.approx([np.pi])


def test_a_random_order_is_no_smoother_than_its_null():
    """Negative control: pictures in random order have even p-values."""
    rng = np.random.default_rng(0)
    p_values = [measure_steps(rng.standard_normal((12, 6)), n_null=39).measures["detour"].p_value for _ in range(30)]
    assert np.mean(np.array(p_values) <= 0.1) <= 0.27
    assert np.mean(p_values) > 0.3


def test_walks_that_cannot_be_measured_are_refused(refused):
    with refused(AnalysisError, "too few", "2 pictures"):
        measure_steps(np.eye(2))
    with refused(AnalysisError, "closed"):
        measure_steps(np.eye(3)[[0, 1, 2, 0]])
    with refused(AnalysisError, "metric", "'lpips'"):
        measure_steps(np.eye(3), metric="lpips")
    with refused(AnalysisError, "not finite"):
        measure_steps(np.full((4, 3), np.nan))


# perceptual path length


def line(a, b, t):
    return a + t[:, None] * (b - a)


def test_the_length_of_a_linear_decoder_is_the_squared_distance_it_sees():
    rng = np.random.default_rng(0)
    a, b, matrix = rng.standard_normal((50, 5)), rng.standard_normal((50, 5)), rng.standard_normal((5, 7))
    expected = np.square((b - a) @ matrix).sum(1)
    for where in ("full", "end"):
        found = perceptual_length(a, b, line, lambda x: x @ matrix, where=where)
        np.testing.assert_allclose(found.speeds, expected, rtol=1e-8)
        kept = np.sort(expected)[1:-1] if found.kept.sum() == 48 else np.sort(expected)
        assert found.value == pytest.approx(kept.mean(), rel=0.05)
    assert found.error == pytest.approx(found.speeds[found.kept].std(ddof=1) / np.sqrt(found.kept.sum()))
    assert as_json(found)["n"] == 50
    assert found.plot().data[0].type == "histogram"


def test_a_decoder_that_bends_is_longer_than_its_ends_say():
    a, b = np.zeros((20, 1)), np.ones((20, 1))
    found = perceptual_length(a, b, line, lambda x: np.hstack([np.cos(7 * x), np.sin(7 * x)]), step=1e-4)
    assert found.value == pytest.approx(49, rel=1e-3)


def test_lengths_that_cannot_be_measured_are_refused(refused):
    ends = np.ones((3, 2))
    with refused(AnalysisError, "shape"):
        perceptual_length(ends, ends[:2], line, lambda x: x)
    with refused(AnalysisError, "judge", "(3,)"):
        perceptual_length(ends, ends, line, lambda x: x[:, 0])
    with refused(AnalysisError, "where", "'middle'"):
        perceptual_length(ends, ends, line, lambda x: x, where="middle")
    with refused(AnalysisError, "step"):
        perceptual_length(ends, ends, line, lambda x: x, step=0)


# nearness


def test_a_walk_along_data_stays_near_and_one_through_a_hole_does_not():
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 2 * np.pi, 400)
    ring = np.stack([np.cos(angles), np.sin(angles)], 1) * 5 + 0.05 * rng.standard_normal((400, 2))
    along = np.stack([np.cos(np.linspace(0, 3, 20)), np.sin(np.linspace(0, 3, 20))], 1) * 5
    across = np.linspace(along[0], along[-1], 20)
    found = [nearness(each, ring, metric="euclidean") for each in (along, across)]
    assert found[0].near > 0.9
    assert found[1].near < 0.3
    assert found[0].near_between < 0.4
    assert (found[0].null <= found[0].limit).mean() == pytest.approx(0.95, abs=0.01)
    assert found[1].table()["near"].tolist()[0]
    assert not found[1].table()["near"].tolist()[10]
    assert as_json(found[0])["near"] == found[0].near
    assert found[0].plot().data[0].type == "scatter"


def test_data_that_say_nothing_are_refused(refused):
    with refused(AnalysisError, "width"):
        nearness(np.eye(3), np.eye(4))
    with refused(AnalysisError, "too few", "4 items"):
        nearness(np.eye(4), np.eye(4))


# geodesics


def test_a_linear_decoder_has_straight_geodesics():
    matrix = torch.randn(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    a, b = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    found = pullback_geodesic(lambda x: x @ matrix, a, b, 6)
    torch.testing.assert_close(found.points, torch.linspace(0, 1, 6, dtype=torch.float64)[:, None].expand(6, 3))
    assert found.length == pytest.approx(found.straight)


def test_the_geodesic_of_a_sphere_is_a_great_circle():
    """Through longitude and latitude the length between two points is the arc between them, arccos(p·q)."""

    def sphere(x):
        longitude, latitude = x[:, 0], x[:, 1]
        return torch.stack([latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()], dim=1)

    a, b = (torch.tensor(each, dtype=torch.float64) for each in ([0.0, 0.9], [2.0, 0.8]))
    found = pullback_geodesic(sphere, a, b, 40, iterations=200)
    p, q = sphere(torch.stack([a, b]))
    arc = float(torch.arccos(p @ q))
    assert found.length == pytest.approx(arc, rel=1e-3)
    assert found.straight > 1.1 * arc
    assert found.energies[-1] >= found.length**2 / 2 - 1e-9  # with equality for equal steps
    assert found.energies[-1] == pytest.approx(arc**2 / 2, rel=5e-3)
    assert found.energies[0] > found.energies[-1]
    torch.testing.assert_close(found.points[[0, -1]], torch.stack([a, b]))
    assert as_json(found)["length"] == found.length


def test_ends_without_a_path_are_refused(refused):
    with refused(AnalysisError, "ends", "(2,)", "(3,)"):
        pullback_geodesic(lambda x: x, torch.zeros(2), torch.zeros(3))
    with refused(AnalysisError, "ends", "twice"):
        pullback_geodesic(lambda x: x, torch.zeros(2), torch.zeros(2))
    with refused(AnalysisError, "not finite"):
        pullback_geodesic(lambda x: x / 0, torch.zeros(2), torch.ones(2), 4)


# models


def test_a_walk_of_a_model_is_measured_in_its_joint_space(tiny_explorer, pictures, tmp_path):
    walk = tiny_explorer.walk(["a fox", "a house"], 4, spacing="uniform", steps=2)
    found = steps_of(tiny_explorer, walk.images)
    vectors = tiny_explorer.joint.image(*walk.images).flat.double().numpy()
    cosines = (vectors[1:] * vectors[:-1]).sum(1) / np.square(vectors).sum(1)[0]
    np.testing.assert_allclose(1 - np.cos(found.lengths), 1 - cosines, atol=1e-6)
    folder = tmp_path / "in"
    folder.mkdir()
    for row in range(12):
        pictures[row % len(pictures)].rotate(7 * row).save(folder / f"{row}.png")
    ingest(tiny_explorer, folder, tmp_path / "c")
    near = nearness_of(Collection.open(tmp_path / "c", tiny_explorer), walk.images, k=2)
    assert near.distances.shape == (4,)


def test_the_path_length_of_a_space_sees_its_pictures(tiny_explorer):
    joint = tiny_explorer.joint
    a, b = joint.text("a fox", "a hat", "a cat"), joint.text("a man", "a boat", "a lake")
    found = path_length_of(tiny_explorer, a, b, step=0.1)
    assert found.speeds.shape == (3,)
    assert (found.speeds >= 0).all()
    again = path_length_of(tiny_explorer, a, b, step=0.1)
    assert np.array_equal(found.speeds, again.speeds)


def test_a_geodesic_of_the_autoencoder_is_no_longer_than_the_straight_line(refused, tiny_explorer, pictures):
    stops = tiny_explorer.latent.image(*pictures[:2])
    points, found = latent_geodesic(tiny_explorer, stops, 5, iterations=5)
    assert points.shape == (5, *tiny_explorer.latent.shape)
    assert found.length <= found.straight * (1 + 1e-6)
    assert found.energies[-1] <= found.energies[0]
    assert len(tiny_explorer.latent.decode(points)) == 5
    with refused(AnalysisError, "stops", "3 stops"):
        latent_geodesic(tiny_explorer, tiny_explorer.latent.image(*pictures[:3]))


def test_a_walk_follows_geodesics_from_stop_to_stop(refused, tiny_explorer, pictures):
    stops = tiny_explorer.latent.image(*pictures[:3])
    knots = geodesic_stops(tiny_explorer, stops, 4, iterations=3)
    assert len(knots) == 2 * 3 + 1
    torch.testing.assert_close(knots.values[[0, 3, 6]], stops.values)
    alone, _ = latent_geodesic(tiny_explorer, stops[[1, 2]], 4, iterations=3)
    torch.testing.assert_close(knots.values[3:], alone.values)
    walked = tiny_explorer.walk(knots, 9, space="latent", spacing="uniform")
    assert len(walked.images) == 9
    with refused(AnalysisError, "stops", "1 stops"):
        geodesic_stops(tiny_explorer, stops[:1])


def test_the_command_walk_takes_geodesics_and_its_video_is_made_again(capsys, tiny_model, pictures, tmp_path):
    from thoughtspace.dashboards.cli import main

    for row in (0, 1):
        pictures[row].save(tmp_path / f"{row}.png")
    stops = [f'img("{tmp_path / f"{row}.png"}")' for row in (0, 1)]
    out = str(tmp_path / "walk.gif")
    how = ["walk", *stops, "-o", out, "--frames", "4", "--model", str(tiny_model), "--geodesic"]
    assert main([*how, "--space", "latent", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 4
    assert main(["replay", out, "--model", str(tiny_model), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["identical"]
    for more, fact in (
        (["--space", "joint"], "expected --space latent"),
        (["--space", "latent", "--interpolant", "slerp"], "no --interpolant"),
        (["--space", "latent", "--frames", "2"], "expected 3 or more"),
    ):
        assert main([*how, *more]) == 2
        error = capsys.readouterr().err
        assert fact in error
        assert len(error.splitlines()) == 1


def test_morphs_of_real_pictures_are_compared_between_spaces(refused, tiny_explorer, pictures):
    pairs = [(pictures[0], pictures[1]), (pictures[2], pictures[3])]
    found = morphs(tiny_explorer, pairs, spaces=("latent", "joint"), frames=4)
    table = found.table()
    assert set(table["space"]) == {"latent", "joint"}
    assert (table["low"] <= table["high"]).all()
    of_latent = found.values["length"][0] ** 2
    assert (found.values["ppl"][0] >= of_latent - 1e-9).all()
    assert as_json(found)["pairs"] == 2
    assert len(found.plot().data) == 6
    with refused(AnalysisError, "too few", "1 pairs"):
        morphs(tiny_explorer, pairs[:1])


def test_the_path_length_of_a_walk_is_that_of_its_stretches(refused, tiny_explorer, pictures):
    stops = tiny_explorer.latent.image(*pictures[:3])
    found = walk_lengths(tiny_explorer, stops, 3, step=0.1)
    rows = [0, 0, 0, 1, 1, 1]
    ends = stops[rows], stops[[row + 1 for row in rows]]
    for where, each in (("full", found.full), ("end", found.end)):
        direct = path_length_of(tiny_explorer, *ends, step=0.1, where=where)
        np.testing.assert_allclose(each.speeds, direct.speeds)
    seen = tiny_explorer.joint.image(*tiny_explorer.latent.decode(stops)).flat.double().numpy()
    assert found.straight == pytest.approx(np.square(np.diff(seen, axis=0)).sum(1).mean(), rel=1e-3)
    texts = tiny_explorer.joint.text("a fox", "a hat")
    ends = walk_lengths(tiny_explorer, texts, 3, step=0.1).end.speeds
    assert len(set(ends.round(9))) == 3  # one place from three seeds
    same = walk_lengths(tiny_explorer, stops[[0, 0]], 2)
    assert same.straight == same.full.value == same.end.value == 0
    with refused(AnalysisError, "stops", "1 stops"):
        walk_lengths(tiny_explorer, stops[[0]])


def test_the_command(capsys, tiny_model, tiny_explorer, pictures, tmp_path):
    from thoughtspace.dashboards.cli import main

    def run(*arguments: str) -> dict:
        code = main(["paths", *arguments, "--model", str(tiny_model), "--json"])
        told = capsys.readouterr()
        assert code == 0, told.err
        return json.loads(told.out)

    folder = tmp_path / "in"
    folder.mkdir()
    for row in range(10):
        pictures[row % len(pictures)].rotate(9 * row).save(folder / f"{row}.png")
    ingest(tiny_explorer, folder, tmp_path / "c")
    walked = run("a fox", "a house", "--frames", "3", "--steps", "2", "--spacing", "uniform")
    assert list(walked["measures"]) == ["cv", "detour", "turn"]
    assert walked["near"] is walked["geodesic"] is None
    near = run(
        "a fox", "a house", "--frames", "3", "--collection", str(tmp_path / "c"), "--plot", str(tmp_path / "n.html")
    )
    assert 0 <= near["near"]["near"] <= 1
    assert (tmp_path / "n.html").exists()
    ends = [f'img("{folder / name}")' for name in ("0.png", "1.png")]
    found = run(*ends, "--frames", "3", "--space", "latent", "--geodesic")
    assert found["geodesic"]["length"] <= found["geodesic"]["straight"] * (1 + 1e-6)
    assert walked["ppl"] is None
    page = tmp_path / "ppl.html"
    ppl = run("a fox", "a house", "a cat", "--frames", "3", "--ppl", "2", "--plot", str(page))["ppl"]
    assert ppl["full"]["n"] == ppl["end"]["n"] == 4
    assert ppl["straight"] > 0
    assert "straight" in page.read_text(encoding="utf-8")
    files = [str(folder / f"{row}.png") for row in range(4)]
    morphed = run(*files, "--frames", "3", "--morphs", "latent", "joint", "--plot", str(tmp_path / "m.html"))
    assert morphed["pairs"] == 2
    assert {each["space"] for each in morphed["morphs"]} == {"latent", "joint"}
    assert (tmp_path / "m.html").exists()
    for arguments, fact in (
        (["a", "b", "--ppl", "4", "--steps", "2"], "--ppl with --steps"),
        ([*files, "--morphs", "--spacing", "uniform"], "--morphs with --spacing"),
        ([*files[:3], "--morphs"], "3 pictures"),
        ([*files[:3], "none.png", "--morphs"], "none.png"),
        (["a fox"], "two or more"),
        (["a", "b", "c", "--geodesic", "--space", "latent"], "two for a geodesic"),
        (["a", "b", "--geodesic"], "--space latent"),
        (["a", '"b', "--frames", "3"], "quote"),
    ):
        assert main(["paths", *arguments]) == 2
        assert fact in capsys.readouterr().err
