"""Our maps compared with umap-learn's default and its best settings: cold, as in a fresh process, and warm.

    python benchmarks/projection.py --json

Each way of drawing runs twice in its own process; the first time includes importing and compiling. Ours finds exact
neighbours by matrix products up to 20,000 rows and by pynndescent above, and starts umap-learn from a PCA. The default
of umap-learn is `umap.UMAP(metric="cosine")`, with a seed and without; its best settings add `init="pca"`. Scores are
computed on 4,000 of the points. Last, new points are placed on the map of umap-learn's default, by our `transform` and
by its own, all at once and one by one. Compare ratios, not seconds, between machines.
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"sizes": [60], "ways": ["ours", "umap seeded"]})
ARGUMENTS.add_argument("--sizes", type=int, nargs="+", default=[20_000, 100_000], help="points to map")
ARGUMENTS.add_argument("--ways", nargs="+", default=None, help="some of the ways of drawing, by name")
ARGUMENTS.add_argument("--points", metavar="FILE.npy", help="vectors (n, d) to use instead of synthetic ones")
ARGUMENTS.add_argument("--draw", nargs=2, metavar=("WAY", "FILE"), help="draw once cold and once warm, in this process")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from harness.report import print_json, show
from harness.timing import timed
from harness.vectors import Array, read_points

SCORED = 4000
WAYS = ("ours", "ours unseeded", "umap seeded", "umap unseeded", "umap best")
RATIOS = (("umap seeded", "ours"), ("umap unseeded", "ours unseeded"), ("umap best", "ours unseeded"))
K = 15


def draw(way: str, x: Array) -> Array:
    """The map of `x`, `(n, 2)`."""
    if way.startswith("ours"):
        from thoughtspace.analysis import fit_projection

        return fit_projection(x, random_state=0 if way == "ours" else None).coordinates
    import umap

    reducer = umap.UMAP(
        metric="cosine",
        random_state=0 if way == "umap seeded" else None,
        init="pca" if way == "umap best" else "spectral",
    )
    return reducer.fit_transform(x)


def draw_twice(way: str, file: Path) -> None:
    """In a process of its own: seconds of the first and the second map, and the map."""
    x = np.load(file)
    cold_s, _ = timed(lambda: draw(way, x))
    warm_s, places = timed(lambda: draw(way, x))
    np.save(file.with_name("places.npy"), places)
    json.dump({"cold_s": cold_s, "warm_s": warm_s}, sys.stdout)


def compare(x: Array, ways: Sequence[str]) -> dict[str, Any]:
    """Every way of drawing `x`, its scores, and its time relative to ours."""
    from thoughtspace.analysis import quality

    figures: dict[str, Any] = {}
    scored = np.random.default_rng(0).permutation(len(x))[:SCORED]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "points.npy")
        np.save(file, x)
        for way in ways:
            answer = subprocess.run(
                [sys.executable, __file__, "--draw", way, file], check=True, stdout=subprocess.PIPE
            ).stdout
            places = np.load(file.with_name("places.npy"))
            scores = quality(x[scored], places[scored], k=min(K, (len(scored) - 1) // 2)).to_json()
            figures[way] = {**json.loads(answer), **{name: scores[name] for name in scores["null"]}}
    for other, ours in RATIOS:
        if other in ways:
            figures[f"{other} / {ours}"] = {
                each.removesuffix("_s"): figures[other][each] / figures[ours][each] for each in ("cold_s", "warm_s")
            }
    return figures


def compare_placing(x: Array, new: Array) -> dict[str, float]:
    """New points on one map: milliseconds per point, neighbours kept, and how much places depend on the batch."""
    import umap

    from thoughtspace.analysis import Projection, fit_projection, query

    theirs = umap.UMAP(random_state=0, n_jobs=1, metric="cosine").fit(x)
    options = dict(fit_projection(x[:100]).options) | {"n_neighbors": K}
    ours = Projection("umap", x, theirs.embedding_, options)
    theirs.transform(new[:2])  # compiled before it is timed
    truth = query(x, new, K).indices
    spread = float(np.linalg.norm(theirs.embedding_ - theirs.embedding_.mean(0), axis=1).mean())

    def measure(place: Callable[[Array], Array]) -> tuple[float, float, float]:
        seconds, places = timed(lambda: place(new))
        near = query(ours.coordinates, places, K, metric="euclidean").indices
        alone = np.concatenate([place(row[None]) for row in new[:10]])
        moved = np.linalg.norm(alone - places[:10], axis=1).max() / spread
        return 1e3 * seconds / len(new), float((truth[:, :, None] == near[:, None]).any(2).mean()), float(moved)

    figures: dict[str, float] = {"n": len(x), "new": len(new), "recall_at_random": K / len(x)}
    for name, place in (("ours", ours.transform), ("umap", theirs.transform)):
        milliseconds, recall, moved = measure(place)
        figures |= {f"{name}_ms": milliseconds, f"{name}_recall": recall, f"{name}_moved_when_alone": moved}
    return figures


def main() -> None:
    chosen = ARGUMENTS.parse_args()
    warnings.filterwarnings("ignore")
    if chosen.draw:
        draw_twice(chosen.draw[0], Path(chosen.draw[1]))
        return
    every = read_points(chosen.points, (max(chosen.sizes) + 1) // 2, d=512)
    every = every[np.random.default_rng(1).permutation(len(every))]
    figures = {f"{n} x {every.shape[1]}": compare(every[:n], chosen.ways or WAYS) for n in chosen.sizes}
    held_out = min(500, len(every) // 8)
    placing = every[: min(len(every), 4000 + held_out)]
    figures["new points"] = compare_placing(placing[held_out:], placing[:held_out])
    if chosen.json:
        print_json(figures)
    else:
        show(figures)


if __name__ == "__main__":
    main()
