"""Checks of the arguments of every geometry function, and their conversion to a precise dtype."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import GeometryError


def working_dtype(x: Tensor) -> torch.dtype:
    """float64, or float32 on a device that has nothing wider."""
    return torch.float32 if x.device.type == "mps" else torch.float64


def tolerance(dtype: torch.dtype) -> float:
    """The root of the rounding error of `dtype`: smaller relative values count as zero."""
    return math.sqrt(torch.finfo(dtype).eps)


def prepare(*vectors: Tensor) -> tuple[list[Tensor], torch.dtype]:
    """Check vectors `(..., d)` of one width; return them in the working dtype, and the dtype of the result.

    Raises:
        GeometryError: not floating point, of several widths or devices, without a width, or not finite.
    """
    first = vectors[0]
    dtype = first.dtype
    for x in vectors:
        if not x.is_floating_point():
            raise GeometryError(
                f"Got a tensor of {x.dtype}, expected floating point; convert it with .float().", code="dtype"
            )
        if x.ndim == 0 or x.shape[-1] == 0:
            raise GeometryError(
                f"Got a tensor of shape {tuple(x.shape)}, expected vectors (..., d) with d > 0.", code="shape"
            )
        if x.shape[-1] != first.shape[-1]:
            raise GeometryError(
                f"Got vectors of width {first.shape[-1]} and {x.shape[-1]}, expected one width; "
                "take both from one space.",
                code="width",
            )
        if x.device != first.device:
            raise GeometryError(
                f"Got vectors on {first.device} and {x.device}, expected one device; move one with .to().",
                code="other device",
            )
        if not bool(torch.isfinite(x).all()):
            raise GeometryError(
                "Got a vector with values that are not finite, expected finite numbers; drop it.", code="not finite"
            )
        dtype = torch.promote_types(dtype, x.dtype)
    _check_batches("vectors", [x.shape[:-1] for x in vectors])
    return [x.to(working_dtype(x)) for x in vectors], dtype


def parameter(t: float | Tensor, *vectors: Tensor) -> Tensor:
    """`t` as a tensor `(..., 1)`, so that it broadcasts against vectors `(..., d)`.

    Raises:
        GeometryError: not finite, or of a shape that does not match the batch of the vectors.
    """
    like = vectors[0]
    t = torch.as_tensor(t, dtype=like.dtype, device=like.device)
    if not bool(torch.isfinite(t).all()):
        raise GeometryError(
            "Got a t that is not finite, expected finite numbers; 0 is the first end, 1 the second.", code="not finite"
        )
    _check_batches("t and vectors", [t.shape, *(x.shape[:-1] for x in vectors)])
    return t[..., None]


def check_weights(weights: Tensor | Sequence[float] | None, points: Tensor, *, signed: bool = False) -> Tensor:
    """Check weights `(..., k)` of points `(k, ...)`, equal by default; unless `signed`, at least 0 and scaled to sum 1.

    Raises:
        GeometryError: not one per point, not finite, all zero, or negative though not `signed`.
    """
    k = len(points)
    given = torch.ones(k) if weights is None else torch.as_tensor(weights)
    weights = given.to(dtype=points.dtype, device=points.device)
    if weights.ndim == 0 or weights.shape[-1] != k:
        raise GeometryError(
            f"Got weights of shape {tuple(weights.shape)}, expected one for each of {k} points.", code="weights"
        )
    if not bool(torch.isfinite(weights).all()):
        raise GeometryError("Got a weight that is not finite, expected finite numbers.", code="not finite")
    if not signed and bool((weights < 0).any()):
        raise GeometryError(
            f"Got a weight of {float(weights.min()):.3g}, but a mean takes no negative weights; use arithmetic "
            "(a - b) to go away from a point.",
            code="negative weight",
        )
    largest = weights.abs().amax(-1, keepdim=True)
    if bool((largest == 0).any()):
        raise GeometryError("Got weights that are all 0, expected at least one other.", code="zero weights")
    weights = weights / largest
    return weights if signed else weights / weights.sum(-1, keepdim=True)


def norm(x: Tensor) -> Tensor:
    """`(..., d) -> (..., 1)`."""
    return torch.linalg.vector_norm(x, dim=-1, keepdim=True)


def positive_norm(x: Tensor) -> Tensor:
    """The norms `(..., 1)` of vectors that all have a direction.

    Raises:
        GeometryError: a zero vector.
    """
    length = norm(x)
    if bool((length == 0).any()):
        raise GeometryError(
            "Got a zero vector, expected one with a direction; drop it, or interpolate with lerp.", code="zero vector"
        )
    return length


def _check_batches(what: str, shapes: Sequence[torch.Size]) -> None:
    try:
        torch.broadcast_shapes(*shapes)
    except RuntimeError:
        got = ", ".join(str(tuple(shape)) for shape in shapes)
        raise GeometryError(
            f"Got {what} of batch shapes {got}, expected shapes that broadcast.", code="broadcast"
        ) from None
