"""The product of geometries: ends, reductions to the parts, means and distances in one unit."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from thoughtspace.explorer.errors import GeometryError
from thoughtspace.explorer.geometry.interpolation import Geometry, lerp, lol_between, nlerp, slerp, squad
from thoughtspace.explorer.geometry.product import OWN, Product, along
from thoughtspace.explorer.language.evaluate import evaluate, parse
from thoughtspace.explorer.language.nodes import Text
from thoughtspace.explorer.paths import grid, path
from thoughtspace.explorer.points import Points, SpaceInfo

WIDTHS = (12, 8, 64)
PRODUCT = Product(tuple(zip((Geometry.EUCLIDEAN, Geometry.SPHERE, Geometry.GAUSSIAN), WIDTHS, strict=True)))
INFO = SpaceInfo("toy", "0" * 64, "prompt+joint+noise", (sum(WIDTHS),), PRODUCT)


def drawn(n: int, *, seed: int = 0) -> Points:
    values = torch.randn(n, sum(WIDTHS), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Points(values, INFO, tuple(Text(str(row)) for row in range(n)))


class Stops:
    """Texts that are row numbers."""

    def __init__(self, points: Points) -> None:
        self.points = points

    def text(self, text: str, /) -> Points:
        return self.points[int(text)]

    image = item = text


def test_a_path_passes_its_stops_bit_for_bit():
    stops = drawn(4)
    for name in (None, "lerp", "slerp", "nlerp", "squad"):
        walked = path(stops, 10, interpolant=name)
        assert torch.equal(walked.points.values[::3], stops.values)
    assert path(stops, 4).interpolant == "product"


def test_each_part_has_its_own_interpolant():
    a, b = drawn(2).values
    made = PRODUCT.split(along(PRODUCT, torch.stack([a, b]), 0.3, OWN))
    ways = (lerp, slerp, slerp)
    for way, x, y, part in zip(ways, PRODUCT.split(a), PRODUCT.split(b), made, strict=True):
        assert torch.equal(part, way(x, y, 0.3))
    assert torch.equal(path(drawn(2), 3, ts=[0, 0.3, 1]).points.values[1], torch.cat(list(made)))


@pytest.mark.parametrize(("name", "way"), [("lerp", lerp), ("nlerp", nlerp), ("slerp", slerp)])
def test_a_named_interpolant_is_that_of_every_part(name, way):
    stops = drawn(2)
    a, b = stops.values
    expected = [way(x, y, 0.3) for x, y in zip(PRODUCT.split(a), PRODUCT.split(b), strict=True)]
    assert torch.equal(path(stops, 3, interpolant=name, ts=[0, 0.3, 1]).points.values[1], torch.cat(expected))


def test_squad_is_that_of_every_part():
    stops = drawn(4)
    expected = torch.cat([squad(part, 1.4) for part in PRODUCT.split(stops.values)], dim=-1)
    assert torch.equal(path(stops, 2, interpolant="squad", ts=[0, 1.4]).points.values[1], expected)


def test_a_part_that_is_the_same_at_both_ends_stays():
    """The noise of a walk between two prompts; LOL, which is for independent draws, would lengthen it."""
    stops = drawn(2).values.clone()
    stops[1, -64:] = stops[0, -64:]
    held = Points(stops, INFO, (Text("a"), Text("b")))
    for points in (path(held, 5).points, grid(held, 3)):
        noise = PRODUCT.split(points.values)[2]
        assert_close(noise, noise[:1].expand_as(noise))
    noise = stops[0, -64:]
    assert float(lol_between(noise, noise, 0.5).norm() / noise.norm()) == pytest.approx(2**0.5)  # negative control


def test_the_mean_of_two_is_their_interpolation_and_of_one_is_itself():
    stops = drawn(3)
    for t in (0.0, 0.25, 0.8, 1.0):
        weights = torch.tensor([1 - t, t], dtype=torch.float64)
        assert_close(PRODUCT.mean(stops.values[:2], weights), along(PRODUCT, stops.values[:2], t, OWN))
    assert torch.equal(stops.mean([0, 0, 1]).values, stops.values[2:])
    assert torch.equal(grid(stops[:2], 3).values[[0, 2]], stops.values[:2])


def test_distances_add_as_in_pythagoras_in_one_unit():
    a, b = drawn(2).values
    x, y = PRODUCT.split(a), PRODUCT.split(b)
    squares = [
        float((x[0] - y[0]).square().mean()),
        float(Geometry.SPHERE.distance(x[1], y[1])) ** 2,
        float((x[2] - y[2]).square().mean()),
    ]
    assert float(PRODUCT.distance(a, b)) ** 2 == pytest.approx(sum(squares))
    assert float(PRODUCT.distance(a, a)) == 0
    other = b.clone()
    other[:20] = a[:20]
    assert float(PRODUCT.distance(a, other)) == pytest.approx(squares[2] ** 0.5)


@pytest.mark.parametrize("width", [64, 4096])
def test_unrelated_noises_are_as_far_apart_whatever_their_width(width):
    product = Product(((Geometry.SPHERE, 4), (Geometry.GAUSSIAN, width)))
    one = torch.randn(2, width, generator=torch.Generator().manual_seed(0))
    same = torch.ones(2, 4)
    assert float(product.distance(*torch.cat([same, one], dim=1))) == pytest.approx(2**0.5, rel=0.2)


def test_a_triangle_is_no_shorter_than_its_side():
    a, b, c = drawn(3, seed=5).values
    assert PRODUCT.distance(a, c) <= PRODUCT.distance(a, b) + PRODUCT.distance(b, c)


def test_the_origin_of_every_point_makes_it_again():
    stops = drawn(3)
    for name in ("product", "lerp", "slerp", "squad"):
        walked = path(stops, 8, interpolant=name)
        for point, source in zip(walked.points, walked.points.expressions, strict=True):
            assert_close(evaluate(parse(source), Stops(stops)).values, point.values)


def test_the_norm_of_an_expression_is_taken_part_by_part():
    stops = drawn(1)
    made = PRODUCT.split(evaluate(parse('norm("0")'), Stops(stops)).values)
    assert [float(part.norm()) for part in made] == pytest.approx([1.0, 1.0, 8.0])


def test_products_are_compared_by_their_parts():
    same = Product(PRODUCT.parts)
    assert same == PRODUCT
    assert hash(SpaceInfo("b", "0" * 64, INFO.name, INFO.shape, same)) == hash(INFO)
    assert Product(PRODUCT.parts[:2]) != PRODUCT
    assert PRODUCT != Geometry.SPHERE


def test_unsuitable_interpolants_parts_and_widths_raise_an_error(refused):
    stops = drawn(2)
    with refused(GeometryError, "interpolant", "'lol'", "one of product, lerp, nlerp"):
        path(stops, 3, interpolant="lol")
    with refused(GeometryError, "interpolant", "lol(…)", "prompt+joint+noise space"):
        evaluate(parse('lol("0", "1", 0.5)'), Stops(stops))
    plain = SpaceInfo("toy", "0" * 64, "noise", INFO.shape, Geometry.GAUSSIAN)
    with refused(GeometryError, "interpolant", "'product'", "one of lerp"):
        path(Points(stops.values, plain, stops.origin), 3, interpolant="product")
    with refused(GeometryError, "parts", "two or more"):
        Product(PRODUCT.parts[:1])
    with refused(GeometryError, "width", str(tuple(stops.values[:, 1:].shape))):
        PRODUCT.distance(stops.values[:, 1:], stops.values[:, 1:])


def test_parts_in_opposite_directions_are_found_though_the_rows_are_not(refused):
    values = drawn(2).values.clone()
    values[1, 12:20] = -values[0, 12:20]
    opposite = Points(values, INFO, (Text("a"), Text("b")))
    with refused(GeometryError, "opposite", '1 ("a") and 2 ("b")'):
        path(opposite, 3)
    assert len(path(opposite, 3, interpolant="lerp")) == 3
