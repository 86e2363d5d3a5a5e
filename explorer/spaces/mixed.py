"""Mixed spaces: a prompt, a joint vector and a noise as one point, so that a walk moves all of them at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from math import prod
from operator import or_
from typing import Any, cast

import torch
from torch import Tensor

from ..errors import CannotError, SpaceError
from ..geometry.interpolation import Geometry
from ..geometry.product import Product
from ..language.nodes import MIX, Call, Given, Node, Text, bounded
from ..models.generator import Guide
from ..models.model import Model
from ..options import Decoding, Settled
from ..points import Points
from .joint import JointSpace
from .noise import NoiseSpace
from .rendering import DecodingSpace

PARTS = ("prompt", "joint", "noise")
"""The spaces that can be mixed, in the order of rows and names."""

_SEED = 0  # of the noise of a text, the default of `decode`


class MixedSpace(DecodingSpace):
    """Points that are one point of each of two or three spaces, side by side in one flat row `(d,)`.

    Sums and multiples are taken part by part; paths, means and distances are those of the product geometry, see
    `product.Product`. A point is decoded with its prompt part as the prompt, its joint part as the joint vector and its
    noise part as the noise; other parts come from the options, as in any space: `prompt`, no picture, the seed.

    With `noise.start(s)` as the noise part, decoding with seed s equals decoding the other part in its own space with
    seed s, to the last bit in batches of equal size. With a noise part the seed still matters to samplers that draw
    noise at each step, and to families whose conditioning is random.

    Attributes:
        spaces: the spaces of the parts by name, in the order of `PARTS`.
    """

    def __init__(self, model: Model, spaces: Mapping[str, DecodingSpace]) -> None:
        super().__init__(model)
        self.spaces = spaces = {name: spaces[name] for name in PARTS if name in spaces}
        self._joint = cast("JointSpace | None", spaces.get("joint"))
        self._noise = cast("NoiseSpace | None", spaces.get("noise"))
        self.name = "+".join(spaces)
        self._widths = [prod(space.shape) for space in spaces.values()]
        # The geometry of a part is never a product itself.
        kinds = [cast(Geometry, space.geometry) for space in spaces.values()]
        self.geometry = Product(tuple(zip(kinds, self._widths, strict=True)))
        guides = [space for name, space in spaces.items() if name != "noise"]
        self.encodes = frozenset({"text"}).intersection(*(space.encodes for space in guides))
        self.encodes |= frozenset({"image"}).intersection(*(space.encodes for space in spaces.values()))
        self.takes = frozenset().union(*(space.takes for space in spaces.values()))
        if "prompt" in spaces:
            self.takes -= {"prompt"}
        # With a noise part each frame starts from its own noise, so attention cannot be interpolated.
        self.attends = all(space.attends for space in spaces.values())

    @property
    def shape(self) -> tuple[int, ...]:
        return (sum(self._widths),)

    def of(self, *, prompt: Points | None = None, joint: Points | None = None, noise: Points | None = None) -> Points:
        """Put points together from their parts, `(n, d)`: equal numbers of each part, or one point of a part for all.

        Raises:
            SpaceError: a missing or additional part, points of another space, numbers of points that do not match.
        """
        given = {"prompt": prompt, "joint": joint, "noise": noise}
        there = [name for name, points in given.items() if points is not None]
        if there != list(self.spaces):
            raise SpaceError(
                f"Got {', '.join(there) or 'nothing'} for a point of the {self.info}, expected points of exactly "
                f"these parts: {', '.join(self.spaces)}.",
                code="parts",
            )
        parts = [space.owned(given[name]) for name, space in self.spaces.items()]  # type: ignore[arg-type]
        counts = [len(part) for part in parts]
        n = next((count for count in counts if count != 1), 1)
        if any(count not in (1, n) for count in counts):
            raise SpaceError(
                f"Got {', '.join(map(str, counts))} points as {', '.join(self.spaces)}, expected equal numbers, or "
                "one point of a part for all; choose rows by index.",
                code="number of points",
            )
        values = torch.cat([part.flat.float().expand(n, -1) for part in parts], dim=1)
        rows = zip(*(part.origin * (n // len(part) if len(part) else 1) for part in parts), strict=True)
        return Points(values, self.info, tuple(bounded(Call(MIX, row)) for row in rows))

    def parts(self, points: Points) -> dict[str, Points]:
        """Split points into their parts, each as points of its own space with its own history.

        Raises:
            SpaceError: points of another space.
        """
        values = self._split(self.owned(points).values)
        return {
            name: Points(values[name], space.info, tuple(self._history(node, name) for node in points.origin))
            for name, space in self.spaces.items()
        }

    def text(self, *texts: str) -> Points:
        """Encode texts as points: the prompt and joint parts are the text's, the noise part is `noise.start(0)`.

        Raises:
            SpaceError: an object that is not a text, or an encoder that reads no texts.
        """
        made = {name: space.text(*texts) for name, space in self.spaces.items() if space is not self._noise}
        if self._noise is not None:
            made["noise"] = self._noise.start(*[_SEED] * len(texts))
        return self.of(**made).with_origin([Text(text) for text in texts])

    def image(self, *images: Any, prompt: str = "", steps: int | None = None) -> Points:
        """Encode pictures as points of a joint vector and a noise, which is found by inversion.

        The inversion is under the prompt alone and not under the vector, so the picture comes back changed.

        Raises:
            CannotError: a space with a prompt part, which pictures do not have.
            PictureError, ModelError: as `JointSpace.image` and `NoiseSpace.image`.
        """
        if self._joint is None or self._noise is None or "image" not in self.encodes:
            raise CannotError(
                f"Got a picture for the {self.info}, whose points hold a prompt, which a picture does not have; "
                "encode the parts and put them together with of().",
                code="no image",
            )
        seen = self._joint.image(*images)
        noise = self._noise.image(*images, prompt=prompt, steps=steps)
        return self.of(joint=seen, noise=noise).with_origin(seen.origin)

    def operand(self, image: Any, *, prompt: str, steps: int | None) -> Points:
        return self.image(image, prompt=prompt, steps=steps)

    def usual(self, points: Points) -> tuple[float, str | None]:
        return super().usual(points) if self._noise is None else self._noise.usual(self.parts(points)["noise"])

    def settled(self, points: Points, how: Decoding) -> Settled:
        """The options with the model's own choices filled in; see `NoiseSpace.settled`."""
        settled = super().settled(points, how)
        if self._noise is not None:
            self._noise.check_few_steps(self.parts(points)["noise"], how)
        return settled

    def guide(self, values: Tensor, how: Settled) -> Guide:
        """The union of the guides of the parts."""
        parts = self._split(values)
        return reduce(or_, (space.guide(parts[name], how) for name, space in self.spaces.items()))

    def _split(self, values: Tensor) -> dict[str, Tensor]:
        """`(n, d)` -> each part `(n, *shape)`, contiguous as in its own space, so that results are equal to the bit."""
        parts = values.split(self._widths, dim=1)
        return {
            name: part.reshape(len(part), *space.shape).contiguous()
            for (name, space), part in zip(self.spaces.items(), parts, strict=True)
        }

    def _history(self, node: Node, name: str) -> Node:
        """The history of a part of a point, from the history of the point."""
        match node:
            case Call(called, arguments) if called == MIX and len(arguments) == len(self.spaces):
                return arguments[list(self.spaces).index(name)]
            case Text() if name == "noise":
                return Given(f"start of seed {_SEED}")
        return node.mapped(lambda operand: self._history(operand, name))
