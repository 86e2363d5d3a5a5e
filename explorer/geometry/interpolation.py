"""Moving between vectors: interpolation, and the geometries that spaces are walked, averaged and measured by.

Pure functions of tensors `(..., d)`. The arithmetic is done in float64 (float32 where a device has no float64), and
the result has the dtype and the device of the input. Ends are exact: `f(a, b, 0)` is `a` bit for bit. Vectors without
a result (a zero direction, two opposite ones) raise `GeometryError`.

Sources: Shoemake 1985 and 1987 (slerp, squad); Bodin et al. 2024, arXiv 2408.08558 (LOL).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import torch
from torch import Tensor

from ..errors import GeometryError
from .sphere import angle, exp_map, frechet_mean, log_map, refuse_opposite, unit_angle
from .vectors import check_weights, norm, parameter, positive_norm, prepare, tolerance, working_dtype

Interpolant = Callable[[Tensor, Tensor, "float | Tensor"], Tensor]


def lerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """Straight line: `(1 - t)a + tb`.

    Args:
        a, b: `(..., d)`, broadcast against each other.
        t: a number, or a tensor that broadcasts against the `...` of `a` and `b`; outside [0, 1] it extrapolates.

    Raises:
        GeometryError: widths, devices or batches that do not match, integers, or values that are not finite; so does
            every function of this file.

    >>> lerp(torch.tensor([0.0, 2.0]), torch.tensor([4.0, 2.0]), torch.tensor([0.0, 0.25, 1.0]))
    tensor([[0., 2.],
            [1., 2.],
            [4., 2.]])
    """
    (a, b), dtype = prepare(a, b)
    t = parameter(t, a, b)
    return ((1 - t) * a + t * b).to(dtype)


def nlerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """The straight line, scaled to the interpolated norm `(1 - t)|a| + t|b|`; fastest in the middle of the arc.

    Arguments and errors as `lerp`; also `GeometryError` where the line goes through the origin.
    """
    (a, b), dtype = prepare(a, b)
    t = parameter(t, a, b)
    norm_a, norm_b = norm(a), norm(b)
    line = (1 - t) * a + t * b
    length = norm(line)
    if bool((length <= tolerance(dtype) * torch.maximum(norm_a, norm_b)).any()):
        raise GeometryError(
            "Got a line that passes through the origin, expected directions less than 180° apart; "
            "put a stop between the two.",
            code="opposite",
        )
    result = line * (_norm_between(norm_a, norm_b, t) / length)
    # Two sums of the same squares may differ in the last bit, but the ends must be exact.
    return torch.where(t == 0, a, torch.where(t == 1, b, result)).to(dtype)


def slerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """Great circle at constant angular speed; the norm changes linearly from `|a|` to `|b|` (Shoemake 1985).

    With Ω the angle between `a` and `b`, the direction is `[sin((1-t)Ω)â + sin(tΩ)b̂] / sin Ω`.

    Arguments and errors as `lerp`; also `GeometryError` for a zero vector, and for opposite ones, between which no
    arc is the shortest.

    >>> print(slerp(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 4.0]), 0.5))
    tensor([2.1213, 2.1213])
    """
    (a, b), dtype = prepare(a, b)
    t = parameter(t, a, b)
    norm_a, norm_b = positive_norm(a), positive_norm(b)
    omega = unit_angle(a / norm_a, b / norm_b)
    refuse_opposite(omega, dtype)
    # On an arc this short, the weights are those of the straight line to the last bit.
    short = omega < tolerance(omega.dtype)
    sine = torch.where(short, 1.0, torch.sin(omega))
    weight_a = torch.where(short, 1 - t, torch.sin((1 - t) * omega) / sine)
    weight_b = torch.where(short, t, torch.sin(t * omega) / sine)
    length = _norm_between(norm_a, norm_b, t)
    return (weight_a * (length / norm_a) * a + weight_b * (length / norm_b) * b).to(dtype)


def lol(points: Tensor, weights: Tensor) -> Tensor:
    """A mix of independent draws from `N(0, Σ)` that is again such a draw (LOL, Bodin et al. 2024): `Σwₖxₖ / √Σwₖ²`.

    Only the proportions of the weights matter, and they may be negative. Valid for draws from the prior; noise found
    by inversion may not be one.

    Args:
        points: `(k, *shape)`.
        weights: `(..., k)`.

    Returns:
        `(..., *shape)`.

    Raises:
        GeometryError: weights that are all zero.
    """
    (points,), dtype = prepare(points)
    weights = check_weights(weights, points, signed=True)
    return torch.tensordot(weights / norm(weights), points, dims=1).to(dtype)


def lol_between(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """LOL of two draws of N(0, I) with weights `(1 - t, t)`: `lerp / √((1-t)² + t²)`.

    Arguments and errors as `lerp`.
    """
    (a, b), dtype = prepare(a, b)
    t = parameter(t, a, b)
    return (((1 - t) * a + t * b) / torch.sqrt((1 - t).square() + t.square())).to(dtype)


def piecewise(stops: Tensor, t: float | Tensor, interpolant: Interpolant) -> Tensor:
    """A path through many stops, each piece by `interpolant`; continuous, with corners at the stops.

    Args:
        stops: `(k, d)`, k ≥ 2.
        t: a number or a tensor `(...)` within [0, k-1]; the integers are the stops.

    Returns:
        `(..., d)`.

    Raises:
        GeometryError: fewer than two stops, or a `t` outside the path.
    """
    piece, local = _pieces(stops, t)
    return interpolant(stops[piece], stops[piece + 1], local)


def squad(stops: Tensor, t: float | Tensor) -> Tensor:
    """A path on the sphere through many stops without corners, C1 (Shoemake 1987).

    With controls `sᵢ = exp_qᵢ(-(log_qᵢ qᵢ₊₁ + log_qᵢ qᵢ₋₁)/4)`, a piece is
    `slerp(slerp(qᵢ, qᵢ₊₁; u), slerp(sᵢ, sᵢ₊₁; u); 2u(1-u))`. The norm follows a monotone cubic, without corners too.

    Arguments, result and errors as `piecewise` and `slerp`.
    """
    piece, local = _pieces(stops, t)
    (stops,), dtype = prepare(stops)
    norms = positive_norm(stops)
    q = stops / norms
    bend = log_map(q[1:-1], q[2:]) + log_map(q[1:-1], q[:-2])
    controls = torch.cat([q[:1], exp_map(q[1:-1], -bend / 4), q[-1:]])
    along = slerp(q[piece], q[piece + 1], local)
    beside = slerp(controls[piece], controls[piece + 1], local)
    direction = slerp(along, beside, 2 * local * (1 - local))
    path = direction * _monotone_cubic(norms, piece, local[..., None])
    at_stop = ((local == 0) | (local == 1))[..., None]
    return torch.where(at_stop, stops[piece + local.long()], path).to(dtype)


INTERPOLANTS: dict[str, Interpolant] = {"lerp": lerp, "nlerp": nlerp, "slerp": slerp, "lol": lol_between}


class Geometry(StrEnum):
    """How a space is walked, averaged and measured.

    `SPHERE` holds directions (CLIP vectors), `GAUSSIAN` draws of N(0, I) (noise), `EUCLIDEAN` everything else.
    """

    SPHERE = "sphere"
    GAUSSIAN = "gaussian"
    EUCLIDEAN = "euclidean"

    @property
    def default_interpolant(self) -> str:
        """The name in `INTERPOLANTS` of the path that keeps to the region of such a space's points."""
        return {Geometry.SPHERE: "slerp", Geometry.GAUSSIAN: "lol", Geometry.EUCLIDEAN: "lerp"}[self]

    def mean(self, points: Tensor, weights: Tensor | None = None) -> Tensor:
        """Weighted mean of `(k, d)` under `(..., k)` weights in any scale: `frechet_mean`, `lol` or the plain one.

        Two points with weights `(1 - t, t)` give the default interpolant at `t`; one with all the weight, that point.
        """
        if self is Geometry.SPHERE:
            return frechet_mean(points, weights)
        (work,), dtype = prepare(points)
        weights = check_weights(weights, work, signed=True)
        if self is Geometry.GAUSSIAN:
            return lol(work, weights).to(dtype)
        total = weights.sum(-1, keepdim=True)
        if bool((total.abs() < tolerance(work.dtype)).any()):
            raise GeometryError(
                "Got weights that sum to 0, expected another sum, since the mean divides by it.", code="zero weights"
            )
        return ((weights / total) @ work).to(dtype)

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """`(..., d), (..., d) -> (...)`: the angle in radians on the sphere, elsewhere the Euclidean distance."""
        if self is Geometry.SPHERE:
            return angle(a, b)
        (a, b), dtype = prepare(a, b)
        return norm(a - b)[..., 0].to(dtype)


def _norm_between(norm_a: Tensor, norm_b: Tensor, t: Tensor) -> Tensor:
    length = (1 - t) * norm_a + t * norm_b
    if bool((length < 0).any()):
        raise GeometryError(
            f"Got a t so far outside [0, 1] that the norm would be {float(length.min()):.3g}, expected one "
            "above 0; scale both ends to one norm, or take a t nearer to [0, 1].",
            code="negative norm",
        )
    return length


def _pieces(stops: Tensor, t: float | Tensor) -> tuple[Tensor, Tensor]:
    """The piece that each `t` is on, and its place there, in [0, 1]."""
    if stops.ndim != 2 or len(stops) < 2:
        raise GeometryError(
            f"Got stops of shape {tuple(stops.shape)}, expected (k, d) with at least two.", code="stops"
        )
    last = len(stops) - 1
    t = torch.as_tensor(t, dtype=working_dtype(stops), device=stops.device)
    if not bool(((t >= 0) & (t <= last)).all()):
        raise GeometryError(
            f"Got t from {float(t.min()):.4g} to {float(t.max()):.4g}, expected values in [0, {last}].", code="t"
        )
    piece = t.floor().long().clamp(max=last - 1)
    return piece, t - piece


def _monotone_cubic(values: Tensor, piece: Tensor, u: Tensor) -> Tensor:
    """Positive `values` `(k, 1)` joined without corners and without overshoot (Fritsch & Butland 1984)."""
    rise = values.diff(dim=0)
    before, after = rise[:-1], rise[1:]
    same_sign = before * after > 0
    inner = torch.where(same_sign, 2 * before * after / torch.where(same_sign, before + after, 1.0), 0.0)
    slope = torch.cat([rise[:1], inner, rise[-1:]])
    v = 1 - u
    ends = v * v * (1 + 2 * u) * values[piece] + u * u * (1 + 2 * v) * values[piece + 1]
    return ends + u * v * (v * slope[piece] - u * slope[piece + 1])
