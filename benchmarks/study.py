"""What the pocket model knows: every measurement of the methods on it, in the order of its questions.

    python benchmarks/study.py --json --pictures docs/studies > study.json

It draws pictures of the splits `demo` and `fresh`, which the model was not trained on, and keeps but the figures that
`--pictures` asks for.
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"items": 60, "n": 6, "null": 5, "parts": ["structure", "codec"]})
PARTS = ("linear", "structure", "map", "directions", "codec", "noise", "unseen", "words")
ARGUMENTS.add_argument("--model", default="pocket")
ARGUMENTS.add_argument("--items", type=int, default=600, help="pictures of the collection")
ARGUMENTS.add_argument("--n", type=int, default=96, help="pictures of measurements that decode; half for codec, noise")
ARGUMENTS.add_argument("--null", type=int, default=49, help="draws of each null")
ARGUMENTS.add_argument("--pictures", metavar="FOLDER", help="save figures there, as a browser shows them")
ARGUMENTS.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="some of the questions")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from harness.drawn import drawn, files_of, pixels_of
from harness.intervals import counted, interval, share
from harness.pocket_world import agreement, held_out_heads
from harness.report import numbers, print_json, show
from harness.screenshots import save_figures
from PIL import Image

from thoughtspace.analysis import point_trust, quality
from thoughtspace.analysis.aligned_maps import align_maps
from thoughtspace.analysis.codec.of_model import measure_channels, measure_codec, measure_errors, measure_passing
from thoughtspace.analysis.comparison.aligned import align_items
from thoughtspace.analysis.comparison.collections import compare_items
from thoughtspace.analysis.comparison.compare import compare
from thoughtspace.analysis.comparison.projections import compare_projections
from thoughtspace.analysis.directions.dose import dose_response, probe
from thoughtspace.analysis.directions.of_items import Sides, from_items, leakages, save
from thoughtspace.analysis.noise.novelty import measure_novelty
from thoughtspace.analysis.noise.of_model import measure_noise
from thoughtspace.analysis.places.of_model import BY, measure_places
from thoughtspace.analysis.probes.items import probe_items
from thoughtspace.analysis.probes.probe import fit_probe
from thoughtspace.analysis.projection import fit_projection
from thoughtspace.analysis.resampling import mean_interval, rows_drawn
from thoughtspace.analysis.structure.gaps import gaps_of
from thoughtspace.analysis.structure.of_items import structure_of
from thoughtspace.dashboards.commands.places import world_things
from thoughtspace.datasets import captions, world
from thoughtspace.explorer import Collection, Explorer, ingest
from thoughtspace.explorer.training.reader import load

COLUMNS = {"expression": "hat", "hat": "expression", "weather": "time", "terrain": "time", "shape": "color"}
"""Factors that are probed, and beside which other one: a probe is also scored on combinations that it never saw."""
DIRECTIONS = {
    "smile": ("expression=smiling", "expression=sad"),
    "crown": ("hat=crown", "hat=none"),
    "night": ("time=night", "time=day"),
    "snow": ("weather=snowy", "weather=clear"),
    "red": ("color=red", "color=blue"),
}
"""Directions, with a fair other side."""


@dataclass(frozen=True)
class Study:
    """What the questions are asked of."""

    explorer: Explorer
    collection: Collection
    n: int
    null: int
    figures: dict[str, go.Figure] = field(default_factory=dict)

    def fresh(self, *, held_out: bool = False) -> list[world.Scene]:
        return list(world.sample(self.n, "fresh", start=700_000, held_out=held_out))

    def render(self, scenes: Sequence[world.Scene]) -> list[Image.Image]:
        return [world.render(scene, self.explorer.model.autoencoder.image_size) for scene in scenes]


def linear(study: Study) -> dict[str, Any]:
    """Is the world's structure linear in each space? Mean recall of linear probes, in spaces and in pixels."""
    items, null = study.collection.items("image"), min(study.null, 19)  # each draw is five fits
    pixels = {row: pixels_of(path) for row, path in enumerate(files_of(study.collection))}
    found: dict[str, Any] = {}
    for column, beside in COLUMNS.items():
        about = {}
        for space in ("joint", "latent"):
            for name, other in ((space, None), (f"{space}, unseen combinations", beside)):
                about[name] = probe_items(study.collection, column, beside=other, space=space, n_null=null).to_json()[
                    "score"
                ]
        there = np.flatnonzero(items[column].notna() & (items[column] != ""))
        x = np.stack([pixels[row] for row in there])
        labels, others = items[column].iloc[there].tolist(), items[beside].iloc[there].tolist()
        about["pixels"] = fit_probe(x, labels, n_null=null).to_json()["score"]
        about["pixels, unseen combinations"] = fit_probe(x, labels, beside=others, n_null=null).to_json()["score"]
        found[column] = {
            name: {key: score[key] for key in ("value", "low", "high", "null_mean", "chance")}
            for name, score in about.items()
        }
    return found


def structure(study: Study) -> dict[str, Any]:
    """How many directions, and what is between pictures and texts?"""
    spaces = {
        space: structure_of(study.collection, space=space, n_null=study.null).to_json() for space in ("joint", "latent")
    }
    return spaces | {"gaps": gaps_of(study.collection, n_null=study.null).to_json()}


def map_of_it(study: Study) -> dict[str, Any]:
    """How far to trust its map? Methods and seeds, and what the latent has elsewhere."""
    maps = compare_projections(study.collection, ["pca", "umap", "pacmap"]).to_json()
    both = compare_items(study.collection, by=partial(compare, n_null=study.null)).to_json()
    moved = align_items(study.collection, by=align_maps).to_json()
    return {"maps": maps, "by kind": _trust(study), "joint and latent": both["scores"], "aligned": moved}


def _trust(study: Study) -> dict[str, Any]:
    """How far to trust the places of each kind of picture, on a map by UMAP."""
    x, kinds = study.collection.vectors("joint", "image"), study.collection.items("image")["world"].astype(str)
    shown = fit_projection(x, "umap").coordinates
    trusted = point_trust(x, shown)
    mark = {"color": trusted, "colorscale": "Viridis", "size": 6, "showscale": True, "cmin": 0.5, "cmax": 1}
    figure = go.Figure(layout={"template": "plotly_white", "margin": {"l": 10, "r": 10, "t": 40, "b": 10}})
    figure.add_scatter(x=shown[:, 0], y=shown[:, 1], mode="markers", marker=mark)
    for kind in sorted(set(kinds)):
        left, top = shown[kinds == kind].mean(0)[0], shown[kinds == kind][:, 1].max()
        figure.add_annotation(x=left, y=top, text=kind, showarrow=False, yshift=16)
    figure.update_layout(title="Trust of each place; at random places it is 0.5", title_font_size=14)
    study.figures["trust"] = figure.update_xaxes(visible=False).update_yaxes(visible=False)
    found = {
        kind: {"value": float(values.mean()), "interval": mean_interval(values, rows_drawn(len(values), 0))}
        for kind in sorted(set(kinds))
        for values in [trusted[kinds == kind].astype(np.float64)]
    }
    # A map that knew nothing but the kind would have items of a kind in any order.
    generator, null = np.random.default_rng(0), []
    for _ in range(study.null):
        order = np.arange(len(kinds))
        for kind in found:
            order[kinds == kind] = generator.permutation(order[kinds == kind])
        null.append(quality(x, shown[order]).to_json())
    scores = quality(x, shown).to_json()
    return found | {
        name: {"value": scores[name], "kinds alone": float(np.mean(values)), "most": float(np.max(values))}
        for name in scores["null"]
        for values in [[each[name] for each in null]]
    }


def directions(study: Study) -> dict[str, Any]:
    """Which directions leak, and what does a step along one do to pictures?"""
    fitted = {}
    for name, (positive, negative) in DIRECTIONS.items():
        sides = Sides(positive, negative)
        found = from_items(study.collection, sides, n_null=study.null)
        save(study.collection, name, found, space="joint", told=sides.to_json())
        fitted[name] = found.to_json()
    leaks = leakages(study.collection, n_null=20 * study.null)  # of many pairs some are far out by chance
    study.figures["leaks"] = leaks.plot()
    joint, sides = study.explorer.joint, Sides(*DIRECTIONS["crown"])
    plain = study.collection.items("image")
    starts = study.collection.points_of(plain[plain["hat"] == "none"]["id"].tolist()[: min(24, study.n)])
    step = study.collection.lookup("joint").direction("crown")
    dose = dose_response(joint, starts, step, probe(study.collection, sides), doses=(0, 1, 2))
    read = {"along it": _read(dose.images, len(starts)), "random direction": _read(dose.random_images, len(starts))}
    told = {"dose of crown": dose.to_json(), "read by the reader": read}
    return {"fitted": fitted, "leakage": leaks.to_json()["leakage"]} | told


def _read(pictures: Sequence[Image.Image], n: int) -> list[dict[str, Any]]:
    """For each dose, how many of `n` portraits a reader sees with a crown, and what it sees as without the dose."""
    _, found = load().labels(pictures)
    doses = found.reshape(-1, n, found.shape[1])
    portrait = np.array([kind == "portrait" for kind, _ in world.HEADS])
    hat = np.array([factor.name == "hat" for _, factor in world.HEADS])
    crown = np.array([factor.values.index("crown") if factor.name == "hat" else -1 for _, factor in world.HEADS])
    rows = []
    for dose in doses:
        there = np.broadcast_to(hat, dose.shape), np.broadcast_to(portrait & ~hat, dose.shape)
        counts = {"crowned": counted(dose == crown, there[0]), "others as before": counted(dose == doses[0], there[1])}
        rows.append({name: {"value": share(each), "interval": interval(each)} for name, each in counts.items()})
    return rows


def codec(study: Study) -> dict[str, Any]:
    """What does the autoencoder lose, and JPEG at the same bytes?"""
    pictures = study.render(study.fresh()[: study.n // 2])
    rates = measure_codec(study.explorer, pictures)
    study.figures["codec"] = rates.plot()
    return {
        "rates": rates.to_json(),
        "errors": measure_errors(study.explorer, pictures).to_json(),
        "channels": measure_channels(study.explorer, pictures).to_json(),
        "passing": measure_passing(study.explorer, pictures).to_json(),
    }


def noise(study: Study) -> dict[str, Any]:
    """What does predicted noise owe to the prompt, and what to the vector?"""
    scenes = study.fresh()[: study.n // 2]
    pictures = study.render(scenes)
    said = [captions.full_caption(scene, np.random.default_rng(row)).text for row, scene in enumerate(scenes)]
    by_caption = measure_noise(study.explorer, pictures, said)
    by_vector = measure_noise(study.explorer, pictures, study.explorer.joint.image(*pictures))
    return {"caption": by_caption.to_json(), "vector": by_vector.to_json()}


def unseen(study: Study) -> dict[str, Any]:
    """What of combinations it never saw, beside another scene's factors, and how new are its pictures?"""
    reader, joint = load(), study.explorer.joint
    found: dict[str, Any] = {}
    for name, held_out in (("seen combinations", False), ("unseen combinations", True)):
        scenes = study.fresh(held_out=held_out)
        pictures = joint.decode(joint.image(*study.render(scenes)), seed=list(range(len(scenes))))
        for told, others in ((name, scenes), (f"{name}, another scene", _another(scenes))):
            right, shown = agreement(reader, pictures, others)
            pair = {"the pair": counted(right, shown & held_out_heads(others))} if held_out else {}
            counts = {"all factors": counted(right, shown)} | pair
            found[told] = {each: {"value": share(rows), "interval": interval(rows)} for each, rows in counts.items()}
    scenes = study.fresh()
    said = [captions.full_caption(scene, np.random.default_rng(row)).text for row, scene in enumerate(scenes)]
    new = measure_novelty(study.collection, study.render(scenes), [f'"{text}"' for text in said], space="prompt")
    return found | {"novelty": {key: value for key, value in new.to_json().items() if key != "closest"}}


def _another(scenes: Sequence[world.Scene]) -> list[world.Scene]:
    """For each scene the next one of its kind."""
    kinds = np.array([scene.kind for scene in scenes])
    others = np.arange(len(scenes))
    for kind in set(kinds.tolist()):
        others[kinds == kind] = np.roll(others[kinds == kind], 1)
    return [scenes[other] for other in others]


def words(study: Study) -> dict[str, Any]:
    """What do words look at? Heat maps against the renderer's own masks."""
    things = world_things(study.n, study.explorer.model.autoencoder.image_size)
    return {by: measure_places(study.explorer, things, by=by).to_json() for by in BY}


QUESTIONS = {
    "linear": linear,
    "structure": structure,
    "map": map_of_it,
    "directions": directions,
    "codec": codec,
    "noise": noise,
    "unseen": unseen,
    "words": words,
}


def main() -> None:
    chosen = ARGUMENTS.parse_args()
    explorer = Explorer.open(chosen.model)
    answer: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        pictures, where = Path(place, "pictures"), Path(place, "collection")
        pictures.mkdir()
        drawn(pictures, chosen.items)
        ingest(explorer, pictures, where, spaces=("joint", "latent"))
        study = Study(explorer, Collection.open(where, explorer), chosen.n, chosen.null)
        for part in chosen.parts:
            start, cpu = time.monotonic(), time.process_time()
            answer[part] = QUESTIONS[part](study)
            answer[part] |= {"seconds": time.monotonic() - start, "cpu_seconds": time.process_time() - cpu}
            if not chosen.json:
                show({part: numbers(answer[part])})
    if chosen.pictures:
        answer["pictures"] = list(map(str, save_figures(study.figures, Path(chosen.pictures))))
    if chosen.json:
        print_json(answer)


if __name__ == "__main__":
    main()
