"""InvokeAI: the PNG text `invokeai_metadata` (JSON); before version 3, `sd-metadata` (JSON) and `Dream` (a command).

Before version 3 the negative prompt stands in square brackets within the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .carried import Carried
from .settings import Settings, document, of_values, text

_SHARED = {"seed": "seed", "steps": "steps", "guidance": "cfg_scale"}
_NAMES = {
    "prompt": "positive_prompt",
    "negative": "negative_prompt",
    "sampler": "scheduler",
    "model": "model",
    **_SHARED,
}
_OLD_NAMES = {"prompt": "prompt", "negative": "negative", "sampler": "sampler", "model": "model_weights", **_SHARED}
_SWITCHES = {"seed": "S", "steps": "s", "sampler": "A", "guidance": "C", "width": "W", "height": "H"}
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_DREAM = re.compile(r'\s*"(.*)"\s*(?=$|\s-)', re.DOTALL)
_SWITCH = re.compile(r"(?<!\S)-([A-Z]|s)\s*([^\s-]\S*)")


def read(carried: Carried) -> Settings | None:
    """Settings from the newest of the three texts that can be read."""
    new, old = carried.texts.get("invokeai_metadata", ""), carried.texts.get("sd-metadata", "")
    values = document(new)
    if values is not None:
        return _of_metadata(values, new)
    values = document(old)
    image = document(values.get("image")) if values is not None else None
    if values is not None and image is not None:
        return _of_old_metadata(values, image, old)
    return _of_dream(carried.texts.get("Dream", ""))


def _of_metadata(values: Mapping[str, Any], raw: str) -> Settings:
    model = values.get("model")
    if isinstance(model, dict):
        model = model.get("name", model.get("model_name"))
    # Flux has no classifier-free guidance, but a distilled one.
    guidance = values.get("cfg_scale") if values.get("cfg_scale") is not None else values.get("guidance")
    known = {**values, "model": model, "cfg_scale": guidance}
    return of_values("invokeai", known, _NAMES, raw=raw, but=("guidance",))


def _of_old_metadata(values: Mapping[str, Any], image: Mapping[str, Any], raw: str) -> Settings:
    written = image.get("prompt")
    parts = written if isinstance(written, list) else [written]
    texts = [text(each.get("prompt") if isinstance(each, dict) else each) for each in parts]
    found = [each for each in texts if each]
    prompt, negative = _without_brackets(", ".join(found))
    note = f"{len(found)} weighted prompts were blended; they are joined by commas" if len(found) > 1 else ""
    known = {**values, **image, "prompt": prompt, "negative": negative}
    return of_values("invokeai", known, _OLD_NAMES, raw=raw, note=note)


def _of_dream(command: str) -> Settings | None:
    """Settings from a command, `"a fox [blurry]" -s50 -S42 -W512 -H512 -C7.5 -Ak_lms`."""
    found = _DREAM.match(command)
    if found is None:
        return None
    switches = dict(_SWITCH.findall(command[found.end() :]))
    prompt, negative = _without_brackets(text(found[1]) or "")
    known = {**{name: switches.get(name) for name in _SWITCHES.values()}, "prompt": prompt, "negative": negative}
    return of_values("invokeai", known, _SWITCHES | {"prompt": "prompt", "negative": "negative"}, raw=command)


def _without_brackets(prompt: str) -> tuple[str, str | None]:
    """The prompt and the negative prompt, which is what stands in square brackets."""
    negatives = [each.strip() for each in _BRACKETS.findall(prompt)]
    kept = re.sub(" {2,}", " ", _BRACKETS.sub(" ", prompt)).strip() if negatives else prompt
    return kept, " ".join(negatives) if negatives else None
