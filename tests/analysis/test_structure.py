"""What a space is like: planted dimensions, spreads, hubs and norms come back; what cannot be measured is refused."""

from __future__ import annotations

import numpy as np
import pytest

from thoughtspace.analysis.knn import neighbors
from thoughtspace.analysis.structure.dimension import gride, local_dimension, mle, two_nn
from thoughtspace.analysis.structure.hubs import hubs
from thoughtspace.analysis.structure.pairs import pairs, uniformity, uniformity_of_a_sphere
from thoughtspace.analysis.structure.spread import effective_rank, isotropy, norms, participation_ratio, spectrum
from thoughtspace.explorer.errors import AnalysisError


def cube(n: int, d: int, inside: int, seed: int = 0):
    """A cube of dimension d in a space of dimension `inside`, turned at random."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.standard_normal((inside, d)))
    return rng.random((n, d)) @ basis.T


@pytest.mark.parametrize(("d", "expected"), [(2, 1.92), (5, 4.83), (10, 8.75)])
def test_the_dimension_of_a_cube_is_found_whatever_it_lies_in(d, expected):
    """Values of a uniform cube of 2,500 items, where edges cost a little."""
    x = cube(2500, d, 40)
    found = two_nn(x)
    assert found.value == pytest.approx(expected, rel=0.06)
    assert found.low < found.value < found.high
    assert mle(x) == pytest.approx(d, rel=0.2)
    assert gride(x, n_near=4).value == pytest.approx(d, rel=0.2)
    assert np.median(local_dimension(x)) == pytest.approx(d, rel=0.25)


def test_gride_of_the_nearest_is_two_nn_in_closed_form():
    x = cube(400, 4, 9)
    near = neighbors(x, 2, metric="euclidean").distances.astype(float)
    assert gride(x, n_near=1) == two_nn(x)
    assert two_nn(x).value == pytest.approx(400 / np.log(near[:, 1] / near[:, 0]).sum(), rel=1e-6)


def test_noise_is_seen_near_and_not_far():
    x = cube(3000, 2, 12) + 0.004 * np.random.default_rng(1).standard_normal((3000, 12))
    near, far = two_nn(x).value, gride(x, n_near=64).value
    assert near > 4
    assert far < 2.6


def test_the_interval_of_two_nn_covers_the_truth_of_a_torus():
    """A flat torus has no edges: the model of the estimate holds."""
    covered = 0
    for seed in range(60):
        angles = 2 * np.pi * np.random.default_rng(seed).random((400, 2))
        x = np.hstack([np.cos(angles), np.sin(angles)])
        found = two_nn(x)
        covered += found.low <= 2 <= found.high
    assert covered >= 51  # 57 are meant


def test_local_dimensions_tell_parts_apart():
    x = np.vstack([cube(600, 2, 10, 1), 5 + cube(600, 8, 10, 2)])
    local = local_dimension(x, k=30)
    assert np.median(local[:600]) == pytest.approx(2, rel=0.2)
    assert np.median(local[600:]) > 5


def test_the_cosine_looks_at_directions_alone():
    """Under the cosine, lengths add no dimension, and chords are compared, not their squares."""
    x = np.random.default_rng(1).standard_normal((1500, 3)) @ np.linalg.qr(cube(10, 10, 10))[0][:3]
    grown = x * np.random.default_rng(3).uniform(0.1, 10, (1500, 1))
    assert two_nn(x, metric="cosine").value == pytest.approx(two_nn(grown, metric="cosine").value, rel=1e-3)
    assert two_nn(x, metric="cosine").value == pytest.approx(2, rel=0.1)


def test_duplicates_are_left_out_and_counted():
    x = cube(300, 3, 6)
    found = two_nn(np.vstack([x, x[:40]]))
    assert found.n_duplicates == 80
    assert found.value == pytest.approx(two_nn(x).value, rel=0.15)
    known = neighbors(np.vstack([x, x[:40]]), 20, metric="euclidean")
    assert np.isfinite(local_dimension(np.vstack([x, x[:40]]), neighbors=known)).all()


def test_ranks_count_the_directions_that_are_used():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4000, 6)) @ np.linalg.qr(rng.standard_normal((30, 6)))[0].T
    assert effective_rank(x) == pytest.approx(6, abs=0.02)
    assert participation_ratio(x) == pytest.approx(6, abs=0.05)
    assert len(spectrum(x)) == 30
    one = np.outer(rng.standard_normal(50), rng.standard_normal(7))
    assert effective_rank(one) == pytest.approx(1, abs=1e-3)


def test_isotropy_is_between_a_line_and_a_ball():
    rng = np.random.default_rng(0)
    assert isotropy(rng.standard_normal((20_000, 10))) > 0.98
    assert isotropy(np.outer(rng.standard_normal(200), np.ones(10))) == pytest.approx(0, abs=1e-4)
    half = np.zeros((5000, 20))
    half[:, :10] = rng.standard_normal((5000, 10))
    assert isotropy(half) == pytest.approx(9 / 19, abs=0.02)  # (k - 1)/(d - 1) of the paper's example


def test_hubs_come_with_the_dimension():
    """Skewness of normal items, k = 10: about -.3 in 3 dimensions, 2 in 20, 5 in 100."""
    rng = np.random.default_rng(0)
    skewness = [hubs(rng.standard_normal((2000, d)), metric="euclidean").skewness for d in (3, 20, 100)]
    assert skewness[0] == pytest.approx(-0.3, abs=0.3)
    assert skewness[1] == pytest.approx(2.1, abs=0.7)
    assert skewness[2] == pytest.approx(5, abs=1.5)
    found = hubs(rng.standard_normal((2000, 100)), metric="euclidean")
    assert found.occurrences.mean() == 10
    assert found.occurrences[found.top(3)].tolist() == sorted(found.occurrences, reverse=True)[:3]
    assert 0.3 < found.robin_hood < 0.9
    assert found.antihubs > 0.05
    ring = np.stack([np.cos(a := np.arange(60) * 2 * np.pi / 60), np.sin(a)], 1)
    even = hubs(ring, k=2, metric="euclidean")
    assert (even.antihubs, even.robin_hood) == (0, 0)


def test_norms_are_held_against_the_shell():
    rng = np.random.default_rng(0)
    noise = norms(rng.standard_normal((500, 768)))
    assert noise.p_value > 0.01
    mean, deviation = noise.expected
    assert noise.lengths.mean() == pytest.approx(mean, abs=4 * deviation / np.sqrt(500))
    assert norms(1.05 * rng.standard_normal((500, 768))).p_value < 1e-6  # negative control


def test_what_cannot_be_measured_is_refused(refused):
    x = cube(100, 3, 5)
    with refused(AnalysisError, "too few", "19 items"):
        two_nn(x[:19])
    with refused(AnalysisError, "too few", "lie on others"):
        two_nn(np.repeat(x[:30], 2, axis=0))
    with refused(AnalysisError, "k"):
        local_dimension(x, k=2)
    with refused(AnalysisError, "no variation"):
        spectrum(np.ones((10, 3)))
    with refused(AnalysisError, "too few"):
        spectrum(x[:1])
    with refused(AnalysisError, "shape"):
        isotropy(x[:, :1])
    with refused(AnalysisError, "k"):
        hubs(x, k=100)
    with refused(AnalysisError, "not finite"):
        norms(np.full((3, 3), np.nan))


def sphere(n: int, d: int, seed: int = 0):
    x = np.random.default_rng(seed).standard_normal((n, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_of_many_pairs_a_sample_of_texts_is_looked_up(monkeypatch):
    x, y = planted_pairs(600, 12, noise=0.9)
    exact = pairs(x, y, n_null=5, n_samples=0).recall
    monkeypatch.setattr("thoughtspace.analysis.structure.pairs._ASKED", 200)
    sampled = pairs(x, y, n_null=5, n_samples=0).recall
    assert 0.1 < exact.value < 0.9
    assert sampled.value != exact.value
    assert abs(sampled.value - exact.value) < 4 * np.sqrt(exact.value * (1 - exact.value) / 200)
    assert sampled.null.max() < 0.05


def planted_pairs(n: int, d: int, *, gap: float = 0.0, noise: float = 0.2, seed: int = 0):
    x = sphere(n, d, seed)
    away = gap * sphere(1, d, 77)
    return x + away, x + noise * sphere(n, d, seed + 1) - away


def test_uniformity_of_an_even_sphere_is_the_closed_form():
    for d in (2, 8, 512):
        assert uniformity(sphere(1500, d)) == pytest.approx(uniformity_of_a_sphere(d), abs=0.03)
    assert uniformity(sphere(5000, 8)) == pytest.approx(uniformity_of_a_sphere(8), abs=0.01)  # a sample of pairs
    x = sphere(40, 3)
    squared = np.square(x[:, None] - x).sum(2)[np.triu_indices(40, 1)]
    assert uniformity(x) == pytest.approx(np.log(np.exp(-2 * squared).mean()), abs=1e-5)
    assert uniformity(np.ones((9, 4))) == pytest.approx(0)
    assert uniformity_of_a_sphere(2) == pytest.approx(
        np.log(np.mean(np.exp(-4 + 4 * np.cos(np.arange(1, 721) * np.pi / 360))))
    )


def test_a_planted_gap_is_measured_and_a_closed_one_is_not():
    closed, opened = (pairs(*planted_pairs(300, 16, gap=gap), n_null=39, n_samples=20) for gap in (0.0, 0.5))
    assert opened.gap.value > 5 * opened.gap.null.max()
    assert opened.kinds.value > 0.95
    assert opened.kinds.p_value == 1 / 40
    assert closed.kinds.value == pytest.approx(0.5, abs=0.12)
    assert closed.gap.p_value > 0.05
    assert closed.recall.value > 0.95
    assert closed.recall.null.mean() == pytest.approx(1 / 300, abs=0.01)
    assert closed.alignment.value == pytest.approx(0.04, abs=0.01)
    assert closed.alignment.null.mean() == pytest.approx(2, abs=0.05)  # independent directions
    assert closed.alignment.p_value == 0.05
    for each in (closed.alignment, closed.gap, closed.recall):
        assert each.interval[0] <= each.value <= each.interval[1]


def test_closing_by_means_leaves_what_a_probe_can_see():
    """Kinds of other spreads are told apart by no linear probe; kinds of other axes are, whatever their means."""
    x, y = planted_pairs(400, 12)
    y[:, 0] = np.abs(y[:, 0])
    y -= y.mean(0) - x.mean(0)
    found = pairs(x, y, n_null=19, n_samples=0)
    assert found.gap.value < 0.1
    assert found.alignment.interval is None


def test_pairs_that_are_none_are_refused(refused):
    x = sphere(30, 4)
    with refused(AnalysisError, "shape", "(30, 4)", "(29, 4)"):
        pairs(x, x[1:])
    with refused(AnalysisError, "too few", "19 pairs"):
        pairs(x[:19], x[:19])
    with refused(AnalysisError, "too few"):
        uniformity(x[:1])
    with refused(AnalysisError, "d"):
        uniformity_of_a_sphere(1)


def test_a_structure_says_what_a_map_can_keep(refused):
    from thoughtspace.analysis.structure.of_items import structure

    rng = np.random.default_rng(0)
    plane = np.hstack([rng.uniform(size=(400, 2)), np.zeros((400, 6))])
    found = structure(plane, metric="euclidean", n_null=2)
    assert found.measures["two_nn"].value == pytest.approx(2, abs=0.25)
    assert "a map in the plane can keep" in found.sentence
    cube = structure(rng.uniform(size=(400, 8)), metric="euclidean", n_null=2)
    assert "no map in two or three" in cube.sentence
    assert list(cube.table().index) == ["two_nn", "gride", "mle", "effective_rank", "isotropy", "hubness"]
    ball = structure(rng.standard_normal((400, 8)), n_null=2)
    assert ball.measures["uniformity"].value == pytest.approx(uniformity_of_a_sphere(8), abs=0.05)
    assert ball.norms.p_value > 0.01 > cube.norms.p_value
    assert ball.to_json()["norms"]["mean"] == pytest.approx(ball.to_json()["norms"]["normal_mean"], abs=0.03)
    # Items in few clusters have fewer directions nearby than their covariance lets one expect.
    centres = 5 * rng.standard_normal((12, 8))
    clusters = centres[rng.integers(12, size=400)] + 0.05 * rng.standard_normal((400, 8)) * [1, 1, *[0.01] * 6]
    mixed = structure(clusters, metric="euclidean", n_null=9).measures["two_nn"]
    assert mixed.value < mixed.null.min()
    assert mixed.to_json()["p_value"] == 0.2
    with refused(AnalysisError, "too few", "40 items"):
        structure(rng.uniform(size=(40, 3)))
