"""NovelAI: PNG texts `Software`, `Source`, `Description` and `Comment` (JSON); in a WebP, JSON of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .carried import Carried
from .settings import Settings, document, of_values, text

_NAMES = {name: name for name in ("prompt", "seed", "steps", "sampler")} | {"negative": "uc", "guidance": "scale"}


def read(carried: Carried) -> Settings | None:
    """Settings where `Software` names NovelAI, or `Comment` has the negative prompt by NovelAI's name, `uc`."""
    inside = document(carried.user_comment) or {}
    texts: Mapping[str, Any] = inside if "Comment" in inside else carried.texts
    values = document(texts.get("Comment")) or {}
    named = text(texts.get("Software")) == "NovelAI"
    if not named and not ("uc" in values and "steps" in values):
        return None
    described = text(texts.get("Description")) or ""
    prompt = _v4(values.get("v4_prompt")) or text(values.get("prompt")) or described
    raw = texts.get("Comment") if isinstance(texts.get("Comment"), str) else carried.user_comment
    model, negative = texts.get("Source"), _v4(values.get("v4_negative_prompt")) or values.get("uc")
    note = "" if values else "the settings in Comment cannot be read"
    known = {**values, "prompt": prompt, "uc": negative}
    found = of_values("novelai", known, _NAMES, raw=raw or described, note=note)
    return replace(found, model=text(model))


def _v4(prompt: object) -> str:
    """The prompt of version 4: one for the picture and one for each character, joined by NovelAI's ` | `."""
    caption = prompt.get("caption") if isinstance(prompt, dict) else None
    if not isinstance(caption, dict):
        return ""
    characters = caption.get("char_captions")
    found = [caption.get("base_caption")]
    if isinstance(characters, list):
        found += [each.get("char_caption") for each in characters if isinstance(each, dict)]
    return " | ".join(filter(None, map(text, found)))
