"""Speed of a walk: our batched frames, compared with one call of the unmodified diffusers pipeline per frame.

    python benchmarks/walk_speed.py --json

Both decode the same points from the same seed with the model's own steps and guidance, alternately in one run, so that
the ratio holds on a busy machine too. The largest difference of a colour value is reported as well. Our time includes
the record of each picture, which the pipeline does not make. Neither time includes opening the model.
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"frames": 3, "rounds": 1})
ARGUMENTS.add_argument("--model", default="pocket")
ARGUMENTS.add_argument("--frames", type=int, default=32)
ARGUMENTS.add_argument("--rounds", type=int, default=3, help="rounds of ours and theirs")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

import statistics
from typing import Any

import diffusers
import numpy as np
import torch
from harness.report import print_json
from harness.timing import timed

from thoughtspace.explorer import Explorer
from thoughtspace.explorer.paths import path

STOPS = ("a smiling face with red hair", "a lake under a starry sky", "a blue square above a yellow circle")


def measure(explorer: Explorer, frames: int, rounds: int) -> dict[str, float]:
    model, joint = explorer.model, explorer.joint
    pipeline = diffusers.StableUnCLIPImg2ImgPipeline.from_pretrained(model.folder / "diffusion").to(model.device)
    pipeline.set_progress_bar_config(disable=True)
    points = path(joint.text(*STOPS), frames).points
    vectors = joint.vectors(points)

    def ours() -> list[Any]:
        return list(joint.decode(points))

    def theirs() -> list[Any]:
        return [
            pipeline(
                prompt="",
                image_embeds=vector[None].clone(),
                num_inference_steps=model.steps,
                guidance_scale=model.guidance,
                generator=torch.Generator().manual_seed(0),
            ).images[0]
            for vector in vectors
        ]

    joint.decode(points[:1])
    turns = [(timed(ours), timed(theirs)) for _ in range(rounds)]
    made, expected = (np.stack([np.asarray(picture, int) for picture in turns[0][side][1]]) for side in (0, 1))
    seconds = [statistics.median(turn[side][0] for turn in turns) / frames for side in (0, 1)]
    return {
        "frames": frames,
        "steps": model.steps,
        "guidance": model.guidance,
        "threads": torch.get_num_threads(),
        "ours_ms_per_frame": 1000 * seconds[0],
        "pipeline_ms_per_frame": 1000 * seconds[1],
        "ratio": statistics.median(turn[1][0] / turn[0][0] for turn in turns),
        "max_difference": float(np.abs(made - expected).max()),
    }


def main() -> None:
    chosen = ARGUMENTS.parse_args()
    figures = measure(Explorer.open(chosen.model), chosen.frames, chosen.rounds)
    if chosen.json:
        print_json(figures)
        return
    print(f"{figures['frames']} frames, {figures['steps']} steps, guidance {figures['guidance']:g}")
    print(f"  pipeline, a call a frame  {figures['pipeline_ms_per_frame']:8.1f} ms")
    print(f"  walk, batches             {figures['ours_ms_per_frame']:8.1f} ms   {figures['ratio']:.2f} times as fast")
    print(f"  largest difference of a colour value: {figures['max_difference']:g} of 255")


if __name__ == "__main__":
    main()
