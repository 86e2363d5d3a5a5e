"""A prompt encoded as a pipeline's own call encodes it, by the names that the call takes it back under."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from .prompt_parts import Values
from .signatures import encoded_names, options_of, prompt_names

LONGEST = "a " * 4096
"""A prompt longer than any context."""


def encoded(pipeline: Any, prompt: str) -> dict[str, Any]:
    """What one prompt consists of: tensors of one row, lists of one tensor, or None."""
    answer = _asked(pipeline, {"prompt": [prompt], "do_classifier_free_guidance": False})
    return {name: answer[name] for name in prompt_names(type(pipeline))}


def negative_of(pipeline: Any, negative: str, kept: dict[str, Any]) -> Values:
    """What guidance leads away from, under the call's names; nothing where the call is to see to it itself.

    An empty one is what the call makes of its own default. Sana reads negatives without the instruction that it puts
    before prompts, Qwen-Image is not guided at all without one: a pipeline's own encoding knows.
    """
    if negative not in kept:
        kept[negative] = _negative(pipeline, negative)
    return kept[negative]


def _negative(pipeline: Any, negative: str) -> dict[str, Any]:
    call, encode = (options_of(type(pipeline), method) for method in ("__call__", "encode_prompt"))
    if "negative_prompt_embeds" not in call:
        return {}
    if "negative_prompt" in encode:
        given = {"negative_prompt": [negative]} if negative else {}
        answer = _asked(pipeline, {"prompt": [""], "do_classifier_free_guidance": True, **given})
        found = {name: value for name, value in answer.items() if name.startswith("negative_")}
    elif negative:
        found = {f"negative_{name}": value for name, value in encoded(pipeline, negative).items()}
        states = found["negative_prompt_embeds"]
        for name, value in found.items():  # a mask that is left out counts every place
            if value is None and name.endswith("mask") and isinstance(states, Tensor):
                found[name] = states.new_ones(states.shape[:2]).long()
    else:
        found = {}
    return {name: value for name, value in found.items() if name in call and value is not None}


def _asked(pipeline: Any, given: dict[str, Any]) -> dict[str, Any]:
    """`encode_prompt` with the call's own defaults for all that both take."""
    kind = type(pipeline)
    call, encode = options_of(kind, "__call__"), options_of(kind, "encode_prompt")
    shared = {name: call[name] for name in encode if name in call}
    arguments = {**shared, "device": pipeline._execution_device, **given}
    answer = pipeline.encode_prompt(**{name: value for name, value in arguments.items() if name in encode})
    values = answer if isinstance(answer, tuple) else (answer,)
    return dict(zip(encoded_names(kind), values, strict=True))


def token_counts(pipeline: Any, prompts: Sequence[str]) -> tuple[list[int], int]:
    """Tokens of each prompt, without what is put around it, and how many the call reads at most."""
    reader = getattr(pipeline, "tokenizer", None)
    reader = getattr(reader, "tokenizer", reader)  # a processor has its tokenizer inside
    if reader is None or not prompts:
        return [0 for _ in prompts], 0
    limit = options_of(type(pipeline), "__call__").get("max_sequence_length") or reader.model_max_length
    ids = reader(list(prompts), add_special_tokens=False, verbose=False).input_ids
    return [len(each) for each in ids], int(limit)
