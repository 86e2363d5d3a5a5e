"""NovelAI: PNG texts `Software`, `Source`, `Description` and `Comment` (JSON); in a WebP, JSON of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .carried import Carried
from .settings import Settings, document, further, integer, number, size, text

_FIELDS = ("prompt", "uc", "seed", "steps", "sampler", "scale")


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
    return Settings(
        source="novelai",
        prompt=prompt,
        negative=_v4(values.get("v4_negative_prompt")) or text(values.get("uc")),
        seed=integer(values.get("seed")),
        steps=integer(values.get("steps")),
        sampler=text(values.get("sampler")),
        guidance=number(values.get("scale")),
        model=text(texts.get("Source")),
        size=size(values.get("width"), values.get("height")),
        raw=raw or described,
        more=further(values, but=_FIELDS),
        note="" if values else "the settings in Comment cannot be read",
    )


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
