"""Which models there are, and where the folder of each is."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..errors import ModelError
from .files import one_line

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
_HUB_FILES = [
    *("*.json", "*.txt", "*.md", "*.model"),
    # Weights of parts; beside them many repositories keep the whole model once more in a single file.
    *("*/*.safetensors", "open_clip_*.safetensors", "diffusion_pytorch_model*.safetensors"),
]
_HUB_TWINS = ["*.fp16.safetensors", "*.non_ema.safetensors", "*.fp16-*.safetensors", "*.safetensors.index.fp16.json"]
"""The same weights in another precision or of another moment."""


@dataclass(frozen=True)
class Preset:
    """A model known by a short name.

    Attributes:
        name: what `Explorer.open` takes.
        folder: where it lies; it holds `clip/` and `diffusion/`.
        spaces: the spaces it has.
        licence: SPDX identifier of its weights.
        note: one line on what it is.
    """

    name: str
    folder: Path
    spaces: tuple[str, ...]
    licence: str
    note: str

    @property
    def installed(self) -> bool:
        """Whether the folder is there."""
        return (self.folder / "clip").is_dir() and (self.folder / "diffusion").is_dir()


def presets() -> dict[str, Preset]:
    """The known models by name.

    >>> presets()["pocket"].spaces
    ('joint', 'latent', 'prompt', 'noise', 'bottleneck')
    """
    pocket = Preset(
        name="pocket",
        folder=_beside_the_world() / "pocket",
        spaces=("joint", "latent", "prompt", "noise", "bottleneck"),
        licence="Apache-2.0",
        note="CLIP, autoencoder and StableUnCLIP of the procedural pocket world; needs no download and no GPU.",
    )
    return {pocket.name: pocket}


def resolve(name: str | Path) -> Path:
    """The folder of a model: a preset's name, a local folder, or a hub id `org/name[@revision]`.

    A hub id is fetched into the Hugging Face cache, whose environment variables are obeyed; only safetensors and
    text files are taken.

    Raises:
        ModelError: nothing goes by this name, or it cannot be fetched.
    """
    text = str(name)
    preset = presets().get(text)
    if preset is not None:
        if not preset.installed:
            raise ModelError(
                f"Got model {text!r}, whose folders clip/ and diffusion/ are missing in {preset.folder}; "
                "reinstall the package with its weights, or train them."
            )
        return preset.folder
    folder = Path(os.path.expanduser(text))  # which leaves an unknown "~user" as it is; Path.expanduser raises
    if folder.is_dir():
        return folder
    if _HUB_ID.fullmatch(text) and not text.startswith("."):
        return _fetched(text)
    raise ModelError(
        f"Got model {text!r}, expected one of {', '.join(presets())}, a folder of a model, or a hub id org/name; "
        "`thoughtspace models` lists what is known."
    )


def _beside_the_world() -> Path:
    # The folder has no __init__, so it is found through a module that lies in it (without importing that module).
    spec = find_spec("thoughtspace.datasets.factors")
    if spec is None or spec.origin is None:
        raise ModelError("Got no thoughtspace.datasets beside this package, expected the pocket world; reinstall it.")
    return Path(spec.origin).parent


def _fetched(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download

    repository, _, revision = hub_id.partition("@")
    try:
        return Path(
            snapshot_download(
                repository, revision=revision or None, allow_patterns=_HUB_FILES, ignore_patterns=_HUB_TWINS
            )
        )
    except Exception as error:  # no network, no such repository, no access: all are "not to be had" here
        raise ModelError(
            f"Got model {hub_id!r}, which is no folder here and cannot be fetched from the hub ({one_line(error)}); "
            "check the name and the connection."
        ) from error
