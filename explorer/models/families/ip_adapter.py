"""IP-Adapter: a text-to-image model that is guided by a picture's CLIP vector as well (Ye et al., 2023).

The vector becomes four tokens beside the prompt's, with keys and values of their own. The pipeline's own
`load_ip_adapter` puts them into the UNet; their negative is the vector of zeros, as the pipeline's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import ModelError
from ..find.folder import opened, read_if_there, refuse_pickles, shapes_in
from ..guide import Inputs
from ..placement import require_in_memory

PICTURE = "picture"
"""The name of the picture vectors `(n, 1, d)` among the inputs of a network."""

# In the makers' repository: `models/` for Stable Diffusion 1.5, `sdxl_models/` for SDXL.
_PLACES = ("", "models", "sdxl_models")
_NAMES = ("ip-adapter_sd15.safetensors", "ip-adapter_sdxl.safetensors")


@dataclass(frozen=True)
class AdapterFiles:
    """One plain IP-Adapter on disk.

    Attributes:
        weights: the safetensors file.
        encoder: the folder of the image tower whose vectors it reads, or None where there is none of that width.
        width: of those vectors.
        attends: width of the cross-attention that it was made for.
    """

    weights: Path
    encoder: Path | None
    width: int
    attends: int


def adapter_files(place: Path, attends: Any = None) -> AdapterFiles:
    """The adapter in a safetensors file, or in a folder as its makers lay it out.

    Args:
        attends: width of the cross-attention of the UNet: of several adapters in a folder, the one for it.

    Raises:
        ModelError: none, pickled ones only, damage, or a kind that reads more than a vector of the picture.
    """
    found = [_read(file) for file in _candidates(place)]
    return next((files for files in found if files.attends == attends), found[0])


def _candidates(place: Path) -> list[Path]:
    if place.is_file() and place.suffix == ".safetensors":
        return [place]
    folders = [place / each for each in _PLACES if (place / each).is_dir()] if place.is_dir() else []
    files = sorted(file for folder in folders for file in folder.glob("*.safetensors"))
    usual = [file for file in files if file.name in _NAMES]
    if usual or len(files) == 1:
        return usual or files
    if files:
        raise ModelError(
            f"Got {len(files)} adapters in {place} ({files[0].name}, …), expected one, or {' or '.join(_NAMES)}; "
            "give the file.",
            code="several adapters",
        )
    for folder in folders or [place.parent]:
        refuse_pickles(folder)
    raise ModelError(
        f"Got no IP-Adapter in {place}, expected {' or '.join(_NAMES)}; check the folder.", code="incomplete"
    )


def _read(file: Path) -> AdapterFiles:
    shapes = {name: shape for name, shape in shapes_in(file).items() if name.startswith(("image_proj.", "ip_adapter."))}
    projection = shapes.get("image_proj.proj.weight")
    if projection is None or "image_proj.norm.weight" not in shapes:
        said = "no IP-Adapter" if not shapes else "an IP-Adapter that reads more of a picture than one vector"
        raise ModelError(
            f"Got {file.name}, {said}, expected a plain one with image_proj.proj.weight (no plus, face or faceid); "
            "choose ip-adapter_sd15 or ip-adapter_sdxl.",
            code="adapter kind",
        )
    width = int(projection[1])
    return AdapterFiles(file, _encoder(file.parent, width), width, int(projection[0]) // 4)


def _encoder(folder: Path, width: int) -> Path | None:
    """The image tower of a width: beside the weights, or the one of `models/`, which some of SDXL's share."""
    for each in (folder / "image_encoder", folder.parent / "models" / "image_encoder"):
        if read_if_there(each / "config.json").get("projection_dim") == width:
            return each
    return None


@dataclass(frozen=True, eq=False)
class Adapter:
    """An IP-Adapter in a UNet; without a picture the UNet is what it was before, to the bit.

    Attributes:
        width: of the picture vectors.
        processors: of the attention that looks at pictures.
        scale: how strongly pictures guide; 0 not at all.
    """

    width: int
    processors: tuple[Any, ...]
    scale: float = 1.0

    def inputs(self, joint: Tensor) -> tuple[Inputs, Inputs]:
        """What joint vectors `(n, d)` are for the network, and what guidance leads away from."""
        pictures = joint[:, None]
        return {PICTURE: pictures}, {PICTURE: torch.zeros_like(pictures)}

    def added(self, inputs: Inputs, like: Tensor) -> dict[str, Any]:
        """The arguments of the UNet for pictures: those of the inputs, or none, as many and of the kind of `like`."""
        seen = PICTURE in inputs
        for processor in self.processors:  # themselves: another may stand around one while it is watched
            processor.scale = [self.scale if seen else 0.0]
        # At scale 0 pictures are not looked at, but the UNet wants some.
        return {"image_embeds": [inputs[PICTURE] if seen else like.new_zeros(len(like), 1, self.width)]}


def with_adapter(pipeline: Any, files: AdapterFiles) -> Adapter:
    """The adapter, once its weights are in the UNet of a Stable Diffusion or an SDXL, which is changed in place.

    Raises:
        ModelError: an adapter for another UNet, or a UNet whose weights are not there.
    """
    unet = pipeline.unet
    attends = int(unet.config.cross_attention_dim)
    if files.attends != attends:
        raise ModelError(
            f"Got an IP-Adapter {files.weights.name} for a UNet that attends to width {files.attends} and one of "
            f"width {attends}, expected equal widths; take the adapter of this family (models/ or sdxl_models/).",
            code="width",
        )
    require_in_memory(unet, f"an IP-Adapter {files.weights.name}")

    def load() -> Adapter:
        pipeline.load_ip_adapter(
            str(files.weights.parent),
            subfolder="",
            weight_name=files.weights.name,
            image_encoder_folder=None,  # opened apart: the pipeline would take a pickled one
            local_files_only=True,
            low_cpu_mem_usage=False,
        )
        unet.eval().requires_grad_(False)
        processors = unet.attn_processors.items()
        return Adapter(files.width, tuple(each for name, each in processors if not name.endswith("attn1.processor")))

    return opened("an IP-Adapter", files.weights, load)
