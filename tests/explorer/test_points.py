"""Points: the arithmetic of a vector space, histories that say how, and a refusal to mix."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from thoughtspace.explorer.errors import GeometryError, SpaceError
from thoughtspace.explorer.geometry.interpolation import Geometry
from thoughtspace.explorer.language.evaluate import parse
from thoughtspace.explorer.language.nodes import MAX_NODES, Add, Given, Item, Text
from thoughtspace.explorer.points import Points, SpaceInfo

JOINT = SpaceInfo("pocket", "a" * 64, "joint", (6,), Geometry.SPHERE)
NOISE = SpaceInfo("pocket", "a" * 64, "noise", (2, 3), Geometry.GAUSSIAN)
OTHER = SpaceInfo("another", "b" * 64, "joint", (6,), Geometry.SPHERE)

factors = st.floats(-8, 8).map(lambda value: round(value, 3))


def drawn(n: int, seed: int = 0, space: SpaceInfo = JOINT) -> Points:
    values = torch.randn(n, *space.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Points(values, space, tuple(Text(f"text {seed}.{row}") for row in range(n)))


@settings(max_examples=50, deadline=None)
@given(a=factors, b=factors, seed=st.integers(0, 1000), n=st.integers(1, 4))
def test_they_are_a_vector_space(a, b, seed, n):
    p, q, r = (drawn(n, seed + k) for k in range(3))

    def same(left: Points, right: Points) -> None:
        assert_close(left.values, right.values, rtol=1e-9, atol=1e-9)

    same(p + q, q + p)
    same((p + q) + r, p + (q + r))
    same(a * (p + q), a * p + a * q)
    same((a + b) * p, a * p + b * p)
    same(a * (b * p), (a * b) * p)
    same(p - q, p + (-q))
    same(p + q - q, p)
    if a:
        same(p * a / a, p)


def test_the_history_is_the_source_of_the_value():
    p, q = drawn(1, 1), drawn(1, 2)
    result = -(p - 0.5 * q) / 3 + np.float32(2) * q
    assert result.expressions == ('-("text 1.0" - 0.5 * "text 2.0") / 3 + 2 * "text 2.0"',)
    assert parse(result.expressions[0]) == result.origin[0]


def test_one_row_combines_with_each_of_many(refused):
    many, one = drawn(3, 1), drawn(1, 2)
    assert_close((many + one).values, many.values + one.values)
    assert_close((one - many).values, one.values - many.values)
    assert (one - many).expressions[2] == '"text 2.0" - "text 1.2"'
    assert len(one + drawn(3)[:0]) == 0
    with refused(SpaceError, "number of points", "3 points with 2"):
        many + drawn(2)


@pytest.mark.parametrize("scalar", [2, 2.0, np.float64(2), np.float32(2), np.array(2), torch.tensor(2.0)])
def test_any_kind_of_number_scales_from_both_sides(scalar):
    p = drawn(2)
    assert_close((scalar * p).values, 2 * p.values)
    assert_close((p * scalar).values, 2 * p.values)
    assert_close((p / scalar).values, p.values / 2)


@pytest.mark.parametrize("scalar", ["2", None, float("nan"), float("inf"), [1, 2], np.ones(2), torch.ones(2), 1j])
def test_only_finite_numbers_scale(refused, scalar):
    with refused(SpaceError, "factor", f"points * {str(scalar)[:40]}"):
        drawn(2) * scalar


def test_points_have_no_product_and_no_quotient(refused):
    p = drawn(1)
    for operation, fact in ((lambda: p * p, "points * points"), (lambda: p / p, "points / points")):
        with refused(SpaceError, "product", fact):
            operation()
    with refused(SpaceError, "divisor", "points / 0"):
        p / 0
    with refused(SpaceError, "not points", "float", "joint space"):
        p + 1.0


def test_two_spaces_or_two_models_never_mix(refused):
    joint = drawn(1)
    with refused(SpaceError, "other space", "noise space of pocket", "make both with the joint space"):
        joint + drawn(1, space=NOISE)
    with refused(SpaceError, "other space", "joint space of another", "open one model"):
        joint - drawn(1, space=OTHER)
    with refused(SpaceError, "other space", "noise space", "joint space"):
        Points.cat([joint, drawn(1, space=NOISE)])


def test_the_weights_make_a_model_not_the_name_it_was_opened_by():
    renamed = SpaceInfo("/models/pocket", JOINT.model_hash, JOINT.name, JOINT.shape, JOINT.geometry)
    assert len(Points.cat([drawn(1), drawn(1, space=renamed)])) == 2


def test_a_write_into_points_raises():
    source = torch.ones(2, 6)
    points = Points.given(source, JOINT, "ones")
    source.zero_()
    assert_close(points.values, torch.ones(2, 6))
    for write in (
        lambda: points.values.add_(1),
        lambda: points.values.__setitem__(0, 0.0),
        lambda: points.flat.mul_(2),
        lambda: torch.add(points.values, 1, out=points.values),
    ):
        with pytest.raises(RuntimeError, match="Inplace update to inference tensor"):
            write()
    with pytest.raises(AttributeError):
        points.values = source


def test_a_clone_takes_gradients():
    values = drawn(1).values.clone().requires_grad_()
    values.square().sum().backward()
    assert_close(values.grad, 2 * values.detach())


def test_rows_by_index_slice_list_and_mask():
    p = drawn(4)
    assert [len(p[0]), len(p[-1]), len(p[1:3]), len(p[[2, 0, 2]]), len(p[[]])] == [1, 1, 2, 3, 0]
    assert p[[2, 0]].expressions == ('"text 0.2"', '"text 0.0"')
    assert p[np.array([True, False, False, True])].expressions == ('"text 0.0"', '"text 0.3"')
    assert p[torch.tensor(1)].expressions == ('"text 0.1"',)
    assert [row.expressions for row in p] == [(text,) for text in p.expressions]
    assert_close(Points.cat(list(p)).values, p.values)
    for rows in (4, -5, [9], "0", 0.5, [True]):
        with pytest.raises(IndexError, match="as rows of 4 points"):
            p[rows]


def test_the_mean_is_the_one_of_the_geometry(refused):
    p = drawn(3)
    weights = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64)
    assert_close(p.mean(weights).flat[0], Geometry.SPHERE.mean(p.flat, weights))
    assert p.mean([1, 2, 1]).expressions == ('mean("text 0.0", "text 0.1", "text 0.2", 1, 2, 1)',)
    noise = drawn(4, space=NOISE)
    assert noise.mean().values.shape == (1, 2, 3)
    assert_close(noise.mean().flat[0], noise.flat.sum(0) / 2)  # LOL: the variance is kept, not divided by four
    with refused(SpaceError, "weights", "3 points", "(2,)"):
        p.mean([1, 2])
    with refused(SpaceError, "weights", "0 points"):
        p[:0].mean()
    with refused(GeometryError, "negative weight", "-1"):
        p.mean([1, -1, 0])


def test_values_must_have_the_shape_of_the_space(refused):
    for values in (torch.zeros(6), torch.zeros(2, 5), torch.zeros(2, 6, dtype=torch.long), np.zeros((2, 6)), 3.0):
        with refused(SpaceError, "values", "a floating tensor (n, 6)"):
            Points(values, JOINT, (Text("a"),))
    with refused(SpaceError, "origins", "1 origins for 2 points"):
        Points(torch.zeros(2, 6), JOINT, (Text("a"),))
    with refused(SpaceError, "no points", "no points"):
        Points.cat([])


def test_dtype_and_device_are_kept_and_changed_by_request():
    p = drawn(2)
    half = p.to(dtype=torch.float16)
    assert (half.dtype, (2 * half).dtype, p.dtype) == (torch.float16, torch.float16, torch.float64)
    assert half.origin == p.origin
    assert drawn(2, space=NOISE).flat.shape == (2, 6)


def test_a_history_that_doubles_at_every_step_stays_small():
    p = drawn(1)
    for _ in range(200):
        p = 0.5 * (p + p)
    assert p.origin[0].size <= MAX_NODES
    assert "given(" in p.expressions[0]
    q = sum((drawn(1, seed) for seed in range(1, 400)), start=p)
    assert len(str(q.origin[0])) < 100_000


def test_printing_says_what_and_how_many():
    assert repr(drawn(1)) == 'Points("text 0.0"; joint space of pocket, 1 × (6,), float64)'
    assert repr(drawn(3)) == "Points(joint space of pocket, 3 × (6,), float64)"
    assert Points.given(torch.zeros(2, 6), JOINT, "a place").origin == (Given("a place"),) * 2
    assert drawn(1).with_origin([Add(Item("x"), Item("y"))]).expressions == ('item("x") + item("y")',)
