"""How a model lies in its folder: as ours do, as diffusers saves its pipelines, or as one part of a model alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError
from .codecs import CODECS
from .files import read_json


@dataclass(frozen=True)
class Layout:
    """The folders of a model's parts, `None` for what it has not.

    Attributes:
        clip: an open_clip folder.
        diffusion: a pipeline of diffusers.
        autoencoder: an autoencoder of diffusers; that of the pipeline where there is one.
    """

    clip: Path | None = None
    diffusion: Path | None = None
    autoencoder: Path | None = None

    def parts(self) -> Iterator[tuple[str, Path]]:
        """Name and folder of each part that stands by itself."""
        inside = self.diffusion is not None and self.autoencoder == self.diffusion / "vae"
        named = {"clip": self.clip, "diffusion": self.diffusion, "autoencoder": None if inside else self.autoencoder}
        return ((name, folder) for name, folder in named.items() if folder is not None)


def layout(folder: Path) -> Layout:
    """Where the parts of the model in a folder are.

    Raises:
        ModelError: nothing that is known, or half of a pair.
    """
    pair = {name: folder / name for name in ("clip", "diffusion") if (folder / name).is_dir()}
    if len(pair) == 2:
        return Layout(clip=pair["clip"], diffusion=pair["diffusion"], autoencoder=pair["diffusion"] / "vae")
    if (folder / "model_index.json").is_file():
        return Layout(diffusion=folder, autoencoder=folder / "vae")
    if (folder / "open_clip_config.json").is_file():
        return Layout(clip=folder)
    if (folder / "config.json").is_file():
        name = str(read_json(folder / "config.json").get("_class_name"))
        if name in CODECS or "Autoencoder" in name:  # of an unknown one, opening it says what is known
            return Layout(autoencoder=folder)
    if pair:
        (missing,) = {"clip", "diffusion"} - set(pair)
        raise ModelError(f"Got a model without {missing}/ in {folder}, expected clip/ and diffusion/; restore it.")
    raise ModelError(
        f"Got {folder}, in which no model is known, expected clip/ and diffusion/, a diffusers pipeline "
        "(model_index.json), an autoencoder of diffusers (config.json) or an open_clip folder (open_clip_config.json); "
        "check the folder."
    )
