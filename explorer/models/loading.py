"""An unmodified pipeline of diffusers from its folder: safetensors alone, complete, and where it shall compute."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import torch

from ..errors import ModelError
from .configurations import require_described
from .facts import Facts
from .find.folder import NETWORK_WEIGHTS, opened, origins, refuse_pickles, require_weights
from .placement import Target, has_accelerate, place
from .schedulers import require_scheduler


def load_pipeline(folder: Path, facts: Facts, target: Target, prepare: Callable[[Any], None] | None = None) -> Any:
    """The pipeline of the class `facts.pipeline`, frozen, of one precision and on its device.

    Before it is placed there, `prepare` may change it.

    Raises:
        ModelError: a part is missing, pickled or damaged, or cannot be placed so.
    """
    import diffusers

    kind: Any = getattr(diffusers, facts.pipeline)
    wanted = parts_to_open(folder, facts)
    require_weights(folder / facts.network, *NETWORK_WEIGHTS)
    _require_parts(folder, wanted)
    without = [
        part for part in signature(kind.__init__).parameters if part in {*origins(folder), *facts.unread} - wanted
    ]

    def load() -> Any:
        pipeline = kind.from_pretrained(
            folder,
            dtype=target.dtype,
            use_safetensors=True,
            local_files_only=True,
            low_cpu_mem_usage=has_accelerate(),  # half the memory while opening, where it can be had
            **dict.fromkeys(without),
        )
        for name, part in pipeline.components.items():
            if isinstance(part, diffusers.ModelMixin):
                require_described(part, folder / name)
            if isinstance(part, torch.nn.Module):
                part.eval().requires_grad_(False)
                if part.dtype != target.dtype:  # some classes are read as float32 whatever is asked
                    part.to(target.dtype)
        if prepare is not None:
            prepare(pipeline)
        place(pipeline, facts, target)
        return pipeline

    return opened(f"a {facts.pipeline}", folder, load)


def parts_to_open(folder: Path, facts: Facts) -> set[str]:
    """The parts of a pipeline's folder that are opened: those that its class has, that are there, and that are read."""
    import diffusers

    taken = signature(getattr(diffusers, facts.pipeline).__init__).parameters
    named = (part for part, origin in origins(folder).items() if None not in origin)
    return {part for part in named if part in taken and part not in facts.unread}


def _require_parts(folder: Path, wanted: set[str]) -> None:
    """Raises ModelError where a folder lacks a part that its index names, or has it in a form that is not read.

    A library may make one from nothing: of a tokenizer that is missing, an empty one.
    """
    for part in sorted(wanted):
        if part == "scheduler":
            require_scheduler(folder / part)
        if not any((folder / part).glob("*")):
            raise ModelError(
                f"Got a model without {part}/ in {folder}, expected all that model_index.json names; restore it.",
                code="incomplete",
            )
        refuse_pickles(folder / part)
