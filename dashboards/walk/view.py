"""What the Walk page shows: the strip of pictures, the film and its measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from dash import html

from ..components import download_link
from ..expression_card import face, listed, stat
from . import task as walk_task

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from ..serving.workspace import Workspace


def strip(tiles: Sequence[str | None], *, live: bool = False) -> Component:
    """A strip of pictures along the walk; those to come are left empty."""
    return html.Div(
        [html.Img(src=tile, alt="") if tile else html.Span(className="tile-to-come") for tile in tiles],
        className="strip live" if live else "strip",
        style={"gridTemplateColumns": f"repeat({len(tiles)}, 1fr)"},
    )


def film(done: Mapping[str, Any]) -> list[Component]:
    """The video, playing, and the three kinds of file to take away."""
    urls = done["urls"]
    links = [download_link(urls[f"walk.{kind}"], f"walk.{kind}", kind.upper()) for kind in walk_task.KINDS]
    video = html.Video(
        src=urls["walk.mp4"], controls=True, loop=True, autoPlay=True, muted=True, className="film", key=done["key"]
    )
    return [video, html.Div(links, className="picture-actions")]


def facts(workspace: Workspace, result: Mapping[str, Any]) -> list[Component]:
    """Which walk it was and what was measured, each number beside what it is to be compared with."""
    title = listed([face(workspace, source) for source in result["sources"]])
    frames, fps, uniform = result["frames"], result["fps"], result["uniform"]
    how = f"{result['interpolant']}, {frames} frames, {frames / fps:.1f} s, seed {result['seed']}"
    compared = f"{uniform['cv']:.2f} with uniform spacing" if uniform else "uniform spacing"
    rows = [
        (
            "Unevenness",
            f"{result['cv']:.2f}",
            compared,
            "CV of the steps: deviation over mean; 0 is equal steps",
        ),
        ("Longest step", f"{max(result['steps']):.3f}", f"mean {fmean(result['steps']):.3f} rad", "In radians"),
        ("Whole way", f"{sum(result['steps']):.2f}", "rad, all steps", f"Rendered {result['rounds']} times"),
    ]
    stats = [stat(*row) for row in rows]
    return [
        html.H2(title, className="film-title"),
        html.P(how, className="footnote"),
        html.Div(stats, className="stats three-stats"),
    ]
