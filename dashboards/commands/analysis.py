"""The commands `compare` and `codec`, and what commands that measure share."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any

from ..arguments import UsageError, check_model, check_output, command, model_name, model_option, whole
from ..console import Console
from .read_pictures import read_pictures

if TYPE_CHECKING:
    from thoughtspace.analysis.codec.channels import Channels
    from thoughtspace.analysis.codec.rates import Rates
    from thoughtspace.explorer.collection.store import Collection

MEASURES = ("cka", "rsa", "procrustes", "mutual_knn", "svcca")
"""What `compare --layers` may measure."""

PARTS = {
    "errors": "where the error sits: places, frequencies, edges",
    "channels": "what each latent channel carries, beside random directions",
    "passing": "how much of a change passes: another picture, noise, a shift of colour",
}
"""What else `codec` can say."""


def register(commands: Any) -> None:
    """Add these commands to the program."""
    parser = command(commands, "compare", compare, help="compare two spaces, or two models, on the same items")
    sides_options(parser)
    parser.add_argument("-k", type=whole(1), default=10, metavar="N", help="neighbours that are compared (default: 10)")
    parser.add_argument("--null", type=whole(1), default=200, metavar="N", help="shuffles for the null (default: 200)")
    parser.add_argument("--seed", type=whole(0, 2**32 - 1), default=0, metavar="N", help="of samples and shuffles")
    parser.add_argument("--layers", action="store_true", help="instead: COLLECTION is pictures, as of codec; "
                        "compare the layers of one or two models")  # fmt: skip
    parser.add_argument("--measure", choices=MEASURES, help="of --layers (default: cka)")
    parser.add_argument("--model", action="append", metavar="NAME", help="of --layers; twice for two (default: pocket)")
    parser.add_argument("--most", type=whole(1), metavar="N", help="most pictures of --layers (default: 200)")
    plot_option(parser)

    parser = command(commands, "codec", codec, help="measure the autoencoder beside JPEG, WebP and AVIF at equal bytes")
    parser.add_argument("source", metavar="SOURCE", help="a folder or archive of pictures, or a picture")
    parser.add_argument("--most", type=whole(1), default=200, metavar="N", help="most pictures to use (default: 200)")
    what = parser.add_mutually_exclusive_group()
    for part, about in PARTS.items():
        what.add_argument(f"--{part}", dest="part", action="store_const", const=part, help=f"instead: {about}")
    model_option(parser, default="pocket")
    plot_option(parser)


def compare(args: argparse.Namespace, console: Console) -> int:
    """Compare; answers as `ItemComparison.to_json`, or with `--layers` as `ModelLayers.to_json`."""
    check_plot(args)
    if args.layers:
        return _layers(args, console)
    if args.model or args.measure or args.most:
        message = "Got --model, --measure or --most without --layers, expected them together: stored vectors need none."
        raise UsageError(message, code="layers")
    first, second, spaces = open_sides(args)
    from thoughtspace.analysis.comparison.collections import compare_items
    from thoughtspace.analysis.comparison.compare import compare as compare_arrays

    found = compare_items(
        first,
        second,
        by=partial(compare_arrays, k=args.k, n_null=args.null, random_state=args.seed),
        spaces=spaces,
        kind=args.kind,
    )
    draw(found.comparison, args.plot)
    table = found.comparison.table()
    lines = [f"{found.sides[0]} and {found.sides[1]} on {len(found.comparison.rows)} items of kind {args.kind}"]
    for name, row in table.iterrows():
        interval = "no interval" if row.low != row.low else f"{row.low:.3f} to {row.high:.3f}"
        chance = f"shuffled {row.null_mean:.3f}, p = {row.p_value:.3g}"
        lines.append(f"{str(name).replace('_', ' ')} {row.value:.3f} ({interval}; {chance})")
    lines.append("these agree least:")
    least = found.to_json()["least"][:5]
    lines += [f"{row['agreement']:6.3f}  {row['caption'] or row['source']}" for row in least]
    console.answer(found.to_json(), "\n".join(lines))
    return 0


def _layers(args: argparse.Namespace, console: Console) -> int:
    """Compare the layers of one or two models on pictures."""
    names = [model_name(each) for each in args.model or ["pocket"]]
    if args.other or args.space or args.kind != "image" or len(names) > 2:
        message = "Got --layers with OTHER, --space, --kind or three models, expected pictures and one or two --model."
        raise UsageError(message, code="layers")
    for name in names:
        check_model(name)
    read = read_pictures(args.collection, args.most or 200)
    from thoughtspace.analysis.comparison.layers import compare_layers
    from thoughtspace.analysis.comparison.of_layers import compare_models
    from thoughtspace.explorer import Explorer

    first = Explorer.open(names[0])
    second = Explorer.open(names[1]) if len(names) > 1 else None
    by = partial(
        compare_layers, measure=args.measure or MEASURES[0], k=args.k, n_null=args.null, random_state=args.seed
    )
    found = compare_models(first, second, read.pictures, by=by)
    draw(found, args.plot)
    largest, values = found.largest, found.comparison.values
    lines = [
        f"{found.comparison.measure} of {len(found.names[0])} and {len(found.names[1])} layers on {found.n} pictures",
        f"largest {largest.value:.3f}, of {' and '.join(found.best)} (largest of shuffled {largest.null.mean():.3f}, "
        f"p = {largest.p_value:.2g})",
    ]
    lines += [
        f"{name}: {' '.join(f'{each:.2f}' for each in row)}" for name, row in zip(found.names[0], values, strict=True)
    ]
    lines += [f"not read: {each['source']}: {each['reason']}" for each in read.failed]
    console.answer({**found.to_json(), "failed": read.failed}, "\n".join(lines))
    return 0


def codec(args: argparse.Namespace, console: Console) -> int:
    """Measure the autoencoder; answers as `to_json` of `Rates`, `Errors`, `Channels` or `Passing`."""
    name = model_name(args.model)
    check_model(name)
    check_plot(args)
    read = read_pictures(args.source, args.most)
    pictures, failed = read.pictures, read.failed
    from thoughtspace.analysis.codec import of_model
    from thoughtspace.explorer import Explorer

    explorer = Explorer.open(name)
    found: Any
    if args.part == "channels":
        found = of_model.measure_channels(explorer, pictures, progress=console.progress)
        lines = _channel_lines(found)
    elif args.part == "passing":
        found = of_model.measure_passing(explorer, pictures)
        lines = [f"{row.passes:5.2f}  {row.change}, rms {row.level:g}" for row in found.table().itertuples()]
        lines.append(f"{found.null:5.2f}  any change, through as many random directions")
    elif args.part == "errors":
        found = of_model.measure_errors(explorer, pictures)
        lines = [f"{row.lost:5.2f} lost at {row.frequency:.2f} cycles per pixel" for row in found.table().itertuples()]
        edges = found.edges
        lines.append(f"rank correlation with edges {edges.value:.2f} (of others {edges.null.mean():.2f})")
    else:
        found = of_model.measure_codec(explorer, pictures, progress=console.progress)
        lines = _rate_lines(found, len(pictures))
    draw(found, args.plot)
    lines += [f"not read: {each['source']}: {each['reason']}" for each in failed]
    console.answer({"n": len(pictures), "failed": failed, **found.to_json()}, "\n".join(lines))
    return 0


def _channel_lines(found: Channels) -> list[str]:
    lines = ["dB lost without it, share of lightness in the change, share that is coarse, how far it is a colour"]
    lines += [
        f"channel {row.channel:3}  {row.loss:5.2f} dB ({row.low:.2f} to {row.high:.2f})  lightness {row.luma:.2f}  "
        f"coarse {row.coarse:.2f}  colour {row.colour:.2f}"
        for row in found.table().itertuples()
    ]
    null = found.to_json()["null"]
    return [*lines, f"random directions  {null['mean']:.2f} dB ({null['low']:.2f} to {null['high']:.2f})"]


def _rate_lines(found: Rates, n: int) -> list[str]:
    lines = [f"{n} pictures; not quantised, the autoencoder has {found.raw.mean():.1f} dB"]
    for row in found.to_json()["rates"]:
        codec = f"{row['codec']:12}"
        if not row["n"]:
            lines.append(f"{codec} rate {row['rate']}: no file is so small")
            continue
        some = "" if row["n"] == n else f"  only {row['n']} of the pictures are so small"
        lines.append(
            f"{codec} {row['bytes']:8.0f} bytes  {row['bits_per_pixel']:5.2f} bits a pixel  {row['psnr']:5.1f} dB "
            f"({row['low']:.1f} to {row['high']:.1f})  SSIM {row['ssim']:.3f}{some}"
        )
    return lines + [
        f"the autoencoder needs {rate:+.0f} % of the bytes of {name} for the same PSNR"
        for name, rate in found.to_json()["bd_rate"].items()
        if rate is not None
    ]


def sides_options(parser: argparse.ArgumentParser) -> None:
    """Add one or two collections, and the space of either side."""
    parser.add_argument("collection", metavar="COLLECTION")
    parser.add_argument("other", metavar="OTHER", nargs="?", help="a collection of the same files by another model")
    parser.add_argument(
        "--space", action="append", metavar="NAME", help="of either side; twice for two (default: joint and latent)"
    )
    parser.add_argument("--kind", choices=("image", "text"), default="image", help="which items (default: image)")


def open_sides(args: argparse.Namespace) -> tuple[Collection, Collection | None, tuple[str, str]]:
    """The collections of `sides_options`, of which the second may be none, and the spaces of both sides."""
    from thoughtspace.explorer.collection.store import Collection

    named = args.space or (["joint"] if args.other else ["joint", "latent"])
    if len(named) > 2:
        raise UsageError(f"Got {len(named)} spaces, expected one or two; give --space twice.", code="space")
    first = Collection.open(args.collection)
    return first, Collection.open(args.other) if args.other else None, (named[0], named[-1])


def plot_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plot", metavar="FILE", help="write a figure as a page that needs no network (.html)")


def check_plot(args: argparse.Namespace) -> None:
    if args.plot is not None:
        check_output(args.plot, [".html"])


def draw(result: Any, path: str | None) -> None:
    if path is not None:
        write_figure(result.plot(), path)


def write_figure(figure: Any, path: str) -> None:
    figure.write_html(path, include_plotlyjs=True)
