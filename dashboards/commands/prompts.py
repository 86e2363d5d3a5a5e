"""The commands on prompts: `prompts` compares some in one or several models, `words` those of a collection."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..arguments import (
    UsageError,
    check_folder,
    check_model,
    command,
    gap_option,
    model_name,
    model_option,
    text_lines,
    whole,
)
from ..console import Console
from .analysis import check_plot, draw, plot_option
from .collections import open_collection

if TYPE_CHECKING:
    from thoughtspace.explorer import Explorer

STYLES = 2
SEEDS = 16
"""Of `--varying`, unless they are given."""


def register(commands: Any) -> None:
    """Add these commands to the program."""
    parser = command(commands, "prompts", prompts, help="compare prompts, in one or several models")
    parser.add_argument("prompts", nargs="*", metavar="PROMPT", help="the prompts")
    parser.add_argument("--file", metavar="FILE.txt", help="further prompts, one a line")
    parser.add_argument(
        "--model", action="append", metavar="NAME", help="of a model; may be repeated (default: pocket)"
    )
    parser.add_argument("--space", default="joint", metavar="NAME", help="where they are compared (default: joint)")
    parser.add_argument("--style", action="append", metavar="WORDS", help="what these words do; twice at least")
    parser.add_argument("--leave-out", action="store_true", help="what each word of the first prompt does, decoded")
    parser.add_argument("--wording", action="store_true", help="how far other orders of the first prompt's words are, "
                        "and the other prompts as paraphrases of it")  # fmt: skip
    parser.add_argument("--align", action="store_true", help="which token of the second prompt is which of the first")
    parser.add_argument("--seeds", type=whole(2), metavar="N", help="decode all from N seeds: what is the noise's?")
    parser.add_argument("--varying", type=whole(1), metavar="N", help="the N directions in which pictures of the first "
                        f"prompt vary over seeds (default: {SEEDS} seeds)")  # fmt: skip
    parser.add_argument("-o", "--out", metavar="FOLDER", help="write the decoded pictures there")
    plot_option(parser)

    parser = command(commands, "words", words, help="which words of their captions move the pictures of a collection")
    parser.add_argument("collection", metavar="COLLECTION")
    parser.add_argument("--column", default="caption", metavar="NAME", help="that has the prompts (default: caption)")
    parser.add_argument("--by", metavar="NAME", help="a column that says where pictures came from, such as model")
    parser.add_argument("--least", type=whole(2), default=8, metavar="N", help="prompts that have a word (default: 8)")
    parser.add_argument("--null", type=whole(1), default=199, metavar="N", help="shuffles for the null (default: 199)")
    gap_option(parser)
    model_option(parser, default=None)
    plot_option(parser)


def prompts(args: argparse.Namespace, console: Console) -> int:
    """Compare prompts; answers `{similarity, styles, left_out, wording, alignment, spread, varying, agreement}`.

    What was not asked for is null.
    """
    given = [*args.prompts, *(text_lines(args.file) if args.file else ())]
    given = list(dict.fromkeys(each.strip() for each in given if each.strip()))
    names = [model_name(each) for each in args.model or ["pocket"]]
    _check(args, given, names)
    from thoughtspace.explorer import Explorer

    explorers = {name: Explorer.open(name) for name in dict.fromkeys(names)}
    explorer = explorers[names[0]]
    from thoughtspace.analysis.prompts.of_models import agreement, prompt_similarity, styles

    parts = ("similarity", "styles", "left_out", "wording", "alignment", "spread", "varying", "agreement")
    answer: dict[str, Any] = dict.fromkeys(parts)
    lines: list[str] = []
    if len(given) > 2:
        found = prompt_similarity(explorer, given, space=args.space)
        draw(found, None if args.varying else args.plot)
        answer["similarity"] = found.to_json()
        lines += _similar(found)
    if args.style:
        effects = styles(explorer, given, args.style, space=args.space)
        answer["styles"] = effects.to_json()["styles"]
        lines += [
            f"style {name!r}: moves by {row['size']:.2f}, all the same way {row['value']:+.2f} "
            f"(shuffled {row['null_mean']:+.2f}, p = {row['p_value']:.2g})"
            for name, row in answer["styles"].items()
        ]
    if args.leave_out:
        lines += _leave_out(explorer, given[0], args, answer, console)
    if args.wording:
        lines += _wording(explorer, given, args, answer)
    if args.align:
        lines += _aligned(explorer, given, answer)
    if args.seeds:
        lines += _spread(explorer, given, args, answer, console)
    if args.varying:
        lines += _varying(explorer, given[0], args, answer, console)
    if len(explorers) > 1:
        agreed = agreement(explorers, given).to_json()
        answer["agreement"] = agreed
        lines += [
            f"{row['first']} and {row['second']}: {row['measure']} {row['value']:.2f} "
            f"(shuffled {row['null_mean']:.2f}, p = {row['p_value']:.2g})"
            for row in agreed["scores"]
        ]
    console.answer({"prompts": given, **answer}, "\n".join(lines))
    return 0


def words(args: argparse.Namespace, console: Console) -> int:
    """Words and closeness of a collection; answers `{words, r2, closeness}`."""
    check_plot(args)
    bound = open_collection(args, args.gap)
    from thoughtspace.analysis.prompts.of_models import closeness_of_collection, words_of_collection

    effects = words_of_collection(bound, column=args.column, least=args.least, n_null=args.null)
    close = closeness_of_collection(bound, column=args.column, by=args.by)
    draw(effects, args.plot)
    r2 = effects.r2
    lines = [f"words predict {r2.value:.1%} of held-out pictures (shuffled {r2.null.mean():.1%}, p = {r2.p_value:.2g})"]
    lines += [
        f"{word}: in {row.n} prompts, moves by {row.size:.2f} sd, {row.times:.1f} × chance, p = {row.p_value:.2g}"
        for word, row in zip(effects.words[:12], effects.table().head(12).itertuples(), strict=True)
    ]
    told = close.to_json()["groups"]
    lines += [
        f"{row['group']}: {row['n']} pictures, cosine {row['own']:.2f}, with others' prompts {row['others']:.2f}"
        for row in told
    ]
    console.answer({**effects.to_json(), "closeness": told}, "\n".join(lines))
    return 0


def _check(args: argparse.Namespace, given: list[str], names: list[str]) -> None:
    """Raise UsageError for what cannot be compared, before a model is opened."""
    check_plot(args)
    if args.out:
        check_folder(args.out)
        if not (args.leave_out or args.seeds or args.varying):
            message = "Got --out where nothing is decoded, expected --leave-out, --seeds or --varying too."
            raise UsageError(message, code="out")
    if args.varying and args.varying >= (args.seeds or SEEDS):
        message = f"Got --varying {args.varying} of {args.seeds or SEEDS} seeds, expected fewer; give more --seeds."
        raise UsageError(message, code="too few")
    if args.plot and len(given) < 3 and not args.varying:
        raise UsageError(f"Got --plot and {len(given)} prompts, expected three or more to draw.", code="too few")
    if args.style and len(args.style) < STYLES:
        raise UsageError("Got one --style, expected two or more: each is the other's null.", code="too few")
    fewest = 1 if args.leave_out or args.wording or args.varying else 2 if args.seeds or args.align else 3
    if len(given) < (max(fewest, 2) if args.align else fewest):
        message = (
            f"Got {len(given)} prompts, expected three to compare, two with --seeds or --align, or one with "
            "--leave-out, --wording or --varying."
        )
        raise UsageError(message, code="too few")
    for name in names:
        check_model(name)


def _similar(found: Any) -> list[str]:
    """The pairs that are most and least alike, with the null."""
    import numpy as np

    rows, columns = np.triu_indices(len(found.names), 1)
    order = np.argsort(-found.cosines[rows, columns], kind="stable")
    pairs = [(found.cosines[rows[at], columns[at]], found.names[rows[at]], found.names[columns[at]]) for at in order]
    lines = [f"{cosine:+.2f}  {a!r} and {b!r}" for cosine, a, b in (*pairs[:3], *pairs[3:][-2:])]
    return [*lines, f"unrelated texts {found.null.mean():+.2f}; the tree keeps distances by {found.cophenetic:.2f}"]


def _leave_out(
    explorer: Explorer, prompt: str, args: argparse.Namespace, answer: dict[str, Any], console: Console
) -> list[str]:
    from thoughtspace.analysis.prompts.decoded import left_out

    found = left_out(explorer, prompt, seeds=args.seeds or 4, progress=console.progress)
    if args.out:
        found.images.save(f"{args.out}/without")
    answer["left_out"] = {"prompt": prompt, **found.to_json()}
    return [
        f"without {row.word!r}: the text moves by {row.embedding:.2f}, the picture by {row.picture:.2f} "
        f"(other noise {row.noise:.2f})"
        for row in found.table().itertuples()
    ]


def _wording(explorer: Explorer, given: list[str], args: argparse.Namespace, answer: dict[str, Any]) -> list[str]:
    from thoughtspace.analysis.prompts.of_models import wording

    found = wording(explorer, given[0], paraphrases=given[1:], space=args.space)
    answer["wording"] = {"prompt": given[0], **found.to_json()}
    return [
        f"{kind}: cosine {row.cosine:.2f} ({row.least:.2f} to {row.most:.2f}), {row.moved:.0%} of the way to unrelated "
        f"texts at {row.null:.2f}"
        for kind, row in found.table().iterrows()
    ]


def _aligned(explorer: Explorer, given: list[str], answer: dict[str, Any]) -> list[str]:
    from thoughtspace.analysis.prompts.of_models import token_alignment

    found = token_alignment(explorer, given[0], given[1])
    answer["alignment"] = found.to_json()
    lines = [f"{row.cosine:+.2f}  {row.first} ~ {row.second}" for row in found.table().head(12).itertuples()]
    f1 = found.f1
    return [*lines, f"F1 {f1.value:.2f} (unrelated texts {f1.null.mean():.2f}, p = {f1.p_value:.2g})"]


def _spread(
    explorer: Explorer, given: list[str], args: argparse.Namespace, answer: dict[str, Any], console: Console
) -> list[str]:
    from thoughtspace.analysis.prompts.decoded import decoded
    from thoughtspace.analysis.prompts.spread import spread

    if len(given) < 2:
        return []
    pictures = decoded(explorer, given, seeds=args.seeds, progress=console.progress)
    if args.out:
        pictures.images.save(f"{args.out}/seeds")
    found = spread(pictures.vectors)
    answer["spread"] = found.to_json()
    share = found.between
    return [
        f"the prompt explains {share.value:.0%} of the variance of decoded pictures, the noise the rest "
        f"(shuffled {share.null.mean():.0%}, p = {share.p_value:.2g})"
    ]


def _varying(
    explorer: Explorer, prompt: str, args: argparse.Namespace, answer: dict[str, Any], console: Console
) -> list[str]:
    from thoughtspace.analysis.prompts.decoded import AMOUNTS, slid, sliders_of

    seeds = args.seeds or SEEDS
    found = sliders_of(explorer, prompt, args.varying, seeds=seeds, progress=console.progress)
    draw(found, args.plot)
    if args.out:
        slid(explorer, found, progress=console.progress).save(f"{args.out}/varying")
    answer["varying"] = {"prompt": prompt, "seeds": seeds, "amounts": list(AMOUNTS), **found.to_json()}
    return [
        f"pictures of {prompt!r}, direction {row}: {share.value:.0%} of their variance (shuffled "
        f"{share.null.mean():.0%}, p = {share.p_value:.2g})"
        for row, share in enumerate(found.shares)
    ]
