"""The commands on noise and its prediction: `denoise`, `trajectory`, `guidance`, `cost` and `novelty`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..arguments import UsageError, check_folder, check_model, command, model_name, model_option, whole
from ..arguments import number as decimal
from ..console import Console
from .analysis import check_plot, draw, plot_option
from .read_pictures import Read, read_pictures

SHOWN = 3
"""Pictures of which known noise is drawn."""


def register(commands: Any) -> None:
    """Add these commands to the program."""
    pictures = "a folder or archive of pictures with captions, or a collection"
    parser = command(commands, "denoise", denoise, help="measure how well a model predicts the noise in pictures")
    parser.add_argument("source", metavar="SOURCE", help=pictures)
    parser.add_argument("--guide", choices=("prompt", "joint", "none"), default="prompt", help="what guides: captions, "
                        "the pictures' own joint vectors, or nothing (default: prompt)")  # fmt: skip
    parser.add_argument("--levels", type=whole(1, 1000), default=16, metavar="N", help="timesteps (default: 16)")
    parser.add_argument("--most", type=whole(2), default=64, metavar="N", help="most pictures to use (default: 64)")
    parser.add_argument("--seed", type=whole(0, 2**31), default=0, metavar="N", help="of noise and wrong captions")
    parser.add_argument("-o", "--out", metavar="FOLDER", help=f"write x_t and what is seen in it, of {SHOWN} pictures")
    model_option(parser)
    plot_option(parser)

    parser = command(commands, "trajectory", trajectory, help="follow decodes from noise to picture on a map")
    parser.add_argument("collection", metavar="COLLECTION", help="with a map in the joint space")
    parser.add_argument("expressions", nargs="+", metavar="EXPRESSION")
    parser.add_argument("--map", metavar="NAME", help="of the map (default: joint-umap, or the first)")
    parser.add_argument("--space", metavar="NAME", help="of the expressions (default: the model's usual one)")
    parser.add_argument("--seeds", type=whole(1), default=2, metavar="N", help="for each expression (default: 2)")
    parser.add_argument("-o", "--out", metavar="FOLDER", help="write a sheet: a row for each path, step by step")
    model_option(parser, default=None)
    plot_option(parser)

    parser = command(commands, "guidance", guidance, help="measure agreement and variety over scales of guidance")
    parser.add_argument("prompts", nargs="+", metavar="PROMPT", help="two or more, or a .txt with one a line")
    parser.add_argument("--scales", type=decimal, nargs="+", metavar="G", help="of guidance (default: 0 1 2 4 8)")
    parser.add_argument("--seeds", type=whole(2), default=4, metavar="N", help="for each prompt (default: 4)")
    parser.add_argument("--reader", metavar="NAME", help="a model whose joint space judges (default: the model itself)")
    parser.add_argument("--space", metavar="NAME", help="where prompts are read (default: the model's usual one)")
    model_option(parser)
    plot_option(parser)

    parser = command(commands, "cost", cost, help="what a step of denoising costs in the latent and in pixels")
    parser.add_argument("--repeats", type=whole(1, 1000), default=3, metavar="N", help="timed runs (default: 3)")
    model_option(parser)
    plot_option(parser)

    parser = command(commands, "novelty", novelty, help="hold decoded pictures against the nearest items")
    parser.add_argument("collection", metavar="COLLECTION", help="of what may have been learned by heart")
    parser.add_argument("held_out", metavar="HELD_OUT", help=f"{pictures}, none of which are items; they are decoded "
                        "from their captions")  # fmt: skip
    parser.add_argument("--most", type=whole(5), default=100, metavar="N", help="most pictures to use (default: 100)")
    parser.add_argument("--space", metavar="NAME", help="where captions are read (default: the model's usual one)")
    parser.add_argument("--seed", type=whole(0, 2**31), default=0, metavar="N", help="of the first decoded picture")
    parser.add_argument("-o", "--out", metavar="FOLDER", help="write the decoded pictures")
    model_option(parser, default=None)
    plot_option(parser)


def denoise(args: argparse.Namespace, console: Console) -> int:
    """Measure errors by timestep; answers as `NoiseErrors.to_json`, with `captions` and `failed`."""
    name = _checked(args)
    read, guided = read_pictures(args.source, args.most), False
    if args.guide == "prompt":
        read, guided = _captioned(read)
    from thoughtspace.analysis.noise.known import known_noise
    from thoughtspace.analysis.noise.of_model import measure_noise
    from thoughtspace.explorer import Explorer

    explorer = Explorer.open(name)
    captions = [str(caption) for caption in read.captions]
    guides = explorer.space("joint").image(*read.pictures) if args.guide == "joint" else captions if guided else None
    found = measure_noise(
        explorer, read.pictures, guides, levels=args.levels, random_state=args.seed, progress=console.progress
    )
    draw(found, args.plot)
    for row, picture in enumerate(read.pictures[:SHOWN] if args.out else []):
        guide = None if guides is None else guides[row]
        seen = known_noise(explorer, picture, guide, levels=min(args.levels, 8), random_state=args.seed + row)
        seen.save(Path(args.out) / f"{row}")
    table = found.table()
    lines = [f"{found.n} pictures{', which nothing guides' if guides is None else ''}"]
    lines += [
        f"t {row.t:6.0f}  SNR {row.snr:9.3g}  ε-error {row.error:.4f} ± {row.se:.4f}  x̂0-error "
        f"{row.picture_error:.4f}  (knowing the scale alone {row.gaussian:.4f}, shuffled noise {row.shuffled:.2f})"
        for row in table[table["guide"] == table["guide"].iloc[0]].itertuples()
    ]
    for guide, effect in found.effects().items():
        low, high = effect.interval or (effect.value, effect.value)
        said = "another's guide" if guide == "wrong" else "no guide"
        lines.append(f"{said}: {effect.value:+.5f} ({low:+.5f} to {high:+.5f}; p = {effect.p_value:.2g})")
    lines += [f"not read: {each['source']}: {each['reason']}" for each in read.failed]
    out = str(Path(args.out).absolute()) if args.out else None
    document = {"captions": len(captions) if guided else 0, "failed": read.failed, "path": out}
    console.answer({**document, **found.to_json()}, "\n".join(lines))
    return 0


def trajectory(args: argparse.Namespace, console: Console) -> int:
    """Follow decodes; answers as `Trajectories.to_json` with that of `MapPaths`."""
    from thoughtspace.explorer import Collection, parse

    for expression in args.expressions:
        parse(expression)
    collection = Collection.open(args.collection)
    name = _checked(args, collection.model_name)
    from thoughtspace.analysis import CollectionMap
    from thoughtspace.analysis.noise.trajectory import decode_trajectories
    from thoughtspace.explorer import Explorer

    CollectionMap.open(collection, args.map)
    bound = collection.bound(Explorer.open(name))
    explorer, space = bound.explorer, args.space or bound.explorer.usual_space
    points = explorer.points(args.expressions, space, items=bound.lookup(space))
    repeated = points[[row for row in range(len(points)) for _ in range(args.seeds)]]
    seeds = [*range(args.seeds)] * len(points)
    found = decode_trajectories(explorer, repeated, seed=seeds, progress=console.progress)
    paths = found.on(CollectionMap.open(bound, args.map))
    draw(paths, args.plot)
    out = Path(args.out).absolute() if args.out else None
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        found.sheet().save(out / "sheet.png")
    lines = [
        f"step {row.step:3}  t {row.t:6.0f}  cosine with the end {row.to_end:.3f} ({row.low:.3f} to {row.high:.3f}), "
        f"with that of another {row.to_other:.3f}; moved {row.moved:.2f} rad"
        for row in found.table().itertuples()
    ]
    document = {"expressions": args.expressions, "seeds": args.seeds, "path": out and str(out)}
    console.answer({**document, **found.to_json(), **paths.to_json()}, "\n".join(lines))
    return 0


def guidance(args: argparse.Namespace, console: Console) -> int:
    """Measure agreement and variety; answers as `GuidanceSweep.to_json`."""
    name, prompts = _checked(args), _prompts(args.prompts)
    reader = model_name(args.reader) if args.reader else None
    if reader is not None:
        check_model(reader)
    from thoughtspace.analysis.noise.guidance import SCALES, measure_guidance
    from thoughtspace.explorer import Explorer

    found = measure_guidance(
        Explorer.open(name),
        prompts,
        args.scales or SCALES,
        seeds=args.seeds,
        reader=None if reader is None else Explorer.open(reader),
        space=args.space,
        progress=console.progress,
    )
    draw(found, args.plot)
    lines = [
        f"guidance {row.scale:5g}: agreement {row.agreement:.3f} ({row.agreement_low:.3f} to {row.agreement_high:.3f}; "
        f"another prompt {row.other:.3f}), spread over seeds {row.spread:.3f} ({row.spread_low:.3f} to "
        f"{row.spread_high:.3f}; over prompts {row.between:.3f})"
        for row in found.table().itertuples()
    ]
    console.answer(found.to_json(), "\n".join(lines))
    return 0


def cost(args: argparse.Namespace, console: Console) -> int:
    """Count and time a step; answers as `StepCosts.to_json`."""
    name = _checked(args)
    from thoughtspace.analysis.noise.cost import step_costs
    from thoughtspace.explorer import Explorer

    found = step_costs(Explorer.open(name), repeats=args.repeats)
    draw(found, args.plot)
    lines = []
    for row in found.to_json()["parts"]:
        timed = "not timed" if row["seconds"] is None else f"{row['seconds']:.3f} s"
        between = "" if row["seconds"] is None else f" ({row['least']:.3f} to {row['most']:.3f})"
        lines.append(
            f"{row['part']:9} {row['shape']:16} {row['flops'] / 1e9:10.2f} GFLOP  {row['parameters'] / 1e6:8.2f} M "
            f"parameters  {row['memory'] / 2**20:9.1f} MiB  {timed}{between}"
        )
    lines.append(f"decoding is repaid after {found.steps_repaid:.2f} steps")
    console.answer(found.to_json(), "\n".join(lines))
    return 0


def novelty(args: argparse.Namespace, console: Console) -> int:
    """Hold decoded pictures against items; answers as `Novelty.to_json`, with `failed`."""
    from thoughtspace.explorer import Collection

    collection = Collection.open(args.collection)
    name = _checked(args, collection.model_name)
    read, guided = _captioned(read_pictures(args.held_out, args.most))
    if not guided:
        message = f"Got {args.held_out} with fewer than two different captions, expected a caption for each picture."
        raise UsageError(message, code="no captions")
    from thoughtspace.analysis.noise.novelty import measure_novelty
    from thoughtspace.explorer import Explorer
    from thoughtspace.explorer.language.nodes import Text

    found = measure_novelty(
        collection.bound(Explorer.open(name)),
        read.pictures,
        [str(Text(str(caption))) for caption in read.captions],
        space=args.space,
        random_state=args.seed,
        progress=console.progress,
    )
    draw(found, args.plot)
    if args.out and found.images is not None:
        found.images.save(args.out)
    lines = [
        f"{row.pictures:9} {row.n:4} pictures: {row.distance:.4f} ({row.low:.4f} to {row.high:.4f}) from the nearest "
        "item"
        for row in found.table().itertuples()
    ]
    low, high = found.closer.interval or (found.closer.value, found.closer.value)
    lines.append(
        f"a decoded picture is the nearer one with a chance of {found.closer.value:.2f} ({low:.2f} to {high:.2f}; "
        f"0.50 if as new as real ones, p = {found.closer.p_value:.2g}); {found.copies:.0%} are nearer than all but 5 % "
        "of real ones"
    )
    lines += [f"not read: {each['source']}: {each['reason']}" for each in read.failed]
    out = str(Path(args.out).absolute()) if args.out else None
    console.answer({"failed": read.failed, "path": out, **found.to_json()}, "\n".join(lines))
    return 0


def _checked(args: argparse.Namespace, own: str = "") -> str:
    """The model's name, after checks of all that can be checked before it is opened."""
    name = model_name(args.model) if args.model else own
    check_model(name)
    check_plot(args)
    if vars(args).get("out"):
        check_folder(args.out)
    return name


def _captioned(read: Read) -> tuple[Read, bool]:
    """The pictures with captions, and whether two of these differ; all pictures where they do not."""
    rows = [row for row, caption in enumerate(read.captions) if caption]
    if len({read.captions[row] for row in rows}) < 2:
        return read, False
    without = [row for row in range(len(read.captions)) if row not in set(rows)]
    reasons = [{"source": f"picture {row}", "reason": "it has no caption"} for row in without]
    chosen = [[each[row] for row in rows] for each in (read.pictures, read.captions)]
    return Read(chosen[0], chosen[1], [*read.failed, *reasons]), True


def _prompts(given: list[str]) -> list[str]:
    """The prompts, and the lines of those that name a .txt."""
    found: list[str] = []
    for each in given:
        if not each.endswith(".txt"):
            found.append(each)
            continue
        try:
            lines = Path(each).read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise UsageError(f"Got {each}, which is not UTF-8; save it so.", code="not utf-8") from error
        found += [line.strip() for line in lines if line.strip()]
    return found
