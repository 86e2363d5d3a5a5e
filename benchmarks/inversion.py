"""Pictures into the noise space and back: the error of each part, with solved steps and with naive inversion.

    python benchmarks/inversion.py --json

The pictures are drawn from the split `fresh`, which nothing was trained on. They are inverted under the empty prompt
and decoded again by the same sampler, also under another prompt. PSNR is in decibels, errors are relative to the norm
of the latents. All figures are means over the pictures, or the worst picture where the name says so.
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"n": 1, "steps": [2], "iterations": 2})
ARGUMENTS.add_argument("--model", default="pocket")
ARGUMENTS.add_argument("--n", type=int, default=16, help="pictures")
ARGUMENTS.add_argument(
    "--steps", type=int, nargs="+", default=[10, 25, 50], help="steps of the sampler, one row for each number"
)
ARGUMENTS.add_argument("--iterations", type=int, default=30, help="most updates for a step")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

import time
from collections.abc import Sequence
from typing import Any

from harness.report import print_json
from torch import Tensor

from thoughtspace.datasets import world
from thoughtspace.explorer import Explorer
from thoughtspace.explorer.diffusion.anderson import Solver
from thoughtspace.explorer.spaces.round_trip import round_trip

EDIT = "a smiling face with red hair"


def measure(explorer: Explorer, n: int, steps: Sequence[int], iterations: int) -> dict[str, Any]:
    model = explorer.model
    pictures = [world.render(scene, model.autoencoder.image_size) for scene in world.sample(n, "fresh")]
    rows = []
    for number in steps:
        for way, solver in (("naive", Solver(iterations=1)), ("solved", Solver(iterations=iterations))):
            start = time.perf_counter()
            trip = round_trip(explorer.noise, pictures, edit=EDIT, steps=number, solver=solver)
            seconds = time.perf_counter() - start
            values = {name: float(value.mean()) for name, value in vars(trip).items() if isinstance(value, Tensor)}
            worst = {"worst_inversion_error": float(trip.inversion_error.max())}
            rows.append({"steps": number, "way": way, "seconds": seconds, **values, **worst})
    return {"model": model.name, "n": n, "iterations": iterations, "edit": EDIT, "rows": rows}


def main() -> None:
    chosen = ARGUMENTS.parse_args()
    figures = measure(Explorer.open(chosen.model), chosen.n, chosen.steps, chosen.iterations)
    if chosen.json:
        print_json(figures)
        return
    print(f"{figures['n']} pictures; PSNR of the autoencoder alone {figures['rows'][0]['autoencoder_psnr']:.2f} dB")
    print("steps  way     latent error (worst)  PSNR picture  PSNR inversion  edit error  |noise|/√D  worst residual")
    for row in figures["rows"]:
        print(
            f"{row['steps']:5d}  {row['way']:6s}  {row['inversion_error']:8.4%} ({row['worst_inversion_error']:8.4%})"
            f"  {row['picture_psnr']:9.2f} dB  {row['inversion_psnr']:11.2f} dB  {row['edit_error']:10.1%}"
            f"  {row['norms']:10.3f}  {row['residual']:14.1e}"
        )


if __name__ == "__main__":
    main()
