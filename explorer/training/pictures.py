"""The training pictures: rendered once, kept as one array that every stage reads without copying."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thoughtspace.datasets import world

CHUNK, PART = 512, 64


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
        return to_unit(self.pixels[rows])


def prepare(folder: Path, n: int, *, split: str, size: int, workers: int) -> Pictures:
    """Render `n` scenes of a split at `size` pixels into `folder`, unless they are there already.

    Args:
        workers: processes that render; with 0 this one does it.
    """
    path = folder / f"{split}-{size}px-{n}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial, shape = path.with_suffix(".partial"), (n, 3, size, size)
        begun = partial.exists()
        pixels = np.lib.format.open_memmap(partial, mode="r+" if begun else "w+", dtype=np.uint8, shape=shape)
        # A part whose last picture is not all zeros was rendered before the run was cut.
        parts = [slice(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]
        missing = [part for part in parts if not pixels[part.stop - 1].any()]
        jobs = [(part, split, size) for part in missing]
        with ProcessPoolExecutor(workers) if workers else nullcontext() as pool:
            blocks = pool.map(_render_block, jobs) if pool else map(_render_block, jobs)
            for part, block in zip(missing, blocks, strict=True):
                pixels[part] = block
        pixels.flush()
        partial.rename(path)
    return Pictures(np.load(path, mmap_mode="r"), split)


class Renderer:
    """Renders scenes in processes of its own, while this one does something else.

    Args:
        workers: processes; with 0 the scenes are rendered here, when they are asked for.
    """

    def __init__(self, size: int, workers: int) -> None:
        self._size = size
        self._pool = ProcessPoolExecutor(workers) if workers else None

    def begin(self, scenes: Sequence[world.Scene]) -> Callable[[], NDArray[np.uint8]]:
        """Start on some scenes; calling what is returned waits for their `(n, 3, size, size)` pixels."""
        parts = [(scenes[start : start + PART], self._size) for start in range(0, len(scenes), PART)]
        if self._pool is None:
            return lambda: np.concatenate([_render(part) for part in parts])
        futures = [self._pool.submit(_render, part) for part in parts]
        return lambda: np.concatenate([future.result() for future in futures])


def to_unit(pixels: NDArray[np.uint8]) -> Tensor:
    """Bytes as float32 in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).float().div_(127.5).sub_(1)


def _render_block(job: tuple[slice, str, int]) -> NDArray[np.uint8]:
    part, split, size = job
    return _render((list(world.sample(part.stop - part.start, split, start=part.start)), size))


def _render(part: tuple[Sequence[world.Scene], int]) -> NDArray[np.uint8]:
    scenes, size = part
    return np.stack([np.asarray(world.render(scene, size)).transpose(2, 0, 1) for scene in scenes])
