"""The examples in docstrings run, and their results are right."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def with_examples():
    """The modules with examples; others need not be imported."""
    for part in ("analysis", "dashboards", "datasets", "explorer"):
        for file in sorted((ROOT / part).rglob("*.py")):
            if ">>> " in file.read_text(encoding="utf-8"):
                inner = file.relative_to(ROOT).with_suffix("").parts
                yield ".".join(("thoughtspace", *(inner[:-1] if inner[-1] == "__init__" else inner)))


@pytest.mark.parametrize("name", list(with_examples()))
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # no example may depend on the folder that it runs in
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert tried
    assert not failed


def test_a_wrong_example_fails():
    """Negative control."""
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    assert doctest.DocTestRunner(verbose=False, optionflags=FLAGS).run(wrong, out=lambda _: None).failed == 1
