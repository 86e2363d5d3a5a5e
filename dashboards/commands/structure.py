"""The command `structure`: what a space is like, around each item, and between pictures and captions."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..arguments import UsageError, command, model_option, whole
from ..console import Console
from .analysis import check_plot, draw, plot_option
from .collections import open_collection

if TYPE_CHECKING:
    from thoughtspace.explorer.collection.store import Collection

K = 20
"""Neighbours that the dimension around an item is estimated from."""


def register(commands: Any) -> None:
    """Add the command to the program."""
    parser = command(commands, "structure", structure, help="say what a space is like, and what a map of it can keep")
    parser.add_argument("collection", metavar="COLLECTION")
    parser.add_argument("--space", default="joint", metavar="NAME", help="whose vectors to measure (default: joint)")
    parser.add_argument("--kind", choices=("image", "text"), default="image", help="which items (default: image)")
    parser.add_argument("--null", type=whole(1), default=9, metavar="N", help="normal draws for the null (default: 9)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--local", action="store_true", help="instead: the dimension around each item")
    what.add_argument(
        "--gaps",
        action="store_true",
        help="instead: how far pictures and their captions lie apart: gap open, closed by the means, by the linear map",
    )
    parser.add_argument("-k", type=whole(4), metavar="N", help=f"neighbours of --local (default: {K})")
    model_option(parser, default=None)
    plot_option(parser)


def structure(args: argparse.Namespace, console: Console) -> int:
    """Measure a space; answers as `Structure.to_json`.

    With `--local` it answers as `LocalDimension.to_json`, with `--gaps` as `Gaps.to_json`.
    """
    from thoughtspace.explorer.collection.store import Collection

    check_plot(args)
    if args.k is not None and not args.local:
        raise UsageError("Got -k without --local, expected both or neither: other measures have their own.", code="k")
    if args.gaps and (args.space, args.kind) != ("joint", "image"):
        message = "Got --gaps with --space or --kind, expected it alone: it is about both kinds in the joint space."
        raise UsageError(message, code="gaps")
    if args.gaps:
        return gaps(args, console)
    if args.model is not None:
        message = "Got --model without --gaps, expected both or neither: stored vectors need no model."
        raise UsageError(message, code="model")
    collection = Collection.open(args.collection)
    if args.local:
        return local(args, collection, console)
    from thoughtspace.analysis.structure.of_items import structure_of

    found = structure_of(collection, space=args.space, kind=args.kind, n_null=args.null)
    draw(found, args.plot)
    lines = [
        f"{str(name).replace('_', ' ')} {row.value:.2f} (normal draws {row.null_mean:.2f})"
        for name, row in found.table().iterrows()
    ]
    told = found.to_json()
    shell = told["norms"]
    lines.append(
        f"lengths {shell['mean']:.2f} ± {shell['deviation']:.2f} of √d; of N(0, I) {shell['normal_mean']:.2f} ± "
        f"{shell['normal_deviation']:.2f}, p = {shell['p_value']:.2g}"
    )
    console.answer(told, "\n".join([found.sentence, *lines]))
    return 0


def local(args: argparse.Namespace, collection: Collection, console: Console) -> int:
    """Estimate the dimension around each item."""
    from thoughtspace.analysis.structure.local import local_dimension_of

    found = local_dimension_of(collection, space=args.space, kind=args.kind, k=args.k or K, n_null=args.null)
    draw(found, args.plot)
    median, spread = found.measures["median"], found.measures["spread"]
    lines = [
        f"around each of {len(found.values)} items, from {found.k} neighbours: median {median.value:.1f} directions "
        f"(normal draws {median.null.mean():.1f})",
        f"the quartiles lie {spread.value:.2f} medians apart (normal draws {spread.null.mean():.2f}, "
        f"p = {spread.p_value:.2g})",
    ]
    told = found.to_json()
    known = sorted(
        (each for each in told["items"] if each["dimension"] is not None), key=lambda each: each["dimension"]
    )
    for what, rows in (("fewest", known[:3]), ("most", known[-3:])):
        lines.append(f"{what} directions:")
        lines += [f"{each['dimension']:6.1f}  {each['caption'] or each['source']}" for each in rows]
    console.answer(told, "\n".join(lines))
    return 0


def gaps(args: argparse.Namespace, console: Console) -> int:
    """Measure the gap between pictures and captions in each way of closing it."""
    collection = open_collection(args)
    from thoughtspace.analysis.structure.gaps import gaps_of

    found = gaps_of(collection, n_null=args.null)
    draw(found, args.plot)
    lines = [
        f"{row.gap:6} {row.measure:9} {row.value:5.2f} (null {row.null_mean:.2f}, p = {row.p_value:.2g})"
        for row in found.table().reset_index().itertuples()
    ]
    console.answer(found.to_json(), "\n".join([found.sentence, *lines]))
    return 0
