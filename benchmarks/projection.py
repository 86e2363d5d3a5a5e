"""A map of a collection, ours beside umap-learn's, in one run.

    python benchmarks/projection.py --json

Ours: exact neighbours once, PCA start, umap-learn's layout recompiled by itself. Theirs: `umap.UMAP(random_state=0,
metric="cosine")`, first cold, as in a fresh process, then warm. Then new points on the frozen map (ours against
`transform`), and places back to vectors (ours against `inverse_transform`, a single call for all places). Only the
ratios travel from machine to machine.
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"items": 60, "places": 0})
ARGUMENTS.add_argument("--items", type=int, default=4000, help="pictures, and as many captions")
ARGUMENTS.add_argument("--points", metavar="FILE.npy", help="vectors (n, d) in place of the made-up ones")
ARGUMENTS.add_argument("--places", type=int, default=3, help="places for inverse_transform; 0 leaves it out")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

import warnings
from typing import Any

import numpy as np
from harness.report import print_json, show
from harness.timing import timed
from harness.vectors import Array, read_points

from thoughtspace.analysis import Lifter, Projection, fit_projection, place
from thoughtspace.analysis.knn import neighbors, query
from thoughtspace.analysis.map_quality import map_neighbors, quality
from thoughtspace.explorer.geometry.interpolation import Geometry

K = 15


def compare_fits(x: Array) -> tuple[dict[str, Any], Projection, Any]:
    """Seconds and quality of both maps of `x`."""
    knn_s, near = timed(lambda: neighbors(x, 30))
    cold_s, ours = timed(lambda: fit_projection(x, neighbors=near))
    warm_s, _ = timed(lambda: fit_projection(x, neighbors=near))
    import_s, umap = timed(lambda: __import__("umap"))

    def fit() -> Any:
        return umap.UMAP(random_state=0, metric="cosine").fit(x)

    their_cold_s, theirs = timed(fit)
    their_warm_s, _ = timed(fit)
    quality_s, scores = timed(lambda: quality(x, ours.coordinates, neighbors=near))
    figures = {
        "n": len(x),
        "knn_s": knn_s,
        "fit_cold_s": knn_s + cold_s,
        "fit_warm_s": knn_s + warm_s,
        "umap_import_s": import_s,
        "umap_cold_s": import_s + their_cold_s,
        "umap_warm_s": their_warm_s,
        "times_faster_cold": (import_s + their_cold_s) / (knn_s + cold_s),
        "times_faster_warm": their_warm_s / (knn_s + warm_s),
        "quality_s": quality_s,
        "quality": scores.to_json(),
        "umap_quality": quality(x, theirs.embedding_, neighbors=near).to_json(),
    }
    return figures, ours, theirs


def compare_placing(x: Array, new: Array, ours: Projection, theirs: Any) -> dict[str, Any]:
    """Seconds, and the share of a new point's true neighbours that are its neighbours on the map."""
    same_map = Projection("umap", theirs.embedding_, dict(ours.options))
    seconds, places = timed(lambda: place(same_map, x, new))
    theirs.transform(new[:2] + 1e-3)  # compiled before it is timed
    their_seconds, their_places = timed(lambda: theirs.transform(new))
    truth = query(x, new, K).indices
    spacing = float(np.median(map_neighbors(same_map.coordinates, K).distances[:, -1]))

    def recall(y: Array) -> float:
        found = query(same_map.coordinates, y, K, metric="euclidean").indices
        return float((truth[:, :, None] == found[:, None]).any(2).mean())

    apart = np.linalg.norm(places - their_places, axis=1) / spacing
    return {
        "n_new": len(new),
        "place_ms": 1e3 * seconds / len(new),
        "transform_ms": 1e3 * their_seconds / len(new),
        "place_recall": recall(places),
        "transform_recall": recall(their_places),
        "random_recall": K / len(x),
        "apart_median_in_local_spacings": float(np.median(apart)),
        "apart_p90_in_local_spacings": float(np.quantile(apart, 0.9)),
    }


def compare_lifting(x: Array, theirs: Any, ours: Projection, n_places: int) -> dict[str, Any]:
    """Seconds a place, and how alike the two answers are, beside the likeness of two random points."""
    same_map = Projection("umap", theirs.embedding_, dict(ours.options))
    build_s, lifter = timed(lambda: Lifter(same_map, x, geometry=Geometry.SPHERE))
    rng = np.random.default_rng(0)
    clicks = same_map.coordinates[rng.integers(len(x), size=100)] + rng.normal(scale=0.02, size=(100, 2))
    lifter(clicks[0])
    each = [timed(lambda click=click: lifter(click))[0] for click in clicks]  # type: ignore[misc]
    figures = {"lifter_build_ms": 1e3 * build_s, "lift_ms": 1e3 * float(np.median(each))}
    if n_places:
        their_s, vectors = timed(lambda: theirs.inverse_transform(clicks[:n_places].astype(np.float32)))
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        lifted = lifter(clicks[:n_places]).vectors
        figures |= {
            "inverse_transform_call_ms": 1e3 * their_s,
            "cosine_of_the_two": float((lifted * vectors).sum(1).mean()),
            "cosine_shuffled": float((lifted * x[rng.integers(len(x), size=len(lifted))]).sum(1).mean()),
        }
    return figures


def main() -> None:
    chosen = ARGUMENTS.parse_args()
    warnings.filterwarnings("ignore")
    every = read_points(chosen.points, chosen.items)
    order = np.random.default_rng(1).permutation(len(every))
    held_out = min(500, len(every) // 8)
    new, x = every[order[:held_out]], every[order[held_out:]]
    fits, ours, theirs = compare_fits(x)
    figures = {
        "fit": fits,
        "place": compare_placing(x, new, ours, theirs),
        "lift": compare_lifting(x, theirs, ours, chosen.places),
    }
    if chosen.json:
        print_json(figures)
    else:
        show(figures)


if __name__ == "__main__":
    main()
