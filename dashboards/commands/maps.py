"""The commands that compare maps: `align` and `projections`."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from ..arguments import command, number, whole
from ..console import Console
from .analysis import check_plot, draw, open_sides, plot_option, sides_options


def register(commands: Any) -> None:
    """Add these commands to the program."""
    parser = command(commands, "align", align, help="draw two spaces, or two models, as aligned maps: what moved?")
    sides_options(parser)
    parser.add_argument("-k", type=whole(3), default=15, metavar="N", help="neighbours of an item (default: 15)")
    parser.add_argument(
        "--alignment", type=number, default=0.01, metavar="N", help="how strongly places are held (default: 0.01)"
    )
    parser.add_argument("--seed", type=whole(0, 2**32 - 1), default=0, metavar="N", help="of the maps (default: 0)")
    parser.add_argument("--save", action="store_true", help="keep both maps, for the dashboard: SPACE-aligned")
    plot_option(parser)

    parser = command(commands, "projections", projections, help="compare maps by several methods and seeds")
    parser.add_argument("collection", metavar="COLLECTION")
    parser.add_argument(
        "--methods", nargs="+", default=["pca", "umap"], metavar="NAME", help="such as pca umap pacmap (default: 2)"
    )
    parser.add_argument("--seeds", type=whole(1, 100), default=3, metavar="N", help="maps of each (default: 3)")
    parser.add_argument("--space", default="joint", metavar="NAME", help="whose vectors to draw (default: joint)")
    parser.add_argument("--kind", choices=("image", "text"), default="image", help="which items (default: image)")
    parser.add_argument("--labels", metavar="COLUMN", help="whose values a map should keep together")
    plot_option(parser)


def align(args: argparse.Namespace, console: Console) -> int:
    """Align two maps; answers as `ItemAlignment.to_json`, with the names of `saved` maps."""
    check_plot(args)
    first, second, spaces = open_sides(args)
    from thoughtspace.analysis.aligned_maps import align_maps
    from thoughtspace.analysis.comparison.aligned import align_items, save_aligned

    how = partial(align_maps, k=args.k, alignment=args.alignment, random_state=args.seed)
    found = align_items(first, second, by=how, spaces=spaces, kind=args.kind)
    draw(found, args.plot)
    saved = [each.name for each in save_aligned(found, first, second)] if args.save else []
    answer = found.to_json()
    lines = [
        f"{found.common.sides[0]} and {found.common.sides[1]} on {answer['n']} items of kind {args.kind}",
        f"{answer['moved']:.0%} moved farther than {answer['threshold']:.2f}, which 5 % do where nothing has changed",
        f"{answer['kept_in_the_spaces']:.0%} of an item's neighbours are the same in both spaces",
        "these moved farthest:",
        *(f"{row['distance']:6.2f}  {row['caption'] or row['source']}" for row in answer["most"][:5]),
        *(f"saved as the map {name}" for name in saved),
    ]
    console.answer({**answer, "saved": saved}, "\n".join(lines))
    return 0


def projections(args: argparse.Namespace, console: Console) -> int:
    """Compare maps; answers as `MapComparison.to_json`."""
    from thoughtspace.explorer.collection.store import Collection

    check_plot(args)
    collection = Collection.open(args.collection)
    from thoughtspace.analysis.comparison.projections import compare_projections

    found = compare_projections(
        collection,
        args.methods,
        seeds=args.seeds,
        space=args.space,
        kind=args.kind,
        labels=args.labels,
        progress=console.progress,
    )
    draw(found, args.plot)
    lines = [
        f"{row.map:8} {str(row.score).replace('_', ' '):18} {row.mean:.3f} "
        f"({row.low:.3f} to {row.high:.3f} over seeds; a random map {row.null:.3f})"
        for row in found.table().itertuples()
    ]
    kept = found.to_json()["kept_between_seeds"]
    lines += [f"{name:8} keeps {share:.0%} of neighbours from seed to seed" for name, share in kept.items() if share]
    console.answer(found.to_json(), "\n".join(lines))
    return 0
