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

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import pocket_measures as measures
from harness.card import table
from harness.intervals import Rows, interval, paired_interval, share
from harness.pocket_measures import Figures
from harness.pocket_world import Bench
from harness.report import print_json

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


def measurements(options: Any) -> dict[str, Callable[[Bench], Figures]]:
    """The parts by name, in the order of the card."""
    return {
        "reader": measures.reader_accuracy,
        "autoencoder": measures.autoencoder,
        "retrieval": lambda bench: measures.retrieval(bench, options.among),
        "probes": measures.probes,
        "prompts": measures.prompts,
        "texts": measures.joint_texts,
        "plain": lambda bench: measures.plain(bench, 2 if options.quick else None),
        "variety": lambda bench: measures.open_variety(bench, options.seeds),
        "round trip": measures.joint_round_trip,
        "arithmetic": lambda bench: measures.arithmetic(bench, options.weight),
        "speed": measures.speed,
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
        Path(options.card).write_text(table(answer, intervals, beside) + "\n", encoding="utf-8")
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
