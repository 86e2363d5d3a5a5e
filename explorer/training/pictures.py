"""The training pictures: rendered once, kept as one array that every stage reads without copying."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thoughtspace.datasets import world

CHUNK, PART = 512, 64
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Pictures:
    """`n` scenes of one split and their pixels.

    Attributes:
        pixels: `(n, 3, size, size)` uint8, memory-mapped.
        split: the split of the pocket world that they come from.
    """

    pixels: NDArray[np.uint8]
    split: str
    _held: dict[torch.device, Tensor] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.pixels)

    @cached_property
    def scenes(self) -> list[world.Scene]:
        return list(world.sample(len(self), self.split))

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """`(n, factors)` positions of the values, -1 where a factor is absent."""
        return world.labels(self.scenes)

    def batch(self, rows: NDArray[np.int64], device: torch.device = CPU) -> Tensor:
        """`(len(rows), 3, size, size)` float32 in [-1, 1]. A GPU is given all bytes once, and keeps them."""
        if device.type == "cpu":
            return to_unit(torch.from_numpy(self.pixels[rows]))
        if device not in self._held:
            self._held[device] = torch.from_numpy(np.array(self.pixels)).to(device)
        return to_unit(self._held[device][torch.from_numpy(rows).to(device)])


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


Arrays = tuple[NDArray[np.generic], ...]
Work = Callable[[Sequence[world.Scene]], Arrays]
"""Scenes -> arrays with a row for each."""


class Workers:
    """Work on scenes in processes of its own, while this one does something else.

    Args:
        work: what is done with each part of the scenes; a function that can be sent to another process.
        workers: processes; with 0 it is done here, when it is asked for.
    """

    def __init__(self, work: Work, workers: int) -> None:
        self._work = work
        self._pool = ProcessPoolExecutor(workers) if workers else None

    def begin(self, scenes: Sequence[world.Scene]) -> Callable[[], Arrays]:
        """Start on some scenes; calling what is returned waits for their arrays."""
        parts = [scenes[start : start + PART] for start in range(0, len(scenes), PART)]
        if self._pool is None:
            return lambda: _joined([self._work(part) for part in parts])
        futures = [self._pool.submit(self._work, part) for part in parts]
        return lambda: _joined([future.result() for future in futures])


def render(scenes: Sequence[world.Scene], size: int) -> NDArray[np.uint8]:
    """`(n, 3, size, size)` pictures of scenes."""
    return np.stack([np.asarray(world.render(scene, size)).transpose(2, 0, 1) for scene in scenes])


def to_unit(pixels: Tensor) -> Tensor:
    """Bytes as float32 in [-1, 1]."""
    return pixels.float().div_(127.5).sub_(1)


def _joined(parts: list[Arrays]) -> Arrays:
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def _render_block(job: tuple[slice, str, int]) -> NDArray[np.uint8]:
    part, split, size = job
    return render(list(world.sample(part.stop - part.start, split, start=part.start)), size)
