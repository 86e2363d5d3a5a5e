"""Heat maps: how much each place of a picture attended to each word of its prompt (DAAM: Tang et al., ACL 2023).

Or to free concepts, words that need not be in the prompt (ConceptAttention: Helbling et al., ICML 2025).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow
from PIL.Image import Image
from torch import Tensor
from torch.nn import functional

from .checks import number
from .diffusion.concepts import Concepts, encoded_concepts
from .diffusion.passes import passes
from .diffusion.recording import Axis, Recording, check_attention, recorded
from .errors import ModelError, SpaceError
from .models.generator import Denoiser
from .models.prompt_tokens import PromptLayout
from .options import Decoding, Settled
from .points import Points
from .progress import Progress, run
from .records.images import picture_of, unit_pixels
from .spaces.batches import seeds_for
from .spaces.inputs import opened
from .spaces.prompt_words import rows_of, source_text
from .spaces.rendering import DecodingSpace

# Red, green and blue at these shares of the greatest heat: dark violet, red, orange, pale yellow.
_PLACES = (0.0, 0.35, 0.65, 0.85, 1.0)
_GLOW = ((10, 130, 235, 252, 255), (5, 20, 85, 175, 250), (40, 110, 50, 40, 160))


@dataclass(frozen=True)
class Layer:
    """An attention layer that reads the prompt: its name in the network, its heads, and the size of its maps."""

    name: str
    heads: int
    height: int
    width: int


@dataclass(frozen=True)
class Rows:
    """Where words are among the rows of a map.

    Attributes:
        names: of each row.
        text: what was read, and by whom; None where a row is found by its name.
    """

    names: tuple[str, ...]
    text: tuple[PromptLayout, str] | None = None

    def of(self, word: str) -> list[int]:
        """The rows of a word, at all its occurrences; empty where it is not there."""
        if self.text is None:
            return [at for at, name in enumerate(self.names) if name == word]
        return rows_of(*self.text, word)

    @property
    def listed(self) -> str:
        """The names, without the marks and the filling around a text."""
        if self.text is None:
            return ", ".join(self.names)
        layout, text = self.text
        rows = layout.readings[0].rows(text, (0, len(text)))
        return ", ".join(self.names[row].removesuffix("</w>") for row in rows)


@dataclass(frozen=True, eq=False, repr=False)
class HeatMaps:
    """How much each place of a picture attended to each token of its prompt, or to each of several free concepts.

    Attributes:
        image: the picture, the same to the last bit as without maps; it carries its record. A picture that was given is
            as the model sees it, and has none.
        tokens: a name for each token, as the text encoder's tokenizer names it; `#0`, `#1`, ... where the point is not
            a single text. With several text encoders, those of one follow those of another. Or the concepts.
        layers: in the order in which the network computes them.
        maps: by the layer's name, `(steps, heads, tokens, h, w)` probabilities. Over the tokens they sum to one; in
            joint attention to less, of which the rest went to other places of the picture. Over concepts they sum to
            one. An axis that was not kept is summed and has length 1.
        size: `(H, W)` of the latents.
    """

    image: Image
    tokens: tuple[str, ...]
    layers: tuple[Layer, ...]
    maps: dict[str, Tensor]
    size: tuple[int, int]
    _rows: Rows

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

    def on_picture(self, word: str | int) -> Tensor:
        """The heat of a word at the size of the picture, `(height, width)`, by bicubic interpolation of `of`."""
        size = self.image.height, self.image.width
        return functional.interpolate(self.of(word)[None, None], size=size, mode="bicubic")[0, 0]

    def indices(self, word: str | int) -> list[int]:
        """The positions of the tokens of a word, at all its occurrences; a SpaceError if there are none."""
        if isinstance(word, int) and -len(self.tokens) <= word < len(self.tokens):
            return [word]
        found = self._rows.of(word) if isinstance(word, str) else []
        if not found:
            raise SpaceError(
                f"Got the word {word!r}, expected one of the prompt's tokens: {self._rows.listed}.", code="word"
            )
        return found

    def overlay(self, word: str | int, *, strength: float = 0.75) -> Image:
        """The picture in grey with the word's heat over it, from its least (dark) to its most (bright).

        Args:
            strength: how much of the picture the hottest place covers, 0 to 1.

        Raises:
            SpaceError: a word that is not in the prompt, or a strength out of range.
        """
        number("strength", strength, 0, 1, error=SpaceError, hint="0.75 is usual")
        heat = self.on_picture(word).numpy()
        heat = (heat - heat.min()) / max(float(heat.max() - heat.min()), 1e-12)
        glow = np.stack([np.interp(heat, _PLACES, channel) for channel in _GLOW], axis=-1)
        grey = np.asarray(self.image.convert("L").convert("RGB"), dtype=float)
        cover = strength * (0.4 + 0.6 * heat)[..., None]
        return Pillow.fromarray(((1 - cover) * grey + cover * glow).round().astype(np.uint8))


@dataclass(frozen=True)
class Watching:
    """What to record while a picture is denoised.

    Attributes:
        concepts: words or phrases, in the prompt or not, to map in place of the prompt's tokens.
        keep: axes to keep; the maps are summed over the others.
        dtype: of the maps.
    """

    concepts: Sequence[str] = ()
    keep: Collection[Axis] = ("steps", "heads")
    dtype: torch.dtype = torch.float32


def make_heat_maps(
    space: DecodingSpace,
    point: Points,
    how: Decoding | None = None,
    watching: Watching | None = None,
    *,
    picture: Any = None,
    progress: Progress | None = None,
) -> HeatMaps:
    """Denoise with one point of the prompt space and record the attention; see `Explorer.heat_maps`."""
    how, watching = replace(how or Decoding(), batch=(how and how.batch) or 1), watching or Watching()
    check_attention(space.model.denoiser)
    asked, seeds = seeds_for(how, space.owned(point))
    if len(asked) != 1 or how.batch != 1:
        raise SpaceError(
            f"Got {len(asked)} pictures and batch={how.batch} for heat maps, which are made of one picture at a time; "
            "ask for each by itself, and leave batch out.",
            code="heat maps",
        )
    settled = space.settled(asked, how)
    denoiser = space.model.denoiser.decoding(settled)
    if settled.guidance == 0 and not denoiser.distilled:
        raise ModelError(
            "Got guidance 0, which ignores the prompt, so no word has a heat map; use 1 or more.", code="guidance"
        )
    concepts = encoded_concepts(denoiser, watching.concepts) if watching.concepts else None
    recording = Recording(n=1, steps=settled.steps, keep=watching.keep, dtype=watching.dtype)
    with recorded(denoiser, recording, concepts):
        if picture is None:
            image = space.render(point, how, progress=progress)[0]
        else:
            image = _looked_at(space, asked, picture, seeds, settled, progress)
    if not recording.layers:
        raise ModelError(
            f"Got a {denoiser.facts.pipeline} whose network has no layer that attends to its prompt, expected one; "
            "open another model.",
            code="no attention",
        )
    return _heat_maps(denoiser, recording, image, _rows(denoiser, asked, concepts))


def _as_maps(rows: Tensor, size: tuple[int, int]) -> Tensor:
    """`(steps, heads, queries, tokens) -> (steps, heads, tokens, h, w)`, h and w halved until they hold the queries."""
    height, width = size
    while height * width > rows.shape[2]:
        height, width = -(-height // 2), -(-width // 2)
    return rows.transpose(2, 3).unflatten(3, (height, width))


def _rows(denoiser: Denoiser, point: Points, concepts: Concepts | None) -> Rows:
    if concepts is not None:
        return Rows(concepts.names)
    text, layout = source_text(point.origin[0]), denoiser.prompt_layout
    if text is None:
        return Rows(tuple(f"#{at}" for at in range(layout.tokens)))
    return Rows(tuple(layout.names(text)), (layout, text))


def _heat_maps(denoiser: Denoiser, recording: Recording, image: Image, rows: Rows) -> HeatMaps:
    size = denoiser.latent_shape[-2], denoiser.latent_shape[-1]
    maps = {name: _as_maps(recording.of(name)[:, 0], size) for name in recording.layers}
    layers = tuple(Layer(name, each.shape[1], *each.shape[-2:]) for name, each in maps.items())
    return HeatMaps(image, rows.names, layers, maps, size, rows)


@torch.inference_mode()
def _looked_at(
    space: DecodingSpace, point: Points, picture: Any, seeds: list[int], how: Settled, progress: Progress | None
) -> Image:
    """Give the network a picture at the noise level of each step, and return what it is given."""
    model = space.model
    opened_pictures, _ = opened((picture,))
    latents, denoiser = model.autoencoder.encode(opened_pictures), model.denoiser.decoding(how)
    run(passes(denoiser, point.values, latents, seeds, how), progress, total=how.steps, desc="looking")
    return picture_of(unit_pixels(model.autoencoder.pixels(opened_pictures)[0]))
