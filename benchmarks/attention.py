"""Attention: the cost of recording heat maps, and how even walks with interpolated attention are.

    python benchmarks/attention.py --json

Recording: one picture is decoded with and without maps, alternately in one run; are the pictures the same?
Walks: between pairs of prompts in equal steps, without attention interpolation and in each of its modes. Distances
between neighbouring frames are measured by the model's image encoder. Their mean, largest value and coefficient of
variation (CV) are averaged over pairs and seeds. `smaller` counts the walks with a smaller mean step, or CV, than the
plain walk.
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"frames": 2, "rounds": 1, "pairs": 1, "seeds": 1, "spaces": ["prompt"]})
ARGUMENTS.add_argument("--model", default="pocket")
ARGUMENTS.add_argument("--frames", type=int, default=16, help="frames of a walk")
ARGUMENTS.add_argument("--rounds", type=int, default=5, help="rounds of decoding with and without maps")
ARGUMENTS.add_argument("--pairs", type=int, default=4, help="pairs of prompts, at most four")
ARGUMENTS.add_argument(
    "--spaces", nargs="+", default=["prompt", "joint"], help="spaces to walk in, if the model has them"
)
ARGUMENTS.add_argument("--seeds", type=int, default=2, help="walks for each pair of prompts")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

import statistics
from collections.abc import Callable
from typing import Any, get_args

import torch
from harness.report import print_json
from harness.timing import timed

from thoughtspace.explorer import Explorer
from thoughtspace.explorer.diffusion.interpolation import Mode
from thoughtspace.explorer.records.provenance import pixel_hash

PROMPT = "a house under a starry sky"
PAIRS = (
    ("a smiling face with red hair", "a house under a starry sky"),
    ("a red square above a yellow circle", "a blue triangle"),
    ("a smiling face with red hair", "a sad face with blonde hair and a hat"),
    ("a mountain at sunset", "a lake under a starry sky"),
)


def recording(explorer: Explorer, rounds: int) -> dict[str, Any]:
    def plain() -> Any:
        return explorer.decode(PROMPT, "prompt", batch=1)[0]

    ways: dict[str, Callable[[], Any]] = {
        "apart": lambda: explorer.heat_maps(PROMPT),
        "summed": lambda: explorer.heat_maps(PROMPT, keep=()),
    }
    plain()
    turns = [(timed(plain), {name: timed(way) for name, way in ways.items()}) for _ in range(rounds)]
    (_, picture), made = turns[0]
    same = all(pixel_hash([picture]) == pixel_hash([maps.image]) for _, maps in made.values())
    sizes = {
        name: sum(each.numel() * each.element_size() for each in maps.maps.values()) for name, (_, maps) in made.items()
    }
    return {
        "plain_ms": 1000 * statistics.median(first for (first, _), _ in turns),
        "ratio": {name: statistics.median(other[name][0] / first for (first, _), other in turns) for name in ways},
        "bytes": sizes,
        "identical": same,
    }


def walks(explorer: Explorer, space: str, frames: int, pairs: int, seeds: int) -> dict[str, dict[str, float]]:
    modes: tuple[Mode | None, ...] = (None, *get_args(Mode))
    found: dict[Mode | None, list[Any]] = {
        mode: [
            explorer.walk(pair, frames, space=space, spacing="uniform", seed=seed, attention=mode)
            for pair in PAIRS[:pairs]
            for seed in range(seeds)
        ]
        for mode in modes
    }
    plain = found[None]
    return {
        mode or "none": {
            "walks": len(made),
            "mean_step": statistics.mean(float(each.distances.mean()) for each in made),
            "largest_step": statistics.mean(float(each.distances.max()) for each in made),
            "cv": statistics.mean(each.cv for each in made),
            "smaller_mean_step": sum(
                bool(each.distances.mean() < other.distances.mean()) for each, other in zip(made, plain, strict=True)
            ),
            "smaller_cv": sum(each.cv < other.cv for each, other in zip(made, plain, strict=True)),
        }
        for mode, made in found.items()
    }


def main() -> None:
    chosen = ARGUMENTS.parse_args()
    explorer = Explorer.open(chosen.model)
    spaces = [name for name in chosen.spaces if name in explorer.spaces]
    figures: dict[str, Any] = {
        "threads": torch.get_num_threads(),
        "recording": recording(explorer, chosen.rounds),
        "frames": chosen.frames,
        "walks": {space: walks(explorer, space, chosen.frames, chosen.pairs, chosen.seeds) for space in spaces},
    }
    if chosen.json:
        print_json(figures)
        return
    record = figures["recording"]
    ratios = ", ".join(f"{name} {ratio:.2f}" for name, ratio in record["ratio"].items())
    print(f"recording: {record['plain_ms']:.0f} ms plain, times {ratios}; same picture: {record['identical']}")
    for space, modes in figures["walks"].items():
        for mode, each in modes.items():
            print(
                f"  {space:6} {mode:6} mean step {each['mean_step']:.3f}, largest {each['largest_step']:.3f}, "
                f"CV {each['cv']:.2f}; smaller in {each['smaller_mean_step']} and {each['smaller_cv']} of "
                f"{each['walks']}"
            )


if __name__ == "__main__":
    main()
