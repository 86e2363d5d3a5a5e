"""The commands that make pictures: `decode`, `walk`, `blend` and `replay`."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from thoughtspace.explorer.checks import choice
from thoughtspace.explorer.options import Decoding, Walking, split_keywords

from ..arguments import (
    UsageError,
    check_model,
    check_output,
    command,
    decoding_options,
    fields_of,
    given,
    model_name,
    model_option,
    number,
    opening_options,
    whole,
)
from ..console import Console

if TYPE_CHECKING:
    from thoughtspace.explorer import Collection, Explorer
    from thoughtspace.explorer.collection.store import Lookup
    from thoughtspace.explorer.points import Points

VIDEOS = (".mp4", ".webm", ".gif")


def register(commands: Any) -> None:
    """Add these commands to the program."""
    parser = command(commands, "decode", decode, help="decode an expression into a picture")
    parser.add_argument(
        "expression", metavar="EXPRESSION", help="""such as "a smiling face", or '"a king" - "a man"'"""
    )
    parser.add_argument("-o", "--out", required=True, metavar="OUT.png", help="the picture to write")
    decoding_options(parser)

    parser = command(commands, "walk", walk, help="walk through expressions and write a video")
    parser.add_argument("expressions", nargs="+", metavar="EXPRESSION", help="the stops, two or more")
    parser.add_argument("-o", "--out", required=True, metavar="OUT.mp4", help="the video to write: .mp4, .webm or .gif")
    parser.add_argument("--frames", type=whole(2, 5000), default=48, metavar="N", help="pictures (default: 48)")
    fields_of(parser, Walking)
    parser.add_argument(
        "--geodesic", action="store_true", help="between latents, go where the decoded pixels change least (slow)"
    )
    parser.add_argument("--fps", type=number, default=24.0, metavar="N", help="frames a second (default: 24)")
    parser.add_argument("--scale", type=whole(1, 64), default=1, metavar="N", help="enlarge each pixel N times")
    decoding_options(parser)

    parser = command(commands, "blend", blend, help="decode a grid of pictures between expressions")
    parser.add_argument("expressions", nargs="+", metavar="EXPRESSION", help="the corners, two or more")
    parser.add_argument("-o", "--out", required=True, metavar="OUT.png", help="the sheet to write")
    parser.add_argument("--grid", type=whole(2, 50), default=5, metavar="N", help="pictures a side (default: 5)")
    decoding_options(parser)

    parser = command(commands, "replay", replay, help="make a picture or video again from the record inside it")
    parser.add_argument("file", metavar="FILE", help="a .png, .mp4, .webm or .gif written by this program")
    model_option(parser, default=None)


def decode(args: argparse.Namespace, console: Console) -> int:
    """Decode an expression and write the picture; answers `{path, provenance}`."""
    check_output(args.out, (".png",))
    explorer, collection = _open_model(args, [args.expression])
    items = collection.lookup(args.space) if collection is not None else None
    text = args.out
    space, options = explorer.space(args.space), given(args, Decoding)
    if space.keeps_raw and collection is not None and not space.decodes:
        if options:
            raise UsageError(
                f"Got {', '.join('--' + name.replace('_', '-') for name in options)} where nothing is decoded: "
                "this model finds the nearest item of the collection; leave the options out."
            )
        images = collection.retrieve(explorer.points(args.expression, args.space, items=items))
        item = images.provenances[0].record["item"]
        text = (
            f"{args.out}: found, not made: {item['id']} (cosine {item['score']:.3f}); "
            "this model cannot decode joint vectors"
        )
    else:
        images = explorer.decode(args.expression, args.space, progress=console.progress, items=items, **options)
    images.save(args.out)
    provenance = images.provenances[0].as_dict()
    console.answer({"path": os.path.abspath(args.out), "provenance": provenance}, text)
    return 0


def walk(args: argparse.Namespace, console: Console) -> int:
    """Walk through expressions and write the video; answers `{path, frames, steps, cv}`."""
    _check_stops(args)
    from thoughtspace.explorer.geometry.product import PATHS
    from thoughtspace.explorer.records.video import check_name_and_rate

    check_output(args.out, VIDEOS)
    check_name_and_rate(args.out, args.fps)
    interpolant = given(args, Walking).get("interpolant")
    if interpolant is not None:
        choice("interpolant", interpolant, PATHS, error=UsageError)
    if args.geodesic and (args.space != "latent" or interpolant is not None):
        space = f"space {args.space!r}" if args.space else "no --space"
        what = space if args.space != "latent" else f"interpolant {interpolant!r}"
        message = f"Got --geodesic with {what}, expected --space latent and no --interpolant."
        raise UsageError(message, code="geodesic")
    explorer, items = _open(args, args.expressions)
    walked = explorer.walk(
        _on_geodesics(explorer, args, items) if args.geodesic else args.expressions,
        args.frames,
        space=args.space,
        items=items,
        progress=console.progress,
        **given(args, Decoding, Walking),
    )
    walked.save(args.out, fps=args.fps, scale=args.scale, progress=console.progress)
    document = {
        "path": os.path.abspath(args.out),
        "frames": len(walked.images),
        "steps": walked.distances.tolist(),
        "cv": walked.cv,
    }
    console.answer(document, f"{args.out}: {len(walked.images)} frames, steps vary by {walked.cv:.1%}")
    return 0


def blend(args: argparse.Namespace, console: Console) -> int:
    """Decode a grid between expressions and write the sheet; answers `{path, provenance}`."""
    _check_stops(args)
    check_output(args.out, (".png",))
    explorer, items = _open(args, args.expressions)
    made = explorer.blend(
        args.expressions,
        args.grid,
        space=args.space,
        progress=console.progress,
        items=items,
        **given(args, Decoding),
    )
    made.save(args.out)
    document = {"path": os.path.abspath(args.out), "provenance": made.provenance.as_dict()}
    console.answer(document, f"{args.out}: {len(made)} pictures, {made.columns} in a row")
    return 0


def replay(args: argparse.Namespace, console: Console) -> int:
    """Make a picture or video again and compare it; answers `{identical, max_difference}`."""
    from thoughtspace.explorer.replays import recorded_origin  # reads the record before the model is opened

    name = model_name(args.model) if args.model else recorded_origin(args.file).model
    check_model(name)
    from thoughtspace.explorer.explorer import replay as make_again

    again = make_again(args.file, model=name)
    text = "identical to the last bit" if again.identical else f"differs by at most {again.max_difference:g} of 255"
    console.answer({"identical": again.identical, "max_difference": again.max_difference}, f"{args.file}: {text}")
    return 0


def _on_geodesics(explorer: Explorer, args: argparse.Namespace, items: Lookup | None) -> Points:
    """Stops on geodesics, as many as the frames allow, nine for each of them at most."""
    from thoughtspace.analysis.paths.of_models import geodesic_stops

    pieces = len(args.expressions) - 1
    if args.frames < 2 * pieces + 1:
        message = f"Got {args.frames} frames for {pieces} geodesics, expected {2 * pieces + 1} or more; ask for more."
        raise UsageError(message, code="frames")
    knots = min(9, (args.frames - 1) // pieces + 1)
    return geodesic_stops(explorer, explorer.points(args.expressions, "latent", items=items), knots)


def _check_stops(args: argparse.Namespace) -> None:
    if len(args.expressions) < 2:
        message = f"Got 1 expression, expected two or more for a {args.command}; add another."
        raise UsageError(message, code="stops")


def _open(args: argparse.Namespace, expressions: list[str]) -> tuple[Explorer, Lookup | None]:
    """Open the model, and what looks up `item("id")` and `dir("name")`."""
    explorer, collection = _open_model(args, expressions)
    return explorer, collection.lookup(args.space) if collection is not None else None


def _open_model(args: argparse.Namespace, expressions: list[str]) -> tuple[Explorer, Collection | None]:
    """Open the model and the collection, after all checks that need no model."""
    from thoughtspace.explorer import parse

    for expression in expressions:
        parse(expression)
    split_keywords(given(args, Decoding, Walking))
    check_model(args.model)
    from thoughtspace.explorer import Collection, Explorer

    collection = Collection.open(args.collection) if args.collection else None
    explorer = Explorer.open(model_name(args.model), **opening_options(args))
    args.space = args.space or explorer.usual_space
    return explorer, collection.bound(explorer) if collection is not None else None
