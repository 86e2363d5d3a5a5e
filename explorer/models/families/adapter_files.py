"""Where an IP-Adapter's weights and its image encoder lie, in the layout of its makers, and what they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import ModelError
from ..find.folder import PICKLES, one_line, read_json

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


def adapter_files(place: Path, attends: int | None = None) -> AdapterFiles:
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
    folders = [place / each for each in _PLACES if (place / each).is_dir()] if place.is_dir() else [place.parent]
    files = sorted(file for folder in folders for file in folder.glob("*.safetensors") if place.is_dir())
    usual = [file for file in files if file.name in _NAMES]
    if usual or len(files) == 1:
        return usual or files
    if files:
        raise ModelError(
            f"Got {len(files)} adapters in {place} ({files[0].name}, …), expected one, or {' or '.join(_NAMES)}; "
            "give the file."
        )
    pickles = [place] if place.is_file() else [file for folder in folders for file in folder.glob("*")]
    pickled = sorted(file.name for file in pickles if file.suffix in PICKLES)
    if pickled:
        raise ModelError(
            f"Got pickled weights {pickled[0]} in {place}, which can run code when read, expected safetensors; "
            "take the .safetensors file beside them."
        )
    raise ModelError(f"Got no IP-Adapter in {place}, expected {' or '.join(_NAMES)}; check the folder.")


def _read(file: Path) -> AdapterFiles:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), framework="pt") as weights:
            shapes = {
                name: tuple(weights.get_slice(name).get_shape())
                for name in weights.keys()  # noqa: SIM118  # no mapping
                if name.startswith(("image_proj.", "ip_adapter."))
            }
    except (SafetensorError, OSError) as error:
        raise ModelError(f"Got {file}, which is damaged ({one_line(error)}); fetch it again.") from error
    projection = shapes.get("image_proj.proj.weight")
    if projection is None or "image_proj.norm.weight" not in shapes:
        said = "no IP-Adapter" if not shapes else "an IP-Adapter that reads more of a picture than one vector"
        raise ModelError(
            f"Got {file.name}, {said}, expected a plain one with image_proj.proj.weight (no plus, face or faceid); "
            "choose ip-adapter_sd15 or ip-adapter_sdxl."
        )
    width = int(projection[1])
    return AdapterFiles(file, _encoder(file.parent, width), width, int(projection[0]) // 4)


def _encoder(folder: Path, width: int) -> Path | None:
    """The image tower of a width: beside the weights, or the one of `models/`, which some of SDXL's share."""
    for each in (folder / "image_encoder", folder.parent / "models" / "image_encoder"):
        if (each / "config.json").is_file() and read_json(each / "config.json").get("projection_dim") == width:
            return each
    return None
