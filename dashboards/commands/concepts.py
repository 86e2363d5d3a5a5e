"""The commands that say what is in a point or a collection: `explain`, `probe` and `clusters`."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any

from ..arguments import (
    UsageError,
    check_model,
    command,
    gap_option,
    model_name,
    model_option,
    number,
    text_lines,
    whole,
)
from ..console import Console
from .analysis import check_plot, draw, plot_option
from .collections import open_collection

if TYPE_CHECKING:
    from thoughtspace.explorer import Collection, Explorer


def register(commands: Any) -> None:
    """Add these commands to the program."""
    parser = command(commands, "explain", explain, help="write a point in words, with what no word accounts for")
    parser.add_argument(
        "expression", metavar="EXPRESSION", help="""such as 'img("fox.png")', or '"a king" - "a man"'"""
    )
    vocabulary_option(parser)
    parser.add_argument("--penalty", type=number, metavar="P", help="larger gives fewer words (default: by chance)")
    parser.add_argument("-k", type=whole(1), default=10, metavar="N", help="most words to show (default: 10)")
    parser.add_argument("--collection", metavar="FOLDER", help='the collection of item("id")')
    model_option(parser, default="pocket")
    gap_option(parser)
    plot_option(parser)

    parser = command(commands, "probe", probe, help="tell how well a linear readout of vectors knows a column")
    parser.add_argument("collection", metavar="COLLECTION")
    parser.add_argument("columns", nargs="+", metavar="COLUMN", help="the labels; a probe for each column")
    parser.add_argument("--beside", metavar="COLUMN", help="hold out whole combinations with this column, not rows")
    parser.add_argument("--axes", nargs="*", metavar="SCORE", help="instead: are single numbers single columns? by "
                        "dci, mig, sap, factor_vae, beta_vae (default: all but dci, which takes minutes)")  # fmt: skip
    items_options(parser)
    parser.add_argument("--null", type=whole(1), default=49, metavar="N", help="shuffles of the labels (default: 49)")
    plot_option(parser)

    parser = command(commands, "clusters", clusters, help="cluster a collection, and name the clusters")
    parser.add_argument("collection", metavar="COLLECTION")
    items_options(parser)
    parser.add_argument("--method", choices=("hdbscan", "kmeans"), default="hdbscan", help="default: hdbscan")
    parser.add_argument("-n", "--number", type=whole(2), default=8, metavar="N", help="clusters of kmeans (default: 8)")
    parser.add_argument(
        "--min-size", type=whole(2), default=15, metavar="N", help="fewest items, of hdbscan (default: 15)"
    )
    parser.add_argument("--null", type=whole(1), default=19, metavar="N", help="draws without clusters (default: 19)")
    vocabulary_option(parser)
    model_option(parser, default=None)
    gap_option(parser)
    plot_option(parser)


def explain(args: argparse.Namespace, console: Console) -> int:
    """Write a point in words; answers as `Explanation.to_json`, with the name of the vocabulary."""
    from thoughtspace.explorer import parse

    parse(args.expression)
    vocabulary, name = read_vocabulary(args.vocabulary)
    check_plot(args)
    model = model_name(args.model)
    check_model(model)
    from thoughtspace.analysis.concepts.explain import explain as run
    from thoughtspace.explorer import Collection, Explorer

    collection = Collection.open(args.collection) if args.collection else None
    explorer = Explorer.open(model, gap=args.gap)
    items = collection.bound(explorer).lookup("joint") if collection is not None else None
    found = run(explorer, args.expression, vocabulary, items=items, penalty=args.penalty)
    draw(found, args.plot)
    told = found.to_json()
    point = told["points"][0]
    cosine = point["cosine"]
    chance = f"random directions {cosine['null_mean']:.2f}, p = {cosine['p_value']:.2g}"
    lines = [f"in words of {name}, cosine {cosine['value']:.2f} ({chance})"]
    lines += [f"{each['weight']:6.3f}  {each['word']}" for each in point["words"][: args.k]]
    lines += [f"{point['rest']:6.3f}  that no word accounts for"]
    console.answer({**told, "vocabulary": name}, "\n".join(lines))
    return 0


def probe(args: argparse.Namespace, console: Console) -> int:
    """Fit a probe for each column; answers as `ItemProbes.to_json`, with the space.

    With `--axes` it answers as `Disentanglement.to_json`, with the space.
    """
    check_plot(args)
    if args.axes is not None and args.beside is not None:
        raise UsageError("Got --axes and --beside, expected one of them.", code="axes")
    from thoughtspace.explorer import Collection

    collection = Collection.open(args.collection)
    if args.axes is not None:
        return _axes(args, collection, console)
    from thoughtspace.analysis.probes.items import ItemProbes, probe_items

    probes, lines = [], []
    for column in console.progress(args.columns, total=len(args.columns), desc="probes"):
        found = probe_items(
            collection,
            column,
            beside=args.beside,
            space=args.space,
            kind=args.kind,
            n_null=args.null,
            random_state=args.seed,
        )
        probes.append(found)
        score = found.probe.score
        around = "" if score.interval is None else f" ({score.interval[0]:.3f} to {score.interval[1]:.3f})"
        lines.append(
            f"{column} on held-out {found.probe.held_out}: recall {score.value:.3f}{around}, a guess "
            f"{found.probe.chance:.3f}, shuffled {score.null.mean():.3f}, p = {score.p_value:.2g}"
        )
        if found.rare or found.n_missing:
            lines.append(
                f"  left out: {found.n_missing} items without a label or a vector; {len(found.rare)} rare values"
            )
    all_of_them = ItemProbes(tuple(probes))
    draw(all_of_them, args.plot)
    console.answer({"space": args.space, **all_of_them.to_json()}, "\n".join(lines))
    return 0


def _axes(args: argparse.Namespace, collection: Collection, console: Console) -> int:
    from thoughtspace.analysis.probes.disentanglement import MEASURES, disentanglement
    from thoughtspace.analysis.probes.items import axes_of_items

    chosen = args.axes or [name for name in MEASURES if name != "dci"]
    by = partial(disentanglement, measures=chosen, n_null=args.null, random_state=args.seed)
    found = axes_of_items(collection, args.columns, by=by, space=args.space, kind=args.kind)
    draw(found, args.plot)
    lines = [
        f"{str(name).replace('_', ' ')} {row.value:.3f} ({row.low:.3f} to {row.high:.3f}), shuffled "
        f"{row.null_mean:.3f}, p = {row.p_value:.2g}"
        for name, row in found.table().iterrows()
    ]
    console.answer({"space": args.space, **found.to_json()}, "\n".join(lines))
    return 0


def clusters(args: argparse.Namespace, console: Console) -> int:
    """Cluster and name; answers as `ItemClusters.to_json`, with the name of the vocabulary."""
    vocabulary, name = read_vocabulary(args.vocabulary)
    check_plot(args)
    collection = open_collection(args, args.gap)
    from thoughtspace.analysis.concepts.clusters import cluster
    from thoughtspace.analysis.concepts.items import cluster_items

    reads = reads_texts(collection.explorer)
    found = cluster_items(
        collection,
        fit=partial(
            cluster,
            method=args.method,
            n_clusters=args.number,
            min_size=args.min_size,
            n_null=args.null,
            random_state=args.seed,
        ),
        space=args.space,
        kind=args.kind,
        vocabulary=vocabulary if reads else (),
        random_state=args.seed,
    )
    draw(found, args.plot)
    told = found.to_json()
    lines = [f"{len(told['clusters'])} clusters of {told['n']} items; {told['outside']:.0%} of them are in none"]
    for what, score in told["scores"].items():
        lines.append(
            f"{what} {score['value']:.3f}, without clusters {score['null_mean']:.3f}, p = {score['p_value']:.2g}"
        )
    for each in told["clusters"]:
        names = ", ".join(f"{one['word']} (p = {one['p_value']:.2g})" for one in each["names"])
        lines.append(f"{each['size']:6}  {names or 'no names'}; central: {each['caption'] or each['source']}")
    beyond = told["density"]["share_beyond_1_percent"]
    lines.append(f"{beyond:.1%} of the items are more alone than all but 1 % of normal draws; the most alone:")
    lines += [
        f"{each['distance']:6.3f}  {each['caption'] or each['source']}" for each in told["density"]["outliers"][:3]
    ]
    console.answer({**told, "vocabulary": name if reads else None}, "\n".join(lines))
    return 0


def reads_texts(explorer: Explorer) -> bool:
    return "joint" in explorer.names and "text" in explorer.joint.encodes


def items_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--space", default="joint", metavar="NAME", help="whose vectors (default: joint)")
    parser.add_argument("--kind", choices=("image", "text"), default="image", help="which items (default: image)")
    parser.add_argument(
        "--seed", type=whole(0, 2**32 - 1), default=0, metavar="N", help="the same gives the same answer"
    )


def vocabulary_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--vocabulary", metavar="FILE", help="a .txt of words or phrases, one a line (default: the pocket world's)"
    )


def read_vocabulary(path: str | None) -> tuple[list[str], str]:
    """The words of a file, each once, or those of the pocket world; and a name for them."""
    if path is None:
        from thoughtspace.datasets.captions import concepts

        return list(concepts()), "the pocket world"
    words = list(dict.fromkeys(line.strip() for line in text_lines(path) if line.strip()))
    if len(words) < 2:
        message = f"Got {path!r} with {len(words)} words, expected two or more, one a line; add some."
        raise UsageError(message, code="too few")
    return words, path
