"""The results on the Walk page: the strip of pictures, the film and its measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from dash import html

from ..components import download_link, statistic
from ..expression_card import expression_card, route
from .task import KINDS

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from ..serving.jobs import Job
    from ..serving.workspace import Workspace


def strip(tiles: Sequence[str | None], *, live: bool = False) -> Component:
    """A strip of pictures along the walk; a picture that is not there yet is an empty tile."""
    return html.Div(
        [html.Img(src=tile, alt="") if tile else html.Span(className="tile-to-come") for tile in tiles],
        className="strip live" if live else "strip",
        style={"gridTemplateColumns": f"repeat({len(tiles)}, 1fr)"},
    )


def film(job: Job) -> list[Component]:
    """The video, which plays by itself, and links to the three kinds of file."""
    urls = job.urls
    links = [download_link(urls[f"walk.{kind}"], f"walk.{kind}", kind.upper()) for kind in KINDS]
    video = html.Video(
        src=urls["walk.mp4"], controls=True, loop=True, autoPlay=True, muted=True, className="film", key=job.key
    )
    return [video, html.Div(links, className="picture-actions")]


def facts(workspace: Workspace, result: Mapping[str, Any]) -> list[Component]:
    """The title and settings of the walk, and its measurements, each beside a number to compare it with."""
    title = route([expression_card(workspace, source) for source in result["sources"]])
    frames, fps, uniform = result["frames"], result["fps"], result["uniform"]
    how = f"{result['interpolant']}, {frames} frames, {frames / fps:.1f} s, seed {result['seed']}"
    compared = f"{uniform['cv']:.2f} with uniform spacing" if uniform else "uniform spacing"
    rows = [
        (
            "Unevenness",
            f"{result['cv']:.2f}",
            compared,
            "Coefficient of variation of the steps: standard deviation over mean; 0 is equal steps",
        ),
        ("Longest step", f"{max(result['steps']):.3f}", f"mean {fmean(result['steps']):.3f} rad", "In radians"),
        ("Whole path", f"{sum(result['steps']):.2f}", "rad, all steps", f"Rendered {result['rounds']} times"),
    ]
    stats = [statistic(*row) for row in rows]
    return [
        html.H2(title, className="film-title"),
        html.P(how, className="footnote"),
        html.Div(stats, className="stats three-stats"),
    ]
