"""The encoded scenes that the denoiser learns from: a shard at a time, more of them as it learns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from thoughtspace.datasets import world

from ..records.atomic import replacing
from .examples import NONE, Change, changes, drawn, weights
from .pictures import Arrays, Workers, to_unit

BATCH = {"cpu": 64, "cuda": 1024}
"""Pictures encoded at once; elsewhere as on the CPU."""

Encode = Callable[[Tensor], Mapping[str, Tensor]]
"""`(n, 3, size, size)` pictures in [-1, 1] -> named tensors of `n` rows, `vectors` among them."""


@dataclass(frozen=True)
class _Shard:
    file: Path
    scenes: list[world.Scene]
    changes: list[Change]
    arrays: Callable[[], Arrays] | None


class Pool:
    """Shards of encoded scenes, kept on disk in half precision so that a resumed run need not make them again.

    Each scene has the named tensors of `encode`; its captions, `tokens` `(n, SAID, context)`; and `before` `(n, d)`,
    the vector of a scene that differs in one word, with that word and its own in `change` `(n, 2)`, -1 without one.

    Args:
        folder: where the shards are kept.
        made_of: what they were encoded with; a shard of another kind is made again.
        shard: scenes in each.
        workers: whose arrays are the pixels and the tokens of scenes.
        device: where pictures are encoded, and where the tensors are kept.
    """

    def __init__(
        self, folder: Path, *, made_of: str, shard: int, workers: Workers, encode: Encode, device: torch.device
    ) -> None:
        self._folder, self._made_of, self._shard = folder, made_of, shard
        self._workers, self._encode, self._device = workers, encode, device
        self._columns: dict[str, Tensor] = {}
        self.scenes: list[world.Scene] = []
        self._edges = np.zeros(0)
        self._next: _Shard | None = None

    def grow(self, shards: int) -> None:
        """Take in new shards until there are so many; the next one is begun."""
        while len(self.scenes) < shards * self._shard:
            shard = self._next or self._begin()
            if shard.arrays:
                self._write(shard, shard.arrays())
            self.scenes += shard.scenes
            for name, tensor in load_file(shard.file).items():
                older, new = self._columns.get(name), tensor.to(self._device)
                self._columns[name] = new if older is None else _joined([older, new])
            self._edges = np.cumsum(weights(self.scenes))
            self._next = self._begin()

    def draw(self, n: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """Rows, every first shape of an object as often as any other."""
        return np.searchsorted(self._edges, generator.random(n) * self._edges[-1], side="right")

    def rows(self, name: str, rows: NDArray[np.int64]) -> Tensor:
        """`(len(rows), …)` of one named tensor, numbers in float32."""
        column = self._columns[name]
        found = column[torch.from_numpy(rows).to(column.device)]
        return found.float() if found.is_floating_point() else found.long()

    def column(self, name: str, shards: int) -> Tensor:
        """All rows of one named tensor in the first shards, float32, on the CPU."""
        return self._columns[name][: shards * self._shard].float().cpu()

    def _begin(self) -> _Shard:
        """The next shard, and its arrays where its file has yet to be made."""
        file = self._folder / f"{len(self.scenes) // self._shard:05d}.safetensors"
        scenes = drawn(self._shard, start=len(self.scenes))
        if _made_of(file) == self._made_of:
            return _Shard(file, scenes, [], None)
        changed = changes(scenes)
        return _Shard(file, scenes, changed, self._workers.begin([*scenes, *(each.before for each in changed)]))

    def _write(self, shard: _Shard, arrays: Arrays) -> None:
        pixels, tokens = (torch.from_numpy(each) for each in arrays)
        step, n = BATCH.get(self._device.type, BATCH["cpu"]), len(shard.scenes)
        parts = [self._encode(to_unit(part.to(self._device))) for part in pixels.split(step)]
        tensors = {name: _joined([part[name].half() for part in parts]).cpu() for name in parts[0]}
        before, change = torch.zeros_like(tensors["vectors"][:n]), torch.full((n, 2), NONE, dtype=torch.int16)
        for each, vector in zip(shard.changes, tensors["vectors"][n:], strict=True):
            before[each.row], change[each.row] = vector, torch.tensor([each.less, each.more])
        own = {name: tensor[:n].contiguous() for name, tensor in tensors.items()}
        own |= {"tokens": tokens[:n].contiguous(), "before": before, "change": change}
        shard.file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(shard.file) as beside:
            save_file(own, beside, metadata={"made_of": self._made_of})


def _joined(tensors: list[Tensor]) -> Tensor:
    """Rows after rows, in float16: a CPU's autocast, which is on while a stage learns, refuses that type."""
    with torch.autocast(tensors[0].device.type, enabled=False):
        return torch.cat(tensors)


def _made_of(file: Path) -> str | None:
    if not file.exists():
        return None
    with safe_open(file, "pt") as tensors:
        return (tensors.metadata() or {}).get("made_of")
