"""SwarmUI: JSON with `sui_image_params`, in the PNG text `parameters`, in UserComment, or once in EXIF's Model."""

from __future__ import annotations

from .carried import Carried
from .settings import Settings, document, of_values

_KEY = "sui_image_params"
_NAMES = {name: name for name in ("prompt", "seed", "steps", "sampler", "model")}
_NAMES |= {"negative": "negativeprompt", "guidance": "cfgscale"}


def read(carried: Carried) -> Settings | None:
    """Settings from the first text that has `sui_image_params`."""
    for raw in (carried.texts.get("parameters", ""), carried.user_comment, carried.exif.get("Model", "")):
        whole = document(raw) if _KEY in raw else None
        values = document(whole.get(_KEY)) if whole is not None else None
        if values is None:
            continue
        names = _NAMES | ({"sampler": "comfyuisampler"} if "comfyuisampler" in values else {})
        return of_values("swarmui", values, names, raw=raw, but=("sampler",))
    return None
