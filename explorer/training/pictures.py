"""The training pictures: rendered once, kept as one array that every stage reads without copying."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thoughtspace.datasets import world

CHUNK = 512


@dataclass(frozen=True)
class Pictures:
    """`n` scenes of one split and their pixels.

    Attributes:
        pixels: `(n, 3, size, size)` uint8, memory-mapped.
        split: the split of the pocket world that they come from.
    """

    pixels: NDArray[np.uint8]
    split: str

    def __len__(self) -> int:
        return len(self.pixels)

    @cached_property
    def scenes(self) -> list[world.Scene]:
        return list(world.sample(len(self), self.split))

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """`(n, factors)` positions of the values, -1 where a factor is absent."""
        return world.labels(self.scenes)

    def batch(self, rows: NDArray[np.int64]) -> Tensor:
        """`(len(rows), 3, size, size)` float32 in [-1, 1]."""
        return torch.from_numpy(self.pixels[rows]).float().div_(127.5).sub_(1)


def prepare(folder: Path, n: int, *, split: str, size: int) -> Pictures:
    """Render `n` scenes of a split at `size` pixels into `folder`, unless they are there already."""
    path = folder / f"{split}-{size}px-{n}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        pixels = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=(n, 3, size, size))
        starts = range(0, n, CHUNK)
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            jobs = [(start, min(CHUNK, n - start), split, size) for start in starts]
            for start, block in zip(starts, pool.map(_render_block, jobs), strict=True):
                pixels[start : start + len(block)] = block
        pixels.flush()
        partial.rename(path)
    return Pictures(np.load(path, mmap_mode="r"), split)


def _render_block(job: tuple[int, int, str, int]) -> NDArray[np.uint8]:
    start, n, split, size = job
    scenes = world.sample(n, split, start=start)
    return np.stack([np.asarray(world.render(scene, size)).transpose(2, 0, 1) for scene in scenes])
