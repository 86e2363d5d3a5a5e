"""The command `paths`: how a walk through expressions runs, and whether it stays near data."""

from __future__ import annotations

import argparse
import os
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
    parser.add_argument("--ppl", type=whole(2), metavar="N", help="also perceptual path length, N places between two "
                        "stops (full) and N times at the stops (end)")  # fmt: skip
    parser.add_argument("--morphs", nargs="*", metavar="SPACE", help="instead: EXPRESSIONS are picture files, pair by "
                        "pair; compare the walks of spaces between them (default: latent joint noise)")  # fmt: skip
    fields_of(parser, Walking)
    decoding_options(parser)
    plot_option(parser)


def paths(args: argparse.Namespace, console: Console) -> int:
    """Measure a walk; answers as `Steps.to_json`, with `near`, `geodesic` and `ppl`, null where there is none.

    With `--morphs` it answers as `Morphs.to_json`.
    """
    from thoughtspace.explorer import parse

    check_plot(args)
    _check_alone(args)
    if args.morphs is not None:
        return _morphs(args, console)
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
    lengths = None
    if args.ppl:
        from thoughtspace.analysis.paths.walk_lengths import walk_lengths

        stops = explorer.points(args.expressions, space, items=items)
        lengths = walk_lengths(explorer, stops, args.ppl, progress=console.progress)
    near = nearness_of(bound, images) if bound is not None else None
    draw(lengths or near or found, args.plot)
    lines = [f"{name} {row.value:.3f} (random order {row.null_mean:.3f})" for name, row in _rows(found)]
    if near is not None:
        between = f"middles of random pairs {near.near_between:.0%}"
        lines.append(f"{near.near:.0%} of the walk is as near to items as 95 % of these are ({between})")
    if geodesic is not None:
        lines.append(f"pixels change by {geodesic.length:.2f}, on the straight line by {geodesic.straight:.2f}")
    if lengths is not None:
        lines += [
            f"PPL, {name}: {row.ppl:.3g} ± {row.error:.2g} (a straight decoder {row.straight:.3g})"
            for name, row in _rows(lengths)
        ]
    document = {
        **found.to_json(),
        "near": None if near is None else near.to_json(),
        "geodesic": None if geodesic is None else geodesic.to_json(),
        "ppl": None if lengths is None else lengths.to_json(),
    }
    console.answer(document, "\n".join(lines))
    return 0


def _check_alone(args: argparse.Namespace) -> None:
    """Raise UsageError for options that would do nothing."""
    name = "--morphs" if args.morphs is not None else "--ppl" if args.ppl else None
    kinds = (Decoding, Walking) if args.morphs is not None else (Decoding,)
    others = [f"--{each.replace('_', '-')}" for each in given(args, *kinds)]
    if args.morphs is not None:
        others += [f"--{each}" for each in ("geodesic", "collection", "ppl", "space") if getattr(args, each)]
    if name and others:
        raise UsageError(f"Got {name} with {others[0]}, expected neither: it decodes as usual.", code="options")
    n = len(args.expressions)
    if args.morphs is not None and (n < 4 or n % 2):
        raise UsageError(f"Got {n} pictures for --morphs, expected two pairs or more, as a b c d.", code="pairs")


def _morphs(args: argparse.Namespace, console: Console) -> int:
    """Compare spaces by walks between real pictures, after FreeMorph's protocol."""
    for path in args.expressions:
        if not os.path.isfile(path):
            raise UsageError(f"Got {path!r}, expected a picture file for --morphs; check the path.", code="no file")
    check_model(args.model)
    from thoughtspace.analysis.paths.of_models import morphs
    from thoughtspace.explorer import Explorer

    explorer = Explorer.open(model_name(args.model), **opening_options(args))
    pairs = list(zip(args.expressions[::2], args.expressions[1::2], strict=True))
    spaces = args.morphs or ["latent", "joint", "noise"]
    found = morphs(explorer, pairs, spaces=spaces, frames=args.frames, progress=console.progress)
    draw(found, args.plot)
    lines = [
        f"{row.space:8} {row.measure:7} {row.value:.3f} ({row.low:.3f} to {row.high:.3f})"
        for row in found.table().itertuples()
    ]
    console.answer(found.to_json(), "\n".join(lines))
    return 0


def _rows(found: Any) -> list[tuple[str, Any]]:
    table = found.table()
    return list(zip(table.index, table.itertuples(), strict=True))
