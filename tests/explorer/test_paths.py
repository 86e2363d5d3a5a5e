"""Paths: through their stops, in equal steps, with a history that makes each point again."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from thoughtspace.explorer.errors import Cancelled, GeometryError
from thoughtspace.explorer.geometry.interpolation import Geometry, slerp
from thoughtspace.explorer.geometry.product import PATHS
from thoughtspace.explorer.geometry.spacing import coefficient_of_variation
from thoughtspace.explorer.geometry.sphere import angle
from thoughtspace.explorer.language.evaluate import evaluate, parse
from thoughtspace.explorer.language.nodes import Text
from thoughtspace.explorer.paths import equal_steps, grid, path
from thoughtspace.explorer.points import Points, SpaceInfo

several = settings(max_examples=25, deadline=None)
LINE = SpaceInfo("toy", "0" * 64, "latent", (1,), Geometry.EUCLIDEAN)


def space(geometry=Geometry.SPHERE, shape=(2, 3)) -> SpaceInfo:
    return SpaceInfo("toy", "0" * 64, "joint", shape, geometry)


def named(values: torch.Tensor, info: SpaceInfo) -> Points:
    return Points(values, info, tuple(Text(f"stop {i}") for i in range(len(values))))


def drawn(k: int, seed: int = 0, geometry=Geometry.SPHERE, dtype=torch.float64) -> Points:
    values = torch.randn(k, 2, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return named(values.to(dtype), space(geometry))


def line(*places: float) -> Points:
    return named(torch.tensor(places, dtype=torch.float64)[:, None], LINE)


def apart(place, power=1.0):
    """A metric on points of the line: the picture of `t` is at `place(t)`."""
    return lambda points: np.abs(np.diff(place(points.values[:, 0].numpy()))) ** power


class Stops:
    """Finds the stops of a path again by their names."""

    def __init__(self, stops: Points) -> None:
        self.stops = stops

    def text(self, text: str, /) -> Points:
        return self.stops[int(text.removeprefix("stop "))]

    image = item = text


# Uniform paths


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_a_path_passes_its_stops_bit_for_bit(name, dtype):
    stops = drawn(4, dtype=dtype)
    walk = path(stops, 10, interpolant=name)
    assert torch.equal(walk.points.values[::3], stops.values)
    assert walk.points.values.dtype == dtype
    assert walk.points.origin[::3] == stops.origin
    assert_close(walk.t, torch.linspace(0, 3, 10, dtype=torch.float64))
    assert len(walk) == 10


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("geometry", list(Geometry))
def test_the_origin_of_every_point_makes_it_again(name, geometry):
    stops = drawn(3, geometry=geometry)
    walk = path(stops, 8, interpolant=name)
    for point, source in zip(walk.points, walk.points.expressions, strict=True):
        assert_close(evaluate(parse(source), Stops(stops)).values, point.values, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("geometry", "name"), [("sphere", "slerp"), ("gaussian", "lol"), ("euclidean", "lerp")])
def test_the_space_chooses_the_interpolant(geometry, name):
    walk = path(drawn(3, geometry=Geometry(geometry)), 7)
    assert walk.interpolant == name
    assert torch.equal(walk.points.values, path(walk.stops, 7, interpolant=name).points.values)


def test_a_uniform_path_between_two_has_equal_angles():
    walk = path(drawn(2), 9)
    steps = angle(walk.points.flat[:-1], walk.points.flat[1:])
    assert coefficient_of_variation(steps) < 1e-10
    assert (
        coefficient_of_variation(angle(*(path(drawn(2), 9, interpolant="lerp").points.flat[s] for s in _PAIRS))) > 0.01
    )


_PAIRS = (slice(None, -1), slice(1, None))


def test_places_may_be_chosen_and_run_backwards():
    stops = drawn(3)
    walk = path(stops, 4, ts=[2, 1, 0.5, 0])
    assert torch.equal(walk.points.values[[0, 1, 3]], stops.values[[2, 1, 0]])
    assert_close(walk.points.flat[2], slerp(stops.flat[0], stops.flat[1], 0.5))


# Equal steps


def test_a_path_warped_by_a_square_becomes_uniform():
    walk, distances = equal_steps(line(0, 1), 48, apart(np.square), tolerance=0.01)
    assert coefficient_of_variation(np.diff(np.linspace(0, 1, 48) ** 2)) > 0.5, "uniform frames are far from equal"
    assert coefficient_of_variation(distances) < 0.01
    assert_close(walk.t, torch.linspace(0, 1, 48, dtype=torch.float64).sqrt(), rtol=0, atol=2e-3)


@several
@given(seed=st.integers(0, 2**31), k=st.integers(2, 5), frames=st.integers(6, 60), power=st.sampled_from([1.0, 2.0]))
def test_smooth_warps_become_uniform_in_any_number_of_frames(seed, k, frames, power):
    bumps = np.random.default_rng(seed).uniform(0.2, 3, 6)
    fine = np.linspace(0, 1, 7)
    speed = apart(lambda t: np.interp(t, np.linspace(0, 1, 400), _length(fine, bumps)), power)
    walk, distances = equal_steps(line(*np.linspace(0, 1, k)), frames, speed, rounds=8)
    # The tolerance is 0.1; about one path in two thousand, of six or seven frames, just misses it in eight rounds.
    assert coefficient_of_variation(distances) <= 0.15
    assert torch.equal(walk.points.values[[0, -1]], walk.stops.values[[0, -1]])


def _length(knots, speeds):
    at = np.interp(np.linspace(0, 1, 400), (knots[1:] + knots[:-1]) / 2, speeds)
    return np.cumsum(at) / at.sum()


def test_repeated_stops_take_no_frames():
    a, b, c = drawn(3)
    walk, distances = equal_steps(Points.cat([a, a, a, b, b, c]), 40, own_angles, rounds=1)
    assert coefficient_of_variation(distances) < 0.1, "one step cuts the corner at b"
    pause = (walk.t > 0) & (walk.t < 2) | (walk.t > 3) & (walk.t < 4)
    assert not pause.any()
    uniform = path(walk.stops, 40)
    assert coefficient_of_variation(own_angles(uniform.points)) > 0.5, "negative control"


def own_angles(points: Points) -> np.ndarray:
    return angle(points.flat[:-1], points.flat[1:]).numpy()


def test_a_jump_cannot_be_divided_and_the_best_round_is_the_answer():
    seen = []

    def measure(points):
        place = points.values[:, 0].numpy()
        seen.append((points, np.abs(np.diff(0.7 * place + 0.3 * (place > 0.4321)))))
        return seen[-1][1]

    walk, distances = equal_steps(line(0, 1), 24, measure)
    assert len(seen) == 6
    assert coefficient_of_variation(distances) == min(coefficient_of_variation(d) for _, d in seen) > 0.1
    answered = [d for points, d in seen if points is walk.points]
    assert len(answered) == 1, "the answer is one of the very objects that were measured"
    np.testing.assert_array_equal(answered[0], distances)


def test_pictures_that_never_change_are_equal_steps_too():
    for stops in (line(0, 1), line(1, 1, 1)):
        walk, distances = equal_steps(stops, 12, lambda points: np.zeros(len(points) - 1))
        assert_close(walk.t, torch.linspace(0, len(stops) - 1, 12, dtype=torch.float64))
        assert not distances.any()


def test_two_frames_are_the_two_ends():
    walk, distances = equal_steps(line(0, 5, 1), 2, apart(np.square))
    assert walk.points.values.flatten().tolist() == [0, 1]
    assert distances.shape == (1,)


def test_progress_wraps_the_rounds_and_may_cancel():
    calls = []

    def progress(iterable, *, total, desc):
        calls.append((total, desc))
        for i, each in enumerate(iterable):
            if i == 2:
                raise Cancelled
            yield each

    with pytest.raises(Cancelled):
        equal_steps(line(0, 1), 9, lambda points: np.arange(8.0) ** 3, tolerance=0, rounds=5, progress=progress)
    assert calls == [(5, "Equal steps")]


# Grids


@pytest.mark.parametrize("geometry", list(Geometry))
@pytest.mark.parametrize("k", [2, 3, 4, 5, 8])
def test_corners_are_exact_and_cells_can_be_made_again(geometry, k):
    corners = drawn(k, geometry=geometry)
    blended = grid(corners, 4)
    for corner in corners:
        assert any(torch.equal(corner.values[0], cell) for cell in blended.values)
    for cell in blended[:6]:
        assert_close(evaluate(parse(cell.expressions[0]), Stops(corners)).values, cell.values, rtol=1e-9, atol=1e-9)


def test_a_grid_of_two_is_slerp_and_norms_are_kept():
    corners = drawn(2)
    assert_close(grid(corners, 9).values, path(corners, 9).points.values, rtol=1e-9, atol=1e-9)
    alike = named(corners.values / corners.flat.norm(dim=1)[:, None, None], corners.space)
    assert_close(grid(alike, 9).flat.norm(dim=1), torch.ones(9, dtype=torch.float64))


def test_the_order_of_the_corners_turns_the_grid_and_changes_no_cell():
    corners = drawn(4)
    cells = grid(corners, 5).values.reshape(5, 5, 2, 3)
    swapped = grid(corners[[1, 0, 3, 2]], 5).values.reshape(5, 5, 2, 3)
    assert_close(swapped, cells.flip(1), rtol=1e-9, atol=1e-9)


# Refusals


@pytest.mark.parametrize(
    ("call", "code", "fact"),
    [
        (lambda: path(drawn(1), 5), "stops", "1 stops"),
        (lambda: path(drawn(2), 1), "frames", "1 frames"),
        (lambda: path(drawn(2), 5, interpolant="spline"), "interpolant", "'spline'"),
        (lambda: path(drawn(2), 5, ts=[0, 1]), "ts", "(2,)"),
        (lambda: path(drawn(2), 2, ts=[0, 1.5]), "t", "1.5"),
        (lambda: path(drawn(2), 2, ts=[0, float("nan")]), "t", "nan"),
        (lambda: path(Points.cat([drawn(1), -drawn(1)]), 5), "opposite", '1 ("stop 0") and 2'),
        (lambda: grid(Points.cat([drawn(1), -drawn(1)]), 3), "no mean", "cancel out"),
        (lambda: grid(drawn(1), 3), "corners", "1 corners"),
        (lambda: equal_steps(line(0), 5, apart(np.abs)), "stops", "1 stops"),
        (lambda: equal_steps(line(0, 1), 5, apart(np.abs), rounds=0), "rounds", "0 rounds"),
        (lambda: equal_steps(line(0, 1), 5, lambda points: np.ones(5)), "shape", "(5,)"),
        (lambda: equal_steps(line(0, 1), 5, lambda points: np.full(4, np.nan)), "distances", "not finite"),
        (lambda: equal_steps(line(0, 1), 5, lambda points: -np.ones(4)), "distances", "negative"),
        (
            lambda: equal_steps(line(0, 1), 5, apart(np.abs), progress=lambda _, total, desc: []),
            "progress",
            "no rounds",
        ),
    ],
)
def test_impossible_paths_and_grids_raise_an_error(refused, call, code, fact):
    with refused(GeometryError, code, fact):
        call()


def test_a_walk_from_a_noise_to_itself_stays_there():
    """LOL of a noise with itself would be √2 times as long; of independent draws it keeps the length."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2, 4, 8, 8, generator=generator)
    info = SpaceInfo("toy", "0" * 64, "noise", (4, 8, 8), Geometry.GAUSSIAN)
    noise = Points.given(values, info, "draws")
    same = path(noise[[0, 0]], 3)
    assert same.interpolant == "slerp"
    torch.testing.assert_close(same.points.values, values[:1].expand(3, -1, -1, -1))
    assert path(noise, 3).interpolant == "lol"
    assert float(path(noise[[0, 0]], 3, interpolant="lol").points.flat[1].norm() / values[0].norm()) > 1.4
