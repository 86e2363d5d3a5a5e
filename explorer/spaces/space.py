"""The contract of a space, and what all spaces share: opening pictures, decoding in batches, keeping records."""

from __future__ import annotations

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..errors import SpaceError
from ..geometry.product import AnyGeometry
from ..language.nodes import Given, Node
from ..language.nodes import Image as ImageNode
from ..language.parser import not_utf8
from ..models.model import Model
from ..points import Points, SpaceInfo
from ..records.images import Images

if TYPE_CHECKING:
    from PIL.Image import Image

Progress = Callable[..., Iterable[Any]]
"""`progress(iterable, total=n, desc="...")` wraps an iterable, as `tqdm` does; it may raise `Cancelled`."""

_CAN = {
    "image": ("joint", "latent", "noise", "bottleneck"),
    "text": ("joint", "prompt", "bottleneck"),
    "weighted": ("prompt",),
    "decode": ("joint", "latent", "prompt", "noise", "bottleneck"),
}
PICTURE = "a picture"
"""How the label of a picture begins that was given as pixels."""

_DOING = {
    "image": "encode pictures",
    "text": "encode texts",
    "weighted": "weigh the words of texts",
    "decode": "decode",
}


class CannotError(SpaceError, AttributeError):
    """A space asked for what it cannot do; an AttributeError as well, so that `hasattr` answers no."""


@runtime_checkable
class EncodesImages(Protocol):
    """A space with pictures in it."""

    def image(self, *images: Image | str | os.PathLike[str]) -> Points:
        """Pictures, or their files, as points."""
        ...


@runtime_checkable
class EncodesTexts(Protocol):
    """A space with texts in it."""

    def text(self, *texts: str) -> Points:
        """Texts as points."""
        ...


@runtime_checkable
class Decodes(Protocol):
    """A space whose points can be seen."""

    def decode(
        self,
        points: Points,
        *,
        seed: int | Sequence[int] = 0,
        steps: int | None = None,
        guidance: float | None = None,
        batch: int | None = None,
        progress: Progress | None = None,
    ) -> Images:
        """Points as pictures."""
        ...


class Space(ABC):
    """One vector space of one model.

    What it can do it says by the protocols `EncodesImages`, `EncodesTexts` and `Decodes`; asked for anything else it
    raises a `SpaceError` that names a space that can.

    Attributes:
        name: `joint`, `latent`, `prompt`, `noise`, `bottleneck`, ...
        geometry: how its points are interpolated and averaged.
        encodes: what it has points for, of `"image"`, `"text"` and `"weighted"` (texts with weights).
        keeps_raw: whether collections keep its encoder's own vectors, which `centred(raw, kind)` makes points of.
    """

    name: str
    geometry: AnyGeometry
    encodes: frozenset[str] = frozenset()
    keeps_raw: bool = False

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

    def points(self, values: Tensor, label: str = "values") -> Points:
        """Values `(n, *shape)` from elsewhere as points of this space; `label` says what they are."""
        return Points.given(values.float().to(self.model.device), self.info, label)

    def owned(self, points: Points) -> Points:
        """The same points, once it is sure that they are this space's.

        Raises:
            SpaceError: they are another space's or another model's.
        """
        if not isinstance(points, Points):
            raise SpaceError(
                f"Got a {type(points).__name__} in the {self.info}, expected points; encode it, or use space.points()."
            )
        if points.space != self.info:
            raise SpaceError(
                f"Got points of the {points.space}, expected the {self.info}: they never mix; use the space and "
                "the model that made them."
            )
        return points.to(self.model.device)

    def __getattr__(self, name: str) -> NoReturn:
        if name not in _CAN:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        able = " or ".join(repr(each) for each in _CAN[name] if each != self.name)
        raise CannotError(f"Got the {self.info}, which cannot {_DOING[name]}; use the space {able}.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model.name!r}, {self.shape})"


def opened(images: Sequence[Any]) -> tuple[list[Any], tuple[Node, ...]]:
    """Pictures, as `open_picture` takes them -> RGB pictures and what each is called in an expression.

    Raises:
        PictureError: a file that is missing, damaged, too large or no picture; or something else that is none.
    """
    from ..records.pictures import open_picture

    pictures = [open_picture(image) for image in images]
    nodes = tuple(
        ImageNode(os.fsdecode(image))
        if isinstance(image, str | os.PathLike)
        else Given(f"{PICTURE} of {picture.width}x{picture.height}")
        for image, picture in zip(images, pictures, strict=True)
    )
    return pictures, nodes


def require_texts(texts: Sequence[Any]) -> list[str]:
    """The texts as a list, once it is sure that they are texts.

    Raises:
        SpaceError: something else among them, or a text that is not UTF-8.
    """
    for text in texts:
        if not isinstance(text, str):
            raise SpaceError(
                f"Got a {type(text).__name__} as a text, expected a str; several texts are several arguments."
            )
        if said := not_utf8(text):
            raise SpaceError(said)
    return list(texts)


def warn_truncated(texts: Sequence[str], truncated: Sequence[bool]) -> None:
    """A warning that names the first text of which the model does not read the end."""
    for text in [text for text, cut in zip(texts, truncated, strict=True) if cut][:1]:
        warnings.warn(
            f"Got the text {text[:40]!r}…, longer than the model reads; its end is left out. Shorten it.", stacklevel=4
        )


def unit(vectors: Tensor) -> Tensor:
    """Rows brought to length one, in float64 and back: `(n, d) -> (n, d)`.

    Raises:
        SpaceError: a row of length zero or with infinite entries, which has no direction.
    """
    wide = vectors.double()
    norms = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    if not bool(torch.isfinite(norms).all()) or bool((norms < 1e-9).any()):
        raise SpaceError(
            "Got a point without a direction (its length is zero or not finite), expected one that points somewhere; "
            "check for an expression minus itself."
        )
    return wide / norms
