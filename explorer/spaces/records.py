"""The records of decoded pictures, and the number of threads that a replay needs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

import torch

from ..models.model import Model
from ..models.placement import Placement
from ..points import Points
from ..records.machine import machine, versions
from ..records.provenance import Provenance, pixel_hash
from ..records.tensor_json import encode_tensor

if TYPE_CHECKING:
    from PIL.Image import Image

Options = Mapping[str, Any]
"""The options of a decode, as records keep them."""

_MOST_THREADS = 256  # a forged record must not ask for a million
_PACKAGES = ("thoughtspace", "diffusers", "transformers", "open-clip-torch", "pillow")


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Compute with `n` threads within the block: sums over a matrix round by how many share it."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(max(n, 1), _MOST_THREADS))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def record(
    kind: str, points: Points, model: Model, options: Options, pictures: Sequence[Image], **more: Any
) -> Provenance:
    """Make the record of pictures. Readers rely on the names of its entries."""
    computing = {"device": model.device.type, "dtype": str(model.dtype).removeprefix("torch.")}
    return Provenance(
        {
            "kind": kind,
            "model": _model(model) | _gap(model, points.space.name),
            "space": points.space.name,
            "expression": ", ".join(points.expressions) if len(points) < 17 else f"{len(points)} points",
            "origin": [node.to_json() for node in points.origin],
            "points": encode_tensor(points.values),
            "options": dict(options),
            "machine": machine() | computing,
            "pixels": pixel_hash(pictures),
            "versions": dict(_versions()),
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            **more,
        }
    )


def _model(model: Model) -> dict[str, Any]:
    """What is needed to open the same model again; defaults are left out."""
    defaults = asdict(Placement())
    placement = {name: value for name, value in asdict(model.placement).items() if value != defaults[name]}
    commits = {"revision": model.revision, "revisions": dict(model.revisions)}
    more = commits | {"size": model.size, "placement": placement}
    return {"name": model.name, "hash": model.hash, **{name: value for name, value in more.items() if value}}


def _gap(model: Model, space: str) -> dict[str, str]:
    """How texts entered the joint space, where they can have; the means are the default, as in earlier records."""
    closed = model.closes if "joint" in space.split("+") else "mean"
    return {} if closed == "mean" else {"gap": closed}


@cache
def _versions() -> dict[str, str]:
    return versions(*_PACKAGES)
