"""The examples of the guide and of the README run as they stand, on a small model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from thoughtspace.explorer import Explorer

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def examples(name: str) -> str:
    return "\n".join(BLOCK.findall((ROOT / name).read_text(encoding="utf-8")))


@pytest.fixture
def surroundings(tiny_explorer, pictures, tmp_path, monkeypatch):
    """A folder with the pictures that the examples name, and a small model under every name that they open."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Explorer, "open", classmethod(lambda cls, *args, **options: tiny_explorer))
    for name, picture in zip(("a", "b", "face", "portrait"), pictures, strict=False):
        picture.save(f"{name}.png")
    many = [picture.rotate(angle) for picture in pictures for angle in (0, 5, 10, 15)]
    texts = [f"a {colour} {what}{more}" for colour in ("red", "blue") for what in ("cat", "fox") for more in range(8)]
    return {"with_crown": pictures[:3], "without_crown": pictures[3:6], "pictures": many, "captions": texts}


@pytest.mark.filterwarnings("ignore")  # an untrained model cannot be gone back exactly
@pytest.mark.parametrize("name", ["README.md", "docs/spaces.md"])
def test_the_examples_run(name, surroundings):
    code = re.sub(r"frames=\d+", "frames=4", re.sub(r"steps=\d+", "steps=4", examples(name)))
    assert code.count("ex.") > 5
    exec(compile(code, name, "exec"), surroundings)
