"""How the time and the memory of each measurement grow with the number of items and with their width.

    python benchmarks/growth.py --json

Each measurement runs in a process of its own, at each size. Memory is the most that the process held beyond what it
held with the items and the libraries loaded, a small run done before. The exponent is that of a straight line through
the logarithms: 1 is linear, 2 is quadratic. Seconds differ between machines; exponents and memory hardly do.
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"items": [100, 200], "widths": [16], "of": ["two_nn", "quality"]})
ARGUMENTS.add_argument("--items", type=int, nargs="+", default=[2_000, 8_000, 32_000], help="numbers of items")
ARGUMENTS.add_argument("--widths", type=int, nargs="+", default=[64, 512], help="numbers in each item")
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

Measurement = Callable[[Array], Any]
SMALL = 120
MIB = 2**20


def measurements() -> Mapping[str, Measurement]:
    """The measurements by name, with the options that the commands use, but for small numbers of null draws."""
    from thoughtspace.analysis.comparison.compare import compare
    from thoughtspace.analysis.concepts.clusters import cluster
    from thoughtspace.analysis.concepts.decomposition import decompose
    from thoughtspace.analysis.concepts.density import density
    from thoughtspace.analysis.directions.fit import fit_direction
    from thoughtspace.analysis.map_agreement import stress
    from thoughtspace.analysis.map_quality import quality
    from thoughtspace.analysis.probes.probe import fit_probe
    from thoughtspace.analysis.structure.dimension import two_nn
    from thoughtspace.analysis.structure.hubs import hubs
    from thoughtspace.analysis.structure.pairs import pairs, uniformity
    from thoughtspace.analysis.structure.spread import effective_rank, isotropy

    def halves(x: Array) -> Array:
        return x[:, 0] > 0

    def other(x: Array) -> Array:
        return x + 0.3 * np.random.default_rng(1).standard_normal(x.shape).astype(np.float32)

    words = np.random.default_rng(2)
    return {
        "two_nn": two_nn,
        "hubs": hubs,
        "effective_rank": effective_rank,
        "isotropy": isotropy,
        "uniformity": uniformity,
        "pairs": lambda x: pairs(x, other(x), n_null=3, n_samples=3),
        "quality": lambda x: quality(x, x[:, :2]),
        "stress": lambda x: stress(x, x[:, :2]),
        "compare": lambda x: compare(x, other(x), n_null=3, n_samples=3),
        "direction": lambda x: fit_direction(x[halves(x)], x[~halves(x)], n_null=3, n_samples=3),
        "probe": lambda x: fit_probe(x, halves(x), n_null=2, n_samples=2),
        "density": density,
        "k-means": lambda x: cluster(x, method="kmeans", n_null=3),
        "decompose 64 items": lambda x: decompose(
            x[:64], words.standard_normal((500, x.shape[1])), [str(row) for row in range(500)]
        ),
    }


def items(n: int, d: int) -> Array:
    """Clusters of several sizes on a curved sheet, so that neighbours mean something."""
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((12, d))
    label = generator.integers(12, size=n)
    return (centres[label] + 0.4 * generator.standard_normal((n, d))).astype(np.float32)


def once(name: str, n: int, d: int) -> dict[str, float]:
    """Seconds, and MiB beyond what was held before."""
    measure, x = measurements()[name], items(n, d)
    measure(items(SMALL, d))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, _ = timed(lambda: measure(x))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "mib": (after - before) * 1024 / MIB}


def exponent(sizes: list[int], values: list[float]) -> float | None:
    """The slope of log value over log size; None for one size, or where nothing was measured."""
    there = [(size, value) for size, value in zip(sizes, values, strict=True) if value > 0]
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
    names = chosen.of or list(measurements())
    found: dict[str, Any] = {}
    for name in names:
        rows = {}
        for d in chosen.widths:
            for n in chosen.items:
                command = [sys.executable, __file__, "--one", name, str(n), str(d)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                rows[f"{n} x {d}"] = json.loads(done.stdout)
        widest = chosen.widths[-1]
        seconds = [rows[f"{n} x {widest}"]["seconds"] for n in chosen.items]
        mib = [rows[f"{n} x {widest}"]["mib"] for n in chosen.items]
        most = [rows[f"{chosen.items[-1]} x {d}"]["seconds"] for d in chosen.widths]
        rows["exponents"] = {
            "seconds with n": exponent(chosen.items, seconds),
            "memory with n": exponent(chosen.items, mib),
            "seconds with d": exponent(chosen.widths, most),
        }
        found[name] = rows
        if not chosen.json:
            numbers = {key: {k: v for k, v in row.items() if v is not None} for key, row in rows.items()}
            show({name: numbers})
    if chosen.json:
        print_json(found)


if __name__ == "__main__":
    main()
