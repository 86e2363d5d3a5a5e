"""`python -m thoughtspace.explorer.training`: the pocket model, in stages.

The same command goes on where it stopped, also after it was killed; what a stage has finished stays. The autoencoder
and CLIP do not need each other, so `--stage` can run them side by side; the denoiser needs both.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import torch

from ..errors import ThoughtspaceError
from .recipe import Recipe
from .stages import STAGES, run
from .workshop import Workshop, device

RUNS = Path("~/.cache/thoughtspace/training")
UNITS = {"m": 1.0, "h": 60.0}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m thoughtspace.explorer.training", description=__doc__)
    parser.add_argument("--recipe", type=Path, help="a JSON file of Recipe's keys; the pocket model's without it")
    parser.add_argument("--runs", type=Path, default=RUNS, help=f"for pictures and checkpoints, {RUNS} without it")
    parser.add_argument("--out", type=Path, default=Path("datasets/pocket"), help="where the finished model goes")
    parser.add_argument(
        "--start",
        type=Path,
        help="a finished model to begin from: its CLIP and its reader are kept, the rest learns on from its weights",
    )
    parser.add_argument("--stage", choices=STAGES, action="append", help="only this stage (repeatable); all without it")
    parser.add_argument("--budget", type=_minutes, help="for all stages to learn in: 9m or 8h; the recipe's without it")
    parser.add_argument("--device", default=None, help="cuda, mps or cpu; the best there is without it")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads; 1 renders in this process as well")
    parser.add_argument("--no-compile", action="store_true", help="do without torch.compile (needs no C++ compiler)")
    options = parser.parse_args(argv)
    if options.threads:
        torch.set_num_threads(options.threads)
    workers = options.threads or os.cpu_count() or 1
    try:
        chosen = device(options.device)
        usual = Recipe() if chosen.type == "cpu" else Recipe.for_a_gpu()
        recipe = Recipe.read(options.recipe) if options.recipe else usual
        workshop = Workshop(
            recipe=recipe.within(options.budget) if options.budget else recipe,
            runs=options.runs.expanduser(),
            out=options.out,
            device=chosen,
            compiled=not options.no_compile,
            workers=workers if workers > 1 else 0,
            start=options.start,
        )
        for stage in options.stage or STAGES:
            run(workshop, stage)
    except ThoughtspaceError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _minutes(text: str) -> float:
    """`9m` or `8h` in minutes."""
    try:
        return float(text[:-1]) * UNITS[text[-1:]]
    except (KeyError, ValueError):
        raise argparse.ArgumentTypeError(f"Got {text!r}, expected minutes or hours such as 9m or 8h.") from None


if __name__ == "__main__":
    raise SystemExit(main())
