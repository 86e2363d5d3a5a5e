"""How a model lies in its folder: as ours do, as diffusers saves its pipelines, or as one part of a model alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError
from .encoder import towers
from .files import read_json


@dataclass(frozen=True)
class Layout:
    """The folders of a model's parts, `None` for what it has not.

    Attributes:
        clip: an open_clip folder, or a pipeline that carries the encoder of its vectors.
        diffusion: a pipeline of diffusers.
        autoencoder: an autoencoder of diffusers; that of the pipeline where there is one.
        adapter: an IP-Adapter, its folder or its file.
    """

    clip: Path | None = None
    diffusion: Path | None = None
    autoencoder: Path | None = None
    adapter: Path | None = None

    def parts(self) -> Iterator[tuple[str, Path]]:
        """Name and folder of each part that stands by itself."""
        inside = self.diffusion is not None and self.autoencoder == self.diffusion / "vae"
        named = {
            "clip": None if self.clip == self.diffusion else self.clip,
            "diffusion": self.diffusion,
            "autoencoder": None if inside else self.autoencoder,
            "adapter": self.adapter,
        }
        return ((name, folder) for name, folder in named.items() if folder is not None)


def layout(folder: Path) -> Layout:
    """Where the parts of the model in a folder are.

    Raises:
        ModelError: nothing that is known, or half of a pair.
    """
    pair = {name: folder / name for name in ("clip", "diffusion", "adapter") if (folder / name).is_dir()}
    if "diffusion" in pair and len(pair) > 1:
        clip = pair.get("clip") or _inside(pair["diffusion"])
        return Layout(clip, pair["diffusion"], pair["diffusion"] / "vae", pair.get("adapter"))
    if (folder / "model_index.json").is_file():
        return Layout(clip=_inside(folder), diffusion=folder, autoencoder=folder / "vae")
    if (folder / "open_clip_config.json").is_file():
        return Layout(clip=folder)
    if (folder / "config.json").is_file() and "Autoencoder" in str(
        read_json(folder / "config.json").get("_class_name")
    ):
        return Layout(autoencoder=folder)
    if pair:
        missing = "clip" if "diffusion" in pair else "diffusion"
        raise ModelError(f"Got a model without {missing}/ in {folder}, expected clip/ and diffusion/; restore it.")
    raise ModelError(
        f"Got {folder}, in which no model is known, expected clip/ and diffusion/, a diffusers pipeline "
        "(model_index.json), an autoencoder of diffusers (config.json) or an open_clip folder (open_clip_config.json); "
        "check the folder."
    )


def _inside(pipeline: Path) -> Path | None:
    """The pipeline itself where it carries the encoder of the vectors that it decodes."""
    return pipeline if towers(pipeline) is not None else None
