"""Spacing: the inverse of a length is exact where it can be, and learning it converges where it is hard."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thoughtspace.explorer.errors import GeometryError
from thoughtspace.explorer.geometry.spacing import Odometer, coefficient_of_variation

several = settings(max_examples=60, deadline=None)
distances = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e3)), min_size=1, max_size=40).map(np.array)


def step(width, at=0.37):
    return lambda t: 0.5 * (1 + np.tanh((t - at) / (2 * width)))


def stairs(t):
    return sum(step(1 / 400, at)(t) for at in np.linspace(0.05, 0.95, 10))


def three_steps(t):
    return step(1 / 500, 0.1)(t) + 0.5 * step(1 / 3000, 0.53)(t) + step(1 / 60, 0.8)(t) + 0.05 * t


def plateaus(t):
    return np.interp(t, [0, 0.2, 0.25, 0.5, 0.55, 0.9, 1], [0, 0, 1, 1, 1.5, 1.5, 3])


def rough(t):
    """A curve with a detail at every scale: its distances go as the square root of the step."""
    rng = np.random.default_rng(0)
    waves = (2 * np.pi * 2.0**level * t[:, None] + rng.uniform(0, 7, 64) for level in range(14))
    return sum(2.0 ** (-level / 2) * rng.normal(size=64) * np.sin(wave) for level, wave in enumerate(waves))


def apart(place, power=1.0):
    """What a metric reads between neighbours if the picture at `t` is at `place(t)`."""

    def measure(t):
        moved = np.diff(place(t), axis=0)
        return (np.abs(moved) if moved.ndim == 1 else np.linalg.norm(moved, axis=1)) ** power

    return measure


def learned(measure, frames, rounds=6):
    """CV of each round, until it is under 0.1."""
    odometer, cvs = Odometer(1.0), []
    for _ in range(rounds):
        t = odometer.places(frames)
        cvs.append(coefficient_of_variation(measure(t)))
        if cvs[-1] <= 0.1:
            break
        odometer.learn(t, measure(t))
    return cvs


def respace(measured, t, frames):
    """Places with equal steps by one round of measurements alone."""
    odometer = Odometer(t[-1])
    odometer.learn(t, measured)
    return odometer.places(frames)


def textbook(measure, frames, rounds=6):
    """The usual loop: only the last round counts, and distances are taken to add up."""
    t, cvs = np.linspace(0, 1, frames), []
    for _ in range(rounds):
        cvs.append(coefficient_of_variation(measure(t)))
        t = respace(measure(t), t, frames)
    return cvs


HARD = {
    "square": (apart(np.square), 48, 2),
    "square, few frames": (apart(np.square), 8, 2),
    "vertical start": (apart(np.sqrt), 48, 2),
    "step of a 200th": (apart(step(1 / 200)), 48, 3),
    "step of a 2,000th": (apart(step(1 / 2000)), 48, 4),
    "step of a 100,000th": (apart(step(1e-5)), 48, 5),
    "step of a 2,000th, few frames": (apart(step(1 / 2000)), 12, 5),
    "step on a slope": (apart(lambda t: step(1 / 2000)(t) + 0.5 * t), 48, 4),
    "three steps": (apart(three_steps), 48, 4),
    "ten stairs": (apart(stairs), 48, 5),
    "one ramp": (apart(lambda t: np.interp(t, [0, 0.4, 0.6, 1], [0, 0, 1, 1])), 48, 3),
    "four plateaus": (apart(plateaus), 48, 3),
    "four plateaus, many frames": (apart(plateaus), 100, 4),
    "squared distances": (apart(np.square, 2), 48, 4),
    "cubed distances": (apart(np.square, 3), 48, 6),
    "rooted distances": (apart(step(1 / 200), 0.5), 48, 3),
    "squared distances on a step": (apart(step(1 / 200), 2), 24, 5),
    "rough curve": (apart(lambda t: rough(t**2)), 48, 3),
}


@pytest.mark.parametrize("case", HARD)
def test_learning_converges_on_hard_paths(case):
    measure, frames, rounds = HARD[case]
    cvs = learned(measure, frames)
    assert cvs[-1] <= 0.1, cvs
    assert len(cvs) <= rounds, cvs


@pytest.mark.parametrize(
    "case", ["step of a 2,000th, few frames", "squared distances", "cubed distances", "four plateaus"]
)
def test_the_textbook_loop_does_not(case):
    """Negative control: without memory a step is lost again, and on squared distances the loop swings."""
    measure, frames, _ = HARD[case]
    assert min(textbook(measure, frames)) > 0.1


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0, 3.0])
def test_the_exponent_of_the_metric_is_estimated(power):
    measure, odometer = apart(np.square, power), Odometer(1.0)
    for t in (np.linspace(0, 1, 60), np.linspace(0, 1, 60) ** 2, np.linspace(0, 1, 60) ** 0.7):
        odometer.learn(t, measure(t))
    assert odometer.exponent == pytest.approx(power, rel=0.15)


@several
@given(d=distances, frames=st.integers(2, 60))
def test_places_are_in_order_and_end_to_end_whatever_was_measured(d, frames):
    t = np.linspace(0, 4, len(d) + 1)
    for places in (respace(d, t, frames), _after(d, frames)):
        assert places.shape == (frames,)
        assert (np.diff(places) >= 0).all()
        assert np.isfinite(places).all()
    assert respace(d, t, frames)[[0, -1]].tolist() == [0.0, 4.0]
    assert _after(d, frames)[[0, -1]].tolist() == [0.0, 1.0]


def _after(d, frames):
    odometer = Odometer(1.0)
    for _ in range(3):
        odometer.learn(odometer.places(len(d) + 1), d)
    return odometer.places(frames)


@several
@given(d=distances, scale=st.floats(1e-6, 1e6))
def test_the_unit_of_the_distances_does_not_matter(d, scale):
    t = np.linspace(0, 1, len(d) + 1)
    np.testing.assert_allclose(respace(d * scale, t, 20), respace(d, t, 20), atol=1e-6)
    assert coefficient_of_variation(d * scale) == pytest.approx(coefficient_of_variation(d))


@several
@given(n=st.integers(1, 50), frames=st.integers(2, 50))
def test_equal_steps_stay_where_they_are(n, frames):
    for d in (np.full(n, 3.0), np.zeros(n)):
        np.testing.assert_allclose(respace(d, np.linspace(0, 1, n + 1), frames), np.linspace(0, 1, frames), atol=1e-9)
    assert coefficient_of_variation(np.full(n, 3.0)) == pytest.approx(0, abs=1e-12)


def test_the_inverse_of_a_square_is_the_root():
    t = np.linspace(0, 1, 200)
    np.testing.assert_allclose(respace(np.diff(t**2), t, 30), np.sqrt(np.linspace(0, 1, 30)), atol=2e-3)


def test_no_frame_is_on_a_plateau_that_ends_in_a_jump():
    t = np.linspace(0, 1, 41)
    places = respace(np.diff(np.interp(t, [0, 0.4, 0.6, 1], [0, 0, 1, 1])), t, 30)
    assert ((places[1:-1] > 0.38) & (places[1:-1] < 0.62)).all()


def test_what_a_round_measured_outweighs_what_was_thought():
    """However wrong the earlier rounds, equal distances in the last one mean equal places in the next."""
    odometer, t = Odometer(1.0), np.linspace(0, 1, 20) ** 3
    odometer.learn(np.linspace(0, 1, 20), np.arange(1.0, 20))
    odometer.learn(t, np.ones(19))
    np.testing.assert_allclose(odometer.places(20), t, atol=1e-9)


@pytest.mark.parametrize(
    ("d", "t", "code", "fact"),
    [
        ([1.0, 2.0], [0.0, 1.0], "shape", "(2,)"),
        ([], [0.0], "shape", "(1,)"),
        ([-1.0], [0.0, 1.0], "distances", "negative"),
        ([np.nan], [0.0, 1.0], "distances", "not finite"),
        ([1.0], [1.0, 0.0], "places", "not increase"),
        ([1.0], [1.0, 1.0], "places", "not increase"),
        ([1.0], [0.0, np.inf], "places", "not increase"),
    ],
)
def test_invalid_measurements_raise_an_error(refused, d, t, code, fact):
    with refused(GeometryError, code, fact):
        Odometer(1.0).learn(t, d)
