"""Benchmark scripts: names that hide no package, a quick `--help`, and the same options everywhere."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from pandas.compat._optional import VERSIONS

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = sorted(path.name for path in BENCHMARKS.glob("*.py"))
HEAVY = ("numpy", "torch", "pandas", "sklearn", "diffusers", "playwright")


def hidden(names: Iterable[str]) -> set[str]:
    """Names that would hide a package or module of the same name, because a script's folder is searched first."""
    optional = {name.partition(".")[0].replace("-", "_") for name in VERSIONS}
    return set(names) & (set(packages_distributions()) | sys.stdlib_module_names | optional)


def test_no_name_hides_a_package():
    there = {path.stem for path in BENCHMARKS.iterdir() if path.suffix == ".py" or path.is_dir()} - {"__pycache__"}
    assert {"click_to_picture", "harness"} <= there
    assert not hidden(there)


@pytest.mark.parametrize("name", ["bottleneck", "statistics", "umap"])
def test_a_name_that_hides_a_package_is_found(name):
    """Negative control: a package that pandas looks for, a module of the standard library, an installed package."""
    assert hidden([name, "click_to_picture"]) == {name}


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_is_printed_before_any_library_is_loaded(name):
    command = [sys.executable, "-X", "importtime", BENCHMARKS / name, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "argparse" in loaded
    assert not loaded & set(HEAVY)
    assert f"benchmarks/{name}" in done.stdout  # its docstring
    assert "--json" in done.stdout
    assert "--quick" in done.stdout


@pytest.mark.parametrize("name", SCRIPTS)
def test_quick_sets_known_options_and_explicit_ones_take_precedence(name, arguments_of):
    arguments = arguments_of(BENCHMARKS / name)
    needed = [action.dest for action in arguments._actions if not action.option_strings]
    usual, quick = (vars(arguments.parse_args([*needed, *more])) for more in ([], ["--quick"]))
    assert {option for option in usual if usual[option] != quick[option]} == {"quick", *arguments.quick}
    for option, value in arguments.quick.items():
        spelled = "--" + option.replace("_", "-")
        given = usual[option] if usual[option] is not None else value
        words = [*map(str, given)] if isinstance(given, list) else [str(given)]
        assert vars(arguments.parse_args([*needed, "--quick", spelled, *words]))[option] == given


def test_the_example_of_the_arguments_runs(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    assert doctest.testmod(importlib.import_module("harness.arguments")) == (0, 3)
