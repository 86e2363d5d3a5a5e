"""The arguments of a pipeline's own call, by the names that its class gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

from torch import Tensor

from ...options import Settled
from .signatures import options_of


def arguments_of(
    pipeline_class: type, prompts: Mapping[str, Any], options: Settled, guidance: str | None
) -> dict[str, Any]:
    """Arguments for prompts and options, without size, noise and generators.

    Args:
        prompts: the embeddings of prompts and negative prompts by name.
        guidance: the argument that is the scale of guidance.
    """
    given = {
        **prompts,
        "prompt": None,
        "num_inference_steps": options.steps,
        "output_type": "pt",
        "return_dict": False,
        "use_resolution_binning": False,  # its own size is one of the sizes that it rounds to
    }
    if any(name.startswith("negative_") for name in prompts):
        given["negative_prompt"] = None
    if guidance:
        given[guidance] = options.guidance
    call = options_of(pipeline_class, "__call__")
    return {name: value for name, value in given.items() if name in call}


def watching(callback: str, show: Callable[[Tensor], None]) -> dict[str, Any]:
    """The argument by which a call shows the latents after each step; none where it has no callback."""

    def after(pipeline: Any, step: int, t: Any, state: dict[str, Any]) -> dict[str, Any]:
        del pipeline, step, t
        show(state["latents"])
        return state

    ways = {"callback_on_step_end": after, "callback": lambda step, t, latents: show(latents)}
    return {callback: ways[callback]} if callback else {}


def fresh(pipeline: Any, scheduler: Any) -> Any:
    """The pipeline with state of its own: a scheduler that has taken no step, no bar."""
    made = copy(pipeline)
    made.scheduler = scheduler
    made.set_progress_bar_config(disable=True)
    return made
