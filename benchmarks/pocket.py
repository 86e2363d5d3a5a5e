"""Measure the pocket model on fresh renders: the figures of its card.

    python benchmarks/pocket.py --json --n 256

Every picture is drawn from the split `fresh`, which nothing was trained on. The shipped reader says what a decoded
picture shows. It had no part in training the model, and its own accuracy is printed first.
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"n": 6, "among": 16, "seeds": 2})
ARGUMENTS.add_argument("--model", default="pocket")
ARGUMENTS.add_argument("--reader", metavar="FOLDER", help="use this reader instead of the shipped one")
ARGUMENTS.add_argument("--n", type=int, default=384, help="pictures for each figure")
ARGUMENTS.add_argument("--among", type=int, default=256, help="pictures among which a caption must find its own")
ARGUMENTS.add_argument("--weight", type=float, default=1.0, help="how much of each word the arithmetic adds")
ARGUMENTS.add_argument("--seeds", type=int, default=16, help="pictures of each sentence whose variety is measured")
ARGUMENTS.add_argument("--against", metavar="MODEL", help="measure that model on the same scenes, and the differences")
ARGUMENTS.add_argument("--few-steps", action="store_true", help="also with its few-step weights, and the differences")
ARGUMENTS.add_argument(
    "--variety", type=float, metavar="V", help="texts by draws of the prior, this far from their own"
)
ARGUMENTS.add_argument("--parts", nargs="+", metavar="NAME", help="only these: texts, plain, variety, speed and so on")
ARGUMENTS.add_argument("--card", metavar="FILE", help="write the figures there too, as the table of the model's card")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from harness.card import table
from harness.intervals import Rows, counted, interval, paired_interval, share
from harness.pocket_world import Bench, agreement, held_out_heads
from harness.report import print_json
from harness.sentences import Sentence, captioned, of_two_factors, plain_sentences, seen, variety
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression

from thoughtspace.datasets import captions, world
from thoughtspace.datasets.changes import other_value
from thoughtspace.explorer import Explorer
from thoughtspace.explorer.training.reader import load

FLOORS = {
    "psnr_db": 31.0,
    "reader_accuracy": 0.998,
    "retrieval_r1": 0.85,
    "probe_accuracy": 0.92,
    "text_agreement": 0.96,
    "text_agreement_held_out": 0.9,
    "text_agreement_held_out_pair": 0.75,
    "joint_text_full_kind": 0.99,
    "joint_text_short_kind": 0.99,
    "joint_text_full_agreement": 0.95,
    "joint_text_short_agreement": 0.95,
    "joint_text_full_agreement_object": 0.9,
    "plain_kind": 0.97,
    "plain_agreement": 0.88,
    "plain_agreement_object": 0.8,
    "joint_cosine": 0.95,
    "joint_agreement": 0.97,
    "arithmetic_changed": 0.94,
    "arithmetic_kept": 0.9,
    "variety": 0.8,
}
Figures = dict[str, float | Rows]
"""Figures by name; a share is given as the hits and trials of each scene, from which its interval follows."""


def reader_accuracy(bench: Bench) -> Figures:
    """Share of factors of fresh renders that the reader reads correctly."""
    scenes = bench.scenes(4 * bench.n, start=200_000)
    right, shown = agreement(bench.reader, bench.render(scenes), scenes)
    per_factor = {
        f"{kind}.{factor.name}": float(right[:, i].sum() / shown[:, i].sum())
        for i, (kind, factor) in enumerate(world.HEADS)
    }
    worst = min(per_factor, key=per_factor.__getitem__)
    return {"reader_accuracy": counted(right, shown), f"reader_worst ({worst})": per_factor[worst]}


def autoencoder(bench: Bench) -> Figures:
    """Mean PSNR of encode, decode, round to bytes; and the share of factors that the reader still finds."""
    scenes = bench.scenes(bench.n)
    pictures = bench.render(scenes)
    latent = bench.explorer.latent
    decoded = latent.decode(latent.image(*pictures), batch=bench.batch)
    errors = [np.square(pixels(a) - pixels(b)).mean() for a, b in zip(pictures, decoded, strict=True)]
    right, shown = agreement(bench.reader, decoded, scenes)
    return {"psnr_db": float(np.mean(-10 * np.log10(errors))), "autoencoder_agreement": counted(right, shown)}


def retrieval(bench: Bench, among: int) -> Figures:
    """Text to image R@1 and R@10 among pictures with distinct full captions.

    On raw CLIP vectors, as CLIP is used, and in the joint space as its texts enter by the means and by the linear map.
    """
    generator = np.random.default_rng(bench.seed)
    scenes, texts = [], []
    distinct = set()
    for scene in bench.scenes(600, start=10_000):
        key = (scene.kind, *sorted(scene.factors.items()))
        if key not in distinct and len(scenes) < among:
            distinct.add(key)
            scenes.append(scene)
            texts.append(captions.full_caption(scene, generator).text)
    pictures = bench.render(scenes)
    figures: Figures = {}
    linear = bench.explorer.model.clip.reference.text_map is not None
    for name, gap in (("retrieval", "open"), ("retrieval_mean", "mean"), *([("retrieval_linear", "linear")] * linear)):
        joint = bench.explorer.with_gap(gap).joint
        scores = joint.text(*texts).flat @ joint.image(*pictures).flat.T
        before = (scores > scores.diagonal()[:, None]).sum(1).cpu().numpy()  # pictures that come before the right one
        figures |= {f"{name}_r{k}": np.stack([before < k, np.ones(len(before))], axis=1) for k in (1, 10)}
    return figures | {"retrieval_of": len(scenes)}


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
    figures: Figures = {}
    for key, held_out in (("text_agreement", False), ("text_agreement_held_out", True)):
        scenes = bench.scenes(bench.n, start=40_000, held_out=held_out)
        full = [captions.full_caption(scene, generator) for scene in scenes]
        space = bench.explorer.prompt
        decoded = space.decode(
            space.text(*(caption.text for caption in full)), seed=list(range(len(full))), **bench.how
        )
        right, shown = agreement(bench.reader, decoded, scenes)
        figures[key] = counted(right, shown)
        if held_out:
            pair = held_out_heads(scenes)
            figures["text_agreement_held_out_pair"] = counted(right, shown & pair)
        else:
            rolled = scenes[3:] + scenes[:3]
            figures["text_agreement_shuffled"] = counted(*agreement(bench.reader, decoded, rolled))
    return figures


def joint_round_trip(bench: Bench) -> Figures:
    """Picture, joint vector, picture, joint vector: raw cosine and factors kept, beside another of the kind."""
    scenes = bench.scenes(bench.n, start=60_000)
    joint, raw = bench.explorer.joint, bench.explorer.joint_raw
    pictures = bench.render(scenes)
    decoded = joint.decode(joint.image(*pictures), seed=list(range(len(scenes))), **bench.how)
    before, after = raw.image(*pictures).flat, raw.image(*decoded).flat
    right, shown = agreement(bench.reader, decoded, scenes)
    return {
        "joint_cosine": float((before * after).sum(1).mean()),
        "joint_cosine_shuffled": float((before * after.roll(3, 0)).sum(1).mean()),
        "joint_agreement": counted(right, shown),
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
    figures: Figures = {}
    for suffix, points in (("", here - weight * old + weight * new), ("_baseline", here)):
        _, labels = bench.reader.labels(joint.decode(points, seed=seeds, **bench.how))
        changed, kept = [], []
        for row, (scene, (name, value)) in enumerate(zip(scenes, targets, strict=True)):
            found = {f.name: f.values[labels[row, i]] for i, (k, f) in enumerate(world.HEADS) if k == scene.kind}
            others = [other for other in scene.factors if other != name]
            changed.append((found[name] == value, 1))
            kept.append((sum(found[other] == scene.factors[other] for other in others), len(others)))
        figures |= {
            f"arithmetic_changed{suffix}": np.array(changed, dtype=np.float64),
            f"arithmetic_kept{suffix}": np.array(kept, dtype=np.float64),
        }
    return figures | {"arithmetic_weight": weight}


def joint_texts(bench: Bench) -> Figures:
    """Captions as thought vectors, decoded: the right kind of scene, and the factors they name."""
    figures: Figures = {}
    for name, make in (("full", captions.full_caption), ("short", captions.caption)):
        said = captioned(bench.scenes(bench.n, start=300_000), make, np.random.default_rng(bench.seed))
        figures |= seen(bench.reader, of_texts(bench, said), said, f"joint_text_{name}")
    return figures


def plain(bench: Bench, each: int | None) -> Figures:
    """The same of sentences that people wrote outside the grammar, each from two seeds."""
    said = [sentence for sentence in plain_sentences(each) for _ in range(2)]
    return seen(bench.reader, of_texts(bench, said), said, "plain")


def open_variety(bench: Bench, seeds: int) -> Figures:
    """How much of what captions of two factors leave open varies with the seed, as a share of what the world varies."""
    said = captioned(bench.scenes(min(45, bench.n), start=400_000), of_two_factors, np.random.default_rng(bench.seed))
    draws = [of_texts(bench, [one] * seeds) for one in said]
    return {"variety": variety(bench.reader, draws, said)}


def of_texts(bench: Bench, said: Sequence[Sentence]) -> list[Image.Image]:
    """The picture of each text in the joint space, as `explorer.decode` makes it, each from a seed of its own."""
    joint, prior = bench.explorer.joint, bench.explorer.model.prior
    usual = prior.variety if prior is not None else None
    how = {**bench.how, "variety": usual if bench.variety is None else bench.variety}
    return list(joint.decode(joint.text(*(one.text for one in said)), seed=list(range(len(said))), **how))


def speed(bench: Bench) -> Figures:
    """Median seconds from one joint vector to its picture."""
    joint = bench.explorer.joint
    point = joint.image(*bench.render(bench.scenes(1)))
    times = []
    for seed in range(min(12, max(3, bench.n))):
        start = time.perf_counter()
        joint.decode(point, seed=seed, few_steps=bench.few_steps)
        times.append(time.perf_counter() - start)
    return {"seconds_per_picture": float(np.median(times[2:]))}


def pixels(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image, dtype=np.float64) / 255


def measurements(options: Any) -> dict[str, Callable[[Bench], Figures]]:
    """The parts by name, in the order of the card."""
    return {
        "reader": reader_accuracy,
        "autoencoder": autoencoder,
        "retrieval": lambda bench: retrieval(bench, options.among),
        "probes": probes,
        "prompts": prompts,
        "texts": joint_texts,
        "plain": lambda bench: plain(bench, 2 if options.quick else None),
        "variety": lambda bench: open_variety(bench, options.seeds),
        "round trip": joint_round_trip,
        "arithmetic": lambda bench: arithmetic(bench, options.weight),
        "speed": speed,
    }


def main() -> None:
    options = ARGUMENTS.parse_args()
    reader = load(Path(options.reader) if options.reader else None)
    own = Bench(Explorer.open(options.model), reader, options.n, variety=options.variety)
    others = {options.against: replace(own, explorer=Explorer.open(options.against))} if options.against else {}
    others |= {"few steps": replace(own, few_steps=True)} if options.few_steps else {}
    answer: dict[str, float] = {}
    intervals: dict[str, list[float]] = {}
    beside: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in others}
    for name, measure in measurements(options).items():
        if options.parts and name not in options.parts:
            continue
        found, of_others = measure(own), {name: measure(bench) for name, bench in others.items()}
        for key, figure in found.items():
            answer[key] = value(figure)
            if not isinstance(figure, int | float):
                intervals[key] = interval(figure)
            for other, figures in of_others.items():
                if key in figures:
                    beside[other][key] = compared(figure, figures[key])
            if not options.json:
                print(
                    line(key, answer[key], intervals.get(key), [each.get(key) for each in beside.values()]), flush=True
                )
    if options.card:
        Path(options.card).write_text(table(answer, intervals) + "\n", encoding="utf-8")
    if options.json:
        rounded = {key: round(figure, 4) for key, figure in answer.items()}
        print_json(rounded | {"intervals": intervals} | ({"beside": beside} if beside else {}))


def value(figure: float | Rows) -> float:
    return figure if isinstance(figure, int | float) else share(figure)


def compared(figure: float | Rows, other: float | Rows) -> dict[str, Any]:
    """The other's figure, and what is left of ours without it, for shares with its paired interval."""
    told: dict[str, Any] = {"value": value(other), "difference": value(figure) - value(other)}
    if not isinstance(figure, int | float) and not isinstance(other, int | float):
        told["interval"] = paired_interval(figure, other)
    return told


def line(name: str, figure: float, between: list[float] | None, others: Sequence[dict[str, Any] | None]) -> str:
    """A figure with its interval, its floor and its differences to the others."""
    text = f"{name:36} {figure:8.4f}"
    text += f"  {between[0]:.3f} to {between[1]:.3f}" if between else ""
    text += f"   (floor {FLOORS[name]:g})" if name in FLOORS else ""
    for other in filter(None, others):
        text += f"   {other['difference']:+.3f}"
        text += f" ({other['interval'][0]:+.3f} to {other['interval'][1]:+.3f})" if "interval" in other else ""
    return text


if __name__ == "__main__":
    main()
