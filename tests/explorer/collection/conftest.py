"""Fixtures of collection tests: the tiny model, a count of its encoder calls, a second model, folders of pictures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from thoughtspace.explorer import Explorer
from thoughtspace.explorer.models.reference import Reference


@pytest.fixture
def explorer(tiny_explorer: Explorer) -> Explorer:
    return tiny_explorer


@pytest.fixture(scope="session")
def other_explorer(tiny_explorer: Explorer) -> Explorer:
    """The same weights with other means, which count as another model."""
    return tiny_explorer.with_reference(Reference.uncentred(tiny_explorer.model.clip.dim, norm=1.0))


@pytest.fixture
def encoded(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The sizes of the pictures that CLIP encodes, one list per batch."""
    seen: list = []
    encode = explorer.model.clip.encode_images

    def counted(pictures):
        seen.append([picture.size for picture in pictures])
        return encode(pictures)

    monkeypatch.setattr(explorer.model.clip, "encode_images", counted)
    return seen


@pytest.fixture
def make_pictures(tmp_path: Path) -> Callable[..., Path]:
    """`make_pictures(n, folder="in", start=0)`: n small different PNGs, with captions in a table."""

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


class SlowIngests:
    """Run ingests in separate processes, one at a time; see `slow_ingest.py`."""

    def __init__(self, model: Path) -> None:
        program = [sys.executable, str(Path(__file__).with_name("slow_ingest.py")), str(model)]
        self._server = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, folder: Path, out: Path, *, confined: str = "-") -> str:
        """Run an ingest to its end; returns what it prints."""
        self._start(folder, out, 0, confined)
        return self._rest()

    def kill(self, folder: Path, out: Path, *, after: int) -> None:
        """Start an ingest and kill it after so many sources."""
        child = self._start(folder, out, 0.004, "-")
        self._server.stdout.read(after)
        os.kill(child, signal.SIGKILL)
        self._rest()

    def close(self) -> None:
        self._server.kill()
        self._server.communicate()

    def _start(self, *request: object) -> int:
        line = json.dumps([each if isinstance(each, float | int) else str(each) for each in request])
        self._server.stdin.write(f"{line}\n".encode())
        self._server.stdin.flush()
        return int(self._server.stdout.readline())

    def _rest(self) -> str:
        lines = []
        for line in self._server.stdout:
            if line == b"ended\n":
                return b"".join(lines).decode()
            lines.append(line)
        raise EOFError(b"".join(lines))


@pytest.fixture(scope="session")
def slow_ingests(tiny_model: Path) -> Iterator[SlowIngests]:
    server = SlowIngests(tiny_model)
    yield server
    server.close()
