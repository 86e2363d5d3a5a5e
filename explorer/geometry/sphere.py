"""The sphere of directions: angles, logarithm and exponential, and the mean of many directions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import GeometryError
from .vectors import check_weights, norm, positive_norm, prepare, tolerance

MAX_STEPS = 100


def angle(a: Tensor, b: Tensor) -> Tensor:
    """Angle between directions in radians, exact for tiny and for nearly flat angles too.

    Kahan's `2 atan2(|â - b̂|, |â + b̂|)`: the arc cosine of a dot product loses half the digits at both ends.

    Args:
        a, b: `(..., d)`, broadcast against each other.

    Returns:
        `(...)`, in [0, π].

    Raises:
        GeometryError: a zero vector.

    >>> round(1e9 * float(angle(torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1e-6]))))
    1000
    """
    (a, b), dtype = prepare(a, b)
    return unit_angle(a / positive_norm(a), b / positive_norm(b))[..., 0].to(dtype)


def log_map(base: Tensor, x: Tensor) -> Tensor:
    """The tangent vector at the direction of `base` that leads to the direction of `x`; its norm is their angle.

    Args:
        base, x: `(..., d)`, broadcast against each other.

    Returns:
        `(..., d)`, at right angles to `base`. `exp_map(base, log_map(base, x))` is the direction of `x`.

    Raises:
        GeometryError: a zero vector, or opposite directions.
    """
    (base, x), dtype = prepare(base, x)
    base, x = base / positive_norm(base), x / positive_norm(x)
    omega = unit_angle(base, x)
    refuse_opposite(omega, dtype)
    ahead = _across(base, x)
    return (omega * ahead / _or_one(norm(ahead))).to(dtype)


def exp_map(base: Tensor, v: Tensor) -> Tensor:
    """Follow the great circle from the direction of `base` along the tangent vector `v` for the angle `|v|`.

    Args:
        base, v: `(..., d)`, broadcast against each other; `v` at right angles to `base`, in radians.

    Returns:
        `(..., d)`, of unit norm.

    Raises:
        GeometryError: a zero base, or a `v` that is not tangent.
    """
    (base, v), dtype = prepare(base, v)
    base = base / positive_norm(base)
    outward = (base * v).sum(-1, keepdim=True)
    if bool((outward.abs() > 10 * tolerance(dtype) * (1 + norm(v))).any()):
        raise GeometryError(
            f"Got a vector that goes {float(outward.abs().max()):.3g} along its base, expected a tangent one; "
            "subtract that part, or take the vector from log_map.",
            code="not tangent",
        )
    return _exp(base, v - outward * base).to(dtype)


def frechet_mean(points: Tensor, weights: Tensor | None = None) -> Tensor:
    """The direction with the least weighted sum of squared angles to `points`, with the mean of their norms.

    Two points give `slerp`. The mean is unique, and found, if the points are in one open half of the sphere; otherwise
    it is the minimum that descent from the plain mean reaches (Karcher 1977; Buss & Fillmore 2001).

    Args:
        points: `(k, d)`.
        weights: `(..., k)`, not negative, in any scale; equal by default.

    Returns:
        `(..., d)`; where one point has all the weight, that point bit for bit.

    Raises:
        GeometryError: a zero vector, a negative weight, or directions that cancel out.

    >>> frechet_mean(torch.tensor([[1.0, 0.0], [0.0, 3.0]]))
    tensor([1.4142, 1.4142])
    """
    (points,), dtype = prepare(points)
    if points.ndim != 2 or len(points) == 0:
        raise GeometryError(
            f"Got points of shape {tuple(points.shape)}, expected (k, d) with k > 0; flatten each one.", code="shape"
        )
    weights = check_weights(weights, points)
    norms = positive_norm(points)
    # The mean is in the span of its points, so the search needs min(k, d) coordinates instead of d.
    basis, coordinates = torch.linalg.qr((points / norms).T)
    directions = _karcher(coordinates.T, weights.reshape(-1, len(points)), dtype)
    mean = (directions @ basis.T).reshape(*weights.shape[:-1], -1) * (weights @ norms)
    whole, owner = weights.max(-1, keepdim=True)
    return torch.where(whole == 1, points[owner[..., 0]], mean).to(dtype)


def unit_angle(a: Tensor, b: Tensor) -> Tensor:
    """Angle between unit vectors, `(..., d) -> (..., 1)`."""
    return 2 * torch.atan2(norm(a - b), norm(a + b))


def refuse_opposite(omega: Tensor, dtype: torch.dtype) -> None:
    """Raise `GeometryError` where an angle is too near π for the precision of `dtype` to show the shorter arc."""
    if bool((omega > math.pi - tolerance(dtype)).any()):
        raise GeometryError(
            "Got two opposite directions (180° apart), between which no arc is the shortest; put a stop between them.",
            code="opposite",
        )


def _or_one(x: Tensor) -> Tensor:
    return torch.where(x == 0, 1.0, x)


def _across(base: Tensor, x: Tensor) -> Tensor:
    # From the difference, not from x itself: for close directions x - (x·base)base is a difference of equals.
    step = x - base
    return step - (step * base).sum(-1, keepdim=True) * base


def _exp(base: Tensor, v: Tensor) -> Tensor:
    length = norm(v)
    point = torch.cos(length) * base + torch.sinc(length / math.pi) * v
    return point / norm(point)


def _karcher(points: Tensor, weights: Tensor, dtype: torch.dtype) -> Tensor:
    """Means `(b, d)` of unit `points` `(k, d)` under `weights` `(b, k)` that sum to 1.

    Each step takes the better of two: the gradient step of length 1, which can only descend because no squared
    angle curves more than a plane does, and Newton's, which ends the search in a few rounds.
    """
    start = weights @ points
    if bool((norm(start) < tolerance(dtype)).any()):
        raise GeometryError(
            "Got directions that cancel out, so that they have no mean; drop or re-weight some of them.", code="no mean"
        )
    x = start / norm(start)
    _refuse_beyond(x, points, weights, dtype)  # every arc to an opposite point is equally short, so means tie
    for _ in range(MAX_STEPS):
        gradient, newton = _descents(x, points, weights)
        if float(norm(gradient).max()) < 1e3 * torch.finfo(x.dtype).eps:
            break
        plain, fast = _exp(x, gradient), _exp(x, newton)
        better = _spread(fast, points, weights) <= _spread(plain, points, weights)
        x = torch.where(better[:, None], fast, plain)
    else:
        if float(norm(gradient).max()) > tolerance(x.dtype):
            raise GeometryError(
                f"Got {len(points)} directions spread so evenly over the sphere that their mean is not unique; "
                "average fewer of them, or some that lean to one side.",
                code="several means",
            )
    _refuse_beyond(x, points, weights, dtype)
    return x


def _refuse_beyond(x: Tensor, points: Tensor, weights: Tensor, dtype: torch.dtype) -> None:
    reach = torch.where(weights > 0, unit_angle(x[:, None], points)[..., 0], 0.0)
    refuse_opposite(reach, dtype)


def _spread(x: Tensor, points: Tensor, weights: Tensor) -> Tensor:
    return (weights * unit_angle(x[:, None], points)[..., 0].square()).sum(-1)


def _descents(x: Tensor, points: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient step and the Newton step of half the weighted sum of squared angles, both `(b, d)` tangents."""
    omega = unit_angle(x[:, None], points)
    ahead = _across(x[:, None], points)
    sine = norm(ahead)
    ahead = ahead / _or_one(sine)
    gradient = (weights[..., None] * omega * ahead).sum(1)
    # Along the arc the squared angle curves by 1, across it by Ω cot Ω.
    curve = torch.where(sine > 0, omega * torch.cos(omega) / _or_one(sine), 1.0)
    weighted = weights[..., None] * (1 - curve) * ahead
    eye = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    normal = x[:, :, None] * x[:, None, :]
    across = (weights[..., None] * curve).sum(1)[..., None]
    hessian = torch.einsum("bki,bkj->bij", weighted, ahead) + across * (eye - normal) + normal
    newton, _ = torch.linalg.solve_ex(hessian, gradient)
    usable = torch.isfinite(newton).all(-1, keepdim=True)
    return gradient, torch.where(usable, newton, gradient)
