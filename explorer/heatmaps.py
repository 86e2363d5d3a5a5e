"""Heat maps: how much each place of a picture attended to each word of its prompt (DAAM: Tang et al., ACL 2023)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image as Pillow
from PIL.Image import Image
from torch import Tensor
from torch.nn import functional

from .checks import number
from .diffusion.attention import unet_of
from .diffusion.recording import Axis, Recording, recorded
from .errors import ModelError, SpaceError
from .options import Decoding
from .points import Points
from .progress import Progress
from .spaces.batches import seeds_for
from .spaces.prompt_words import source_text
from .spaces.rendering import DecodingSpace

# Red, green and blue at these shares of the greatest heat: dark violet, red, orange, pale yellow.
_PLACES = (0.0, 0.35, 0.65, 0.85, 1.0)
_GLOW = ((10, 130, 235, 252, 255), (5, 20, 85, 175, 250), (40, 110, 50, 40, 160))


@dataclass(frozen=True)
class Layer:
    """A cross-attention layer: its name in the UNet, its heads, and the size of its maps."""

    name: str
    heads: int
    height: int
    width: int


@dataclass(frozen=True, eq=False, repr=False)
class HeatMaps:
    """How much each place of a picture attended to each token of its prompt.

    Attributes:
        image: the picture, the same to the last bit as without maps; it carries its record.
        tokens: a name for each token; `#0`, `#1`, ... where the point is not a single text.
        layers: in the order in which the UNet computes them.
        maps: by the layer's name, `(steps, heads, tokens, h, w)` probabilities that sum to one over the tokens. An
            axis that was not kept is summed and has length 1.
        size: `(H, W)` of the latents.
    """

    image: Image
    tokens: tuple[str, ...]
    layers: tuple[Layer, ...]
    maps: dict[str, Tensor]
    size: tuple[int, int]
    _read: Callable[[str], list[str]]

    def __repr__(self) -> str:
        return f"HeatMaps({len(self.layers)} layers, {len(self.tokens)} tokens, {self.size[0]}×{self.size[1]})"

    def of(self, word: str | int) -> Tensor:
        """The heat of a word, `(H, W)`.

        Maps are resized to the latents by bicubic interpolation, clipped at 0, and summed over heads and layers. A word
        of several tokens, or one that occurs several times, has the mean of their heats. The steps are summed before
        the clipping, as in DAAM, and so are heads that were not kept.

        Args:
            word: one word or several in a row, as the prompt has them; or the index of a token.

        Raises:
            SpaceError: a word that is not in the prompt.
        """
        where = self.indices(word)
        total = torch.zeros(len(where), *self.size)
        for layer in self.layers:
            heat = self.maps[layer.name][:, :, where].float().sum(0)
            whole = functional.interpolate(heat, size=self.size, mode="bicubic", align_corners=False)
            total += whole.clamp(min=0).sum(0)
        return total.mean(0)

    def indices(self, word: str | int) -> list[int]:
        """The positions of the tokens of a word, at all its occurrences; a SpaceError if there are none."""
        if isinstance(word, int) and -len(self.tokens) <= word < len(self.tokens):
            return [word]
        if isinstance(word, str) and word.startswith("#") and word in self.tokens:
            return [self.tokens.index(word)]
        wanted = self._inner(self._read(word)) if isinstance(word, str) else []
        n = len(wanted)
        starts = [at for at in range(len(self.tokens) - n + 1) if n and list(self.tokens[at : at + n]) == wanted]
        if not starts:
            there = ", ".join(name.removesuffix("</w>") for name in self._inner(list(self.tokens)))
            raise SpaceError(f"Got the word {word!r}, expected one of the prompt's tokens: {there}.", code="word")
        return [at + step for at in starts for step in range(n)]

    def overlay(self, word: str | int, *, strength: float = 0.75) -> Image:
        """The picture in grey with the word's heat over it, from its least (dark) to its most (bright).

        Args:
            strength: how much of the picture the hottest place covers, 0 to 1.

        Raises:
            SpaceError: a word that is not in the prompt, or a strength out of range.
        """
        number("strength", strength, 0, 1, error=SpaceError, hint="0.75 is usual")
        height, width = self.image.height, self.image.width
        heat = functional.interpolate(self.of(word)[None, None], size=(height, width), mode="bicubic")[0, 0].numpy()
        heat = (heat - heat.min()) / max(float(heat.max() - heat.min()), 1e-12)
        glow = np.stack([np.interp(heat, _PLACES, channel) for channel in _GLOW], axis=-1)
        grey = np.asarray(self.image.convert("L").convert("RGB"), dtype=float)
        cover = strength * (0.4 + 0.6 * heat)[..., None]
        return Pillow.fromarray(((1 - cover) * grey + cover * glow).round().astype(np.uint8))

    def _inner(self, names: list[str]) -> list[str]:
        """The tokens of a text, without the tokenizer's start, end and padding."""
        start, end = self._read("")[:2]
        return names[int(names[0] == start) : names.index(end) if end in names else len(names)]


def make_heat_maps(
    space: DecodingSpace,
    point: Points,
    how: Decoding | None = None,
    *,
    keep: Collection[Axis] = ("steps", "heads"),
    dtype: torch.dtype = torch.float32,
    progress: Progress | None = None,
) -> HeatMaps:
    """Decode one point of the prompt space and record its cross-attention; see `Explorer.heat_maps`."""
    how = replace(how or Decoding(), batch=(how and how.batch) or 1)
    unet_of(space.model.denoiser)
    asked, _ = seeds_for(how, space.owned(point))
    if len(asked) != 1 or how.batch != 1:
        raise SpaceError(
            f"Got {len(asked)} pictures and batch={how.batch} for heat maps, which are made of one picture at a time; "
            "ask for each by itself, and leave batch out.",
            code="heat maps",
        )
    settled = space.settled(asked, how)
    if settled.guidance == 0:
        raise ModelError(
            "Got guidance 0, which ignores the prompt, so no word has a heat map; use 1 or more.", code="guidance"
        )
    denoiser = space.model.denoiser.decoding(settled)
    recording = Recording(n=1, steps=settled.steps, keep=keep, dtype=dtype)
    with recorded(denoiser, recording):
        images = space.render(point, how, progress=progress)
    size = denoiser.latent_shape[-2], denoiser.latent_shape[-1]
    maps = {name: _as_maps(recording.of(name)[:, 0], size) for name in recording.layers}
    layers = tuple(Layer(name, each.shape[1], *each.shape[-2:]) for name, each in maps.items())
    text, tokens = source_text(point.origin[0]), denoiser.tokens("")
    named = [f"#{at}" for at in range(len(tokens))] if text is None else denoiser.tokens(text)
    return HeatMaps(images[0], tuple(named), layers, maps, size, denoiser.tokens)


def _as_maps(rows: Tensor, size: tuple[int, int]) -> Tensor:
    """`(steps, heads, queries, tokens) -> (steps, heads, tokens, h, w)`, h and w halved until they hold the queries."""
    height, width = size
    while height * width > rows.shape[2]:
        height, width = -(-height // 2), -(-width // 2)
    return rows.transpose(2, 3).unflatten(3, (height, width))
