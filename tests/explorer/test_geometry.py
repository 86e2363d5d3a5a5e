"""Interpolation: theorems that hold for any vectors, and popular wrong formulas that break them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch.testing import assert_close

from thoughtspace.explorer.errors import GeometryError
from thoughtspace.explorer.geometry.interpolation import (
    INTERPOLANTS,
    Geometry,
    lerp,
    lol,
    lol_between,
    nlerp,
    piecewise,
    slerp,
    squad,
)
from thoughtspace.explorer.geometry.sphere import angle

D = 16_384  # a latent of Stable Diffusion

several = settings(max_examples=40, deadline=None)
seeds = st.integers(0, 2**31)
widths = st.integers(2, 40)
unit_t = st.floats(0, 1)
names = pytest.mark.parametrize("name", sorted(INTERPOLANTS))


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def turn(d: int, seed: int) -> torch.Tensor:
    return torch.linalg.qr(drawn(d, d, seed=seed)).Q


def elementwise_slerp(a, b, t):
    """Wrong, and often published: an "angle" for each coordinate."""
    omega = torch.acos((a / a.norm() * (b / b.norm())).clamp(-1, 1))
    return torch.sin((1 - t) * omega) / torch.sin(omega) * a + torch.sin(t * omega) / torch.sin(omega) * b


def reversed_fallback_slerp(a, b, t):
    """Wrong, and often published: nearly parallel vectors go from b to a."""
    return lerp(b, a, t) if float(angle(a, b)) < 0.03 else slerp(a, b, t)


def check_speed(f, a, b):
    walked = torch.stack([f(a, b, k / 8) for k in range(9)])
    assert_close(angle(walked[:-1], walked[1:]), (angle(a, b) / 8).expand(8), rtol=1e-6, atol=1e-12)


def check_norm(f, a, b):
    for t in (0.25, 0.5, 0.9):
        assert_close(f(a, b, t).norm(), (1 - t) * a.norm() + t * b.norm())


def check_turning(f, a, b):
    q = turn(a.shape[-1], 9)
    assert_close(f(a @ q, b @ q, 0.3), f(a, b, 0.3) @ q)


def check_reversal(f, a, b):
    assert_close(f(a, b, 0.3), f(b, a, 0.7))


def check_ends(f, a, b):
    assert torch.equal(f(a, b, 0.0), a)
    assert torch.equal(f(a, b, 1.0), b)


# Interpolants


@names
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@several
@given(seed=seeds, d=st.integers(16, 40))  # so wide that no two draws are opposite, even in half precision
def test_ends_are_exact_and_the_dtype_stays(name, dtype, seed, d):
    a, b = (3 * drawn(2, d, seed=seed)).to(dtype)
    check_ends(INTERPOLANTS[name], a, b)
    assert INTERPOLANTS[name](a, b, 0.5).dtype == dtype


@names
@several
@given(seed=seeds, d=widths)
def test_turning_scaling_and_reversal_commute_with_every_interpolant(name, seed, d):
    f, (a, b) = INTERPOLANTS[name], drawn(2, d, seed=seed)
    check_turning(f, a, b)
    check_reversal(f, a, b)
    assert_close(f(5 * a, 5 * b, 0.3), 5 * f(a, b, 0.3))


@several
@given(seed=seeds, d=widths, scale=st.floats(1e-3, 1e3))
def test_slerp_has_constant_angular_speed_and_a_linear_norm(seed, d, scale):
    a, b = drawn(2, d, seed=seed)
    check_speed(slerp, a, scale * b)
    check_norm(slerp, a, scale * b)
    check_norm(nlerp, a, scale * b)


@pytest.mark.parametrize("omega", [1e-2, 1e-5, 1e-8, 1e-12, math.pi - 1e-2, math.pi - 1e-5])
def test_slerp_is_exact_for_tiny_and_for_nearly_flat_angles(omega):
    a = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    b = torch.tensor([math.cos(omega), math.sin(omega), 0.0], dtype=torch.float64)
    for t in (0.1, 0.5, 0.8):
        expected = torch.tensor([math.cos(t * omega), math.sin(t * omega), 0.0], dtype=torch.float64)
        assert_close(slerp(a, b, t), expected, rtol=1e-9, atol=1e-15 / max(math.pi - omega, 1e-5))


def test_slerp_between_equal_vectors_stays_there():
    a = drawn(5)
    assert_close(slerp(a, a, torch.linspace(0, 1, 5)), a.expand(5, 5), rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize(
    ("wrong", "check", "b"),
    [
        (elementwise_slerp, check_speed, "far"),
        (elementwise_slerp, check_norm, "far"),
        (elementwise_slerp, check_turning, "far"),
        (reversed_fallback_slerp, check_ends, "near"),
        (nlerp, check_speed, "far"),
        (lerp, check_norm, "far"),
    ],
)
def test_the_checks_find_wrong_formulas_out(wrong, check, b):
    """Negative control: each check fails on a formula that lacks the property, and passes on slerp."""
    a, far = drawn(2, 16)
    other = {"far": far, "near": a + 1e-3 * far}[b]
    check(slerp, a, other)
    with pytest.raises(AssertionError):
        check(wrong, a, other)


@names
def test_t_broadcasts_against_the_batch(name):
    f, a, b = INTERPOLANTS[name], drawn(3, 7), drawn(3, 7, seed=1)
    t = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    assert_close(f(a, b, t), torch.stack([f(a[i], b[i], float(t[i])) for i in range(3)]))
    assert_close(f(a[0], b[0], t), torch.stack([f(a[0], b[0], float(each)) for each in t]))
    assert f(a, b, t[:, None]).shape == (3, 3, 7)


@names
def test_half_precision_is_computed_precisely(name):
    a, b = drawn(2, D).to(torch.float16)
    assert_close(
        INTERPOLANTS[name](a, b, 0.3), INTERPOLANTS[name](a.double(), b.double(), 0.3).half(), rtol=1e-3, atol=1e-7
    )


def test_gradients_are_right_and_finite_where_the_ends_meet():
    a, b = (x.requires_grad_() for x in drawn(2, 4))
    for f in INTERPOLANTS.values():
        assert torch.autograd.gradcheck(lambda x, y, f=f: f(x, y, 0.3), (a, b))
    (gradient,) = torch.autograd.grad(slerp(a, a.detach().clone(), 0.3).sum(), a)
    assert torch.isfinite(gradient).all()


# Norms of mixed noise, and LOL


@pytest.mark.parametrize("t", [0.1, 0.3, 0.5, 0.8])
def test_norms_of_mixed_independent_noise_are_as_computed(t):
    a, b = drawn(2, D)
    root = math.sqrt(D)
    assert float(lerp(a, b, t).norm()) / root == pytest.approx(math.sqrt((1 - t) ** 2 + t**2), abs=0.02)
    assert float(slerp(a, b, t).norm()) / root == pytest.approx(1, abs=0.02)
    assert float(lol_between(a, b, t).norm()) / root == pytest.approx(1, abs=0.02)


def ks(values: torch.Tensor, deviation: float) -> float:
    return float(stats.kstest(values.flatten().numpy(), stats.norm(0, deviation).cdf).pvalue)


def test_lol_of_draws_is_such_a_draw_whatever_the_weights():
    """Kolmogorov-Smirnov over random weights, some negative; the p-values of a true null are uniform."""
    deviation = 0.7
    points, weights = deviation * drawn(60, 4, 2_000), drawn(60, 4, seed=1)
    p = [ks(lol(x, w), deviation) for x, w in zip(points, weights, strict=True)]
    assert stats.kstest(p, "uniform").pvalue > 0.01
    wrong = [ks((w / w.sum()) @ x, deviation) for x, w in zip(points, weights.abs(), strict=True)]
    assert np.median(wrong) < 1e-4, "negative control: the plain mean is too narrow"


@several
@given(seed=seeds, k=st.integers(1, 5), scale=st.floats(1e-3, 1e3))
def test_lol_knows_proportions_not_order_nor_scale_and_keeps_corners(seed, k, scale):
    points, weights = drawn(k, 3, 4, seed=seed), drawn(k, seed=seed + 1)
    mixed = lol(points, weights)
    assert_close(lol(points, scale * weights), mixed)
    assert_close(lol(points.flip(0), weights.flip(0)), mixed)
    assert torch.equal(lol(points, torch.eye(k)), points)
    a, b = drawn(2, 6, seed=seed)
    assert_close(lol(torch.stack([a, b]), torch.tensor([0.7, 0.3])), lol_between(a, b, 0.3), rtol=1e-6, atol=1e-6)


# Paths through many stops


@several
@given(seed=seeds, k=st.integers(2, 6), d=st.integers(3, 20))
def test_paths_pass_their_stops_exactly(seed, k, d):
    stops = drawn(k, d, seed=seed) * torch.arange(1, k + 1)[:, None]
    knots = torch.arange(k)
    assert torch.equal(squad(stops, knots), stops)
    for f in INTERPOLANTS.values():
        assert torch.equal(piecewise(stops, knots, f), stops)


def corner(f, stops: torch.Tensor, knot: int, h: float = 1e-5) -> float:
    """Jump of the one-sided derivatives at a knot, each from three places, as a share of the speed."""
    left, right = (
        side * (4 * f(stops, knot + side * h) - f(stops, knot + 2 * side * h) - 3 * stops[knot]) / (2 * h)
        for side in (-1, 1)
    )
    return float((left - right).norm() / (left.norm() + right.norm()))


@several
@given(seed=seeds, k=st.integers(3, 6), d=st.integers(3, 20))
def test_squad_has_no_corners_and_piecewise_slerp_has(seed, k, d):
    stops = drawn(k, d, seed=seed) * torch.linspace(1, 4, k)[:, None]
    for knot in range(1, k - 1):
        assert corner(squad, stops, knot) < 1e-4
    pieces = [corner(lambda s, t: piecewise(s, t, slerp), stops, knot) for knot in range(1, k - 1)]
    assert max(pieces) > 1e-3, "negative control"


@several
@given(seed=seeds, k=st.integers(2, 6), d=st.integers(2, 20))
def test_squad_through_equal_arcs_of_one_great_circle_is_slerp(seed, k, d):
    plane = turn(d, seed)[:2]
    angles = torch.arange(k, dtype=torch.float64) * 0.5
    stops = torch.stack([angles.cos(), angles.sin()], 1) @ plane
    t = torch.linspace(0, k - 1, 23, dtype=torch.float64)
    expected = torch.stack([(0.5 * t).cos(), (0.5 * t).sin()], 1) @ plane
    assert_close(squad(stops, t), expected, rtol=1e-9, atol=1e-9)
    assert_close(piecewise(stops, t, slerp), expected, rtol=1e-9, atol=1e-9)


@several
@given(seed=seeds, k=st.integers(2, 6), d=st.integers(3, 20))
def test_squad_turns_with_the_space_is_reversible_and_keeps_norms_between(seed, k, d):
    stops = drawn(k, d, seed=seed) * (1 + torch.arange(k)[:, None])
    t = torch.linspace(0, k - 1, 17, dtype=torch.float64)
    walked = squad(stops, t)
    q = turn(d, seed + 1)
    assert_close(squad(stops @ q, t), walked @ q, rtol=1e-7, atol=1e-7)
    assert_close(squad(stops.flip(0), k - 1 - t), walked, rtol=1e-7, atol=1e-7)
    lengths, ends = walked.norm(dim=1), stops.norm(dim=1)
    piece = t.floor().long().clamp(max=k - 2)
    assert (lengths <= torch.maximum(ends[piece], ends[piece + 1]) * (1 + 1e-9)).all()
    assert (lengths >= torch.minimum(ends[piece], ends[piece + 1]) * (1 - 1e-9)).all()
    assert_close(squad(stops[:2], t / (k - 1)).norm(dim=1), slerp(stops[0], stops[1], t / (k - 1)).norm(dim=1))


def test_repeated_stops_are_a_pause():
    a, b = drawn(2, 6)
    t = torch.linspace(0, 1, 5)
    assert_close(squad(torch.stack([a, a, b]), t), a.expand(5, 6), rtol=0.5, atol=0.5)
    assert_close(piecewise(torch.stack([a, a, b]), t, slerp), a.expand(5, 6), rtol=1e-12, atol=1e-12)
    assert torch.isfinite(squad(torch.stack([a, a, a]), 2 * t)).all()


# Geometry


def between(geometry: Geometry, a: torch.Tensor, b: torch.Tensor, t: float) -> torch.Tensor:
    return INTERPOLANTS[geometry.default_interpolant](a, b, t)


@pytest.mark.parametrize("geometry", list(Geometry))
@several
@given(seed=seeds, d=widths, t=unit_t)
def test_the_mean_of_two_is_their_interpolation_and_corners_are_exact(geometry, seed, d, t):
    points = drawn(2, d, seed=seed)
    assert_close(
        geometry.mean(points, torch.tensor([1 - t, t], dtype=torch.float64)),
        between(geometry, points[0], points[1], t),
        rtol=1e-7,
        atol=1e-7,
    )
    assert torch.equal(geometry.mean(points, torch.eye(2)), points)


@pytest.mark.parametrize("geometry", list(Geometry))
@several
@given(seed=seeds, d=widths)
def test_distances_are_metrics_and_interpolation_divides_them(geometry, seed, d):
    a, b, c = drawn(3, d, seed=seed)
    ab, ba, bc, ac = (float(geometry.distance(x, y)) for x, y in ((a, b), (b, a), (b, c), (a, c)))
    assert ab == pytest.approx(ba)
    assert ac <= ab + bc + 1e-12
    assert float(geometry.distance(a, a)) == 0
    if geometry is not Geometry.GAUSSIAN:  # whose straight lines bulge outward
        assert float(geometry.distance(a, between(geometry, a, b, 0.25))) == pytest.approx(0.25 * ab, rel=1e-6)


# Refusals: one line that says what was got and what to do


@pytest.mark.parametrize(
    ("call", "code", "fact"),
    [
        (lambda x: slerp(x, -x, 0.5), "opposite", "180°"),
        (lambda x: slerp(x, -x, 0.0), "opposite", "180°"),
        (lambda x: nlerp(x, -x, 0.5), "opposite", "through the origin"),
        (lambda x: slerp(x, 0 * x, 0.5), "zero vector", "a direction"),
        (lambda x: slerp(x, 1e-3 * x, 2.0), "negative norm", "outside [0, 1]"),
        (lambda x: lerp(x, x / 0, 0.5), "not finite", "a vector"),
        (lambda x: lerp(x, x, float("nan")), "not finite", "a t "),
        (lambda x: lerp(x, x[:3], 0.5), "width", "width 4 and 3"),
        (lambda x: lerp(x.expand(2, 4), x.expand(3, 4), 0.5), "broadcast", "(2,), (3,)"),
        (lambda x: lerp(x, x.to("meta"), 0.5), "other device", "cpu and meta"),
        (lambda x: lerp(x.long(), x.long(), 0.5), "dtype", "int64"),
        (lambda x: lerp(x[0], x[0], 0.5), "shape", "(..., d)"),
        (lambda x: lol(x.expand(2, 4), torch.zeros(2)), "zero weights", "all 0"),
        (lambda x: lol(x.expand(2, 4), torch.ones(3)), "weights", "(3,)"),
        (lambda x: Geometry.EUCLIDEAN.mean(x.expand(2, 4), torch.tensor([1.0, -1.0])), "zero weights", "sum to 0"),
        (lambda x: squad(x[None], 0.0), "stops", "(1, 4)"),
        (lambda x: squad(torch.stack([x, x]), 1.5), "t", "1.5"),
        (lambda x: piecewise(torch.stack([x, x]), -0.1, lerp), "t", "-0.1"),
    ],
)
def test_inputs_without_an_answer_raise_an_error(refused, call, code, fact):
    with refused(GeometryError, code, fact):
        call(drawn(4))
