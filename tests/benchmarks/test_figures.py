"""Each figure of docs/figures.md comes from its script: a quick run prints the keys of the table."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
PAGE = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True)
class Row:
    """A figure of the table: its meaning, its numbers, the command that prints it, and the keys in the output."""

    what: str
    numbers: list[str]
    command: list[str]
    keys: list[str]


def table(page: str) -> list[Row]:
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    _, *rows = lines
    return [
        Row(what, NUMBER.findall(figure), shlex.split(command.strip("`")), re.findall("`([^`]+)`", keys))
        for what, figure, command, keys in rows
    ]


ROWS = table(PAGE)
SCRIPTS = sorted({row.command[0] for row in ROWS})


def found(answer: Any, key: str) -> Iterator[float]:
    """The numbers at a key: `a.b`, or `a[].b` for each entry of a list."""
    here, _, rest = key.partition(".")
    several = here.endswith("[]")
    inside = answer[here.removesuffix("[]")]
    for each in inside if several else [inside]:
        if rest:
            yield from found(each, rest)
        else:
            yield each


def missing(rows: list[Row], script: str, answer: Any) -> list[str]:
    """The keys of the table for which a script prints no number."""
    keys = [key for row in rows if row.command[0] == script for key in row.keys]

    def there(key: str) -> bool:
        try:
            numbers = list(found(answer, key))
        except (KeyError, TypeError):
            return False
        return bool(numbers) and all(type(each) in (int, float) and math.isfinite(each) for each in numbers)

    return [key for key in keys if not there(key)]


def unmatched(rows: list[Row]) -> list[str]:
    """The figures whose number of keys differs from their number of numbers."""
    return [row.what for row in rows if len(row.numbers) != len(row.keys)]


def printed(script: str, *options: str) -> Any:
    """The JSON that a quick run of a script prints."""
    command = [sys.executable, str(BENCHMARKS / script), "--quick", "--json", *options]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # enough for so little work, and not stalled by other tests
    done = subprocess.run(command, capture_output=True, text=True, env=one_thread)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("script", [name for name in SCRIPTS if name != "pocket.py"])
def test_a_script_prints_the_figures_of_the_table(script):
    assert missing(ROWS, script, printed(script)) == []


def test_a_model_like_pocket_is_measured_and_the_card_has_those_rows(tiny_model, tmp_path):
    answer = printed("pocket.py", "--model", str(tiny_model), "--card", str(tmp_path / "card.md"))
    assert missing(ROWS, "pocket.py", answer) == []

    def rows(text: str) -> list[str]:
        return [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")]

    card = (ROOT / "datasets" / "pocket" / "README.md").read_text(encoding="utf-8").partition("\n## Figures\n")[2]
    assert rows((tmp_path / "card.md").read_text(encoding="utf-8")) == rows(card.partition("\n## ")[0])


def test_each_number_has_a_key():
    assert len(ROWS) >= 11
    assert unmatched(ROWS) == []


def test_each_command_of_the_table_is_taken(arguments_of):
    for row in ROWS:
        script, *options = row.command
        arguments_of(BENCHMARKS / script).parse_args(options)


def test_each_script_is_on_the_page(scripts):
    assert len(scripts) > 10
    assert [path.name for path in scripts if f"`{path.name}" not in PAGE] == []


def test_differences_are_found():
    """Negative control: a key that the script lacks, and one that the table lacks."""
    answer = {"rows": [{"a": 1.0}, {"a": 2.0}], "b": {"c": 3.0}, "n": float("nan")}
    page = "| what | figure | command | keys |\n|---|\n| it | 1, 2 of 3 | `it.py --n 3` | `rows[].a`, `b.c`, `b.c` |\n"
    rows = table(page)
    assert rows == [Row("it", ["1", "2", "3"], ["it.py", "--n", "3"], ["rows[].a", "b.c", "b.c"])]
    assert not unmatched(rows)
    assert not missing(rows, "it.py", answer)
    assert missing(rows, "it.py", {"rows": answer["rows"]}) == ["b.c", "b.c"]
    assert missing(rows, "it.py", {"rows": [], "b": {}}) == ["rows[].a", "b.c", "b.c"]
    assert missing(rows, "it.py", {**answer, "rows": [{"a": float("nan")}, {"a": "1"}]}) == ["rows[].a"]
    assert unmatched(table(page.replace(", `b.c` |", " |"))) == ["it"]
