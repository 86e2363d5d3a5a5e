"""SwarmUI: JSON with `sui_image_params`, in the PNG text `parameters`, in UserComment, or once in EXIF's Model."""

from __future__ import annotations

from .carried import Carried
from .settings import Settings, document, further, integer, number, size, text

_KEY = "sui_image_params"
_FIELDS = ("prompt", "negativeprompt", "seed", "steps", "sampler", "comfyuisampler", "cfgscale", "model")


def read(carried: Carried) -> Settings | None:
    """Settings from the first text that has `sui_image_params`."""
    for raw in (carried.texts.get("parameters", ""), carried.user_comment, carried.exif.get("Model", "")):
        whole = document(raw) if _KEY in raw else None
        values = document(whole.get(_KEY)) if whole is not None else None
        if values is None:
            continue
        sampler = values.get("comfyuisampler", values.get("sampler"))
        return Settings(
            source="swarmui",
            prompt=text(values.get("prompt")) or "",
            negative=text(values.get("negativeprompt")),
            seed=integer(values.get("seed")),
            steps=integer(values.get("steps")),
            sampler=text(sampler),
            guidance=number(values.get("cfgscale")),
            model=text(values.get("model")),
            size=size(values.get("width"), values.get("height")),
            raw=raw,
            more=further(values, but=_FIELDS),
        )
    return None
