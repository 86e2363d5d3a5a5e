"""The contract of a space: its identity, and what it has points for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import CannotError, SpaceError
from ..geometry.product import AnyGeometry
from ..models.model import Model
from ..points import Points, SpaceInfo

_CAN = {
    "image": ("encode pictures", ("joint", "latent", "noise", "bottleneck")),
    "text": ("encode texts", ("joint", "prompt", "bottleneck")),
    "weighted": ("weigh the words of texts", ("prompt",)),
}
"""What some spaces can encode: in words, and the names of these spaces."""


class Space(ABC):
    """One vector space of one model: its identity, and what it has points for.

    Attributes:
        name: `joint`, `latent`, `prompt`, `noise`, `bottleneck`, ...
        geometry: how its points are interpolated and averaged.
        encodes: what it can encode, of `"image"`, `"text"` and `"weighted"` (texts with weights).
        keeps_raw: whether collections keep its encoder's own vectors, which `centred(raw, kind)` turns into points.
        collectable: whether collections may keep its points; false if these depend on options of the encoding.
    """

    name: str
    geometry: AnyGeometry
    encodes: frozenset[str] = frozenset()
    keeps_raw: bool = False
    collectable: bool = True

    def __init__(self, model: Model) -> None:
        self.model = model

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of one point."""

    @cached_property
    def info(self) -> SpaceInfo:
        """The identity of the space, which its points carry."""
        return SpaceInfo(self.model.name, self.model.hash, self.name, self.shape, self.geometry)

    def image(self, *images: Any) -> Points:
        """Encode pictures or their files as points; a `CannotError` in a space that has none for them."""
        raise self._cannot("image")

    def text(self, *texts: str) -> Points:
        """Encode texts as points; a `CannotError` in a space that has none for them."""
        raise self._cannot("text")

    def weighted(self, *texts: str) -> Points:
        """Encode texts with weights on their words as points; a `CannotError` in a space that has none for them."""
        raise self._cannot("weighted")

    def operand(self, image: Any, *, prompt: str, steps: int | None) -> Points:
        """Encode a picture as an operand of an expression.

        `prompt` and `steps` are those of the decode; only spaces that invert pictures use them.
        """
        return self.image(image)

    def points(self, values: Tensor | NDArray[Any], label: str = "values") -> Points:
        """Make points of this space from values `(n, *shape)`; `label` says what they are."""
        return Points.given(torch.as_tensor(values).float().to(self.model.device), self.info, label)

    def owned(self, points: Points) -> Points:
        """Check that points belong to this space, and move them to its device.

        Raises:
            SpaceError: points of another space or another model.
        """
        if not isinstance(points, Points):
            raise SpaceError(
                f"Got a {type(points).__name__} in the {self.info}, expected points; encode it, or use space.points().",
                code="not points",
            )
        if points.space != self.info:
            raise SpaceError(
                f"Got points of the {points.space}, expected the {self.info}: they never mix; use the space and the "
                "model that made them.",
                code="other space",
            )
        return points.to(self.model.device)

    def _cannot(self, what: str) -> CannotError:
        doing, able = _CAN[what]
        others = " or ".join(repr(each) for each in able if each != self.name)
        return CannotError(f"Got the {self.info}, which cannot {doing}; use the space {others}.", code=f"no {what}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model.name!r}, {self.shape})"


def unit(vectors: Tensor) -> Tensor:
    """Normalise rows to length one, in float64: `(n, d) -> (n, d)`.

    Raises:
        SpaceError: a row of length zero or with infinite entries, which has no direction.
    """
    wide = vectors.double()
    norms = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    if not bool(torch.isfinite(norms).all()) or bool((norms < 1e-9).any()):
        raise SpaceError(
            "Got a point without a direction: its length is zero or not finite; check for an expression minus itself.",
            code="no direction",
        )
    return wide / norms
