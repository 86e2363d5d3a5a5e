"""Geometry against other people's code: SciPy, lolatents, and definitions written out again from the papers.

geomstats 2.8.0 imports `numpy.trapz`, which NumPy 2.4 no longer has: means and geodesics on the sphere are SciPy's.
"""

import numpy as np
import pytest
import torch
from lolatents import lol_numpy, lol_torch
from scipy import interpolate, optimize, spatial

from thoughtspace.explorer.geometry.interpolation import lol, nlerp, slerp, squad
from thoughtspace.explorer.geometry.sphere import angle, exp_map, frechet_mean, log_map


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def tensor(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(x))


@pytest.mark.parametrize("d", [2, 3, 64, 4096])
@pytest.mark.parametrize("seed", range(5))
def test_slerp_is_scipys(d, seed):
    a, b = unit(drawn(2, d, seed=seed))
    t = np.linspace(0, 1, 33)
    expected = spatial.geometric_slerp(a, b, t)
    np.testing.assert_allclose(slerp(tensor(a), tensor(b), tensor(t)).numpy(), expected, rtol=0, atol=1e-12)
    if d >= 64:  # where two draws are at right angles or nearly
        assert np.abs(nlerp(tensor(a), tensor(b), tensor(t)).numpy() - expected).max() > 1e-3, "negative control"


@pytest.mark.parametrize("angle_between", [1e-4, 1e-2, 1.0, 3.0, 3.14])
def test_slerp_is_scipys_at_hard_angles(angle_between):
    a, b = np.array([1.0, 0, 0]), np.array([np.cos(angle_between), np.sin(angle_between), 0])
    t = np.linspace(0, 1, 17)
    np.testing.assert_allclose(
        slerp(tensor(a), tensor(b), tensor(t)).numpy(), spatial.geometric_slerp(a, b, t), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("k", [2, 3, 7])
def test_lol_is_the_authors(k):
    points, weights = drawn(k, 128, seed=k), drawn(20, k, seed=1)
    from_numpy = lol_numpy.lol_gaussian(weights, points, np.zeros(128))
    from_torch = lol_torch.lol_gaussian(tensor(weights), tensor(points), torch.zeros(128, dtype=torch.float64))
    ours = lol(tensor(points), tensor(weights))
    np.testing.assert_allclose(ours.numpy(), from_numpy, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ours, from_torch, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("k", "d", "seed"), [(2, 3, 0), (3, 3, 1), (4, 5, 2), (6, 4, 3), (5, 12, 4)])
def test_the_frechet_mean_is_what_a_minimiser_finds(k, d, seed):
    """Karcher's definition handed to a general minimiser that knows nothing of spheres."""
    pole = unit(drawn(d, seed=seed))
    points, weights = unit(unit(drawn(k, d, seed=seed + 10)) + 1.2 * pole), np.random.default_rng(seed).random(k) + 0.1

    def spread(x):
        return weights @ np.arccos(np.clip(points @ unit(x), -1, 1)) ** 2

    starts = (pole, weights @ points, *points)
    found = [optimize.minimize(spread, x, method="BFGS", options={"gtol": 1e-10}) for x in starts]
    best = unit(min(found, key=lambda result: result.fun).x)
    ours = frechet_mean(tensor(points), tensor(weights)).numpy()
    np.testing.assert_allclose(ours, best, rtol=0, atol=1e-6)
    assert spread(ours) <= spread(best) + 1e-12
    if k > 2:
        assert np.abs(unit(weights @ points) - best).max() > 1e-4, "negative control: the normalised plain mean"


@pytest.mark.parametrize("seed", range(5))
def test_log_and_exp_are_a_numerical_geodesic(seed):
    """The exponential solves the geodesic equation x'' = -|x'|² x, integrated by SciPy; the logarithm is its start."""
    from scipy.integrate import solve_ivp

    a, b = unit(drawn(2, 4, seed=seed))
    v = log_map(tensor(a), tensor(b)).numpy()
    run = solve_ivp(
        lambda _, state: np.concatenate([state[4:], -(state[4:] @ state[4:]) * state[:4]]),
        (0, 1),
        np.concatenate([a, v]),
        rtol=1e-11,
        atol=1e-12,
    )
    np.testing.assert_allclose(run.y[:4, -1], b, atol=1e-8)
    np.testing.assert_allclose(exp_map(tensor(a), tensor(v)).numpy(), run.y[:4, -1], atol=1e-8)
    assert float(angle(tensor(a), tensor(b))) == pytest.approx(np.linalg.norm(v))


def multiply(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Hamilton's product of quaternions `(w, x, y, z)`."""
    w = p[0] * q[0] - p[1:] @ q[1:]
    return np.concatenate([[w], p[0] * q[1:] + q[0] * p[1:] + np.cross(p[1:], q[1:])])


def quaternion_log(q: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(q[1:])
    return np.concatenate([[0.0], np.arctan2(length, q[0]) * q[1:] / length])


def quaternion_exp(v: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(v[1:])
    return np.concatenate([[np.cos(length)], np.sin(length) * v[1:] / length])


def shoemake(q: np.ndarray, t: float) -> np.ndarray:
    """Squad as its inventor defined it, with products and inverses of quaternions."""

    def inverse(x):
        return x * [1, -1, -1, -1]

    def control(i):
        if i in (0, len(q) - 1):
            return q[i]
        logs = (quaternion_log(multiply(inverse(q[i]), q[j])) for j in (i + 1, i - 1))
        return multiply(q[i], quaternion_exp(-sum(logs) / 4))

    def way(a, b, u):
        return multiply(a, quaternion_exp(u * quaternion_log(multiply(inverse(a), b))))

    i = min(int(t), len(q) - 2)
    u = t - i
    return way(way(q[i], q[i + 1], u), way(control(i), control(i + 1), u), 2 * u * (1 - u))


@pytest.mark.parametrize("seed", range(5))
def test_squad_of_quaternions_is_shoemakes(seed):
    q = unit(drawn(5, 4, seed=seed) + np.array([2.0, 0.0, 0.0, 0.0]))
    for t in np.linspace(0.05, 3.95, 14):
        np.testing.assert_allclose(squad(tensor(q), t).numpy(), shoemake(q, t), atol=1e-10)


def test_the_norm_along_squad_is_scipys_monotone_cubic_between_inner_stops():
    norms = np.array([1.0, 3.0, 2.0, 2.5, 6.0, 6.5])
    stops = unit(drawn(6, 9)) * norms[:, None]
    t = np.linspace(1, 4, 61)  # SciPy treats the two end pieces in its own way
    expected = interpolate.PchipInterpolator(np.arange(6), norms)(t)
    np.testing.assert_allclose(np.linalg.norm(squad(tensor(stops), tensor(t)).numpy(), axis=1), expected, rtol=1e-12)
