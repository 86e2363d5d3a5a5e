"""Fixtures: the benchmark scripts, and the arguments of each, read without running it."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="session")
def scripts() -> list[Path]:
    return sorted(BENCHMARKS.glob("*.py"))


@pytest.fixture
def arguments_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Script -> its parser, from the lines above the imports of libraries."""
    monkeypatch.syspath_prepend(BENCHMARKS)

    def read(script: Path) -> Any:
        tree = ast.parse(script.read_text(encoding="utf-8"))
        tree.body = list(itertools.takewhile(lambda node: not isinstance(node, ast.If), tree.body))
        found: dict[str, Any] = {}
        exec(compile(tree, str(script), "exec"), found)
        return found["ARGUMENTS"]

    return read
