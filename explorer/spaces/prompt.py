"""The prompt space: what the denoiser reads of a text, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..errors import SpaceError
from ..geometry import Geometry
from ..points import Points
from ..tree import Text
from .decoding import Options, Render
from .interpolating import InterpolatingSpace
from .space import require_texts, warn_truncated


class PromptSpace(InterpolatingSpace):
    """States of the text encoder, `(tokens, width)`; decoded by the denoiser from the seed's noise, with no picture."""

    name = "prompt"
    geometry = Geometry.EUCLIDEAN

    @property
    def shape(self) -> tuple[int, ...]:
        return self.model.denoiser.prompt_shape

    def text(self, *texts: str) -> Points:
        """Texts as points; what is past the context is not read, and warned of."""
        given = self._read(texts)
        return Points(self.model.denoiser.encode_prompts(given), self.info, tuple(map(Text, given)))

    def _read(self, texts: Sequence[str]) -> list[str]:
        given = require_texts(texts)
        warn_truncated(given, self.truncated(*given))
        return given

    def truncated(self, *texts: str) -> list[bool]:
        """Which texts are longer than the model reads."""
        return self.model.denoiser.truncated(require_texts(texts))

    def _options(self, **options: Any) -> dict[str, Any]:
        if options.pop("prompt", ""):
            raise SpaceError("Got a prompt beside points of the prompt space, which are prompts; leave it out.")
        checked = super()._options(**options)
        del checked["prompt"]
        return checked

    def _render(self, values: Tensor, seeds: Sequence[int], options: Options) -> Render:
        return (yield from self._rendered(seeds, options, prompts=values))
