"""How the time and the memory of each measurement grow with the number of items and with their width.

    python benchmarks/growth.py --json

Each measurement runs in a process of its own, at each size, and one size more at the last width. Memory is the most
that the process held beyond what it held with the items and the libraries loaded, a small run done before; `pairs_mib`
is what one number for each pair of items would take. The exponent is that of a straight line through the logarithms:
1 is linear, 2 is quadratic. Seconds differ between machines; exponents and memory hardly do. A measurement that takes
longer than the limit is ended, and has no numbers at that size.
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"items": [100, 200], "widths": [16], "most": 0, "of": ["two_nn", "quality"]})
ARGUMENTS.add_argument("--items", type=int, nargs="+", default=[2_000, 8_000, 32_000], help="numbers of items")
ARGUMENTS.add_argument("--widths", type=int, nargs="+", default=[64, 512], help="numbers in each item")
ARGUMENTS.add_argument("--most", type=int, default=100_000, help="one more number of items, at the last width; 0: none")
ARGUMENTS.add_argument("--limit", type=float, default=900, help="seconds after which a measurement is ended")
ARGUMENTS.add_argument("--of", nargs="+", metavar="NAME", help="some of the measurements, by the printed names")
ARGUMENTS.add_argument("--one", nargs=3, metavar=("NAME", "N", "D"), help="measure once, in this process")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from harness.report import print_json, show
from harness.timing import timed
from harness.vectors import Array
from numpy.typing import NDArray

Measurement = Callable[[Array], Any]
SMALL = 120
MIB = 2**20


def measurements() -> Mapping[str, Measurement]:
    """The measurements by name, with the options that the commands use, but for small numbers of null draws."""
    return {**_of_spaces(), **_of_maps(), **_of_words_and_items()}


def _of_spaces() -> Mapping[str, Measurement]:
    from thoughtspace.analysis.comparison.compare import compare
    from thoughtspace.analysis.directions.fit import fit_direction
    from thoughtspace.analysis.probes.disentanglement import disentanglement
    from thoughtspace.analysis.probes.probe import fit_probe
    from thoughtspace.analysis.structure.dimension import two_nn
    from thoughtspace.analysis.structure.hubs import hubs
    from thoughtspace.analysis.structure.pairs import pairs, uniformity
    from thoughtspace.analysis.structure.spread import effective_rank, isotropy

    return {
        "two_nn": two_nn,
        "hubs": hubs,
        "effective_rank": effective_rank,
        "isotropy": isotropy,
        "uniformity": uniformity,
        "pairs": lambda x: pairs(x, other(x), n_null=3, n_samples=3),
        "compare": lambda x: compare(x, other(x), n_null=3, n_samples=3),
        "direction": lambda x: fit_direction(x[half(x)], x[~half(x)], n_null=3, n_samples=3),
        "probe": lambda x: fit_probe(x, half(x), n_null=2, n_samples=2),
        "mig": lambda x: disentanglement(
            x, {"a": half(x), "b": half(x[:, 1:])}, measures=["mig"], n_null=2, n_samples=0
        ),
    }


def _of_maps() -> Mapping[str, Measurement]:
    from thoughtspace.analysis.aligned_maps import align_maps
    from thoughtspace.analysis.map_agreement import neighborhood_hit, stress
    from thoughtspace.analysis.map_comparison import movement
    from thoughtspace.analysis.map_quality import quality
    from thoughtspace.analysis.projection import fit_projection

    return {
        "map by pca": lambda x: fit_projection(x, "pca"),
        "map by umap": lambda x: fit_projection(x, "umap"),
        "map by pacmap": lambda x: fit_projection(x, "pacmap"),
        "aligned maps": lambda x: align_maps(x, other(x)),
        "quality": lambda x: quality(x, x[:, :2]),
        "stress": lambda x: stress(x, x[:, :2], n_null=3),
        "neighborhood_hit": lambda x: neighborhood_hit(x[:, :2], half(x), n_null=3),
        "movement": lambda x: movement(x[:, :2], other(x)[:, :2], n_null=3),
    }


def _of_words_and_items() -> Mapping[str, Measurement]:
    from thoughtspace.analysis.concepts.clusters import cluster
    from thoughtspace.analysis.concepts.decomposition import decompose
    from thoughtspace.analysis.concepts.density import density
    from thoughtspace.analysis.concepts.features import fit_features
    from thoughtspace.analysis.noise.novelty import novelty
    from thoughtspace.analysis.paths.nearness import nearness
    from thoughtspace.analysis.prompts.closeness import closeness
    from thoughtspace.analysis.prompts.words import word_effects

    def spoken(x: Array) -> list[str]:
        """A prompt of eight words for each item, out of 200, and a number that makes it its own."""
        chosen = np.random.default_rng(3).integers(200, size=(len(x), 8))
        return [f"{' '.join(f'word{word}' for word in row)} {number}" for number, row in enumerate(chosen)]

    def words(x: Array) -> Array:
        return np.random.default_rng(2).standard_normal((500, x.shape[1])).astype(np.float32)

    return {
        "density": density,
        "clusters by k-means": lambda x: cluster(x, method="kmeans", n_null=1),
        "clusters by hdbscan": lambda x: cluster(x, min_size=5, n_null=1),
        "features": lambda x: fit_features(x, steps=200, n_null=1),
        "decompose 64 items": lambda x: decompose(x[:64], words(x), [str(row) for row in range(500)]),
        "nearness": lambda x: nearness(x[:64] + 0.1, x),
        "novelty": lambda x: novelty(x[:64] + 0.1, x, x[64:96] + 0.1),
        "closeness": lambda x: closeness(x, other(x), spoken(x)),
        "word_effects": lambda x: word_effects(x, spoken(x), least=2, n_null=3),
    }


def half(x: Array) -> NDArray[np.bool_]:
    """A property of items that a line can tell."""
    return x[:, 0] > 0


def other(x: Array) -> Array:
    """The same items in another space."""
    return x + np.float32(0.3) * np.random.default_rng(1).standard_normal(x.shape, dtype=np.float32)


def items(n: int, d: int) -> Array:
    """Twelve clusters of ten dimensions, bent and turned into all `d` with a little noise, as embeddings are.

    Without that, no item of many dimensions would have neighbours nearer than others, and a search could only compare
    all pairs. They are made in blocks, so that making them takes no more memory than they do.
    """
    generator = np.random.default_rng(0)
    inside, centres = (generator.standard_normal((10, d)), generator.standard_normal((12, d)))
    bent, x = generator.standard_normal((10, d)), np.empty((n, d), np.float32)
    for start in range(0, n, 1000):
        block = x[start : start + 1000]
        places = generator.standard_normal((len(block), 10))
        block[:] = centres[generator.integers(12, size=len(block))] + 0.3 * places @ inside + 0.2 * places**2 @ bent
        block += 0.03 * generator.standard_normal(block.shape)
    return x


def once(name: str, n: int, d: int) -> dict[str, float]:
    """Seconds, and MiB beyond what was held before."""
    measure, x = measurements()[name], items(n, d)
    measure(items(SMALL, d))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, _ = timed(lambda: measure(x))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": round(seconds, 2), "mib": round((after - before) * 1024 / MIB, 1)}


def apart(name: str, n: int, d: int, limit: float) -> dict[str, float | None]:
    """The same in a process of its own; no numbers if it takes longer than `limit` seconds."""
    command = [sys.executable, __file__, "--one", name, str(n), str(d)]
    pairs_mib = round(4 * n**2 / MIB, 1)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"seconds": None, "mib": None, "pairs_mib": pairs_mib}
    return {**json.loads(done.stdout), "pairs_mib": pairs_mib}


def exponent(sizes: list[int], values: list[float | None]) -> float | None:
    """The slope of log value over log size; None for one size, or where nothing was measured."""
    there = [(size, value) for size, value in zip(sizes, values, strict=True) if value]
    if len(there) < 2:
        return None
    x, y = np.log(np.array(there)).T
    return round(float(np.polyfit(x, y, 1)[0]), 2)


def main() -> None:
    chosen = ARGUMENTS.parse_args()
    if chosen.one:
        name, n, d = chosen.one
        print(json.dumps(once(name, int(n), int(d))))
        return
    widest = chosen.widths[-1]
    counts = [*chosen.items, chosen.most] if chosen.most else chosen.items
    found: dict[str, Any] = {}
    for name in chosen.of or list(measurements()):
        sizes = [(n, d) for d in chosen.widths for n in (counts if d == widest else chosen.items)]
        rows: dict[str, Any] = {f"{n} x {d}": apart(name, n, d, chosen.limit) for n, d in sizes}
        rows["exponents"] = {
            "seconds with n": exponent(counts, [rows[f"{n} x {widest}"]["seconds"] for n in counts]),
            "memory with n": exponent(counts, [rows[f"{n} x {widest}"]["mib"] for n in counts]),
            "seconds with d": exponent(
                chosen.widths, [rows[f"{chosen.items[-1]} x {d}"]["seconds"] for d in chosen.widths]
            ),
        }
        found[name] = rows
        if not chosen.json:
            numbers = {key: {k: v for k, v in row.items() if v is not None} for key, row in rows.items()}
            show({name: numbers})
    if chosen.json:
        print_json(found)


if __name__ == "__main__":
    main()
