"""Measure the pocket model on fresh renders: the figures of its card.

    python benchmarks/pocket.py --json --n 256

Every picture is drawn from the split `fresh`, which nothing was trained on. The shipped reader says what a decoded
picture shows. It had no part in training the model, and its own accuracy is printed first.
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"n": 2, "among": 16})
ARGUMENTS.add_argument("--model", default="pocket")
ARGUMENTS.add_argument("--reader", metavar="FOLDER", help="use this reader instead of the shipped one")
ARGUMENTS.add_argument("--n", type=int, default=384, help="pictures for each figure")
ARGUMENTS.add_argument("--among", type=int, default=256, help="pictures among which a caption must find its own")
ARGUMENTS.add_argument("--weight", type=float, default=1.0, help="how much of each word the arithmetic adds")
ARGUMENTS.add_argument("--card", metavar="FILE", help="write the figures there too, as the table of the model's card")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from harness.card import table
from harness.pocket_world import Bench, agreement, held_out_heads, other_value, share
from harness.report import print_json
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression

from thoughtspace.datasets import captions, world
from thoughtspace.explorer import Explorer
from thoughtspace.explorer.training.reader import load

FLOORS = {
    "psnr_db": 29.0,
    "retrieval_r1": 0.85,
    "probe_accuracy": 0.92,
    "text_agreement": 0.85,
    "text_agreement_held_out": 0.75,
    "joint_cosine": 0.88,
    "joint_agreement": 0.85,
    "arithmetic_changed": 0.75,
    "arithmetic_kept": 0.75,
}
Figures = dict[str, float]


def reader_accuracy(bench: Bench) -> Figures:
    """Share of factors of fresh renders that the reader reads correctly."""
    scenes = bench.scenes(4 * bench.n, start=200_000)
    right, shown = agreement(bench.reader, bench.render(scenes), scenes)
    per_factor = {
        f"{kind}.{factor.name}": float(right[:, i].sum() / shown[:, i].sum())
        for i, (kind, factor) in enumerate(world.HEADS)
    }
    worst = min(per_factor, key=per_factor.__getitem__)
    return {"reader_accuracy": float(right.sum() / shown.sum()), f"reader_worst ({worst})": per_factor[worst]}


def autoencoder(bench: Bench) -> Figures:
    """Mean PSNR of encode, decode, round to bytes; and the share of factors that the reader still finds."""
    scenes = bench.scenes(bench.n)
    pictures = bench.render(scenes)
    latent = bench.explorer.latent
    decoded = latent.decode(latent.image(*pictures), batch=bench.batch)
    errors = [np.square(pixels(a) - pixels(b)).mean() for a, b in zip(pictures, decoded, strict=True)]
    right, shown = agreement(bench.reader, decoded, scenes)
    return {"psnr_db": float(np.mean(-10 * np.log10(errors))), "autoencoder_agreement": share(right, shown)}


def retrieval(bench: Bench, among: int) -> Figures:
    """Text to image R@1 among pictures with distinct full captions, on raw CLIP vectors as CLIP is used."""
    generator = np.random.default_rng(bench.seed)
    scenes, texts = [], []
    distinct = set()
    for scene in bench.scenes(600, start=10_000):
        key = (scene.kind, *sorted(scene.factors.items()))
        if key not in distinct and len(scenes) < among:
            distinct.add(key)
            scenes.append(scene)
            texts.append(captions.full_caption(scene, generator).text)
    raw = bench.explorer.joint_raw
    scores = raw.text(*texts).flat @ raw.image(*bench.render(scenes)).flat.T
    hits = scores.argmax(1) == torch.arange(len(scenes), device=scores.device)
    return {"retrieval_r1": float(hits.float().mean()), "retrieval_of": len(scenes)}


def probes(bench: Bench) -> Figures:
    """Held-out accuracy of one linear probe per factor, averaged; and the share of the most common value."""
    scenes = bench.scenes(24 * bench.n, start=20_000)
    x = np.concatenate(
        [bench.explorer.joint.image(*bench.render(scenes[i : i + 256])).flat.cpu() for i in range(0, len(scenes), 256)]
    )
    labels = world.labels(scenes)
    half = len(scenes) // 2
    accuracy, chance = [], []
    for column in range(labels.shape[1]):
        shown = labels[:, column] >= 0
        fit, test = shown & (np.arange(len(scenes)) < half), shown & (np.arange(len(scenes)) >= half)
        probe = LogisticRegression(C=100.0, max_iter=2000).fit(x[fit], labels[fit, column])
        accuracy.append(probe.score(x[test], labels[test, column]))
        chance.append(np.bincount(labels[test, column]).max() / test.sum())
    return {"probe_accuracy": float(np.mean(accuracy)), "probe_chance": float(np.mean(chance))}


def prompts(bench: Bench) -> Figures:
    """Share of the factors a prompt names that the reader finds in the picture; on held-out combinations too."""
    generator = np.random.default_rng(bench.seed)
    figures = {}
    for key, held_out in (("text_agreement", False), ("text_agreement_held_out", True)):
        scenes = bench.scenes(bench.n, start=40_000, held_out=held_out)
        full = [captions.full_caption(scene, generator) for scene in scenes]
        space = bench.explorer.prompt
        decoded = space.decode(
            space.text(*(caption.text for caption in full)), seed=list(range(len(full))), batch=bench.batch
        )
        right, shown = agreement(bench.reader, decoded, scenes)
        figures[key] = share(right, shown)
        if held_out:
            pair = held_out_heads(scenes)
            figures["text_agreement_held_out_pair"] = share(right & pair, shown & pair)
        else:
            rolled = scenes[3:] + scenes[:3]
            figures["text_agreement_shuffled"] = share(*agreement(bench.reader, decoded, rolled))
    return figures


def joint_round_trip(bench: Bench) -> Figures:
    """Picture, joint vector, picture, joint vector: raw cosine and factors kept, with the shuffled baseline."""
    scenes = bench.scenes(bench.n, start=60_000)
    joint, raw = bench.explorer.joint, bench.explorer.joint_raw
    pictures = bench.render(scenes)
    decoded = joint.decode(joint.image(*pictures), seed=list(range(len(scenes))), batch=bench.batch)
    before, after = raw.image(*pictures).flat, raw.image(*decoded).flat
    right, shown = agreement(bench.reader, decoded, scenes)
    return {
        "joint_cosine": float((before * after).sum(1).mean()),
        # Rolled by three: the same kind, another picture, which is the harder baseline.
        "joint_cosine_shuffled": float((before * after.roll(3, 0)).sum(1).mean()),
        "joint_agreement": share(right, shown),
    }


def arithmetic(bench: Bench, weight: float) -> Figures:
    """Picture - word of its value + word of another value: does the new value appear, do the others stay?"""
    generator = np.random.default_rng(bench.seed)
    scenes, targets = [], []
    for scene in bench.scenes(4 * bench.n, start=80_000):
        changed = other_value(scene, generator)
        if changed is not None and len(scenes) < bench.n:
            scenes.append(scene)
            targets.append(changed)
    joint = bench.explorer.joint
    here = joint.image(*bench.render(scenes))
    old = joint.text(
        *(captions.word(s.kind, name, s.factors[name]) for s, (name, _) in zip(scenes, targets, strict=True))
    )
    new = joint.text(*(captions.word(s.kind, name, value) for s, (name, value) in zip(scenes, targets, strict=True)))
    seeds = list(range(len(scenes)))
    figures = {}
    for suffix, points in (("", here - weight * old + weight * new), ("_baseline", here)):
        _, labels = bench.reader.labels(joint.decode(points, seed=seeds, batch=bench.batch))
        changed_right, kept_right, kept = [], 0, 0
        for row, (scene, (name, value)) in enumerate(zip(scenes, targets, strict=True)):
            for column, (kind, factor) in enumerate(world.HEADS):
                if kind != scene.kind or factor.name not in scene.factors:
                    continue
                seen = factor.values[labels[row, column]]
                if factor.name == name:
                    changed_right.append(seen == value)
                else:
                    kept_right += seen == scene.factors[factor.name]
                    kept += 1
        figures |= {
            f"arithmetic_changed{suffix}": float(np.mean(changed_right)),
            f"arithmetic_kept{suffix}": kept_right / kept,
        }
    return figures | {"arithmetic_weight": weight}


def speed(bench: Bench) -> Figures:
    """Median seconds from one joint vector to its picture."""
    joint = bench.explorer.joint
    point = joint.image(*bench.render(bench.scenes(1)))
    times = []
    for seed in range(min(12, max(3, bench.n))):
        start = time.perf_counter()
        joint.decode(point, seed=seed)
        times.append(time.perf_counter() - start)
    return {"seconds_per_picture": float(np.median(times[2:]))}


def pixels(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image, dtype=np.float64) / 255


def main() -> None:
    options = ARGUMENTS.parse_args()
    bench = Bench(Explorer.open(options.model), load(options.reader), options.n)
    measurements: list[Callable[[Bench], Figures]] = [
        reader_accuracy,
        autoencoder,
        lambda b: retrieval(b, options.among),
        probes,
        prompts,
        joint_round_trip,
        lambda b: arithmetic(b, options.weight),
        speed,
    ]
    figures: Figures = {}
    for measure in measurements:
        measured = measure(bench)
        figures |= measured
        if not options.json:
            for name, figure in measured.items():
                floor = f"   (floor {FLOORS[name]:g})" if name in FLOORS else ""
                print(f"{name:32} {figure:8.4f}{floor}", flush=True)
    if options.card:
        Path(options.card).write_text(table(figures) + "\n", encoding="utf-8")
    if options.json:
        print_json({name: round(figure, 4) for name, figure in figures.items()})


if __name__ == "__main__":
    main()
