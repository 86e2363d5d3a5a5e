"""Run ingests in separate processes, for tests that kill or confine them: `slow_ingest.py MODEL`.

The model is opened once. Then each line of standard input, `[FOLDER, OUT, PAUSE, CONFINED]` as JSON, forks a process
that ingests FOLDER into OUT. It prints its process id, an `x` for each source, with PAUSE seconds after each, and the
report or the error. Then this program prints a line `ended`.

CONFINED is `-`, `quota` (no file grows past 30 kB) or `permissions` (even root obeys them).
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

import torch

from thoughtspace.explorer import Explorer
from thoughtspace.explorer.collection import batches
from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.errors import CollectionError

_CAPABILITIES = 0x20080522  # version 3 of the call: two words each of effective, permitted and inheritable ones


def confine(how: str) -> None:
    if how == "quota":
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
    if how == "permissions" and sys.platform == "linux":
        header, words = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0), (ctypes.c_uint32 * 6)()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.capget(header, words) == 0:
            words[0] &= ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, which only root has
            libc.capset(header, words)


def run(explorer: Explorer, folder: str, out: str, pause: float, confined: str) -> None:
    print(os.getpid(), flush=True)
    confine(confined)
    batches.COMMIT_ROWS = 16

    def slowly(iterable: Iterable[Any], total: int, desc: str) -> Iterator[Any]:
        for each in iterable:
            print("x", end="", flush=True)
            time.sleep(pause)
            yield each

    try:
        print(ingest(explorer, folder, out, batch=8, progress=slowly), flush=True)
    except CollectionError as error:
        print(f"refused: {error.code}: {error}", flush=True)


def main(model: str) -> None:
    torch.set_num_threads(1)  # the threads of a pool do not survive a fork
    explorer = Explorer.open(model, device="cpu")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                run(explorer, *json.loads(line))
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        print("\nended", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
