"""How well does one space of the pocket model predict another, and do directions still work after the mapping?

    python benchmarks/crossing.py --json

Pictures of the pocket world and their full captions, from the split `fresh`, are encoded into the joint, latent and
prompt spaces, and maps between the spaces are fitted. Their R² on held-out items is compared with that of shuffled
pairs, and with that of predicting the mean of each kind of scene. Then a caption is changed in one factor. The
difference of the two prompts is mapped into the joint space, added to the point of the picture and decoded. The reader
says how often the new value appears and the other factors stay. This is compared with a random direction of the same
length, with no direction, and with the difference of the two captions in the joint space itself.
"""

from __future__ import annotations

from harness.arguments import Arguments

PAIRS = ["prompt:joint", "joint:prompt", "latent:joint", "joint:latent", "prompt:latent", "joint:bottleneck"]
ARGUMENTS = Arguments(__doc__, quick={"n": 40, "decoded": 2, "kinds": ["linear"], "pairs": ["prompt:joint"]})
ARGUMENTS.add_argument("--n", type=int, default=1000, help="items encoded into every space")
ARGUMENTS.add_argument("--decoded", type=int, default=96, help="pictures decoded for each direction")
ARGUMENTS.add_argument("--kinds", nargs="+", default=["linear", "kernel"], help="kinds of space maps")
ARGUMENTS.add_argument("--pairs", nargs="+", choices=PAIRS, default=PAIRS, help="from one space to another")
ARGUMENTS.add_argument("--weight", type=float, default=1.0, help="how much of a direction is added")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

import sys
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from harness.pocket_world import Bench
from harness.report import print_json

from thoughtspace.analysis import SpaceMap, fit_space_map
from thoughtspace.analysis.ridge import r2
from thoughtspace.datasets import captions, world
from thoughtspace.datasets.changes import other_value
from thoughtspace.explorer import Explorer
from thoughtspace.explorer.points import Points
from thoughtspace.explorer.training.reader import load

START = 300_000  # index in the split, beyond the scenes of the pocket model's own figures
Figures = dict[str, dict[str, float]]


def full_captions(scenes: Sequence[world.Scene]) -> list[str]:
    """A full caption for each scene; its words depend on the scene only, so that one factor changes one phrase."""
    return [captions.full_caption(scene, np.random.default_rng(row)).text for row, scene in enumerate(scenes)]


def encoded(bench: Bench, spaces: Iterable[str]) -> dict[str, Points]:
    """The same items in each space: pictures in `joint` and `latent`, captions in `prompt` and `bottleneck`."""
    ex, scenes = bench.explorer, bench.scenes(bench.n, start=START)
    pictures, texts = bench.render(scenes), full_captions(scenes)
    encode: dict[str, Callable[[slice], Points]] = {
        "joint": lambda some: ex.joint.image(*pictures[some]),
        "latent": lambda some: ex.latent.image(*pictures[some]),
        "prompt": lambda some: ex.prompt.text(*texts[some]),
        "bottleneck": lambda some: ex.bottleneck.text(*texts[some], n_seeds=1),
    }
    batches = [slice(first, first + 128) for first in range(0, len(scenes), 128)]
    return {name: Points.cat([encode[name](some) for some in batches]) for name in spaces}


def kind_alone(bench: Bench, fitted: SpaceMap, target: Points) -> float:
    """R² on held-out items of predicting the mean of the fitted items of the same kind of scene."""
    y = target.flat.double().cpu().numpy()
    kinds = np.array([scene.kind for scene in bench.scenes(bench.n, start=START)])
    rest = np.setdiff1d(np.arange(len(y)), fitted.held_out)
    means = {kind: y[rest][kinds[rest] == kind].mean(0) for kind in set(kinds)}
    return r2(y[fitted.held_out], np.stack([means[kind] for kind in kinds[fitted.held_out]]))


def changes(bench: Bench, n: int) -> tuple[list[world.Scene], list[world.Scene], list[tuple[str, str]]]:
    """Scenes, the same scenes with one factor changed, and the factors."""
    generator = np.random.default_rng(bench.seed)
    before, after, what = [], [], []
    for scene in bench.scenes(6 * n, start=START + 100_000):
        changed = other_value(scene, generator)
        if changed is not None and len(before) < n:
            before.append(scene)
            after.append(world.change(scene, *changed))
            what.append(changed)
    return before, after, what


def carried(bench: Bench, fitted: SpaceMap, n: int, weight: float) -> Figures:
    """How often the reader sees the change after adding a mapped direction."""
    before, after, what = changes(bench, n)
    joint, prompt = bench.explorer.joint, bench.explorer.prompt
    here = joint.image(*bench.render(before))
    base = prompt.text(*full_captions(before))
    moved = fitted.direction(prompt.text(*full_captions(after)) - base, at=base)
    lengths = torch.linalg.vector_norm(moved.values, dim=1, keepdim=True)
    drawn = torch.randn(moved.values.shape, generator=torch.Generator().manual_seed(0))
    drawn = lengths * drawn.to(lengths) / torch.linalg.vector_norm(drawn, dim=1, keepdim=True).to(lengths)
    own = joint.text(*full_captions(after)) - joint.text(*full_captions(before))
    figures = {"length": {"carried": float(lengths.mean()), "own": float(own.values.norm(dim=1).mean())}}
    for name, points in {
        "carried": here + weight * moved,
        "random": here + weight * joint.points(drawn),
        "none": here,
        "own": here + weight * own,
    }.items():
        _, labels = bench.reader.labels(joint.decode(points, seed=list(range(len(here))), batch=min(16, len(here))))
        figures[name] = seen(labels, before, what)
    return figures


def seen(labels: np.ndarray, before: Sequence[world.Scene], what: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Shares of the wanted values found, and of the other factors unchanged."""
    found, kept = [], []
    for row, (scene, (name, value)) in enumerate(zip(before, what, strict=True)):
        for column, (kind, factor) in enumerate(world.HEADS):
            if kind == scene.kind and factor.name in scene.factors:
                read = factor.values[labels[row, column]]
                if factor.name == name:
                    found.append(read == value)
                else:
                    kept.append(read == scene.factors[factor.name])
    return {"changed": float(np.mean(found)), "kept": float(np.mean(kept)), "n": len(found)}


def main() -> None:
    options = ARGUMENTS.parse_args()
    bench = Bench(Explorer.open("pocket"), load(None), options.n)
    pairs = [tuple(pair.split(":")) for pair in options.pairs]
    points = encoded(bench, {space for pair in pairs for space in pair})
    figures: Figures = {}
    for kind in options.kinds:
        for source, target in pairs:
            fitted = fit_space_map(points[source], points[target], kind=kind)
            figures[f"{source} -> {target}, {kind}"] = fitted.score.to_json() | {
                "r2_of_the_kind_alone": kind_alone(bench, fitted, points[target])
            }
            print(f"{source} -> {target}, {kind}: {fitted.score}", file=sys.stderr, flush=True)
            if (source, target) == ("prompt", "joint"):
                made = carried(bench, fitted, options.decoded, options.weight)
                figures |= {f"direction by the {kind} map: {name}": figure for name, figure in made.items()}
    if options.json:
        print_json(figures)
        return
    for name, row in figures.items():
        print(f"{name:44}", *(f"{key}={value:.3g}" for key, value in row.items()))


if __name__ == "__main__":
    main()
