"""`python -m thoughtspace.explorer.training`: the pocket model from nothing, in stages that resume by themselves.

The autoencoder and CLIP do not need each other, so `--stage` can run them side by side; the denoiser needs both.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import ThoughtspaceError
from .recipe import Recipe
from .stages import STAGES, Workshop


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m thoughtspace.explorer.training", description=__doc__)
    parser.add_argument("--recipe", type=Path, help="a JSON file of Recipe's keys; the pocket model's without it")
    parser.add_argument("--runs", type=Path, default=Path("runs/pocket"), help="for pictures and checkpoints")
    parser.add_argument("--out", type=Path, default=Path("datasets/pocket"), help="where the finished model goes")
    parser.add_argument("--stage", choices=STAGES, action="append", help="only this stage (repeatable); all without it")
    parser.add_argument("--device", default=None, help="cuda, mps or cpu; the best there is without it")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads for this process")
    parser.add_argument("--no-compile", action="store_true", help="do without torch.compile (needs no C++ compiler)")
    options = parser.parse_args(argv)
    try:
        recipe = Recipe.read(options.recipe) if options.recipe else Recipe()
        workshop = Workshop.open(
            recipe,
            options.runs,
            options.out,
            device=options.device,
            threads=options.threads,
            compiled=not options.no_compile,
        )
        for stage in options.stage or STAGES:
            workshop.run(stage)
    except ThoughtspaceError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
