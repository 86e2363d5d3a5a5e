"""The reader: a small classifier that reads a picture's factors back, so that a machine can check a decoded picture.

It is trained on its own split of clean renders, softened and noised at random so that a decoder's blur does not
mislead it. It takes no part in training or choosing any other model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from thoughtspace.datasets import world

from ..errors import ModelError
from .fit import Loss, Step
from .pictures import Pictures

SIZE = 64
"""Side in pixels of what the reader sees; larger pictures are averaged down."""


class Reader(nn.Module):
    """Five strided convolutions, then one linear head for the kind and one for each factor."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 24, 48, 96, 160)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.GroupNorm(8, after), nn.SiLU()]
            layers += [nn.Conv2d(after, after, 3, padding=1), nn.GroupNorm(8, after), nn.SiLU()]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.2), nn.Linear(widths[-1] * 16, 384), nn.SiLU())
        self.sizes = [len(world.KINDS), *(len(factor.values) for _, factor in world.HEADS)]
        self.heads = nn.Linear(384, sum(self.sizes))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """`(n, 3, 64, 64)` in [-1, 1] -> logits of the kind, then of each factor of `world.HEADS`."""
        return self.heads(self.body(x)).split(self.sizes, dim=1)

    @torch.inference_mode()
    def labels(self, images: Sequence[Image.Image]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions of the kinds `(n,)` and of every factor's value `(n, len(world.HEADS))`, absent ones included."""
        weight = self.heads.weight
        rows = []
        for start in range(0, len(images), 256):
            x = torch.stack([_pixels(image) for image in images[start : start + 256]]).to(weight)
            rows.append(torch.stack([head.argmax(1) for head in self(x)], dim=1).cpu())
        table = torch.cat(rows).numpy() if rows else np.zeros((0, len(self.sizes)), dtype=np.int64)
        return table[:, 0], table[:, 1:]

    def read(self, images: Sequence[Image.Image]) -> list[world.Scene]:
        """What each picture shows, as a scene (its seed is unknown: 0)."""
        kinds, table = self.labels(images)
        scenes = []
        for kind, row in zip((world.KINDS[i] for i in kinds), table, strict=True):
            seen = {f.name: f.values[v] for (k, f), v in zip(world.HEADS, row, strict=True) if k == kind}
            shown = {f.name: seen[f.name] for f in world.FACTORS[kind] if f.present(seen)}
            scenes.append(world.Scene(kind, shown, 0))
        return scenes


def loss(model: Reader, pictures: Pictures, *, batch: int, device: torch.device, compiled: bool) -> Loss:
    """Cross-entropy over the factors that a picture shows."""
    run = torch.compile(model) if compiled else model
    labels = pictures.labels
    kinds = np.array([world.KINDS.index(scene.kind) for scene in pictures.scenes])

    def draw(step: Step) -> tuple[Tensor, dict[str, float]]:
        generator = step.generator
        rows = generator.integers(len(pictures), size=batch)
        x = _soften(pictures.batch(rows), generator).to(device)
        kind, *heads = run(x)
        value = F.cross_entropy(kind.float(), torch.from_numpy(kinds[rows]).to(device))
        right = total = 0
        for column, head in enumerate(heads):
            target = torch.from_numpy(labels[rows, column]).to(device)
            value = value + F.cross_entropy(head.float(), target, ignore_index=-1, reduction="sum") / batch
            shown = target >= 0
            right += int((head.argmax(1)[shown] == target[shown]).sum())
            total += int(shown.sum())
        return value, {"loss": float(value.detach()), "accuracy": right / max(1, total)}

    return draw


def save(model: Reader, folder: Path) -> None:
    """The reader as float16 safetensors, with the heads it was trained for."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.half().contiguous().cpu() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / "reader.safetensors")
    (folder / "heads.json").write_text(json.dumps(_heads(), indent=1) + "\n", encoding="utf-8")


def load(folder: Path | None = None) -> Reader:
    """The shipped reader, or another folder's.

    Raises:
        ModelError: no reader there, or one of another world.
    """
    folder = folder or Path(world.__file__).parent / "pocket" / "reader"
    try:
        heads = json.loads((folder / "heads.json").read_text(encoding="utf-8"))
        weights = load_file(folder / "reader.safetensors")
    except (OSError, json.JSONDecodeError) as error:
        raise ModelError(
            f"Got no reader in {folder}: {error}; train it with --stage reader.", code="no reader"
        ) from error
    if heads != _heads():
        raise ModelError(
            f"Got a reader of other factors in {folder}; train it again with --stage reader.", code="other reader"
        )
    reader = Reader()
    reader.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    return reader.eval().requires_grad_(False)


def _heads() -> list[list[str]]:
    return [[kind, factor.name, *factor.values] for kind, factor in world.HEADS]


def _pixels(image: Image.Image) -> Tensor:
    if image.size != (SIZE, SIZE):
        image = image.resize((SIZE, SIZE), Image.Resampling.BOX)
    pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1) / 127.5 - 1


def _soften(x: Tensor, generator: np.random.Generator) -> Tensor:
    """Half of the batch blurred by a random binomial kernel, and all of it a little noised."""
    width = float(generator.uniform(0, 0.25))
    kernel = torch.tensor([width, 1 - 2 * width, width])
    half = x[: len(x) // 2]
    weight = (kernel[:, None] * kernel[None]).expand(3, 1, 3, 3)
    blurred = F.conv2d(F.pad(half, (1, 1, 1, 1), mode="replicate"), weight, groups=3)
    x = torch.cat([blurred, x[len(x) // 2 :]])
    noise = torch.from_numpy(generator.standard_normal(x.shape, dtype=np.float32))
    return x + float(generator.uniform(0, 0.08)) * noise
