"""Print figures: as one JSON document, or as lines for a person."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any


def print_json(figures: Mapping[str, Any]) -> None:
    """Print one JSON document on standard output."""
    json.dump(figures, sys.stdout, indent=2)
    print()


def show(figures: Mapping[str, Any], indent: str = "") -> None:
    """Print nested figures for a person, one per line."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            print(f"{indent}{name}")
            show(value, indent + "  ")
        else:
            print(f"{indent}{name:<{36 - len(indent)}}{value:>12.4g}")


def numbers(figures: Any) -> dict[str, Any]:
    """Only the numbers of nested figures, for `show`; those of a list by their place."""
    named = dict(enumerate(figures)) if isinstance(figures, list) else figures
    kept: dict[str, Any] = {}
    for name, each in named.items():
        if isinstance(each, dict | list):
            kept[str(name)] = numbers(each)
        elif isinstance(each, int | float):
            kept[str(name)] = each
    return kept
