"""What the Walk page shows: the strip of pictures, the film and its measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dash import html

from . import walk_task
from .components import download_link
from .faces import face, listed

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from .workspace import Workspace


def strip(tiles: Sequence[str | None], *, live: bool = False) -> Component:
    """A strip of pictures along the walk; those to come are left empty."""
    return html.Div(
        [html.Img(src=tile, alt="") if tile else html.Span(className="tile-to-come") for tile in tiles],
        className="strip live" if live else "strip",
        style={"gridTemplateColumns": f"repeat({len(tiles)}, 1fr)"},
    )


def film(workspace: Workspace, done: Mapping[str, Any]) -> Component:
    """The video with its downloads, its strip, and the numbers of its steps."""
    result, urls = done["result"], done["urls"]
    links = [download_link(urls[f"walk.{kind}"], f"walk.{kind}", kind.upper()) for kind in walk_task.KINDS]
    video = html.Video(
        src=urls["walk.mp4"], controls=True, loop=True, autoPlay=True, muted=True, className="film", key=done["key"]
    )
    title = listed([face(workspace, source) for source in result["sources"]])
    return html.Div(
        [
            html.Div(
                [
                    html.Div([video, html.Div(links, className="picture-actions")], className="film-box"),
                    html.Div([html.H2(title, className="film-title"), *facts(result)], className="film-facts"),
                ],
                className="film-row",
            ),
            strip(result["tiles"]),
        ]
    )


def facts(result: Mapping[str, Any]) -> list[Component]:
    """What was measured, each number beside what it is to be compared with."""
    uniform = result["uniform"]
    frames, fps = result["frames"], result["fps"]
    rows = [("Unevenness (CV) of the steps", f"{result['cv']:.3f}", "standard deviation over mean; 0 is equal steps")]
    if uniform:
        rows.append(("with uniform spacing", f"{uniform['cv']:.3f}", "the same stops, frames and seed at even places"))
    rows += [
        ("Longest step", f"{max(result['steps']):.3f} rad", "between two neighbouring pictures"),
        ("Whole way", f"{sum(result['steps']):.2f} rad", "sum of all steps"),
        ("Film", f"{frames} frames, {frames / fps:.1f} s", f"{fps} frames a second"),
        ("Path", f"{result['interpolant']}, seed {result['seed']}", f"rendered {result['rounds']} times"),
    ]
    return [
        html.Div([html.Span(name), html.Span(value, className="number")], className="fact", title=hint)
        for name, value, hint in rows
    ]
