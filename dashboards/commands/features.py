"""The command `features`: sparse features of a collection, and a few controls of them."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any

from ..arguments import command, gap_option, model_option, whole
from ..console import Console
from .analysis import check_plot, draw, plot_option
from .collections import open_collection
from .concepts import items_options, read_vocabulary, reads_texts, vocabulary_option

if TYPE_CHECKING:
    from thoughtspace.analysis.concepts.item_controls import ItemControls


def register(commands: Any) -> None:
    """Add the command to the program."""
    parser = command(commands, "features", features, help="find sparse features of a collection, with their top items")
    parser.add_argument("collection", metavar="COLLECTION")
    items_options(parser)
    parser.add_argument("--method", choices=("topk", "matryoshka"), default="topk", help="default: topk")
    parser.add_argument("-n", "--number", type=whole(2), default=256, metavar="N", help="features (default: 256)")
    parser.add_argument("-k", type=whole(1), default=8, metavar="N", help="features that an item may use (default: 8)")
    parser.add_argument("--steps", type=whole(1), default=1000, metavar="N", help="of the training (default: 1000)")
    parser.add_argument("--null", type=whole(1), default=9, metavar="N", help="normal draws (default: 9)")
    parser.add_argument("--controls", type=whole(1), metavar="N", help="group features that go together, by NMF")
    vocabulary_option(parser)
    model_option(parser, default=None)
    gap_option(parser)
    plot_option(parser)


def features(args: argparse.Namespace, console: Console) -> int:
    """Fit features; answers as `ItemFeatures.to_json`, with the name of the vocabulary.

    With `--controls` it has `controls`, as `ItemControls.to_json`, or else null.
    """
    vocabulary, name = read_vocabulary(args.vocabulary)
    check_plot(args)
    collection = open_collection(args, args.gap)
    from thoughtspace.analysis.concepts.features import fit_features
    from thoughtspace.analysis.concepts.item_features import item_features

    reads = args.space == "joint" and reads_texts(collection.explorer)
    found = item_features(
        collection,
        fit=partial(
            fit_features,
            n_features=args.number,
            k=args.k,
            kind=args.method,
            steps=args.steps,
            n_null=args.null,
            random_state=args.seed,
            progress=console.progress,
        ),
        space=args.space,
        kind=args.kind,
        vocabulary=vocabulary if reads else (),
    )
    controls = None
    if args.controls:
        from thoughtspace.analysis.concepts.item_controls import item_controls

        controls = item_controls(
            found,
            collection.explorer,
            args.controls,
            vocabulary=vocabulary if reads else (),
            random_state=args.seed,
        )
    draw(controls or found, args.plot)
    told = found.to_json()
    explained, agreed = told["scores"]["explained"], told["scores"]["agreement"]
    lines = [
        f"{told['n_features']} features of {told['n']} items, {told['l0']:.1f} an item, {told['dead']:.0%} in no item",
        f"explained {explained['value']:.3f} of held-out items; of normal draws {explained['null_mean']:.3f}, "
        f"p = {explained['p_value']:.2g}; by as many principal components {told['principal']:.3f}",
        f"agreement with another start {agreed['value']:.3f}; of normal draws {agreed['null_mean']:.3f}, "
        f"p = {agreed['p_value']:.2g}",
    ]
    for each in told["features"]:
        top = "; ".join(str(item["caption"] or item["source"]) for item in each["top"][:2])
        words = ", ".join(each["words"]) or "no word"
        lines.append(f"{each['feature']:5}  in {each['active']:4.0%}  {words}; top: {top}")
    lines += _control_lines(controls)
    document = {**told, "controls": None if controls is None else controls.to_json()}
    console.answer({**document, "vocabulary": name if reads else None}, "\n".join(lines))
    return 0


def _control_lines(controls: ItemControls | None) -> list[str]:
    if controls is None:
        return []
    told = controls.to_json()
    score = told["score"]
    lines = [
        f"{len(told['controls'])} controls explain {score['value']:.3f} of the codes; where no features go together "
        f"{score['null_mean']:.3f}, p = {score['p_value']:.2g}"
    ]
    for row, each in enumerate(told["controls"]):
        top = "; ".join(str(item["caption"] or item["source"]) for item in each["top"][:2])
        features = ", ".join(map(str, each["features"][:3]))
        lines.append(f"control {row}: features {features}; {', '.join(each['words']) or 'no word'}; top: {top}")
    return lines
