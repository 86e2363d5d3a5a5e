"""The starting noise of a pipeline, in the layout that its own call takes as `latents=`.

Each pipeline lays its latents out in its own way: as a picture, packed in patches, scaled by its scheduler. Its call is
asked what it prepares, and of the ways to hand that back the one is taken for which the pipeline prepares the same
again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ...errors import ModelError


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
            "batch_size, height, width, generator and latents; choose another model.",
            code="latent layout",
        )
    return asked


@dataclass(frozen=True)
class _Unscaled:
    """In the place of a scheduler, so that what is prepared stays standard normal: a call scales it by its own."""

    init_noise_sigma: float = 1.0


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
        for undo in (lambda prepared: prepared, _unpacked(ratio)):
            layout = cls(pipeline, arguments, undo)
            drawn, prepared = (
                _prepared(each, arguments, torch.Generator().manual_seed(0)) for each in (layout._unscaled, pipeline)
            )
            try:
                again = _prepared(pipeline, arguments, None, undo(drawn))
            except (ValueError, RuntimeError, IndexError):
                continue
            if again.shape == prepared.shape and torch.allclose(again, prepared):
                return layout
        raise ModelError(
            f"Got a {type(pipeline).__name__} that prepares latents of no known layout, expected them as it takes them "
            "by latents= or packed; choose another model.",
            code="latent layout",
        )

    def drawn(self, generator: torch.Generator) -> Tensor:
        """One picture's noise, `(1, *shape)` float32 on the CPU: the numbers that the pipeline draws."""
        return self.undo(_prepared(self._unscaled, self.arguments, generator)).float().cpu()

    def handed(self, noise: Tensor) -> Tensor:
        """Noise as the call takes it by `latents=`."""
        dtype = self.arguments.get("dtype") or torch.float32
        return noise.to(self.arguments.get("device") or self.pipeline.device, dtype)

    @cached_property
    def _unscaled(self) -> Any:
        pipeline = copy(self.pipeline)
        vars(pipeline)["scheduler"] = _Unscaled()
        return pipeline


def _prepared(
    pipeline: Any, arguments: Mapping[str, Any], generator: torch.Generator | None, latents: Tensor | None = None
) -> Tensor:
    """One picture's latents as the pipeline prepares them."""
    given = {**arguments, "batch_size": 1, "generator": generator, "latents": latents}
    prepared = pipeline.prepare_latents(**given)
    return prepared[0] if isinstance(prepared, tuple) else prepared


def _unpacked(ratio: float) -> Callable[[Tensor], Tensor]:
    """Flux 2: the call packs `(n, c, h, w)` into `(n, h·w, c)` itself."""

    def undo(prepared: Tensor) -> Tensor:
        height = round((prepared.shape[1] * ratio) ** 0.5)
        return prepared.transpose(1, 2).unflatten(2, (height, -1))

    return undo
