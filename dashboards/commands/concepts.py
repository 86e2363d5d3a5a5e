"""The commands that say what is in a point or a collection: `explain`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..arguments import UsageError, check_model, command, gap_option, model_name, model_option, number, whole
from ..console import Console
from .plots import check_plot, draw, plot_option


def register(commands: Any) -> None:
    """Add these commands to the program."""
    parser = command(commands, "explain", explain, help="write a point in words, with what no word accounts for")
    parser.add_argument(
        "expression", metavar="EXPRESSION", help="""such as 'img("fox.png")', or '"a king" - "a man"'"""
    )
    _vocabulary_option(parser)
    parser.add_argument("--penalty", type=number, metavar="P", help="larger gives fewer words (default: by chance)")
    parser.add_argument("-k", type=whole(1), default=10, metavar="N", help="most words to show (default: 10)")
    parser.add_argument("--collection", metavar="FOLDER", help='the collection of item("id")')
    model_option(parser, default="pocket")
    gap_option(parser)
    plot_option(parser)


def explain(args: argparse.Namespace, console: Console) -> int:
    """Write a point in words; answers as `Explanation.to_json`, with the name of the vocabulary."""
    from thoughtspace.explorer import parse

    parse(args.expression)
    vocabulary, name = _vocabulary(args.vocabulary)
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


def _vocabulary_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--vocabulary", metavar="FILE", help="a .txt of words or phrases, one a line (default: the pocket world's)"
    )


def _vocabulary(path: str | None) -> tuple[list[str], str]:
    """The words of a file, each once, or those of the pocket world; and a name for them."""
    if path is None:
        from thoughtspace.datasets.captions import concepts

        return list(concepts()), "the pocket world"
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        message = f"Got {path!r}, which is not text in UTF-8, expected words, one a line; save it as UTF-8."
        raise UsageError(message, code="not utf-8") from None
    words = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if len(words) < 2:
        message = f"Got {path!r} with {len(words)} words, expected two or more, one a line; add some."
        raise UsageError(message, code="too few")
    return words, path
