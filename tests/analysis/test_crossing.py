"""Space maps: known maps are recovered, noise scores its null, and held-out rows have no influence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.metrics import r2_score

from thoughtspace.analysis import ridge
from thoughtspace.analysis.space_maps import KINDS, fit_space_map
from thoughtspace.explorer.errors import AnalysisError, SpaceError
from thoughtspace.explorer.geometry.interpolation import Geometry
from thoughtspace.explorer.geometry.ridge import least_left_out
from thoughtspace.explorer.points import Points, SpaceInfo

N = 200


def space(name: str, *shape: int, geometry: Geometry = Geometry.EUCLIDEAN) -> SpaceInfo:
    return SpaceInfo("toy", "0" * 64, name, shape, geometry)


def points(values: np.ndarray, name: str, *, geometry: Geometry = Geometry.EUCLIDEAN) -> Points:
    tensor = torch.from_numpy(np.ascontiguousarray(values)).double()
    return Points.given(tensor, space(name, *tensor.shape[1:], geometry=geometry), "toy")


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(N, 6))


@pytest.fixture(scope="module")
def bent(x) -> tuple[Points, Points]:
    """A curved function of the plane onto a sphere."""
    a, b = x[:, 0], x[:, 1]
    y = np.stack([np.sin(2 * a), np.cos(2 * b), a * b, np.ones_like(a)], axis=1)
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    return points(x[:, :2], "latent"), points(y, "joint", geometry=Geometry.SPHERE)


@pytest.mark.parametrize("width", [6, 500])  # less and more than the number of items
def test_a_known_linear_map_is_recovered(x, width):
    rng = np.random.default_rng(1)
    source = x @ rng.normal(size=(6, width)) if width > 6 else x
    target = source @ rng.normal(size=(width, 3, 2)).reshape(width, 6) + 4
    fitted = fit_space_map(points(source, "prompt"), points(target.reshape(N, 3, 2), "latent"))
    assert fitted.score.r2 > 0.9999
    assert abs(fitted.score.null_mean) < 0.15
    assert fitted.score.p_value == 1 / 21
    mapped = fitted.map(points(source[:5], "prompt"))
    assert mapped.space == space("latent", 3, 2)
    np.testing.assert_allclose(mapped.flat.numpy(), target[:5], atol=0.01)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [6, 500])
def test_noise_scores_within_its_null(x, kind, width):
    """Negative control: independent spaces, also with more dimensions than items."""
    rng = np.random.default_rng(2)
    scores = []
    for seed in range(5):
        source, target = points(rng.normal(size=(N, width)), "prompt"), points(rng.normal(size=(N, 4)), "latent")
        scores.append(fit_space_map(source, target, kind=kind, random_state=seed).score)
    assert np.mean([score.r2 for score in scores]) < 0.05
    assert np.median([score.p_value for score in scores]) > 0.1


def test_a_curved_map_needs_the_kernel(bent):
    linear, kernel = (fit_space_map(*bent, kind=kind).score for kind in KINDS)
    assert kernel.r2 > 0.95
    assert kernel.r2 > linear.r2 + 0.3
    assert kernel.null_max < 0.2


def test_a_straight_map_does_not(x):
    target = points(x @ np.random.default_rng(3).normal(size=(6, 4)), "latent")
    linear, kernel = (fit_space_map(points(x, "prompt"), target, kind=kind).score.r2 for kind in KINDS)
    assert linear > kernel


@pytest.mark.parametrize("kind", KINDS)
def test_held_out_rows_have_no_influence(bent, kind):
    """Other held-out rows give the same map, bit for bit. Control: another fitted row gives another map."""
    source, target = bent
    fitted = fit_space_map(source, target, kind=kind, n_permutations=0)
    assert len(fitted.held_out) == fitted.score.n_held_out == 40
    asked = source[:7]

    def with_rows(rows: np.ndarray) -> Points:
        here, there = source.values.clone(), target.values.clone()
        here[rows] = 1e6 * torch.randn(len(rows), 2, dtype=torch.float64)
        there[rows] = there[rows].flip(0)
        swapped = fit_space_map(
            Points.given(here, source.space, "toy"),
            Points.given(there, target.space, "toy"),
            kind=kind,
            n_permutations=0,
        )
        return swapped.map(asked)

    assert torch.equal(with_rows(fitted.held_out).values, fitted.map(asked).values)
    others = np.setdiff1d(np.arange(N), fitted.held_out)[:40]
    assert not torch.allclose(with_rows(others).values, fitted.map(asked).values, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_score_is_that_of_scikit_learn(bent, kind):
    source, target = bent
    fitted = fit_space_map(source, target, kind=kind, n_permutations=0)
    rest = np.setdiff1d(np.arange(N), fitted.held_out)
    x, y, made = source.values.numpy(), target.values.numpy(), fitted.regression
    mean = y[rest].mean(0)
    if kind == "linear":
        theirs = Ridge(alpha=made.alpha).fit(x[rest], y[rest]).predict(x)
        np.testing.assert_allclose(made.predict(x), theirs, atol=1e-9)
    else:
        # The kernel of the library is not centred, so it is given our centred kernel.
        kernel = np.exp(-made.basis.gamma * ridge.squared(x, x[rest]))
        inner = kernel[rest]
        centred = kernel - inner.mean(0) - kernel.mean(1, keepdims=True) + inner.mean()
        model = KernelRidge(alpha=made.alpha, kernel="precomputed").fit(centred[rest], y[rest] - mean)
        theirs = model.predict(centred) + mean
        np.testing.assert_allclose(made.predict(x), theirs, atol=1e-6)
    tested = fitted.held_out
    assert fitted.score.r2 == pytest.approx(r2_score(y[tested], theirs[tested], multioutput="variance_weighted"))


@pytest.mark.parametrize("width", [3, 300])  # of many columns only a sketch is used
def test_the_penalty_is_that_of_scikit_learns_cross_validation(x, width):
    rng = np.random.default_rng(4)
    y = 0.1 * x @ rng.normal(size=(6, width)) + rng.normal(size=(N, width))
    basis = ridge.LinearBasis.of(x)
    alphas = ridge.PENALTIES * basis.spectrum.sum() / N
    theirs = RidgeCV(alphas).fit(x, y).alpha_
    assert ridge.fit([basis], y).alpha == pytest.approx(theirs)
    assert alphas[0] < theirs < alphas[-1]


def test_the_closed_form_is_leaving_one_out(x):
    """Compared with one fit for each row, with the kernel."""
    y = np.sin(3 * x[:40, :2])
    basis = ridge.KernelBasis.of(x[:40], 0.2)
    penalties = ridge.PENALTIES * basis.spectrum.sum() / 40
    error, alpha = least_left_out(basis.u, basis.spectrum, y - y.mean(0), penalties)
    kernel = np.exp(-0.2 * ridge.squared(x[:40], x[:40]))
    total = 0.0
    for row in range(40):
        rest = np.delete(np.arange(40), row)
        # The mean is a free intercept: bordered equations.
        border = np.block([[kernel[np.ix_(rest, rest)] + alpha * np.eye(39), np.ones((39, 1))], [np.ones((1, 39)), 0]])
        weights = np.linalg.solve(border, np.vstack([y[rest], np.zeros((1, 2))]))
        total += np.square(y[row] - kernel[row, rest] @ weights[:-1] - weights[-1]).sum()
    assert error == pytest.approx(total, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("turned", [False, True])
def test_a_direction_is_the_jacobian(bent, kind, turned):
    """Compared with central differences of `map`, to and from a sphere. Control: another direction differs."""
    source, target = reversed(bent) if turned else bent
    fitted = fit_space_map(source, target, kind=kind, n_permutations=0)
    at, delta = source[:9], source[10:19] - source[20:29]
    carried = fitted.direction(delta, at=at)
    step = 1e-5
    difference = (fitted.map(at + step * delta).values - fitted.map(at - step * delta).values) / (2 * step)
    torch.testing.assert_close(carried.values, difference, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(fitted.direction(delta[0], at=at).values, difference, atol=1e-2)
    assert carried.space == target.space


def test_there_and_back_is_the_same_direction(x):
    turn, _ = np.linalg.qr(np.random.default_rng(6).normal(size=(6, 6)))
    here, there = points(x, "prompt"), points(3 * x @ turn, "latent")
    away, home = fit_space_map(here, there), fit_space_map(there, here)
    delta = here[0] - here[1]
    carried = away.direction(delta)
    assert float(torch.linalg.vector_norm(carried.values) / torch.linalg.vector_norm(delta.values)) == pytest.approx(
        3, abs=0.01
    )
    torch.testing.assert_close(home.direction(carried).values, delta.values, atol=0.01, rtol=0.01)
    torch.testing.assert_close((away.map(here[0]) - away.map(here[1])).values, carried.values)


def test_on_a_sphere_points_are_directions(bent):
    source, target = bent
    there, back = fit_space_map(source, target), fit_space_map(target, source)
    norms = torch.linalg.vector_norm(there.map(source).values, dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms))
    torch.testing.assert_close(back.map(3 * target).values, back.map(target).values)


def test_the_same_seed_gives_the_same_score(bent):
    first, again = (fit_space_map(*bent).score for _ in range(2))
    assert first == again
    assert fit_space_map(*bent, random_state=1).score != first
    assert set(first.to_json()) > {"r2", "null_mean", "null_max", "p_value"}


def test_the_origin_names_the_source_of_a_point(bent):
    source, target = bent
    fitted = fit_space_map(source, target, n_permutations=0)
    assert fitted.map(source[0]).expressions == ('given("given(\\"toy\\") carried from latent to joint")',)
    assert "direction carried from latent to joint" in fitted.direction(source[0] - source[1]).expressions[0]
    assert fitted.map(source[0].to(dtype=torch.float32)).dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "error", "code", "fact"),
    [
        ({"target": "short"}, AnalysisError, "number of points", "200 points and 199 targets"),
        ({"target": "same"}, SpaceError, "same space", "latent space of toy"),
        ({"source": "few", "target": "few"}, AnalysisError, "too few items", "19 items, expected at least 20"),
        ({"target": "equal"}, AnalysisError, "all equal", "target"),
        ({"target": "infinite"}, AnalysisError, "not finite", "joint space"),
        ({"kind": "mlp"}, AnalysisError, "kind", "'mlp', expected one of linear, kernel"),
        ({"held_out": 0.9}, AnalysisError, "held_out", "0.9"),
        ({"n_permutations": -1}, AnalysisError, "n_permutations", "-1"),
    ],
)
def test_what_does_not_fit_is_refused(bent, change, error, code, fact, refused):
    source, target = bent
    made = {
        "short": target[:-1],
        "same": source,
        "few": (source[:19], target[:19]),
        "equal": Points.given(target.values[:1].expand(N, -1), target.space, "toy"),
        "infinite": Points.given(target.values / 0.0, target.space, "toy"),
    }
    options = {name: value for name, value in change.items() if name not in ("source", "target")}
    if change.get("target"):
        target = made[change["target"]]
    if "source" in change:
        source, target = made["few"]
    with refused(error, code, fact):
        fit_space_map(source, target, **options)


def test_points_of_another_space_are_refused(bent, refused):
    source, target = bent
    straight, curved = (fit_space_map(source, target, kind=kind, n_permutations=0) for kind in KINDS)
    with refused(SpaceError, "other space", "joint space of toy", "expected the latent"):
        straight.map(target)
    with refused(AnalysisError, "no base points", "kernel"):
        curved.direction(source[0] - source[1])
    with refused(SpaceError, "number of points", "2 base points for 3 directions"):
        curved.direction(source[:3], at=source[:2])


def test_points_and_directions_are_mapped_between_joint_and_bottleneck_and_decode(tiny_explorer):
    texts = [f"a {colour} {what} {more}" for colour in ("red", "blue") for what in ("cat", "fox") for more in "abcdef"]
    joint, bottleneck = tiny_explorer.joint.text(*texts), tiny_explorer.bottleneck.text(*texts, n_seeds=1, steps=2)
    there = fit_space_map(joint, bottleneck, n_permutations=5)
    back = fit_space_map(bottleneck, joint, n_permutations=5)
    assert tiny_explorer.bottleneck.decode(there.map(joint[:1]), steps=2)[0].size == (64, 64)
    moved = joint[:1] + back.direction(bottleneck[:1] - bottleneck[12:13])
    assert tiny_explorer.joint.decode(moved, steps=2)[0].size == (64, 64)
