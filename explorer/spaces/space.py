"""The contract of a space: its identity, and what it has points for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import torch
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
"""What some spaces can do: in words, and in which."""


class Space(ABC):
    """One vector space of one model: its identity, and what it has points for.

    Attributes:
        name: `joint`, `latent`, `prompt`, `noise`, `bottleneck`, ...
        geometry: how its points are interpolated and averaged.
        encodes: what it has points for, of `"image"`, `"text"` and `"weighted"` (texts with weights).
        keeps_raw: whether collections keep its encoder's own vectors, which `centred(raw, kind)` makes points of.
        collectable: whether collections may keep its points: false where these depend on options of the encoding.
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
        """Of one point."""

    @cached_property
    def info(self) -> SpaceInfo:
        """The identity that its points carry."""
        return SpaceInfo(self.model.name, self.model.hash, self.name, self.shape, self.geometry)

    def image(self, *images: Any) -> Points:
        """Pictures, or their files, as points.

        Raises:
            CannotError: a space without points for pictures.
        """
        raise self._cannot("image")

    def text(self, *texts: str) -> Points:
        """Texts as points.

        Raises:
            CannotError: a space without points for texts.
        """
        raise self._cannot("text")

    def weighted(self, *texts: str) -> Points:
        """Texts with weights on their words as points.

        Raises:
            CannotError: a space whose texts have no words to weigh.
        """
        raise self._cannot("weighted")

    def operand(self, image: Any, *, prompt: str, steps: int | None) -> Points:
        """A picture as an operand of an expression that is decoded under a prompt and in so many steps.

        Only where pictures are inverted does the point depend on these.
        """
        return self.image(image)

    def points(self, values: Tensor, label: str = "values") -> Points:
        """Values `(n, *shape)` from elsewhere as points of this space; `label` says what they are."""
        return Points.given(values.float().to(self.model.device), self.info, label)

    def owned(self, points: Points) -> Points:
        """Check that points belong to this space, and bring them to its device.

        Raises:
            SpaceError: they are another space's or another model's.
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
    """Rows brought to length one, in float64 and back: `(n, d) -> (n, d)`.

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
