"""The starting noise of a pipeline, in the layout that its own call takes as `latents=`.

Each pipeline lays its latents out in its own way: as a picture, packed in patches, scaled by its scheduler. Its call is
asked what it prepares, and of three ways to hand that back the one is taken for which the pipeline prepares the same
again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...errors import ModelError

Prepare = Callable[..., Any]


class _Asked(BaseException):
    """Ends a call where its latents are prepared; not an `Exception`, so that no library takes it for one."""


def preparation(pipeline: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with which a pipeline's call prepares its latents, by name; no network is asked."""
    asked: dict[str, Any] = {}
    signature = inspect.signature(pipeline.prepare_latents)

    def spy(*given: Any, **named: Any) -> None:
        asked.update(signature.bind(*given, **named).arguments)
        raise _Asked

    watched = copy(pipeline)
    watched.prepare_latents = spy
    with suppress(_Asked):
        watched(**arguments)
    if not {"batch_size", "generator", "latents", "height", "width"} <= set(signature.parameters):
        raise ModelError(
            f"Got a {type(pipeline).__name__} that prepares latents from {', '.join(signature.parameters)}, expected "
            "batch_size, height, width, generator and latents; choose another model."
        )
    return asked


@dataclass(frozen=True, eq=False)
class LatentLayout:
    """How a pipeline prepares its latents, and how what it prepared is handed back to it.

    Attributes:
        arguments: of `prepare_latents`, as the call gives them.
        undo: prepared latents -> what the pipeline takes as `latents=`.
    """

    pipeline: Any
    arguments: Mapping[str, Any]
    undo: Callable[[Tensor], Tensor]

    @classmethod
    def found(cls, pipeline: Any, arguments: Mapping[str, Any]) -> LatentLayout:
        """The layout that the pipeline itself confirms.

        Raises:
            ModelError: it confirms none.
        """
        ratio = int(arguments["height"]) / int(arguments["width"])
        for undo in (_same, _unscaled(pipeline, arguments), _unpacked(ratio)):
            layout = cls(pipeline, arguments, undo)
            prepared = layout._prepared(torch.Generator().manual_seed(0))
            try:
                again = layout._prepared(None, undo(prepared))
            except (ValueError, RuntimeError, IndexError):
                continue
            if again.shape == prepared.shape and torch.allclose(again, prepared, atol=1e-5):
                return layout
        raise ModelError(
            f"Got a {type(pipeline).__name__} that prepares latents of no known layout, expected them as it takes them "
            "by latents=, scaled or packed; choose another model."
        )

    def drawn(self, generator: torch.Generator) -> Tensor:
        """One picture's noise, `(1, *shape)` float32 on the CPU: the numbers that the pipeline draws."""
        return self.undo(self._prepared(generator)).float().cpu()

    def handed(self, noise: Tensor) -> Tensor:
        """Noise as the call takes it by `latents=`."""
        dtype = self.arguments.get("dtype") or torch.float32
        return noise.to(self.arguments.get("device") or self.pipeline.device, dtype)

    def _prepared(self, generator: torch.Generator | None, latents: Tensor | None = None) -> Tensor:
        one = {**self.arguments, "batch_size": 1, "generator": generator, "latents": latents}
        prepared = self.pipeline.prepare_latents(**one)
        return prepared[0] if isinstance(prepared, tuple) else prepared


def _same(prepared: Tensor) -> Tensor:
    return prepared


def _unscaled(pipeline: Any, arguments: Mapping[str, Any]) -> Callable[[Tensor], Tensor]:
    """PixArt: the call scales what it is given by the scheduler's first noise level."""

    def undo(prepared: Tensor) -> Tensor:
        ones = torch.ones_like(prepared)
        scaled = pipeline.prepare_latents(**{**arguments, "batch_size": 1, "generator": None, "latents": ones})
        return prepared / scaled

    return undo


def _unpacked(ratio: float) -> Callable[[Tensor], Tensor]:
    """Flux 2: the call packs `(n, c, h, w)` into `(n, h·w, c)` itself."""

    def undo(prepared: Tensor) -> Tensor:
        height = round((prepared.shape[1] * ratio) ** 0.5)
        return prepared.transpose(1, 2).unflatten(2, (height, -1))

    return undo
