"""Measure edits at the bottleneck of the pocket model: does the wanted value appear, do the others stay?

    python benchmarks/bottleneck_edits.py --json

Pictures of one prompt and many seeds are decoded without and with the Δh of a direction. The directions come from two
texts, from renders that differ in one factor only, and, as the null, from random numbers; all have the same length.
The shipped reader says what each picture shows.
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"n": 1, "examples": 1, "noises": 1, "factors": ["hat"]})
ARGUMENTS.add_argument("--model", default="pocket")
ARGUMENTS.add_argument("--reader", metavar="FOLDER", help="use this reader instead of the shipped one")
ARGUMENTS.add_argument("--n", type=int, default=32, help="pictures for each figure")
ARGUMENTS.add_argument("--examples", type=int, default=12, help="renders with the value, and the same number without")
ARGUMENTS.add_argument("--noises", type=int, default=4, help="noises that the direction of the texts is averaged over")
ARGUMENTS.add_argument("--factors", nargs="+", help="edit only these: hat, background, expression")
ARGUMENTS.add_argument("--strength", type=float, default=3.0, help="scale of the direction of the texts")
ARGUMENTS.add_argument(
    "--sheets", metavar="FOLDER", help="save contact sheets there: before, then each kind of direction"
)

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from harness.report import print_json
from numpy.typing import NDArray

from thoughtspace.datasets import world
from thoughtspace.explorer import Explorer
from thoughtspace.explorer.points import Points
from thoughtspace.explorer.records.images import Images, contact_sheet
from thoughtspace.explorer.training.reader import Reader, load

PROMPT = "a portrait"
COLUMNS = [column for column, (kind, _) in enumerate(world.HEADS) if kind == "portrait"]
NAMES = [world.HEADS[column][1].name for column in COLUMNS]


@dataclass(frozen=True)
class Edit:
    """A wanted value of a factor, the value to compare it with, and the texts of both."""

    factor: str
    value: str
    other: str
    texts: tuple[str, str]


EDITS = (
    Edit("hat", "crown", "none", ("a portrait with a crown", "a portrait")),
    Edit("background", "blue", "orange", ("a portrait on a blue background", "a portrait on an orange background")),
    Edit("expression", "smiling", "sad", ("a smiling portrait", "a sad portrait")),
)


@dataclass(frozen=True)
class Bench:
    """What every measurement needs."""

    explorer: Explorer
    reader: Reader
    n: int
    examples: int
    noises: int
    strength: float
    sheets: Path | None

    def decode(self, point: Points) -> Images:
        return self.explorer.bottleneck.decode(point, seed=list(range(self.n)), prompt=PROMPT, batch=min(16, self.n))

    def read(self, images: Images) -> NDArray[np.int64]:
        """`(n, factors of a portrait)`."""
        return self.reader.labels(images.pictures)[1][:, COLUMNS]

    def directions(self, edit: Edit) -> Iterator[tuple[str, Points]]:
        """Each kind of direction, all of the same length."""
        space, size = self.explorer.bottleneck, self.explorer.model.clip.image_size
        with_it, without = space.text(*edit.texts, n_seeds=self.noises)
        by_text = with_it - without
        length = float(by_text.values.norm())
        yield "text", by_text
        scenes = list(world.sample(self.examples, "fresh", start=300_000, kind="portrait"))
        shown = [
            space.image(*(world.render(world.change(s, edit.factor, v), size) for s in scenes), n_seeds=1)
            for v in (edit.value, edit.other)
        ]
        by_examples = shown[0].mean() - shown[1].mean()
        yield "examples", by_examples * (length / float(by_examples.values.norm()))
        noise = torch.randn((1, *space.shape), generator=torch.Generator().manual_seed(0))
        yield "random", space.points(noise * (length / noise.norm()), "a random direction")


def measure(bench: Bench, edit: Edit, before: Images) -> dict[str, float]:
    """Share of pictures with the wanted value, before and after, and of other factors that stay the same."""
    at = NAMES.index(edit.factor)
    wanted = world.HEADS[COLUMNS[at]][1].values.index(edit.value)
    plain = bench.read(before)
    name = f"{edit.factor}={edit.value}"
    figures = {f"{name}, before": float((plain[:, at] == wanted).mean())}
    rows = [*before[:8]]
    for kind, direction in bench.directions(edit):
        images = bench.decode(bench.strength * direction)
        seen = bench.read(images)
        figures[f"{name}, {kind}"] = float((seen[:, at] == wanted).mean())
        figures[f"{name}, {kind}, others kept"] = float((np.delete(seen, at, 1) == np.delete(plain, at, 1)).mean())
        rows += images[:8]
    if bench.sheets is not None:
        bench.sheets.mkdir(parents=True, exist_ok=True)
        contact_sheet(rows, 8).save(bench.sheets / f"bottleneck-{edit.factor}.png")
    return figures


def main() -> None:
    chosen = ARGUMENTS.parse_args()
    sheets = Path(chosen.sheets) if chosen.sheets else None
    bench = Bench(
        Explorer.open(chosen.model),
        load(chosen.reader),
        n=chosen.n,
        examples=chosen.examples,
        noises=chosen.noises,
        strength=chosen.strength,
        sheets=sheets,
    )
    space = bench.explorer.bottleneck
    before = bench.decode(space.points(torch.zeros(1, *space.shape), "no change"))
    figures: dict[str, float] = {}
    for edit in EDITS:
        if chosen.factors and edit.factor not in chosen.factors:
            continue
        measured = measure(bench, edit, before)
        figures |= measured
        if not chosen.json:
            for name, figure in measured.items():
                print(f"{name:50} {figure:8.4f}", flush=True)
    if chosen.json:
        print_json({name: round(figure, 4) for name, figure in figures.items()})


if __name__ == "__main__":
    main()
