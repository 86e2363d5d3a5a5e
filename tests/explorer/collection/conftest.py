"""A small explorer of known arithmetic, and folders of pictures, for tests of collections."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from thoughtspace.explorer.geometry.interpolation import Geometry
from thoughtspace.explorer.language.nodes import Text
from thoughtspace.explorer.points import Points, SpaceInfo

DIM = 6
MEANS = {"image": torch.full((DIM,), 0.2), "text": torch.full((DIM,), -0.1)}


class FakeClip:
    """Mean and spread of each channel, and numbers of a text's hash: the same for the same content, always."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def encode_images(self, pictures: Sequence[Image.Image]) -> torch.Tensor:
        self.seen.append(len(pictures))
        arrays = [np.asarray(picture, dtype=np.float32).reshape(-1, 3) / 255 for picture in pictures]
        return torch.from_numpy(np.stack([np.r_[x.mean(0) + 0.1, x.std(0)] for x in arrays]).astype(np.float32))

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        hashes = [hashlib.sha256(text.encode()).digest()[:DIM] for text in texts]
        return torch.tensor([[byte / 128 - 1 for byte in each] for each in hashes])


class FakeJoint:
    name = "joint"

    def __init__(self, model: SimpleNamespace) -> None:
        self.model = model
        self.info = SpaceInfo(model.name, model.hash, self.name, (DIM,), Geometry.SPHERE)

    def image(self, *pictures: Image.Image) -> Points:
        raw = self.model.clip.encode_images(pictures)
        return Points(self.centred(raw, ["image"] * len(raw)), self.info, tuple(Text("?") for _ in raw))

    def text(self, *texts: str) -> Points:
        raw = self.model.clip.encode_texts(texts)
        return Points(self.centred(raw, ["text"] * len(raw)), self.info, tuple(map(Text, texts)))

    def centred(self, raw: torch.Tensor, kinds: Sequence[str]) -> torch.Tensor:
        unit = raw / raw.norm(dim=-1, keepdim=True) - torch.stack([MEANS[kind] for kind in kinds])
        return unit / unit.norm(dim=-1, keepdim=True)


class FakeRaw(FakeJoint):
    """The same with its gap left open."""

    name = "joint-raw"

    def centred(self, raw: torch.Tensor, kinds: Sequence[str]) -> torch.Tensor:
        return raw / raw.norm(dim=-1, keepdim=True)


class FakeLatent:
    """Pictures alone, as four by four greys."""

    name = "latent"

    def __init__(self, model: SimpleNamespace) -> None:
        self.info = SpaceInfo(model.name, model.hash, "latent", (1, 4, 4), Geometry.EUCLIDEAN)

    def image(self, *pictures: Image.Image) -> Points:
        greys = [np.asarray(picture.convert("L").resize((4, 4)), dtype=np.float32)[None] / 255 for picture in pictures]
        return Points(torch.from_numpy(np.stack(greys)), self.info, tuple(Text("?") for _ in greys))


class FakeExplorer:
    def __init__(self, name: str = "toy", digest: str = "ab" * 32) -> None:
        self.model = SimpleNamespace(name=name, hash=digest, clip=FakeClip(), device=torch.device("cpu"))
        self.joint, self.latent = FakeJoint(self.model), FakeLatent(self.model)
        self.noise = SimpleNamespace(name="noise")
        self.spaces = {space.name: space for space in (self.joint, self.latent, self.noise, FakeRaw(self.model))}


@pytest.fixture
def explorer() -> FakeExplorer:
    return FakeExplorer()


@pytest.fixture
def make_pictures(tmp_path: Path) -> Callable[..., Path]:
    """`make_pictures(n, folder="in", start=0)`: n small PNGs, each of another content, with captions in a table."""

    def make(n: int, folder: str = "in", start: int = 0, *, captions: bool = True, side: int = 8) -> Path:
        target = tmp_path / folder
        target.mkdir(exist_ok=True)
        lines = ["file,caption,number,parity"]
        for index in range(start, start + n):
            pixels = np.random.default_rng(index).integers(0, 256, (side, side, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(target / f"{index:05}.png", compress_level=1)
            lines.append(f"{index:05}.png,picture {index},{index},{'odd' if index % 2 else 'even'}")
        if captions:
            (target / "captions.csv").write_text("\n".join(lines))
        return target

    return make


@pytest.fixture
def other_explorer() -> Any:
    return FakeExplorer("other", "cd" * 32)
