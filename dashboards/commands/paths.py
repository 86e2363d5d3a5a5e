"""The command `paths`: how a walk through expressions runs, and whether it stays near data."""

from __future__ import annotations

import argparse
from typing import Any

from thoughtspace.explorer.options import Decoding, Walking

from ..arguments import (
    UsageError,
    check_model,
    command,
    decoding_options,
    fields_of,
    given,
    model_name,
    opening_options,
    whole,
)
from ..console import Console
from .analysis import check_plot, draw, plot_option


def register(commands: Any) -> None:
    """Add the command to the program."""
    parser = command(
        commands, "paths", paths, help="measure a walk: its steps, detours and turns, and how near to data"
    )
    parser.add_argument("expressions", nargs="+", metavar="EXPRESSION", help="the stops, two or more")
    parser.add_argument("--frames", type=whole(3, 5000), default=24, metavar="N", help="pictures (default: 24)")
    parser.add_argument("--geodesic", action="store_true", help="between two latents, the path that changes least")
    fields_of(parser, Walking)
    decoding_options(parser)
    plot_option(parser)


def paths(args: argparse.Namespace, console: Console) -> int:
    """Measure a walk; answers as `Steps.to_json`, with `near` and `geodesic`, null where there is none."""
    from thoughtspace.explorer import parse

    check_plot(args)
    if len(args.expressions) < 2 or (args.geodesic and len(args.expressions) != 2):
        wanted = "two for a geodesic" if args.geodesic else "two or more"
        raise UsageError(f"Got {len(args.expressions)} expressions, expected {wanted}.", code="stops")
    if args.geodesic and args.space != "latent":
        raise UsageError(f"Got --geodesic in the space {args.space!r}, expected --space latent.", code="space")
    for expression in args.expressions:
        parse(expression)
    check_model(args.model)
    from thoughtspace.analysis.paths.of_models import latent_geodesic, nearness_of, steps_of
    from thoughtspace.explorer import Collection, Explorer

    collection = Collection.open(args.collection) if args.collection else None
    explorer = Explorer.open(model_name(args.model), **opening_options(args))
    space = args.space or explorer.usual_space
    bound = collection.bound(explorer) if collection is not None else None
    items = bound.lookup(space) if bound is not None else None
    geodesic = None
    if args.geodesic:
        points, geodesic = latent_geodesic(explorer, explorer.points(args.expressions, space, items=items), args.frames)
        images = explorer.space(space).decode(points)
    else:
        options = given(args, Decoding, Walking)
        walked = explorer.walk(
            args.expressions, args.frames, space=space, items=items, progress=console.progress, **options
        )
        images = walked.images
    found = steps_of(explorer, images)
    near = nearness_of(bound, images) if bound is not None else None
    draw(near if near is not None else found, args.plot)
    lines = [f"{name} {row.value:.3f} (random order {row.null_mean:.3f})" for name, row in _rows(found)]
    if near is not None:
        between = f"middles of random pairs {near.near_between:.0%}"
        lines.append(f"{near.near:.0%} of the walk is as near to items as 95 % of these are ({between})")
    if geodesic is not None:
        lines.append(f"pixels change by {geodesic.length:.2f}, on the straight line by {geodesic.straight:.2f}")
    document = {
        **found.to_json(),
        "near": None if near is None else near.to_json(),
        "geodesic": None if geodesic is None else geodesic.to_json(),
    }
    console.answer(document, "\n".join(lines))
    return 0


def _rows(found: Any) -> list[tuple[str, Any]]:
    table = found.table()
    return list(zip(table.index, table.itertuples(), strict=True))
