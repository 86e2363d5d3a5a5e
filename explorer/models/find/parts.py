"""Where the parts of a model are in its folder: as ours lie, as diffusers saves its pipelines, or one part alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import ModelError
from .folder import fingerprint, is_pipeline, read_if_there, read_index
from .hub import revision_of


@dataclass(frozen=True)
class Parts:
    """The folders of a model's parts, `None` for what it has not.

    Attributes:
        clip: an open_clip folder, or a pipeline that carries the encoder of its vectors.
        diffusion: a pipeline of diffusers.
        autoencoder: an autoencoder of diffusers; that of the pipeline where there is one.
        adapter: an IP-Adapter, its folder or its file.
        preview: a tiny autoencoder for quick looks.
        unet: a file of weights for the UNet of the pipeline.
        root: the folder of a whole model; what lies outside was added to it.
    """

    clip: Path | None = None
    diffusion: Path | None = None
    autoencoder: Path | None = None
    adapter: Path | None = None
    preview: Path | None = None
    unet: Path | None = None
    root: Path | None = None

    @property
    def own_autoencoder(self) -> bool:
        """Whether the autoencoder is that of the pipeline."""
        return bool(self.diffusion and self.autoencoder and self.autoencoder.is_relative_to(self.diffusion))

    def named(self) -> Iterator[tuple[str, Path]]:
        """Name and folder (of a UNet, the file) of each part that stands by itself."""
        places = {
            "clip": None if self.clip == self.diffusion else self.clip,
            "diffusion": self.diffusion,
            "autoencoder": None if self.own_autoencoder else self.autoencoder,
            "adapter": self.adapter,
            "preview": self.preview,
            "unet": self.unet,
        }
        return ((name, folder) for name, folder in places.items() if folder is not None)

    @property
    def folder(self) -> Path:
        """Where the model lies, or the first part of one that was put together."""
        return self.root or next(folder for _, folder in self.named())

    def revisions(self) -> dict[str, str]:
        """The commits of the parts that came from the hub, by part, without that of `folder`."""
        whole = self.folder
        named = {part: revision_of(place) for part, place in self.named() if not place.is_relative_to(whole)}
        return {part: commit for part, commit in named.items() if commit}

    def fingerprint(self) -> str:
        """The hash of everything that pictures depend on: that of the whole model alone, or of it and its additions."""
        roots = [self.root] if self.root else []
        for name, place in self.named():
            if name != "preview" and not any(place.is_relative_to(root) for root in roots):
                roots.append(place)
        hashes = [fingerprint(root) for root in roots]
        return hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def parts_in(folder: Path) -> Parts:
    """Where the parts of the model in a folder are.

    Raises:
        ModelError: nothing that is known, or half of a pair.
    """
    pair = {name: folder / name for name in ("clip", "diffusion", "adapter") if (folder / name).is_dir()}
    if "diffusion" in pair and len(pair) > 1:
        whole = pair["diffusion"]
        clip = pair.get("clip") or _inside(whole)
        return Parts(clip, whole, _own_autoencoder(whole), pair.get("adapter"), root=folder)
    if is_pipeline(folder):
        return Parts(clip=_inside(folder), diffusion=folder, autoencoder=_own_autoencoder(folder), root=folder)
    if (folder / "open_clip_config.json").is_file():
        return Parts(clip=folder, root=folder)
    if _is_autoencoder(folder):
        return Parts(autoencoder=folder, root=folder)
    if pair:
        missing = "clip" if "diffusion" in pair else "diffusion"
        raise ModelError(
            f"Got a model without {missing}/ in {folder}, expected clip/ and diffusion/; restore it.", code="incomplete"
        )
    raise ModelError(
        f"Got {folder}, in which no model is known, expected clip/ and diffusion/, a diffusers pipeline "
        "(model_index.json), an autoencoder of diffusers (config.json) or an open_clip folder (open_clip_config.json); "
        "check the folder.",
        code="no such model",
    )


def autoencoder_in(folder: Path) -> Path:
    """The folder of an autoencoder: itself, or the part of a pipeline or of a pair like ours.

    Raises:
        ModelError: there is none.
    """
    for each in (folder, folder / "vae", folder / "diffusion" / "vae", folder / "movq"):
        if _is_autoencoder(each):
            return each
    raise ModelError(
        f"Got {folder} as an autoencoder, expected config.json of an autoencoder of diffusers, or a pipeline with "
        "vae/; check the folder.",
        code="no autoencoder",
    )


def _is_autoencoder(folder: Path) -> bool:
    """Whether a folder is a part of diffusers; where it is no autoencoder, opening it says which are known."""
    return isinstance(read_if_there(folder / "config.json").get("_class_name"), str)


def _inside(pipeline: Path) -> Path | None:
    """The pipeline itself where it carries the encoder of the vectors that it decodes."""
    return pipeline if towers(pipeline) is not None else None


def _own_autoencoder(pipeline: Path) -> Path:
    return pipeline / ("movq" if (pipeline / "movq").is_dir() else "vae")


@dataclass(frozen=True)
class Towers:
    """Which parts of a pipeline encode into the space that its decoder reads.

    Attributes:
        image: a `CLIPVisionModelWithProjection`.
        processor: a `CLIPImageProcessor`.
        text: a `CLIPTextModelWithProjection` into the same space, where there is one, and its tokenizer.
        prior: a `PriorTransformer`, which keeps the mean and the deviation of the vectors it was trained on.
    """

    image: str
    processor: str
    text: str | None = None
    tokenizer: str | None = None
    prior: str | None = None


TOWERS = {
    # Its text encoder has no projection: what it makes of a text is no joint vector.
    "StableUnCLIPImg2ImgPipeline": Towers("image_encoder", "feature_extractor"),
    "KandinskyV22PriorPipeline": Towers("image_encoder", "image_processor", "text_encoder", "tokenizer", "prior"),
    "KandinskyV22CombinedPipeline": Towers(
        "prior_image_encoder", "prior_image_processor", "prior_text_encoder", "prior_tokenizer", "prior_prior"
    ),
}
"""Pipeline class -> its towers."""


def towers(folder: Path) -> Towers | None:
    """The towers of a pipeline's folder, or None where it has none or is no pipeline."""
    found = TOWERS.get(str(read_index(folder).get("_class_name"))) if is_pipeline(folder) else None
    return found if found and (folder / found.image).is_dir() else None
