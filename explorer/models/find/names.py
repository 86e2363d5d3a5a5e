"""What a model's name asks for: a whole model, one part alone, or a generator with parts from elsewhere."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import ModelError

PARTS = ("clip", "vae", "ip", "unet", "preview")
_PART = re.compile(rf"\+(?=(?:{'|'.join(PARTS)}):)")


@dataclass(frozen=True)
class Spec:
    """A name taken apart.

    Attributes:
        main: the generator, or a whole model: a preset, a folder or a hub id. None where only a part is opened.
        clip: an open_clip model: `architecture/tag`, a folder or a hub id.
        vae: an autoencoder, in place of the generator's own.
        ip: an IP-Adapter, which lets the generator decode vectors of its CLIP.
        unet: a safetensors file of weights for the generator's UNet: `org/name/file`, or a path.
        preview: a tiny autoencoder for quick looks.
    """

    main: str | None = None
    clip: str | None = None
    vae: str | None = None
    ip: str | None = None
    unet: str | None = None
    preview: str | None = None

    def __str__(self) -> str:
        """The name again.

        >>> str(parse_spec("sd15+ip:h94/IP-Adapter"))
        'sd15+ip:h94/IP-Adapter'
        """
        return "+".join(each if part == "main" else f"{part}:{each}" for part, each in self.named.items())

    @property
    def named(self) -> dict[str, str]:
        """The names that there are: that of the generator, as `main`, and those of the parts."""
        return {part: value for part in ("main", *PARTS) if (value := getattr(self, part))}

    def absolute(self) -> Spec:
        """With local places as absolute paths, so that what records the name can be used from anywhere."""
        there = {part: os.path.expanduser(value) for part, value in self.named.items() if value != "pocket"}
        return replace(self, **{part: os.path.abspath(at) for part, at in there.items() if os.path.exists(at)})


def parse_spec(name: str | Path) -> Spec:
    """`main+part:name+...`, or `part:name` alone; the name of an existing folder is that folder, whatever is in it.

    Raises:
        ModelError: a part twice, a part without a name, or nothing.

    >>> parse_spec("sdxl+clip:ViT-H-14/laion2b_s32b_b79k").clip
    'ViT-H-14/laion2b_s32b_b79k'
    >>> parse_spec("vae:stabilityai/sd-vae-ft-mse").main is None
    True
    """
    text = os.fspath(name) or "."
    if os.path.isdir(os.path.expanduser(text)):
        return Spec(main=text)
    main, *rest = _PART.split(text)
    if main.partition(":")[0] in PARTS and ":" in main:
        main, rest = "", [main, *rest]
    parts: dict[str, str] = {}
    for each in rest:
        part, _, value = each.partition(":")
        if not value or part in parts:
            raise ModelError(
                f"Got {part}: {'twice' if part in parts else 'without a name'} in model {text!r}, expected each part "
                "once, such as 'sd15+clip:ViT-L-14/laion2b_s32b_b82k'; correct the name.",
                code="model name",
            )
        parts[part] = value
    if not main and ({"ip", "unet", "preview"} & set(parts) or not parts):
        raise ModelError(
            f"Got model {text!r} without a generator, expected one before {', '.join(f'+{part}:' for part in parts)}; "
            "name it, such as 'sd15+...'.",
            code="no generator",
        )
    return Spec(main=main or None, **parts)
