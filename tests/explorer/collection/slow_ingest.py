"""An ingest in a process of its own, for tests that kill or confine it: `slow_ingest.py FOLDER OUT PAUSE CONFINED`.

CONFINED is `-`, `quota` (no file grows past 30 kB) or `permissions` (even root obeys them). It starts fast: its
explorer knows neither models nor PyTorch.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from thoughtspace.explorer.collection import batches
from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.errors import CollectionError


class Values(np.ndarray):
    """As much of a tensor as an ingest asks for."""

    def float(self) -> Values:
        return self

    def cpu(self) -> Values:
        return self

    def numpy(self) -> np.ndarray:
        return np.asarray(self)

    def flatten(self, start: int) -> Values:  # type: ignore[override]
        return self.reshape(*self.shape[:start], -1)


def encode(things: Sequence[Any]) -> Values:
    hashes = [abs(hash(thing if isinstance(thing, str) else thing.tobytes())) % 2**32 for thing in things]
    return np.stack([np.random.default_rng(each).normal(size=6) for each in hashes]).astype(np.float32).view(Values)


def explorer() -> Any:
    clip = SimpleNamespace(encode_images=encode, encode_texts=encode)
    model = SimpleNamespace(name="toy", hash="ab" * 32, clip=clip)
    joint = SimpleNamespace(model=model, centred=True, image=True, text=True)
    return SimpleNamespace(model=model, spaces={"joint": joint})


def confine(how: str) -> None:
    if how == "quota":
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
    if how == "permissions" and "CONFINED" not in os.environ:
        prctl = getattr(ctypes.CDLL(None), "prctl", None)
        for capability in (1, 2):  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, which only root has
            if prctl is not None:
                prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP, from the next exec on
        os.environ["CONFINED"] = "1"
        os.execv(sys.executable, sys.orig_argv)


def main(folder: str, out: str, pause: str, confined: str) -> None:
    confine(confined)
    batches.COMMIT_ROWS = 16

    def slowly(iterable: Iterable[Any], total: int, desc: str) -> Iterator[Any]:
        for each in iterable:
            print("x", end="", flush=True)
            time.sleep(float(pause))
            yield each

    try:
        print(ingest(explorer(), folder, out, batch=8, progress=slowly))
    except CollectionError as error:
        print("refused:", error)


if __name__ == "__main__":
    main(*sys.argv[1:])
