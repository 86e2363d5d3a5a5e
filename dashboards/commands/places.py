"""The command `places`: where a model sees words in a picture, and how well on scenes whose places are known."""

from __future__ import annotations

import argparse
import os
import re
from typing import TYPE_CHECKING, Any

from thoughtspace.explorer.options import Decoding

from ..arguments import (
    UsageError,
    check_model,
    check_output,
    command,
    fields_of,
    given,
    model_name,
    model_option,
    opening_options,
    placement_options,
    whole,
)
from ..console import Console
from .analysis import check_plot, draw, plot_option

if TYPE_CHECKING:
    from thoughtspace.analysis.places.localisation import Localisation
    from thoughtspace.analysis.places.of_model import Sighting
    from thoughtspace.explorer import Explorer
    from thoughtspace.explorer.heatmaps import HeatMaps

LEAST = 5
_COLUMNS = 6


def register(commands: Any) -> None:
    """Add the command to the program."""
    parser = command(commands, "places", places, help="show where a model sees words in a picture")
    parser.add_argument("text", nargs="?", metavar="PROMPT", help="an expression; the caption of a picture")
    parser.add_argument("-o", "--out", metavar="OUT.png", help="the picture, then one for each word, hot where it is")
    parser.add_argument("--word", action="append", metavar="WORD", help="of the prompt; repeatable (default: each)")
    parser.add_argument(
        "--concepts", nargs="+", metavar="WORD", help="map these instead, two or more; they need not be in the prompt"
    )
    parser.add_argument("--picture", metavar="FILE", help="look at this picture in place of decoding one")
    parser.add_argument(
        "--world",
        type=whole(LEAST),
        metavar="N",
        help="measure instead, on N scenes of the pocket world whose things have known places",
    )
    model_option(parser)
    fields_of(parser, Decoding)
    placement_options(parser)
    parser.set_defaults(gap=None)
    plot_option(parser)


def places(args: argparse.Namespace, console: Console) -> int:
    """Map words, answers `{path, words: [{word, x, y}]}`; with `--world`, `{words, concepts}` of `Localisation`."""
    _check(args)
    from thoughtspace.explorer import Explorer

    explorer = Explorer.open(model_name(args.model), **opening_options(args))
    if args.world is not None:
        return _measure(explorer, args, console)
    maps = explorer.heat_maps(
        args.text,
        concepts=args.concepts or (),
        picture=args.picture,
        keep=(),
        progress=console.progress,
        **given(args, Decoding),
    )
    words = args.word or args.concepts or _words(args.text, maps)
    from thoughtspace.explorer.records.images import contact_sheet

    sheet = contact_sheet([maps.image, *(maps.overlay(word) for word in words)], _COLUMNS)
    sheet.save(args.out)
    hottest = [_hottest(word, maps) for word in words]
    lines = [args.out, *(f"{each['word']}: hottest at {each['x']:.0%} × {each['y']:.0%}" for each in hottest)]
    console.answer({"path": os.path.abspath(args.out), "words": hottest}, "\n".join(lines))
    return 0


def _check(args: argparse.Namespace) -> None:
    """Raise UsageError for what cannot be mapped, before a model is opened."""
    check_model(args.model)
    Decoding(**given(args, Decoding))
    if args.world is not None:
        if args.text or args.out or args.picture or args.word or args.concepts:
            message = "Got --world with a prompt, words, a picture or --out, expected it alone; its scenes have these."
            raise UsageError(message, code="world")
        check_plot(args)
        return
    if args.plot:
        raise UsageError("Got --plot, expected --world with it, which has numbers to draw.", code="plot")
    if not args.text or not args.out:
        raise UsageError("Got no prompt or no --out, expected both, or --world N to measure.", code="arguments")
    if args.word and args.concepts:
        message = "Got --word and --concepts, expected one of them: words of the prompt, or free concepts."
        raise UsageError(message, code="words")
    from thoughtspace.explorer import parse

    parse(args.text)
    check_output(args.out, (".png",))


def _words(text: str, maps: HeatMaps) -> list[str]:
    """The words of a plain prompt that have tokens."""
    from thoughtspace.explorer.errors import SpaceError

    found = []
    for word in dict.fromkeys(re.findall(r"\w+", text)):
        try:
            maps.indices(word)
        except SpaceError:  # a word of the expression language, or past the last token that is read
            continue
        found.append(word)
    if not found:
        raise UsageError(f"Got {text[:40]!r}, which is not a single text, expected --concepts for it.", code="words")
    return found


def _hottest(word: str, maps: HeatMaps) -> dict[str, Any]:
    """The middle of the hottest pixel, as shares of width and height."""
    heat = maps.on_picture(word)
    y, x = divmod(int(heat.argmax()), heat.shape[1])
    return {"word": word, "x": (x + 0.5) / heat.shape[1], "y": (y + 0.5) / heat.shape[0]}


def _measure(explorer: Explorer, args: argparse.Namespace, console: Console) -> int:
    from thoughtspace.analysis.places.of_model import BY, measure_places

    options, things = given(args, Decoding), world_things(args.world, explorer.model.autoencoder.image_size)
    found = {by: measure_places(explorer, things, by=by, progress=console.progress, **options) for by in BY}
    draw(found["words"], args.plot)
    lines = [line for by, each in found.items() for line in _lines(by, each)]
    console.answer({by: each.to_json() for by, each in found.items()}, "\n".join(lines))
    return 0


def world_things(n: int, side: int) -> list[Sighting]:
    """One thing of each of `n` scenes that show one; the other things are its alternatives."""
    import numpy as np

    from thoughtspace.analysis.places.of_model import Sighting
    from thoughtspace.datasets import masks, world

    generator, start = np.random.default_rng(0), 0
    found: list[Sighting] = []
    while len(found) < n:
        (scene,) = world.sample(1, "fresh", start=start)
        start, shown = start + 1, masks.things(scene, side)
        if not shown:
            continue
        chosen = int(generator.integers(len(shown)))
        others = (*(thing.word for at, thing in enumerate(shown) if at != chosen), "background")
        thing, prompt = shown[chosen], masks.sentence(scene, shown)
        found.append(Sighting(world.render(scene, side), prompt, thing.word, thing.mask, others))
    return found


def _lines(by: str, found: Localisation) -> list[str]:
    return [
        f"{by:8} {row.score:8} {row.value:.2f} ({row.low:.2f} to {row.high:.2f}; masks of others {row.null_mean:.2f}, "
        f"p = {row.p_value:.2g}; at the centre {row.centre:.2f}, at the usual place {row.usual_place:.2f})"
        for row in found.table().itertuples()
    ]
