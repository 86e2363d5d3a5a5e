"""What is measured of a model of the pocket world: each function is a part of `pocket.py`."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression

from thoughtspace.datasets import captions, world
from thoughtspace.datasets.changes import other_value
from thoughtspace.explorer.training.reader import SIZE

from .intervals import Rows, counted
from .pocket_world import Bench, agreement, held_out_heads
from .sentences import Sentence, captioned, of_two_factors, plain_sentences, seen, variety

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
    """Mean PSNR of encode, decode, round to bytes, at the model's size and of both averaged down to the reader's; and
    the share of factors that the reader still finds."""
    scenes = bench.scenes(bench.n)
    pictures = bench.render(scenes)
    latent = bench.explorer.latent
    decoded = list(latent.decode(latent.image(*pictures), batch=bench.batch))
    right, shown = agreement(bench.reader, decoded, scenes)
    return {
        "psnr_db": psnr(pictures, decoded),
        "psnr_db_at_64": psnr(
            *([each.reduce(max(1, each.width // SIZE)) for each in some] for some in (pictures, decoded))
        ),
        "autoencoder_agreement": counted(right, shown),
    }


def psnr(pictures: Sequence[Image.Image], decoded: Sequence[Image.Image]) -> float:
    """Mean over pictures, in dB."""
    errors = [np.square(pixels(a) - pixels(b)).mean() for a, b in zip(pictures, decoded, strict=True)]
    return float(np.mean(-10 * np.log10(errors)))


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
