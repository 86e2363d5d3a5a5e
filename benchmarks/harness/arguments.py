"""The options that every benchmark has: `--json`, `--quick`, and a `--help` that loads no library.

A script defines its `Arguments` above its other imports and, when it is run, parses them there. So help and mistakes
do not wait for the import of torch, which takes seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any


class Arguments(argparse.ArgumentParser):
    """A parser with `--json` and `--quick`.

    Args:
        description: the script's docstring.
        quick: option -> its value with `--quick`, the smallest that still runs everything. An option that is given
            explicitly takes precedence.

    >>> arguments = Arguments("How long is a piece of string?", quick={"pieces": 2})
    >>> _ = arguments.add_argument("--pieces", type=int, default=1000)
    >>> [arguments.parse_args(given).pieces for given in ([], ["--quick"], ["--pieces", "3", "--quick"])]
    [1000, 2, 3]
    """

    def __init__(self, description: str | None, *, quick: Mapping[str, Any]) -> None:
        super().__init__(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        self.quick = quick
        self.add_argument("--json", action="store_true", help="print one JSON document on standard output")
        values = " ".join(f"--{name.replace('_', '-')} {_written(value)}" for name, value in quick.items())
        self.add_argument("--quick", action="store_true", help=f"see that it runs, in the smallest size: {values}")

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:
        chosen = super().parse_args(args, namespace)
        if not chosen.quick:
            return chosen
        return super().parse_args(args, argparse.Namespace(**self.quick))


def _written(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
