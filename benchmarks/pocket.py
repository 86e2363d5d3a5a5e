"""Measure the pocket model on fresh renders: the figures of its card.

    python benchmarks/pocket.py [--json] [--model pocket] [--n 256] [--reader FOLDER]

Every picture measured on is drawn from the split `fresh`, which nothing was trained on. What a decoded picture shows
is read by the shipped reader, which took no part in training the model; its own accuracy is printed first.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression

from thoughtspace.datasets import captions, world
from thoughtspace.explorer import Explorer
from thoughtspace.explorer.training.reader import Reader, load

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


@dataclass(frozen=True)
class Bench:
    """What every measurement needs."""

    explorer: Explorer
    reader: Reader
    n: int
    seed: int = 0

    def scenes(self, n: int, *, start: int = 0, held_out: bool = False) -> list[world.Scene]:
        return list(world.sample(n, "fresh", start=start, held_out=held_out))

    def render(self, scenes: Sequence[world.Scene]) -> list[Image.Image]:
        return [world.render(scene, self.explorer.model.clip.image_size) for scene in scenes]


def reader_accuracy(bench: Bench) -> Figures:
    """Share of factors of fresh clean renders that the reader reads right."""
    scenes = bench.scenes(4 * bench.n, start=200_000)
    right, shown = agreement(bench.reader, bench.render(scenes), scenes)
    per_factor = {
        f"{kind}.{factor.name}": float(right[:, i].sum() / shown[:, i].sum())
        for i, (kind, factor) in enumerate(world.HEADS)
    }
    worst = min(per_factor, key=per_factor.__getitem__)
    return {"reader_accuracy": float(right.sum() / shown.sum()), f"reader_worst ({worst})": per_factor[worst]}


def autoencoder(bench: Bench) -> Figures:
    """Mean PSNR of encode, decode, round to bytes; and the reader's agreement with what went in."""
    scenes = bench.scenes(bench.n)
    pictures = bench.render(scenes)
    latent = bench.explorer.latent
    decoded = latent.decode(latent.image(*pictures), batch=16)
    errors = [np.square(pixels(a) - pixels(b)).mean() for a, b in zip(pictures, decoded, strict=True)]
    right, shown = agreement(bench.reader, decoded, scenes)
    return {"psnr_db": float(np.mean(-10 * np.log10(errors))), "autoencoder_agreement": share(right, shown)}


def retrieval(bench: Bench) -> Figures:
    """Text to image R@1 among 256 pictures with distinct full captions, on raw CLIP vectors as CLIP is used."""
    generator = np.random.default_rng(bench.seed)
    scenes, texts = [], []
    distinct = set()
    for scene in bench.scenes(600, start=10_000):
        key = (scene.kind, *sorted(scene.factors.items()))
        if key not in distinct and len(scenes) < 256:
            distinct.add(key)
            scenes.append(scene)
            texts.append(captions.full_caption(scene, generator).text)
    raw = bench.explorer.joint_raw
    scores = raw.text(*texts).flat @ raw.image(*bench.render(scenes)).flat.T
    hits = scores.argmax(1) == torch.arange(len(scenes), device=scores.device)
    return {"retrieval_r1": float(hits.float().mean()), "retrieval_of": len(scenes)}


def probes(bench: Bench) -> Figures:
    """Held-out accuracy of a linear probe a factor, averaged over factors; beside it the commonest value's share."""
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
        said = [captions.full_caption(scene, generator) for scene in scenes]
        space = bench.explorer.prompt
        decoded = space.decode(space.text(*(caption.text for caption in said)), seed=list(range(len(said))), batch=16)
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
    """Picture to joint vector to picture to joint vector: raw cosine and factors kept, with the shuffled baseline."""
    scenes = bench.scenes(bench.n, start=60_000)
    joint, raw = bench.explorer.joint, bench.explorer.joint_raw
    pictures = bench.render(scenes)
    decoded = joint.decode(joint.image(*pictures), seed=list(range(len(scenes))), batch=16)
    before, after = raw.image(*pictures).flat, raw.image(*decoded).flat
    right, shown = agreement(bench.reader, decoded, scenes)
    return {
        "joint_cosine": float((before * after).sum(1).mean()),
        # Rolled by three: the same kind, another picture, which is the harder baseline.
        "joint_cosine_shuffled": float((before * after.roll(3, 0)).sum(1).mean()),
        "joint_agreement": share(right, shown),
    }


def arithmetic(bench: Bench, weight: float) -> Figures:
    """Picture - its value's word + another value's word: is the new value seen, are the others kept?"""
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
        _, labels = bench.reader.labels(joint.decode(points, seed=seeds, batch=16))
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
    for seed in range(12):
        start = time.perf_counter()
        joint.decode(point, seed=seed)
        times.append(time.perf_counter() - start)
    return {"seconds_per_picture": float(np.median(times[2:]))}


def other_value(scene: world.Scene, generator: np.random.Generator) -> tuple[str, str] | None:
    """A factor and a new value for it that leave every other factor as it is, or None if the draw allows none."""
    factors = [f for f in world.FACTORS[scene.kind] if f.name in scene.factors]
    factor = factors[int(generator.integers(len(factors)))]
    values = [value for value in factor.values if value != scene.factors[factor.name]]
    value = values[int(generator.integers(len(values)))]
    changed = world.change(scene, factor.name, value) if value_fits(scene, factor.name, value) else None
    if changed is None or set(changed.factors) != set(scene.factors):
        return None
    return factor.name, value


def value_fits(scene: world.Scene, name: str, value: str) -> bool:
    """Whether the scene with that value is one that the world draws: nothing appears without its own factors."""
    factors = dict(scene.factors) | {name: value}
    return all(factor.name in factors for factor in world.FACTORS[scene.kind] if factor.present(factors)) and not (
        factors.get("structure") == "boat" and factors.get("water") != "lake"
    )


def held_out_heads(scenes: Sequence[world.Scene]) -> NDArray[np.bool_]:
    """`(n, heads)`: the factors that make each scene a held-out one."""
    table = np.zeros((len(scenes), len(world.HEADS)), dtype=bool)
    for row, scene in enumerate(scenes):
        for pair in world.HELD_OUT[scene.kind]:
            if all(scene.factors.get(name) == value for name, value in pair.items()):
                for column, (kind, factor) in enumerate(world.HEADS):
                    table[row, column] |= kind == scene.kind and factor.name in pair
    return table


def agreement(
    reader: Reader, pictures: Sequence[Image.Image], scenes: Sequence[world.Scene]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which factors the reader finds as the scenes have them, and which the scenes have: `(n, heads)` each."""
    _, found = reader.labels(pictures)
    wanted = world.labels(scenes)
    return found == wanted, wanted >= 0


def share(right: NDArray[np.bool_], shown: NDArray[np.bool_]) -> float:
    return float((right & shown).sum() / shown.sum())


def pixels(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image, dtype=np.float64) / 255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--reader", type=Path, default=None, help="the reader's folder, the shipped one without it")
    parser.add_argument("--n", type=int, default=384, help="pictures for each figure")
    parser.add_argument("--weight", type=float, default=1.0, help="how much of each word the arithmetic adds")
    options = parser.parse_args()
    bench = Bench(Explorer.open(options.model), load(options.reader), options.n)
    measurements: list[Callable[[Bench], Figures]] = [
        reader_accuracy,
        autoencoder,
        retrieval,
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
    if options.json:
        json.dump({name: round(figure, 4) for name, figure in figures.items()}, sys.stdout, indent=2)
        print()


if __name__ == "__main__":
    main()
