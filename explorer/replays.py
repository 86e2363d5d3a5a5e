"""Replay: decode a picture or a video again from the record inside it, and compare."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from .errors import ModelError, ProvenanceError, SpaceError, ThoughtspaceError
from .language.nodes import from_json
from .models.find.hub import is_hub_id
from .models.placement import Placement
from .options import Decoding, Gap
from .paths import path
from .points import Points, SpaceInfo
from .records.images import contact_sheet
from .records.provenance import Provenance, pixel_hash, read
from .records.tensor_json import decode_tensor
from .records.video import enlarged, read_frames
from .spaces.between import render_between_again
from .spaces.records import threads
from .spaces.rendering import DecodingSpace
from .walk import blend_points, check_frames, decode_walk


@dataclass(frozen=True, eq=False)
class Replay:
    """The pictures of a file, decoded again and compared.

    Attributes:
        identical: whether every byte of every pixel is as its record says; for a PNG, also as the file shows.
        max_difference: the largest difference of any colour value, 0 to 255, from the pictures in the file. It is 0
            for an identical video; for any other it includes the losses of the video's compression.
        images: the decoded pictures, PIL.
        provenance: the record of the file.
    """

    identical: bool
    max_difference: float
    images: tuple[Any, ...]
    provenance: Provenance


Spaces = Callable[[str], DecodingSpace]
"""Looks up a space of one model by its name, such as `Explorer.space`."""


def replay(file: str | os.PathLike[str], spaces: Spaces) -> Replay:
    """Decode again from the record of a PNG, MP4, WebM or GIF, with the recorded number of threads.

    See `Explorer.replay`; `spaces` looks up the spaces of the recorded model.
    """
    provenance = read(file)
    record = provenance.record
    if record.get("kind") == "retrieval":
        raise ProvenanceError(
            f"Got {str(file)!r}, a picture found in a collection, expected a decoded one; its record names the item.",
            code="not decoded",
        )
    try:
        space = _space_of(record, spaces)
        with threads(int(record["machine"]["threads"])):
            pictures = _KINDS[record["kind"]](space, record)
        stated = record["pixels"]
    except ThoughtspaceError:
        raise
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, OverflowError) as error:
        raise ProvenanceError(
            f"Got an incomplete record in {str(file)!r} ({type(error).__name__}: {error}), expected that of a "
            "decode, a walk or a blend; decode the picture again from its expression and seed.",
            code="incomplete",
        ) from error
    same, png, difference = pixel_hash(pictures) == stated, _is_png(file), 0.0
    if png or not same:
        expected = [contact_sheet(pictures, record["grid"]["columns"])] if record["kind"] == "blend" else pictures
        difference = _difference(_opened_png(file) if png else read_frames(file, n_frames=len(expected)), expected)
    return Replay(same and not (png and difference), difference, tuple(pictures), provenance)


@dataclass(frozen=True)
class Origin:
    """The model that a file was made with, and how it was opened.

    Attributes:
        model: the name to open; for a model of the hub, with its commit.
        device: `"cpu"`, `"cuda"`, ...
        dtype: `"float32"`, ...
        size: side of the pictures in pixels, or None for the model's own.
        placement: how the model was placed in memory.
        gap: how texts entered its joint space.
    """

    model: str
    device: str
    dtype: str
    size: int | None
    placement: Placement
    gap: Gap | None = None

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype itself; a ModelError where PyTorch has none of that name."""
        dtype = getattr(torch, self.dtype, None)
        if not isinstance(dtype, torch.dtype):
            message = f"Got a record of dtype {self.dtype!r}, which PyTorch does not have; decode the picture again."
            raise ModelError(message, code="dtype")
        return dtype

    @property
    def present_device(self) -> str | None:
        """The kind of device if this machine has it, else None: another kind may come close."""
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError):
            return None
        return self.device


def recorded_origin(file: str | os.PathLike[str]) -> Origin:
    """Read from a file's record which model it was made with; a ProvenanceError if it does not say so."""
    record = read(file).record
    try:
        machine, model = record["machine"], record["model"]
        placement = Placement(**model.get("placement", {}))
        return Origin(
            _opens(model),
            str(machine["device"]),
            str(machine["dtype"]),
            model.get("size"),
            placement,
            model.get("gap"),
        )
    except (KeyError, TypeError, AttributeError) as error:
        message = f"Got an incomplete record in {str(file)!r}, without its model and machine; decode the picture again."
        raise ProvenanceError(message, code="incomplete") from error


def _opens(model: Mapping[str, Any]) -> str:
    """The name of a model; for a model of the hub with the recorded commit, since the hub may have a newer one."""
    name, revision = str(model["name"]), model.get("revision")
    bare = is_hub_id(name) and "@" not in name
    return f"{name}@{revision}" if bare and revision else name


def _space_of(record: Mapping[str, Any], spaces: Spaces) -> DecodingSpace:
    try:
        space = spaces(record["space"])
    except SpaceError as error:
        raise ProvenanceError(
            f"Got a record of the space {record['space']!r}, which this model does not have; update this "
            "package, or open the model that made the picture.",
            code="no such space",
        ) from error
    if record["model"]["hash"] != space.model.hash:
        raise ModelError(
            f"Got a picture of model {record['model']['name']!r} ({record['model']['hash'][:12]}), expected one "
            f"of {space.model.name!r} ({space.model.hash[:12]}); open the model that made it.",
            code="other model",
        )
    return space


def _points(record: Mapping[str, Any], info: SpaceInfo) -> Points:
    return Points(decode_tensor(record["points"]), info, tuple(map(from_json, record["origin"])))


def _decode(space: DecodingSpace, record: Mapping[str, Any]) -> Sequence[Any]:
    point, how, batch = _points(record, space.info), Decoding(**record["options"]), record["batch"]
    if "attention" in record:  # a frame of a walk
        return render_between_again(space, point, how, batch=batch, attention=record["attention"])
    return space.render_again(point, how, size=batch["size"], rows=[batch["row"]])


def _walk(space: DecodingSpace, record: Mapping[str, Any]) -> Sequence[Any]:
    stored = record["path"]
    ts = list(stored["t"])
    check_frames(len(ts))
    walked = path(_points(record, space.info), len(ts), interpolant=stored["interpolant"], ts=ts)
    return decode_walk(space, walked, _shared_options(record), attention=stored.get("attention")).pictures


def _blend(space: DecodingSpace, record: Mapping[str, Any]) -> Sequence[Any]:
    blended = blend_points(_points(record, space.info), record["grid"]["size"])
    return space.render(blended, _shared_options(record)).pictures


def _shared_options(record: Mapping[str, Any]) -> Decoding:
    """The options in the record of a walk or a blend, with the size of its batches."""
    return Decoding(**{**record["options"], "batch": record["batch"]["size"]})


_KINDS = {"decode": _decode, "walk": _walk, "blend": _blend}


def _is_png(file: str | os.PathLike[str]) -> bool:
    with open(file, "rb") as stream:
        return stream.read(4) == b"\x89PNG"


def _opened_png(file: str | os.PathLike[str]) -> list[Image.Image]:
    with Image.open(file, formats=["PNG"]) as image:
        return [image.convert("RGB")]


def _difference(shown: Sequence[Any], made: Sequence[Any]) -> float:
    """The largest difference of a colour value; 255 where number or sizes of the pictures differ."""
    if len(shown) != len(made):
        return 255.0
    # A video may show each pixel as a square of several.
    made = [enlarged(image, max(1, like.width // image.width)) for image, like in zip(made, shown, strict=True)]
    if [image.size for image in shown] != [image.size for image in made]:
        return 255.0
    pairs = zip(shown, made, strict=True)
    return float(max(np.abs(np.asarray(a, dtype=int) - np.asarray(b, dtype=int)).max() for a, b in pairs))
