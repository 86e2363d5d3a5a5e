"""Mixed spaces: a prompt, a joint vector and a noise as one point, so that a walk moves all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NoReturn, cast

import torch
from torch import Tensor

from ..errors import SpaceError
from ..geometry.product import Product
from ..language.nodes import MIX, Add, Call, Divide, Given, Node, Scale, Sub, Text, bounded
from ..models.model import Model
from ..points import Points
from .between import InterpolatingSpace
from .joint import PictureSpace
from .noise import NoiseSpace
from .prompt import PromptSpace
from .rendering import DecodingSpace, Options, Render, denoised
from .space import CannotError

PARTS = ("prompt", "joint", "noise")
"""What can be mixed, in the order of a row and of a name."""

Part = PromptSpace | PictureSpace | NoiseSpace

_SEED = 0  # of the noise beside a text that names none; as `decode` has it


class MixedSpace(DecodingSpace):
    """Points that are one point of each of two or three spaces, side by side in one flat row `(d,)`.

    Sums and multiples are taken part by part; paths, means and distances are those of the product geometry, see
    `product.Product`. A point is decoded with its prompt part as the prompt, its joint part as the joint vector and its
    noise part as the noise; what is no part comes from the options, as in any space: `prompt`, no picture, the seed.

    With `noise.start(s)` as the noise part, decoding with seed s is decoding the other part in its own space with
    seed s, to the last bit in batches of equal size. Beside a noise part the seed matters to samplers that draw noise
    as they go, and to families whose conditioning is random.

    Args:
        spaces: two or three of `PARTS`, by name, in that order.
    """

    def __init__(self, model: Model, spaces: Mapping[str, Part]) -> None:
        super().__init__(model)
        self.spaces = dict(spaces)
        self.name = "+".join(spaces)
        needed = [space.encodes for name, space in spaces.items() if name != "noise"]
        self.encodes = frozenset({"text"}).intersection(*needed)
        self._widths = [prod(space.shape) for space in spaces.values()]
        kinds = [space.geometry for space in spaces.values()]
        self.geometry = Product(tuple(zip(kinds, self._widths, strict=True)))

    @property
    def shape(self) -> tuple[int, ...]:
        return (sum(self._widths),)

    def of(self, *, prompt: Points | None = None, joint: Points | None = None, noise: Points | None = None) -> Points:
        """Points of their parts, `(n, d)`: as many of each part, or a single one for all.

        Raises:
            SpaceError: a part that is missing or not of this space, points of another space, numbers that do not match.
        """
        given = {"prompt": prompt, "joint": joint, "noise": noise}
        there = [name for name, points in given.items() if points is not None]
        if there != list(self.spaces):
            raise SpaceError(
                f"Got {', '.join(there) or 'nothing'} for a point of the {self.info}, expected "
                f"{', '.join(self.spaces)}; give points of each of these parts and of no other."
            )
        parts = [space.owned(given[name]) for name, space in self.spaces.items()]  # type: ignore[arg-type]
        counts = [len(part) for part in parts]
        n = next((count for count in counts if count != 1), 1)
        if any(count not in (1, n) for count in counts):
            raise SpaceError(
                f"Got {', '.join(map(str, counts))} points as {', '.join(self.spaces)}, expected as many of each, or a "
                "single one; choose rows by index."
            )
        values = torch.cat([part.flat.float().expand(n, -1) for part in parts], dim=1)
        rows = zip(*(part.origin * (n // len(part) if len(part) else 1) for part in parts), strict=True)
        return Points(values, self.info, tuple(bounded(Call(MIX, row)) for row in rows))

    def parts(self, points: Points) -> dict[str, Points]:
        """Points taken apart again, each part as points of its own space with its own history.

        Raises:
            SpaceError: points of another space.
        """
        values = self._split(self.owned(points).values)
        return {
            name: Points(values[name], space.info, tuple(self._history(node, name) for node in points.origin))
            for name, space in self.spaces.items()
        }

    def text(self, *texts: str) -> Points:
        """Texts as points: the prompt and the joint part are the text's, the noise part is `noise.start(0)`.

        Raises:
            SpaceError: what is no text, or an encoder that reads none.
        """
        made = {
            name: space.start(*[_SEED] * len(texts)) if isinstance(space, NoiseSpace) else space.text(*texts)
            for name, space in self.spaces.items()
        }
        return self.of(**made).with_origin([Text(text) for text in texts])

    def _options(self, **options: Any) -> dict[str, Any]:
        if "prompt" not in self.spaces:
            return self._first_guide._options(**options)
        if options.pop("prompt", ""):
            raise SpaceError(f"Got a prompt beside points of the {self.info}, which hold one; leave it out.")
        checked = self._first_guide._options(**options)
        checked.pop("prompt", None)
        return checked

    @property
    def _first_guide(self) -> DecodingSpace:
        """The part whose options these are: the joint one, if there is one, has some of its own."""
        return self.spaces.get("joint") or self.spaces["prompt"]

    def _usual(self, points: Points) -> tuple[float, str | None]:
        noise = self.spaces.get("noise")
        return super()._usual(points) if noise is None else noise._usual(self.parts(points)["noise"])

    def _render(self, values: Tensor, seeds: Sequence[int], options: Options) -> Render:
        parts, denoiser, joint = self._split(values), self.model.denoiser, self.spaces.get("joint")
        prompts = parts.get("prompt")
        if prompts is None:
            prompts = denoiser.encode_prompts([options["prompt"]]).expand(len(values), *denoiser.prompt_shape)
        if not isinstance(joint, PictureSpace):
            return (yield from self._rendered(seeds, options, prompts=prompts, noise=parts.get("noise"), draw=True))
        latents = yield from denoised(
            joint.guided_by(options),
            seeds,
            options,
            prompts=prompts,
            joint=joint._vectors(parts["joint"]),
            noise=parts.get("noise"),
            draw=True,
        )
        return self._seen(latents, options)

    def _split(self, values: Tensor) -> dict[str, Tensor]:
        """`(n, d)` -> of each part `(n, *shape)`, laid out as its own space has it, so that it is computed the same."""
        parts = values.split(self._widths, dim=1)
        return {
            name: part.reshape(len(part), *space.shape).contiguous()
            for (name, space), part in zip(self.spaces.items(), parts, strict=True)
        }

    def _history(self, node: Node, name: str) -> Node:
        """What a part of a point came from, given what the point came from."""
        match node:
            case Call(called, arguments) if called == MIX and len(arguments) == len(self.spaces):
                return arguments[list(self.spaces).index(name)]
            case Call(called, arguments):
                return Call(called, tuple(self._history(each, name) for each in arguments))
            case Add(left, right):
                return Add(self._history(left, name), self._history(right, name))
            case Sub(left, right):
                return Sub(self._history(left, name), self._history(right, name))
            case Scale(factor, operand):
                return Scale(factor, self._history(operand, name))
            case Divide(operand, divisor):
                return Divide(self._history(operand, name), divisor)
            case Text() if name == "noise":
                return Given(f"start of seed {_SEED}")
        return node

    def __getattr__(self, name: str) -> NoReturn:
        if name == "image":
            raise CannotError(
                f"Got a picture for the {self.info}, whose points hold a prompt, which no picture has, expected the "
                "points of its parts; make them with of()."
            )
        super().__getattr__(name)


class GuidingSpace(MixedSpace, InterpolatingSpace):
    """A prompt and a joint vector: both guide from one noise, so that frames can look at the ends of their way."""


class PicturedSpace(MixedSpace):
    """A joint vector and a noise, each of which a picture has."""

    def __init__(self, model: Model, spaces: Mapping[str, Part]) -> None:
        super().__init__(model, spaces)
        self.encodes |= {"image"}

    def image(self, *images: Any, prompt: str = "", steps: int | None = None) -> Points:
        """Pictures (PIL) or their paths as points: what each shows, and the noise that it is made of by inversion.

        The inversion is under the prompt alone and not under the vector, so the picture comes back changed.

        Raises:
            PictureError, ModelError: as `JointSpace.image` and `NoiseSpace.image`.
        """
        joint, noise = cast(PictureSpace, self.spaces["joint"]), cast(NoiseSpace, self.spaces["noise"])
        seen = joint.image(*images)
        return self.of(joint=seen, noise=noise.image(*images, prompt=prompt, steps=steps)).with_origin(seen.origin)


_KINDS: dict[tuple[str, ...], type[MixedSpace]] = {
    ("prompt", "joint"): GuidingSpace,
    ("joint", "noise"): PicturedSpace,
}


def mixed_space(model: Model, spaces: Mapping[str, DecodingSpace], names: Sequence[str]) -> MixedSpace:
    """The mixed space of the parts named, in any order.

    Args:
        spaces: the model's, by name.

    Raises:
        SpaceError: a part that cannot be mixed or that the model has not, a part twice, or one part alone.
    """
    can = [name for name in PARTS if name in spaces and getattr(spaces[name], "decodes", True)]
    if len(can) < 2:
        raise SpaceError(
            f"Got model {model.name!r}, which decodes {can[0] if can else 'none'} of {', '.join(PARTS)}, expected two "
            "of them to mix; use its space alone, or open another model."
        )
    if len(names) < 2 or len(set(names)) != len(names) or not set(names) <= set(can):
        raise SpaceError(
            f"Got {', '.join(map(repr, names)) or 'nothing'} to mix, expected two or more different ones of "
            f"{', '.join(can)}; name them."
        )
    parts = {name: cast(Part, spaces[name]) for name in PARTS if name in names}
    return _KINDS.get(tuple(parts), MixedSpace)(model, parts)
