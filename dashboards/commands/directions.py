"""The commands on directions of a collection: `direction`, `directions` and `dose`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..arguments import (
    UsageError,
    check_folder,
    command,
    gap_option,
    model_option,
    text_lines,
    whole,
)
from ..arguments import number as decimal
from ..console import Console
from .analysis import check_plot, draw, plot_option
from .collections import open_collection

if TYPE_CHECKING:
    from thoughtspace.explorer import Collection

STARTS = 8


def register(commands: Any) -> None:
    """Add these commands to the program."""
    selection = "such as weather=rain, caption~smiling, year>1990, or a .txt of ids"
    parser = command(commands, "direction", direction, help='fit a direction and save it, for dir("name")')
    _collection_options(parser)
    parser.add_argument("name", metavar="NAME", help="letters, digits, spaces, dots, dashes and underscores")
    parser.add_argument("--positive", metavar="ITEMS", help=f"the items that have it, {selection}")
    parser.add_argument("--negative", metavar="ITEMS", help="the items that lack it (default: all others)")
    parser.add_argument("--pairs", metavar="FILE.tsv", help="instead: lines of two prompts, with and without it")
    parser.add_argument("--principal", type=whole(1), metavar="N", help="instead: the N along which items vary most, "
                        "saved as NAME1, NAME2 …; a step is a standard deviation")  # fmt: skip
    parser.add_argument("--kind", choices=("image", "text"), default="image", help="which items (default: image)")
    parser.add_argument("--method", choices=("mean", "cav"), default="mean", help="of fitting (default: mean)")
    parser.add_argument("--without", action="append", metavar="NAME", help="take that direction out; may be repeated")
    parser.add_argument("--null", type=whole(1), default=99, metavar="N", help="shuffles for the null (default: 99)")
    parser.add_argument("--seed", type=whole(0, 2**32 - 1), default=0, metavar="N", help="of folds and shuffles")
    plot_option(parser)

    parser = command(commands, "directions", directions, help="list saved directions, and how each leaks")
    _collection_options(parser)
    parser.add_argument("--remove", action="append", metavar="NAME", help="delete that direction; may be repeated")
    parser.add_argument("--null", type=whole(1), default=99, metavar="N", help="shuffles for the null (default: 99)")
    plot_option(parser)

    parser = command(commands, "dose", dose, help="add a direction more and more, and see what decoded pictures show")
    _collection_options(parser)
    parser.add_argument("name", metavar="NAME", help="of the saved direction")
    parser.add_argument("--start", action="append", metavar="EXPRESSION", help="where to start; may be repeated")
    parser.add_argument("--doses", type=decimal, nargs="+", metavar="N", help="steps to add (default: 0 .5 1 1.5 2)")
    parser.add_argument("--n", type=whole(2), default=STARTS, metavar="N", help=f"starts (default: {STARTS})")
    parser.add_argument("--seed", type=whole(0, 2**31), default=0, metavar="N", help="of starts, noise and null")
    parser.add_argument("-o", "--out", metavar="FOLDER", help="write the pictures, and a sheet: a row for each start")
    plot_option(parser)


def direction(args: argparse.Namespace, console: Console) -> int:
    """Fit and save a direction; answers `{name, space, sides, evidence, cosines}`.

    With `--principal` it answers `{directions: [{name, space, sides, evidence}]}`.
    """
    from thoughtspace.explorer.collection.directions import check_name

    if args.principal:
        return _principal(args, console)
    if (args.positive is None) == (args.pairs is None):
        raise UsageError(
            "Got both or neither of --positive and --pairs, expected one of them, or --principal.", code="sides"
        )
    check_name(args.name)
    check_plot(args)
    pairs = _pairs(args.pairs) if args.pairs else None
    bound = open_collection(args, args.gap)
    from thoughtspace.analysis.directions.of_items import Sides, from_items, from_prompts, save

    how = {"space": args.space, "method": args.method, "n_null": args.null, "random_state": args.seed}
    if pairs is None:
        negative = None if args.negative is None else _selection(args.negative)
        sides = Sides(_selection(args.positive), negative, args.kind)
        fitted, told = from_items(bound, sides, **how), sides.to_json()
    else:
        fitted, told = from_prompts(bound.explorer, pairs, **how), {"pairs": [list(pair) for pair in pairs]}
    draw(fitted, args.plot)
    saved = save(bound, args.name, fitted, space=args.space, told=told, without=args.without or ())
    evidence, cosines = saved.evidence, _cosines(bound, args.name)
    auc = evidence["auc"]
    lines = [
        f"direction {args.name!r}: held-out AUC {auc['value']:.3f} (shuffled {auc['null_mean']:.3f}, "
        f'p = {auc["p_value"]:.3g}), stability {evidence["stability"]:.2f}; use it as dir("{args.name}")',
        *(f"cosine {cosine:+.2f} with {other!r}" for other, cosine in cosines.items()),
    ]
    document = {"name": saved.name, "space": saved.space, "sides": saved.sides, "evidence": evidence}
    console.answer({**document, "cosines": cosines}, "\n".join(lines))
    return 0


def _principal(args: argparse.Namespace, console: Console) -> int:
    from thoughtspace.explorer.collection.directions import check_name

    if args.positive or args.negative or args.pairs or args.without or args.method != "mean":
        message = "Got --principal with --positive, --negative, --pairs, --without or --method, expected it alone."
        raise UsageError(message, code="sides")
    check_name(f"{args.name}{args.principal}")
    check_plot(args)
    bound = open_collection(args, args.gap)
    from thoughtspace.analysis.directions.principal import principal_of, save_principal

    how = {"space": args.space, "kind": args.kind}
    found = principal_of(bound, args.principal, n_null=args.null, random_state=args.seed, **how)
    draw(found, args.plot)
    saved = save_principal(bound, args.name, found, **how)
    rows = [_told(each) for each in saved]
    lines = [f'{row["name"]}  {_worth(row["evidence"])}; use it as dir("{row["name"]}")' for row in rows]
    console.answer({"directions": rows}, "\n".join(lines))
    return 0


def _told(saved: Any) -> dict[str, Any]:
    return {"name": saved.name, "space": saved.space, "sides": saved.sides, "evidence": saved.evidence}


def _worth(evidence: Mapping[str, Any]) -> str:
    if "auc" in evidence:
        return f"AUC {evidence['auc']['value']:.3f}"
    share, stability = evidence["share"], evidence["stability"]
    return (
        f"{share['value']:.1%} of the variance (shuffled {share['null_mean']:.1%}, p = {share['p_value']:.2g}), "
        f"stability {stability:.2f}"
    )


def directions(args: argparse.Namespace, console: Console) -> int:
    """List directions, remove some, measure leakage; answers `{directions: [...], leakage: [...] | null}`."""
    from thoughtspace.explorer import Collection

    check_plot(args)
    stored = Collection.open(args.collection).directions
    for name in args.remove or ():
        stored.remove(name)
    found = [stored.load(name) for name in stored.names()]
    rows = [{"name": each.name, "space": each.space, "sides": each.sides, **each.evidence} for each in found]
    lines = [f"{row['name']}  {row['space']}  {_worth(row)}" for row in rows] or ["no directions yet"]
    measured = None
    from thoughtspace.analysis.directions.of_items import Sides

    if sum(each.space == args.space and Sides.of(each) is not None for each in found) > 1:
        from thoughtspace.analysis.directions.of_items import leakages

        leak = leakages(open_collection(args, args.gap), space=args.space, n_null=args.null)
        draw(leak, args.plot)
        measured = leak.to_json()["leakage"]
        lines += [
            f"{row['direction']} tells {row['property']} apart by {row['auc']:.2f} (p = {row['p_value']:.2g})"
            for row in measured
            if row["direction"] != row["property"]
        ]
    elif args.plot:
        message = f"Got fewer than two directions of the space {args.space!r} from items, expected two to draw."
        raise UsageError(message, code="directions")
    console.answer({"directions": rows, "leakage": measured}, "\n".join(lines))
    return 0


def dose(args: argparse.Namespace, console: Console) -> int:
    """Add a direction and judge the pictures by a probe; answers as `DoseResponse.to_json`."""
    from thoughtspace.explorer import Collection, parse

    check_plot(args)
    if args.out:
        check_folder(args.out)
    saved = Collection.open(args.collection).directions.load(args.name)
    for expression in args.start or ():
        parse(expression)
    bound = open_collection(args, args.gap)
    from thoughtspace.analysis.directions.dose import DOSES, dose_response, probe
    from thoughtspace.analysis.directions.of_items import Sides

    sides = Sides.of(saved)
    if sides is None or sides.kind != "image":
        raise UsageError(
            f"Got direction {args.name!r}, which was not fitted on pictures, expected one from --positive of pictures; "
            "judge it in Python with dose_response(…, see=…).",
            code="no judge",
        )
    space, lookup = bound.explorer.space(saved.space), bound.lookup(saved.space)
    starts = args.start or [f'item("{id}")' for id in _spread(bound, sides, args.n, args.seed)]
    found = dose_response(
        space,
        bound.explorer.points(starts, saved.space, items=lookup),
        lookup.direction(args.name),
        probe(bound, sides),
        doses=args.doses or DOSES,
        random_state=args.seed,
        progress=console.progress,
    )
    draw(found, args.plot)
    if args.out:
        found.save(args.out)
    value, low, high = found.effect
    lines = [
        f"{row.dose:5g} steps: seen {row.seen:.2f} ({row.low:.2f} to {row.high:.2f}), random direction {row.random:.2f}"
        for row in found.table().itertuples()
    ]
    lines.append(f"at {found.doses[-1]:g} steps {value:+.2f} ({low:+.2f} to {high:+.2f}) against the random direction")
    console.answer(found.to_json() | {"path": os.path.abspath(args.out) if args.out else None}, "\n".join(lines))
    return 0


def _collection_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", metavar="COLLECTION")
    parser.add_argument("--space", default="joint", metavar="NAME", help="the space (default: joint)")
    gap_option(parser)
    model_option(parser, default=None)


def _selection(text: str) -> str | list[str]:
    """A condition, or the ids in a file."""
    if not text.endswith(".txt"):
        return text
    return [line.strip() for line in text_lines(text) if line.strip()]


def _pairs(path: str) -> list[tuple[str, str]]:
    pairs = []
    for row, line in enumerate(text_lines(path), start=1):
        parts = [part.strip() for part in line.split("\t")]
        if not any(parts):
            continue
        if len(parts) != 2 or not all(parts):
            message = f"Got line {row} of {path} with {len(parts)} parts, expected two prompts with a tab between."
            raise UsageError(message, code="pairs")
        pairs.append((parts[0], parts[1]))
    return pairs


def _cosines(collection: Collection, name: str) -> dict[str, float]:
    """With the other directions of the space."""
    import numpy as np

    own = collection.directions.load(name)
    others = [collection.directions.load(each) for each in collection.directions.names() if each != name]
    return {
        each.name: float(own.step.ravel() @ each.step.ravel() / (np.linalg.norm(own.step) * np.linalg.norm(each.step)))
        for each in others
        if each.space == own.space and each.step.shape == own.step.shape
    }


def _spread(collection: Collection, sides: Any, n: int, seed: int) -> Sequence[str]:
    """Ids of random pictures without the property."""
    import numpy as np

    _, negative = sides.rows(collection)
    ids = collection.items(sides.kind)["id"].to_numpy()[negative]
    return [str(each) for each in np.random.default_rng(seed).permutation(ids)[:n]]
