"""Points: a batch of vectors that knows its space and where each row came from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, SupportsFloat

import torch
from numpy.typing import NDArray
from torch import Tensor

from .errors import SpaceError
from .geometry.product import AnyGeometry
from .language.nodes import Add, Call, Divide, Given, Node, Number, Scale, Sub, bounded


@dataclass(frozen=True)
class SpaceInfo:
    """The identity of one vector space of one model; points of unequal identities never mix.

    Attributes:
        model: name under which the model was opened (`"pocket"`); two names of the same weights are one model.
        model_hash: sha256 of its weights, hexadecimal.
        name: `joint`, `latent`, `prompt`, `noise`, ...
        shape: of one point, without the batch.
        geometry: how points are interpolated and averaged.
    """

    model: str = field(compare=False)
    model_hash: str
    name: str
    shape: tuple[int, ...]
    geometry: AnyGeometry

    def __str__(self) -> str:
        return f"{self.name} space of {self.model}"


@dataclass(frozen=True, eq=False, repr=False)
class Points:
    """`n` points of one space, immutable: arithmetic gives new points that remember how they were made.

    The values are copied into an inference tensor, so PyTorch raises an error when they are written to outside
    `torch.inference_mode`. Clone them for gradients: `points.values.clone().requires_grad_()`.

    Attributes:
        values: `(n, *space.shape)`, floating.
        space: which space of which model.
        origin: one expression tree per row.

    Raises:
        SpaceError: values that do not have the shape of the space or are not floating, or not one origin per point.

    >>> from thoughtspace.explorer.geometry.interpolation import Geometry
    >>> from thoughtspace.explorer.language.nodes import Text
    >>> plane = SpaceInfo("toy", "0" * 64, "joint", (2,), Geometry.SPHERE)
    >>> king = Points(torch.tensor([[3.0, 1.0]]), plane, (Text("king"),))
    >>> shifted = king - 0.5 * Points(torch.tensor([[1.0, 0.0]]), plane, (Text("man"),))
    >>> shifted
    Points("king" - 0.5 * "man"; joint space of toy, 1 × (2,), float32)
    >>> shifted.values.tolist()
    [[2.5, 1.0]]
    """

    values: Tensor
    space: SpaceInfo
    origin: tuple[Node, ...]

    __array_ufunc__ = None  # makes NumPy's numbers leave `number * points` to us

    def __post_init__(self) -> None:
        values, shape = self.values, tuple(self.space.shape)
        if not isinstance(values, Tensor) or not values.is_floating_point() or tuple(values.shape[1:]) != shape:
            got = f"{values.dtype} {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
            raise SpaceError(
                f"Got values of {got} for the {self.space}, expected a floating tensor "
                f"(n, {', '.join(map(str, shape))}); add the batch dimension, or encode with the space.",
                code="values",
            )
        if len(self.origin) != len(values):
            raise SpaceError(
                f"Got {len(self.origin)} origins for {len(values)} points, expected one per point; use "
                "Points.given(values, space, label) for values without a history.",
                code="origins",
            )
        with torch.inference_mode():
            object.__setattr__(self, "values", values.detach().clone(memory_format=torch.contiguous_format))
        object.__setattr__(self, "origin", tuple(self.origin))

    @classmethod
    def given(cls, values: Tensor, space: SpaceInfo, label: str) -> Points:
        """Points from numbers `(n, *shape)` without a history; `label` says in a few words what they are."""
        return cls(values, space, (Given(label),) * len(values))

    @classmethod
    def cat(cls, batches: Sequence[Points]) -> Points:
        """The rows of several batches of one space, in order.

        Raises:
            SpaceError: no batches, or batches that do not belong together.
        """
        if not batches:
            raise SpaceError("Got no points to put together, expected at least one batch.", code="no points")
        for batch in batches[1:]:
            batches[0]._check_mixes(batch)
        values = torch.cat([batch.values for batch in batches])
        return cls(values, batches[0].space, tuple(node for batch in batches for node in batch.origin))

    @property
    def flat(self) -> Tensor:
        """`(n, d)`: each point as one vector."""
        return self.values.flatten(1)

    @property
    def shape(self) -> tuple[int, ...]:
        """`(n, *space.shape)`."""
        return tuple(self.values.shape)

    def numpy(self) -> NDArray[Any]:
        """The values as an array on the CPU; a copy, which may be written into."""
        return self.values.to("cpu", torch.float32 if self.dtype == torch.bfloat16 else None, copy=True).numpy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("points cannot become an array without a copy")
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    @property
    def device(self) -> torch.device:
        return self.values.device

    @property
    def dtype(self) -> torch.dtype:
        return self.values.dtype

    @property
    def expressions(self) -> tuple[str, ...]:
        """The source text of each row's origin."""
        return tuple(map(str, self.origin))

    def with_origin(self, origin: Sequence[Node]) -> Points:
        """The same values with another history, one tree per row."""
        return Points(self.values, self.space, tuple(map(bounded, origin)))

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Points:
        """The same points on another device or in another floating dtype; `None` keeps the present one."""
        return Points(self.values.to(device or self.device, dtype or self.dtype), self.space, self.origin)

    def mean(self, weights: Tensor | Sequence[float] | None = None) -> Points:
        """The one point in the middle, as the space's geometry defines it.

        Args:
            weights: `(n,)`, at least 0, in any scale; equal by default.

        Raises:
            SpaceError: no points, or not one weight per point.
            GeometryError: weights that are negative, all 0 or not finite, or points without a mean (spread all around
                a sphere).
        """
        n = len(self)
        given = None if weights is None else torch.as_tensor(weights, dtype=torch.float64, device=self.device)
        if n == 0 or (given is not None and tuple(given.shape) != (n,)):
            got = "no weights" if given is None else f"weights of shape {tuple(given.shape)}"
            message = f"Got {n} points and {got} for a mean, expected at least one point and one weight per point."
            raise SpaceError(message, code="weights")
        value = self.space.geometry.mean(self.flat, given)
        listed = () if given is None else tuple(Number(weight) for weight in given.tolist())
        node = bounded(Call("mean", self.origin + listed))
        return Points(value.reshape(1, *self.space.shape), self.space, (node,))

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Points]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, rows: int | slice | Sequence[int] | Sequence[bool] | Tensor | Any) -> Points:
        """Some of the rows, always as `Points`: an index, a slice, a list of indices or a mask of booleans."""
        numbers = torch.arange(len(self))
        try:
            index = rows if isinstance(rows, int | slice) else torch.as_tensor(rows).cpu()
            if isinstance(index, Tensor) and index.numel() == 0:
                index = index.long()
            chosen = numbers[index].reshape(-1).tolist()
        except (IndexError, TypeError, ValueError, RuntimeError) as error:
            raise IndexError(
                f"Got {str(rows)[:60]} as rows of {len(self)} points, expected an index, a slice, indices or a mask."
            ) from error
        return Points(self.values[chosen], self.space, tuple(self.origin[row] for row in chosen))

    def __repr__(self) -> str:
        what = f"{str(self.origin[0])[:80]}; " if len(self) == 1 else ""
        dtype = str(self.dtype).removeprefix("torch.")
        return f"Points({what}{self.space}, {len(self)} × {tuple(self.space.shape)}, {dtype})"

    def __add__(self, other: Points) -> Points:
        return self._combine(other, torch.add, Add)

    def __sub__(self, other: Points) -> Points:
        return self._combine(other, torch.sub, Sub)

    def __mul__(self, factor: SupportsFloat) -> Points:
        scale = _number(factor, "*")
        return self._mapped(self.values * scale, lambda node: Scale(scale, node))

    __rmul__ = __mul__

    def __truediv__(self, divisor: SupportsFloat) -> Points:
        value = _number(divisor, "/")
        if value == 0:
            raise SpaceError("Got points / 0, expected a divisor other than zero.", code="divisor")
        return self._mapped(self.values / value, lambda node: Divide(node, value))

    def __neg__(self) -> Points:
        return self._mapped(-self.values, lambda node: Scale(-1.0, node))

    def _mapped(self, values: Tensor, grow: Callable[[Node], Node]) -> Points:
        return Points(values, self.space, tuple(bounded(grow(node)) for node in self.origin))

    def _combine(
        self, other: Points, operation: Callable[[Tensor, Tensor], Tensor], grow: Callable[[Node, Node], Node]
    ) -> Points:
        self._check_mixes(other)
        if len(self) != len(other) and 1 not in (len(self), len(other)):
            raise SpaceError(
                f"Got {len(self)} points with {len(other)}, expected equal numbers, or one point on one side; "
                "choose rows by index.",
                code="number of points",
            )
        n = len(other) if len(self) == 1 else len(self)
        lefts, rights = (origin * n if len(origin) == 1 else origin for origin in (self.origin, other.origin))
        nodes = tuple(bounded(grow(left, right)) for left, right in zip(lefts, rights, strict=True))
        return Points(operation(self.values, other.values), self.space, nodes)

    def _check_mixes(self, other: Any) -> None:
        if not isinstance(other, Points):
            raise SpaceError(
                f"Got points with a {type(other).__name__}, expected points of the {self.space}; "
                "encode it first, or scale points by a number with *.",
                code="not points",
            )
        mine, theirs = self.space, other.space
        if mine != theirs:
            way_out = (
                f"make both with the {mine.name} space, or decode one and encode the picture there"
                if mine.model_hash == theirs.model_hash
                else "open one model and encode both with it"
            )
            raise SpaceError(
                f"Got points of the {theirs}, expected the {mine}: they never mix; {way_out}.", code="other space"
            )
        if self.device != other.device:
            message = f"Got points on {other.device}, expected {self.device}; move them with points.to(device)."
            raise SpaceError(message, code="other device")


def _number(value: Any, operator: str) -> float:
    """Convert a number of Python or NumPy, or a tensor without dimensions, to a finite `float`."""
    if isinstance(value, Points):
        raise SpaceError(
            f"Got points {operator} points, expected points {operator} a number; points can be added and subtracted.",
            code="product",
        )
    try:
        result = float(value) if not isinstance(value, str | bytes) else math.nan
    except (TypeError, ValueError, OverflowError, RuntimeError):
        result = math.nan
    if not math.isfinite(result):
        raise SpaceError(f"Got points {operator} {str(value)[:40]}, expected a finite number.", code="factor")
    return result
