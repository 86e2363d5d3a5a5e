"""The commands on collections: `ingest`, `map` and `search`."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from ..arguments import UsageError, check_folder, check_model, command, gap_option, model_name, model_option, whole
from ..console import Console

if TYPE_CHECKING:
    import pandas as pd

    from thoughtspace.explorer import Collection
    from thoughtspace.explorer.options import Gap


def register(commands: Any) -> None:
    """Add these commands to the program."""
    parser = command(commands, "ingest", ingest, help="encode pictures and prompts into a collection")
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a folder or archive of pictures, a picture, a table, a data set, a .txt of prompts, or a .npy of vectors",
    )
    parser.add_argument("collection", metavar="COLLECTION", help="folder of the collection; made if it does not exist")
    model_option(parser, default=None)
    parser.add_argument(
        "--captions", metavar="FILE", help="a table of files and captions, or a .txt of further prompts"
    )
    parser.add_argument(
        "--space", action="append", metavar="NAME", help="space to encode in; repeat it for several (default: joint)"
    )
    parser.add_argument("--engine", default="local", metavar="NAME", help="what runs the work (default: local)")

    parser = command(commands, "map", draw_map, help="project a collection to two dimensions and save the map")
    parser.add_argument("collection", metavar="COLLECTION")
    parser.add_argument("--space", default="joint", metavar="NAME", help="whose vectors to map (default: joint)")
    parser.add_argument("--method", default="umap", metavar="NAME", help="umap (default), pacmap or pca")
    parser.add_argument("--seed", type=whole(0, 2**32 - 1), default=0, metavar="N", help="the same gives the same map")
    parser.add_argument("--name", metavar="NAME", help="name of the map (default: SPACE-METHOD)")
    gap_option(parser)
    model_option(parser, default=None)

    parser = command(commands, "search", search, help="list the items of a collection nearest to an expression")
    parser.add_argument("collection", metavar="COLLECTION")
    parser.add_argument("expression", metavar="EXPRESSION", help="""such as "a red fox", or 'img("fox.png")'""")
    parser.add_argument("-k", type=whole(1), default=10, metavar="N", help="how many (default: 10)")
    parser.add_argument("--kind", choices=("image", "text"), help="only pictures, or only texts")
    parser.add_argument("--space", default="joint", metavar="NAME", help="where to compare (default: joint)")
    gap_option(parser)
    model_option(parser, default=None)


def ingest(args: argparse.Namespace, console: Console) -> int:
    """Encode pictures and prompts; answers as `IngestReport.to_json`."""
    if args.engine != "local":
        raise UsageError(f"Got engine {args.engine!r}, expected local, the only engine.", code="engine")
    from thoughtspace.explorer.collection.sources import scan
    from thoughtspace.explorer.collection.store import CARD, Collection

    # These checks are quick, and opening the model takes seconds.
    next(scan(args.source, args.captions))
    check_folder(args.collection)
    known = Collection.open(args.collection) if os.path.exists(os.path.join(args.collection, CARD)) else None
    name = model_name(args.model or (known.model_name if known is not None else "pocket"))
    check_model(name)
    from thoughtspace.explorer import Explorer
    from thoughtspace.explorer.collection.ingest import ingest as run
    from thoughtspace.explorer.records.pictures import printable

    report = run(
        Explorer.open(name),
        args.source,
        args.collection,
        captions=args.captions,
        spaces=tuple(args.space or ["joint"]),
        progress=console.progress,
    )
    console.answer(report.to_json(), "\n".join(map(printable, report.in_words())))
    return 0


def draw_map(args: argparse.Namespace, console: Console) -> int:
    """Fit and save a map.

    Answers `{name, n, quality: {trustworthiness, continuity, knn_recall, triplet_accuracy, k, null}}`.
    """
    from thoughtspace.analysis import CollectionMap, FitProcess

    check_folder(args.collection)
    with FitProcess(args.method, random_state=args.seed) as process:  # compiles while the model is opened
        shown = CollectionMap.fit(
            open_collection(args, args.gap),
            space=args.space,
            method=args.method,
            seed=args.seed,
            name=args.name,
            project=process.fit,
            progress=console.progress,
        )
    saved = shown.saved
    scores = saved.quality
    text = ", ".join(
        f"{name.replace('_', ' ')} {scores[name]:.3f} (chance {scores['null'][name]:.3f})" for name in scores["null"]
    )
    document = {"name": saved.name, "n": len(saved.ids), "quality": dict(scores)}
    console.answer(document, f"map {saved.name!r} of {len(saved.ids)} items: {text}")
    return 0


def search(args: argparse.Namespace, console: Console) -> int:
    """List the nearest items; a higher score is nearer.

    Answers `{items: [{id, kind, score, measure, caption, source}]}`.
    """
    from thoughtspace.explorer import parse

    parse(args.expression)
    found = _records(open_collection(args, args.gap).search(args.expression, args.k, kind=args.kind, space=args.space))
    from thoughtspace.explorer.records.pictures import printable

    lines = [f"{each['score']:6.3f}  {each['id']}  {printable(each['caption'] or each['source'])}" for each in found]
    console.answer({"items": found}, "\n".join(lines))
    return 0


def open_collection(args: argparse.Namespace, gap: Gap | None = None) -> Collection:
    """The collection, bound to the model of `--model` or to its own, with the gap closed in this way."""
    from thoughtspace.explorer import Collection

    collection = Collection.open(args.collection)
    name = model_name(args.model) if args.model else collection.model_name
    check_model(name)
    from thoughtspace.explorer import Explorer

    return collection.bound(Explorer.open(name, gap=gap))


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON values; missing texts are null."""
    columns = ["id", "kind", "score", "measure", "caption", "source"]
    rows = frame[columns].astype(object).where(frame[columns].notna(), None)
    return [dict(zip(columns, row, strict=True)) for row in rows.itertuples(index=False)]
