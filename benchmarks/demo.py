"""How long the demo takes after installing: drawing, encoding and mapping, in a new folder.

    python benchmarks/demo.py --json

The command runs in a new process, so that starting Python and compiling count too.
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"items": 16})
ARGUMENTS.add_argument("--items", type=int, default=4000, help="pictures, and the same number of captions")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.report import print_json


def measure(items: int) -> dict[str, float]:
    """Seconds of each part and of the whole command."""
    command = Path(sys.executable).with_name("thoughtspace")
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = subprocess.run(
            [command, "demo", "--items", str(items), "--no-serve", "--out", Path(folder, "demo"), "--json"],
            check=True,
            stdout=subprocess.PIPE,
        )
        whole = time.perf_counter() - start
    answer = json.loads(done.stdout)
    parts = {f"{name}_s": seconds for name, seconds in answer["seconds"].items()}
    return {"pictures": items, "items": answer["items"], "processors": os.cpu_count() or 1, **parts, "whole_s": whole}


def main() -> None:
    chosen = ARGUMENTS.parse_args()
    figures = measure(chosen.items)
    if chosen.json:
        print_json(figures)
        return
    for name, figure in figures.items():
        print(f"  {name:12} {figure:8.1f}")


if __name__ == "__main__":
    main()
