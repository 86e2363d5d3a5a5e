"""From a model's name to the folders that it is opened from."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TypeVar

from ...errors import ModelError
from .folder import CLIP_WEIGHTS, one_line, refuse_pickles
from .hub import TEXTS, WHOLE, fetch, is_hub_id
from .names import Spec, parse_spec
from .parts import Parts, autoencoder_in, parts_in, towers
from .presets import Preset, preset_of, presets

_CLIP_FILES = (
    *(*TEXTS, *CLIP_WEIGHTS),
    *("image_encoder/*.safetensors", "text_encoder/*.safetensors", "prior/*.safetensors"),  # of Kandinsky's prior
)
_VAE_FILES = ("config.json", "diffusion_pytorch_model*.safetensors", "vae/*.json", "vae/*.safetensors")
_IP_FILES = ("models/ip-adapter_sd15.safetensors", "sdxl_models/ip-adapter_sdxl.safetensors")
_IP_TOWERS = tuple(
    f"{place}/image_encoder/*.{kind}" for place in ("models", "sdxl_models") for kind in ("json", "safetensors")
)

Found = TypeVar("Found")


@dataclass(frozen=True)
class Source:
    """The folders of everything that a model is opened from, and the known model that it is, or None."""

    parts: Parts
    preset: Preset | None = None


def source(name: str | Path) -> Source:
    """The folders of a model by its name; what is on the hub is fetched.

    Args:
        name: a preset (`"pocket"`), a folder, a hub id `org/name[@revision]`; `clip:architecture/tag` or `vae:name`
            for a part alone; or a generator with parts added, `generator+clip:name+vae:name+ip:name`.

    Raises:
        ModelError: nothing goes by one of the names, it cannot be fetched, or it is not what it is said to be.
    """
    spec, known = spec_of(name)
    found = _known_in(resolve(spec.main), spec.main, parts_in) if spec.main else Parts()
    added = {field: find(value) for part, (field, find) in _FINDERS.items() if (value := spec.named.get(part))}
    return Source(replace(found, **added), known)


def is_local(name: str | Path) -> bool:
    """Whether all of a model is looked for on this machine, not on the hub."""
    spec, _ = spec_of(name)
    return not any(_on_the_hub(part, value) for part, value in spec.named.items())


def spec_of(name: str | Path) -> tuple[Spec, Preset | None]:
    """A name taken apart, presets in it replaced by what they stand for; and the preset that the model is, or None.

    Raises:
        ModelError: a name that says too little or too much.
    """
    text = os.fspath(name)
    known = preset_of(text)
    if known is not None and known.folder is None:
        return _at(known, text), known
    spec = parse_spec(text)
    added = {part: _part(part, value) for part, value in spec.named.items() if part != "main"}
    main = preset_of(spec.main or "")
    if main is not None and main.folder is None:  # a preset with parts added
        spec = _at(main, spec.main or "")
    return replace(spec, **added), known or main


def _part(part: str, name: str) -> str:
    """Where a part of a preset's name lies: what the preset has of this kind, or the whole that has it inside."""
    preset = presets().get(name)
    if preset is None or os.path.exists(os.path.expanduser(name)):
        return name
    if preset.folder is not None:
        return str(preset.folder)
    spec = parse_spec(preset.source)
    kind = "vae" if part == "preview" else part
    place = getattr(spec, kind) or (spec.main if kind in ("clip", "vae") else None)
    if place is None:
        raise ModelError(
            f"Got {part}:{name}, a preset that stands for {preset.source!r}, expected one with {part}; name another.",
            code="preset",
        )
    return str(place)


def _at(preset: Preset, name: str) -> Spec:
    """What a preset stands for, at the revision in its name, which is that of the first of its parts."""
    spec = parse_spec(preset.source)
    _, at, revision = name.partition("@")
    first, value = next(iter(spec.named.items()))
    return replace(spec, **{first: value + at + revision})


def _on_the_hub(part: str, name: str) -> bool:
    there = Path(os.path.expanduser(name)).exists()
    return not there and not name.startswith((".", "/", "~")) and (is_hub_id(name) or (part == "unet" and "/" in name))


def resolve(name: str | Path) -> Path:
    """The folder of a whole model: a preset's name, a local folder, or a hub id `org/name[@revision]`.

    Raises:
        ModelError: nothing goes by this name, or it cannot be fetched.
    """
    text = os.fspath(name)
    preset = presets().get(text)
    if preset is not None and preset.folder is not None:
        if not preset.installed:
            raise ModelError(
                f"Got model {text!r}, whose folders clip/ and diffusion/ are missing in {preset.folder}; "
                "reinstall the package with its weights, or train them.",
                code="not installed",
            )
        return preset.folder
    return _folder(text)


def _known_in(folder: Path, name: str, find: Callable[[Path], Found]) -> Found:
    """`find(folder)`, whose errors name the hub id: offline, a cache that was filled in part looks like a whole."""
    try:
        return find(folder)
    except ModelError as error:
        if not _on_the_hub("main", name):
            raise
        raise ModelError(
            f"Got model {name!r}, which is only partly in the hub's cache, or no model of a known kind "
            f"({one_line(error)}); connect once to fetch the rest, or check the id.",
            code="incomplete",
        ) from error


def _folder(name: str, patterns: tuple[str, ...] = WHOLE) -> Path:
    folder = Path(os.path.expanduser(name))  # which leaves an unknown "~user" as it is; Path.expanduser raises
    if folder.is_dir():
        return folder
    if is_hub_id(name):
        return fetch(name, patterns)
    raise ModelError(
        f"Got model {name!r}, expected one of {', '.join(presets())}, a folder of a model, or a hub id org/name; "
        "`thoughtspace models` lists what is known.",
        code="no such model",
    )


def _autoencoder(name: str) -> Path:
    return _known_in(_folder(name, _VAE_FILES), name, autoencoder_in)


def _adapter(name: str) -> Path:
    place = Path(os.path.expanduser(name))
    return place if place.exists() else _folder(name, (*_IP_FILES, *_IP_TOWERS))


def _clip(name: str) -> Path:
    """The folder of a CLIP: of open_clip's `architecture/tag`, a local one, or a hub id; or of a prior's towers."""
    if not Path(os.path.expanduser(name)).is_dir() and (hub_id := _pretrained(name)):
        name = hub_id

    def clip_in(folder: Path) -> Path:
        if not (folder / "open_clip_config.json").is_file() and towers(folder) is None:
            refuse_pickles(folder)
            raise ModelError(
                f"Got {name!r} as a CLIP, whose folder has no open_clip_config.json; name an architecture and a tag of "
                "open_clip (ViT-B-32/laion2b_s34b_b79k), or a folder or hub id in its format.",
                code="no such clip",
            )
        return folder

    folder = _folder(name, _CLIP_FILES)
    inner = folder / "clip"
    return _known_in(inner if (inner / "open_clip_config.json").is_file() else folder, name, clip_in)


@cache
def _pretrained(name: str) -> str:
    """The hub id of an architecture and a tag of open_clip; empty where the name is none."""
    import open_clip

    architecture, _, tag = name.partition("/")
    if architecture not in open_clip.list_models():
        return ""
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    hub = str((open_clip.get_pretrained_cfg(architecture, tag) or {}).get("hf_hub", "")).strip("/")
    if not hub or hub.count("/") != 1:
        raise ModelError(
            f"Got CLIP {architecture!r} with weights {tag!r}, expected one of {', '.join(tags) or 'none'}; "
            "name one of them, or a folder.",
            code="no such clip",
        )
    return hub


def _file(name: str) -> Path:
    """A safetensors file: a path, or `org/name/file` on the hub."""
    path = Path(os.path.expanduser(name))
    if path.suffix == ".safetensors" and path.is_file():
        return path
    owner, _, rest = name.partition("/")
    repository, _, inside = rest.partition("/")
    if path.suffix != ".safetensors" or not inside or not is_hub_id(f"{owner}/{repository}"):
        raise ModelError(
            f"Got {name!r} as weights of a UNet, expected a .safetensors file: a path, or org/name/file on the hub; "
            "correct it.",
            code="format",
        )
    file = fetch(f"{owner}/{repository}", (inside,)) / inside
    if not file.is_file():
        raise ModelError(
            f"Got {name!r}, but {owner}/{repository} has no file {inside}; check its name on the hub.",
            code="no such file",
        )
    return file


_FINDERS: dict[str, tuple[str, Callable[[str], Path]]] = {
    "clip": ("clip", _clip),
    "vae": ("autoencoder", _autoencoder),
    "ip": ("adapter", _adapter),
    "preview": ("preview", _autoencoder),
    "unet": ("unet", _file),
}
"""Part of a name -> the field of `Parts` that it is, and what finds it."""
