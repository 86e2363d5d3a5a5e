"""The sphere: logarithm and exponential undo each other, and the mean is where the pulls cancel."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from thoughtspace.explorer.errors import GeometryError
from thoughtspace.explorer.geometry.interpolation import slerp
from thoughtspace.explorer.geometry.sphere import angle, exp_map, frechet_mean, log_map

several = settings(max_examples=40, deadline=None)
seeds = st.integers(0, 2**31)
widths = st.integers(2, 40)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def unit(x: torch.Tensor) -> torch.Tensor:
    return x / x.norm(dim=-1, keepdim=True)


def turn(d: int, seed: int) -> torch.Tensor:
    return torch.linalg.qr(drawn(d, d, seed=seed)).Q


def cap(k: int, d: int, seed: int) -> torch.Tensor:
    """Points of unequal norms within 80° of a pole, so that their mean is unique."""
    pole, side = unit(drawn(1, d, seed=seed)), drawn(k, d, seed=seed + 1)
    side = unit(side - (side * pole).sum(1, keepdim=True) * pole)
    reach = torch.linspace(0.1, 1.4, k, dtype=torch.float64)[:, None]
    return (pole * reach.cos() + side * reach.sin()) * torch.linspace(1, 3, k, dtype=torch.float64)[:, None]


def shares(k: int, seed: int) -> torch.Tensor:
    return torch.rand(k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.05


def pull(mean: torch.Tensor, points: torch.Tensor, weights: torch.Tensor) -> float:
    """Length of the weighted mean of the logarithms, which is 0 at the Fréchet mean."""
    return float((weights[:, None] * log_map(mean.expand_as(points), points)).sum(0).norm() / weights.sum())


@several
@given(seed=seeds, d=widths, scale=st.floats(1e-3, 1e3))
def test_exp_undoes_log(seed, d, scale):
    base, x = drawn(2, d, seed=seed)
    v = log_map(base, scale * x)
    assert_close(exp_map(base, v), unit(x), rtol=1e-9, atol=1e-9)
    assert_close(v.norm(), angle(base, x))
    assert float(v @ unit(base)) == pytest.approx(0, abs=1e-12)


@several
@given(seed=seeds, d=widths, length=st.floats(0, math.pi - 1e-3))
def test_log_undoes_exp_up_to_a_half_turn(seed, d, length):
    base, v = drawn(2, d, seed=seed)
    v = length * unit(v - (v @ unit(base)) * unit(base))
    assert_close(log_map(base, exp_map(base, v)), v, rtol=1e-9, atol=1e-9)
    assert_close(exp_map(base, v).norm(), torch.ones((), dtype=torch.float64))


@several
@given(seed=seeds, d=widths, t=st.floats(0, 1))
def test_a_share_of_the_logarithm_is_a_share_of_the_arc(seed, d, t):
    a, b = unit(drawn(2, d, seed=seed))
    assert_close(exp_map(a, t * log_map(a, b)), slerp(a, b, t), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("omega", [0.0, 1e-12, 1e-8, 1e-4, 1.0, math.pi - 1e-4, math.pi - 1e-8, math.pi])
def test_angles_are_exact_where_the_arc_cosine_is_not(omega):
    a = torch.tensor([1.0, 0.0], dtype=torch.float64)
    b = torch.tensor([math.cos(omega), math.sin(omega)], dtype=torch.float64)
    assert float(angle(3 * a, 5 * b)) == pytest.approx(omega, rel=1e-15, abs=0 if omega < 1 else 1e-15)
    if 0 < omega < 1e-7:
        assert float(torch.acos((a @ b).clamp(-1, 1))) != pytest.approx(omega, rel=1e-3, abs=0), "negative control"


@several
@given(seed=seeds, k=st.integers(2, 7), d=widths)
def test_at_the_mean_the_pulls_cancel_whatever_the_order_and_the_turn(seed, k, d):
    points, weights = cap(k, d, seed), shares(k, seed)
    mean = frechet_mean(points, weights)
    assert pull(mean, points, weights) < 1e-10
    assert_close(mean.norm(), (weights @ points.norm(dim=1)) / weights.sum())
    order = torch.randperm(k, generator=torch.Generator().manual_seed(seed))
    assert_close(frechet_mean(points[order], 7 * weights[order]), mean, rtol=1e-8, atol=1e-8)
    q = turn(d, seed)
    assert_close(frechet_mean(points @ q, weights), mean @ q, rtol=1e-8, atol=1e-8)


@several
@given(seed=seeds, k=st.integers(2, 5), d=widths)
def test_no_place_nearby_is_better(seed, k, d):
    points, weights = cap(k, d, seed), shares(k, seed)
    mean = frechet_mean(points, weights)

    def spread(x):
        return float(weights @ angle(x.expand_as(points), points).square())

    for other in drawn(20, d, seed=seed):
        assert spread(mean) <= spread(mean + 1e-2 * mean.norm() * unit(other)) + 1e-12


@several
@given(seed=seeds, d=widths, t=st.floats(0, 1), omega=st.floats(1e-6, math.pi - 1e-3))
def test_the_mean_of_two_is_slerp_however_far_apart(seed, d, t, omega):
    a, v = unit(drawn(2, d, seed=seed))
    b = exp_map(a, omega * unit(v - (v @ a) * a))
    pair, weights = torch.stack([2 * a, 5 * b]), torch.tensor([1 - t, t], dtype=torch.float64)
    assert_close(frechet_mean(pair, weights), slerp(2 * a, 5 * b, t), rtol=1e-7, atol=1e-7)


def test_the_normalised_plain_mean_is_not_the_mean():
    """Negative control: what most code calls a spherical mean is neither slerp for two nor in balance for more."""
    points, weights = cap(4, 6, 0), shares(4, 0)
    plain = unit(weights @ unit(points))
    assert pull(plain, points, weights) > 1e-2
    a, b = unit(drawn(2, 6))
    assert float(angle(unit(0.8 * a + 0.2 * b), slerp(a, b, 0.2))) > 1e-2


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_a_point_with_all_the_weight_is_returned_bit_for_bit(dtype):
    points = (3 * drawn(4, 9)).to(dtype)
    assert torch.equal(frechet_mean(points, torch.eye(4)), points)
    assert torch.equal(frechet_mean(points[:1]), points[0])


def test_many_weights_at_once_are_as_one_by_one():
    points = cap(4, 30, 3)
    weights = torch.stack([shares(4, seed) for seed in range(6)]).reshape(2, 3, 4)
    together = frechet_mean(points, weights)
    assert together.shape == (2, 3, 30)
    assert_close(together[1, 2], frechet_mean(points, weights[1, 2]))


def test_a_point_without_weight_has_no_say():
    points, weights = cap(4, 8, 5), shares(4, 5)
    weights[2] = 0
    others = [0, 1, 3]
    assert_close(frechet_mean(points, weights), frechet_mean(points[others], weights[others]))
    opposite = torch.cat([points, -frechet_mean(points, weights)[None]])
    assert_close(frechet_mean(opposite, torch.cat([weights, torch.zeros(1)])), frechet_mean(points, weights))


def test_the_mean_of_a_crowd_all_round_the_sphere_is_still_in_balance():
    crowd = drawn(300, 64)
    mean = frechet_mean(crowd)
    assert pull(mean, crowd, torch.ones(300).double()) < 1e-8


@pytest.mark.parametrize(
    ("call", "code", "fact"),
    [
        (lambda x: log_map(x, -x), "opposite", "180°"),
        (lambda x: exp_map(x, x), "not tangent", "log_map"),
        (lambda x: angle(x, 0 * x), "zero vector", "a direction"),
        (lambda x: frechet_mean(torch.stack([x, -x])), "no mean", "cancel out"),
        (lambda x: frechet_mean(torch.stack([x, -x]), torch.tensor([0.3, 0.7])), "opposite", "180°"),
        (lambda x: frechet_mean(torch.cat([torch.eye(5), -torch.eye(5)])), "no mean", "cancel out"),
        (lambda x: frechet_mean(torch.stack([x, 2 * x]), torch.tensor([1.5, -0.5])), "negative weight", "-0.5"),
        (lambda x: frechet_mean(torch.stack([x, x]), torch.zeros(2)), "zero weights", "all 0"),
        (lambda x: frechet_mean(torch.stack([x, x]), torch.tensor([1.0, math.nan])), "not finite", "a weight"),
        (lambda x: frechet_mean(torch.stack([x, 0 * x])), "zero vector", "a direction"),
        (lambda x: frechet_mean(x), "shape", "(5,)"),
        (lambda x: frechet_mean(x[None][:0]), "shape", "(0, 5)"),
    ],
)
def test_inputs_without_an_answer_raise_an_error(refused, call, code, fact):
    with refused(GeometryError, code, fact):
        call(drawn(5))
