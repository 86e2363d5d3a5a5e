"""How well do lifted places stand for points, and does the confidence show where they do not?

    python benchmarks/lift.py --json

Held-out items are placed on a map that was fitted without them, and the places are lifted back. How similar is the
lifted vector to the item (compared with the nearest item on the map alone, and with a random item)? How far from the
place does the lifted vector land when it is placed again, in units of the usual spacing of items (compared with the
place of a random item)? Then the same number of places is drawn uniformly over the whole map. How well does the
confidence separate them from the held-out places? How well does it separate, among both, the places to which the lifted
vector returns from the others?
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"items": 60, "held_out": 30, "method": "pca"})
ARGUMENTS.add_argument("--items", type=int, default=4000, help="pictures, and the same number of captions")
ARGUMENTS.add_argument("--points", metavar="FILE.npy", help="vectors (n, d) to use instead of synthetic ones")
ARGUMENTS.add_argument("--held-out", type=int, default=1000, help="items kept off the map")
ARGUMENTS.add_argument("--k", type=int, default=8, help="neighbours that a place is lifted from")
ARGUMENTS.add_argument("--method", default="umap", help="projection method")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

import time

import numpy as np
from harness.report import print_json, show
from harness.vectors import Array, read_points
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from thoughtspace.analysis import Lift, Lifter, Projection, fit_projection, query
from thoughtspace.analysis.map_quality import map_neighbors
from thoughtspace.explorer.geometry.interpolation import Geometry

LANDED = 5.0  # within this many spacings a lifted vector has returned


def summary(values: NDArray[np.floating]) -> dict[str, float]:
    return {name: float(np.quantile(values, q)) for name, q in (("p10", 0.1), ("median", 0.5), ("p90", 0.9))}


def displacement(projection: Projection, places: Array, lifted: Lift) -> NDArray[np.floating]:
    """The distance from each place to where its lifted vector lands on the map: `(m,)`."""
    return np.linalg.norm(projection.transform(lifted.vectors) - places, axis=1)


def measure(x: Array, new: Array, k: int, method: str) -> dict[str, dict[str, float]]:
    rng = np.random.default_rng(0)
    projection = fit_projection(x, method)
    lifter = Lifter(projection, geometry=Geometry.SPHERE, k=k)
    clicks = projection.transform(new)
    low, high = projection.coordinates.min(0), projection.coordinates.max(0)
    anywhere = rng.uniform(low, high, size=(len(new), 2)).astype(np.float32)
    start = time.perf_counter()
    on, off = lifter(clicks), lifter(anywhere)
    seconds = time.perf_counter() - start
    random_items = rng.integers(len(x), size=len(new))
    spacing = np.median(map_neighbors(projection.coordinates, k).distances.mean(1))
    moved_on = displacement(projection, clicks, on) / spacing
    moved_off = displacement(projection, anywhere, off) / spacing
    null = np.linalg.norm(projection.coordinates[random_items] - clicks, axis=1) / spacing
    confidence = np.concatenate([on.confidence, off.confidence])
    landed = np.concatenate([moved_on, moved_off]) < LANDED
    source = np.repeat([True, False], len(new))
    return {
        "cosine_with_the_held_out_item": {
            "lifted": float((on.vectors * new).sum(1).mean()),
            "nearest_item_on_the_map": float((x[on.neighbors[:, 0]] * new).sum(1).mean()),
            "nearest_item_in_the_space": float(1 - query(x, new, 1).distances.mean()),
            "null_random_item": float((x[random_items] * new).sum(1).mean()),
        },
        "displacement_in_spacings_held_out": summary(moved_on),
        "displacement_in_spacings_anywhere": summary(moved_off),
        "displacement_in_spacings_null": summary(null),
        "confidence_held_out": summary(on.confidence),
        "confidence_anywhere": summary(off.confidence),
        "confidence": {
            "auroc_held_out_against_anywhere": float(roc_auc_score(source, confidence)),
            "auroc_lands_where_it_was_made": float(roc_auc_score(landed, confidence)),
            "auroc_lands_among_anywhere": float(roc_auc_score(landed[~source], off.confidence)),
            "null_auroc": float(roc_auc_score(source, rng.permutation(confidence))),
            "landed_share_anywhere": float((moved_off < LANDED).mean()),
            "mean_confidence_anywhere": float(off.confidence.mean()),
        },
        "speed": {"lift_ms": 1e3 * seconds / (2 * len(new))},
    }


def main() -> None:
    chosen = ARGUMENTS.parse_args()
    every = read_points(chosen.points, chosen.items)
    order = np.random.default_rng(1).permutation(len(every))
    n_held_out = min(chosen.held_out, len(every) // 4)
    figures = measure(every[order[n_held_out:]], every[order[:n_held_out]], chosen.k, chosen.method)
    if chosen.json:
        print_json(figures)
    else:
        show(figures)


if __name__ == "__main__":
    main()
