"""Fooocus: `parameters` as JSON (scheme `fooocus`) or as infotext (scheme `a1111`), in PNG texts or in EXIF.

Fooocus adds its styles and its own words to a prompt. The prompt here is the one that was typed; the one that the
model was given is in `more["full prompt"]`. See modules/meta_parser.py there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from . import a1111
from .carried import Carried
from .settings import Settings, document, of_values, size, text

_RESOLUTION = re.compile(r"\(?\s*'?(\d{1,6})'?\s*[,x×*]\s*'?(\d{1,6})'?\s*\)?")
_KEYS = {
    "prompt": ("prompt", "Prompt"),
    "negative": ("negative_prompt", "Negative Prompt"),
    "seed": ("seed", "Seed"),
    "steps": ("steps", "Steps"),
    "sampler": ("sampler", "Sampler"),
    "guidance": ("guidance_scale", "Guidance Scale"),
    "model": ("base_model", "Base Model"),
}
_ALL_KEYS = (*(key for pair in _KEYS.values() for key in pair), "resolution", "Resolution")


def read(carried: Carried) -> Settings | None:
    """Settings where the scheme, or the version in the settings, names Fooocus."""
    scheme = carried.texts.get("fooocus_scheme") or carried.exif.get("MakerNote", "")
    raw = carried.texts.get("parameters") or carried.user_comment
    values = document(raw)
    if values is not None:
        version = text(values.get("version", values.get("Version"))) or ""
        named = scheme == "fooocus" or version.startswith("Fooocus") or "base_model" in values
        return _of_json(values, raw) if named else None
    found = a1111.read_text(raw)
    if found is not None and (
        carried.texts.get("fooocus_scheme") == "a1111"
        or carried.software.startswith("Fooocus")
        or found.more.get("Version", "").startswith("Fooocus")
    ):
        return _of_infotext(found)
    return None


def _of_json(values: Mapping[str, Any], raw: str) -> Settings:
    # The first versions wrote labels in place of keys.
    names = {field: label if key not in values else key for field, (key, label) in _KEYS.items()}
    resolution = _RESOLUTION.fullmatch(text(values.get("resolution", values.get("Resolution"))) or "")
    found = of_values("fooocus", values, names, raw=raw, but=_ALL_KEYS)
    full, more = values.get("full_prompt"), dict(found.more)
    if isinstance(full, list):
        more["full prompt"] = ", ".join(filter(None, map(text, full)))
    of = size(resolution[1], resolution[2]) if resolution else None
    return replace(found, size=of, more=MappingProxyType(more))


def _of_infotext(found: Settings) -> Settings:
    more = {name: value for name, value in found.more.items() if name not in ("Raw prompt", "Raw negative prompt")}
    more["full prompt"] = found.prompt
    return replace(
        found,
        source="fooocus",
        prompt=found.more.get("Raw prompt", found.prompt),
        negative=found.more.get("Raw negative prompt", found.negative),
        more=MappingProxyType(more),
    )
