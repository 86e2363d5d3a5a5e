"""The layout of the Map page: controls, the map, and the decoded point beside it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import dash_mantine_components as dmc
from dash import dcc, html

from thoughtspace.explorer.options import Gap

from ..components import empty_state, expression_input, icon, section
from ..serving.context import Context
from .columns import first_shown
from .view import ingest_notes, quality_rows

if TYPE_CHECKING:
    from dash.development.base_component import Component

TITLE, PATH, ICON = "Map", "/", "map"

_GAP_NOTES = {
    "mean": "CLIP keeps pictures and texts in two cones apart. Each kind is centred by its own mean here, so that a "
    "prompt lies among the pictures it describes.",
    "linear": "CLIP keeps pictures and texts in two cones apart. The linear map was fitted to captioned pictures and "
    "takes a text to the pictures it describes; the means only move one cone onto the other.",
}
_GAPS = [{"value": "linear", "label": "Linear map"}, {"value": "mean", "label": "Means"}]


class Ids(StrEnum):
    FIND = "map-find"
    GAP = "map-gap"
    GO = "map-go"
    ERROR = "map-error"
    IMAGES = "map-images"
    PROMPTS = "map-prompts"
    THUMBNAILS = "map-thumbnails"
    COLOUR = "map-colour"
    SIMILAR = "map-similar"
    SIMILAR_BOX = "map-similar-box"
    LEGEND = "map-legend"
    PLOT = "map-plot"
    CLICK = "map-click"
    DROP = "map-drop"
    MARK = "map-mark"
    SELECTION = "map-selection"
    POINT = "map-point"
    DECODED = "map-decoded"
    NEAREST = "map-nearest"
    GALLERY = "map-gallery"
    ACTIONS = "map-actions"
    TO_WALK = "map-to-walk"
    TO_ARITHMETIC = "map-to-arithmetic"
    NOTE = "map-note"


def layout(context: Context) -> Component:
    """Controls, the map and the decoded point, side by side."""
    stores = [dcc.Store(id=each) for each in (Ids.CLICK, Ids.DROP, Ids.MARK, Ids.SELECTION, Ids.POINT)]
    parts = [_controls(context), _stage(context), _results()]
    return html.Div([html.H1(TITLE, className="unseen"), *stores, *parts], className="map-page")


def _controls(context: Context) -> Component:
    view = context.view
    texts = int(view.kinds.sum())
    options = [{"value": str(index), "label": column.label} for index, column in enumerate(view.columns)]
    options.append({"value": "similarity", "label": "Similarity to a text"})
    return html.Aside(
        [
            html.Div(
                [
                    expression_input(Ids.FIND, label="Find or place", placeholder="a red heart, or “a” - “b” + “c”"),
                    html.Button(icon("search"), id=Ids.GO, className="field-button", title="Find", n_clicks=0),
                ],
                className="find",
            ),
            html.Div(id=Ids.ERROR, role="alert"),
            html.Div(
                [
                    icon("image"),
                    html.Div([html.Strong("Drop a picture"), html.Span("or choose one, to see where it lands")]),
                ],
                className="drop-zone",
                id="map-drop-zone",
                role="button",
                tabIndex=0,
            ),
            section(
                "Show",
                [
                    _switch(Ids.IMAGES, f"Pictures  {len(view) - texts:,}"),
                    _switch(Ids.PROMPTS, f"Prompts  {texts:,}"),
                    _switch(Ids.THUMBNAILS, "Thumbnails"),
                ],
            ),
            section(
                "Colour by",
                [
                    dmc.Select(
                        id=Ids.COLOUR,
                        data=options,
                        value=str(first_shown(view.columns)),
                        allowDeselect=False,
                        searchable=len(options) > 12,
                        size="sm",
                        **{"aria-label": "Colour by"},
                    ),
                    html.Div(
                        expression_input(Ids.SIMILAR, label="", placeholder="a snowy mountain, then Enter"),
                        id=Ids.SIMILAR_BOX,
                        hidden=True,
                    ),
                    html.Div(id=Ids.LEGEND, className="legend"),
                ],
            ),
            section("Map quality", quality_rows(view.saved.quality), aside=_method(view.saved.options)),
            *_gap(view.gap),
            *ingest_notes(context.workspace.collection),
        ],
        className="map-controls",
    )


def _gap(gap: Gap | None) -> list[Component]:
    """How texts enter the space: a switch on a map that was drawn with a linear map, a note on others of the space."""
    choice = dmc.SegmentedControl(id=Ids.GAP, data=_GAPS, value=gap, size="xs", fullWidth=True)
    switch = html.Div(section("Your words enter by", [choice]), hidden=gap != "linear")
    return [switch, html.P(_GAP_NOTES.get(gap or "", ""), className="footnote", hidden=gap not in _GAP_NOTES)]


def _switch(id: str, label: str) -> Component:
    return dmc.Switch(id=id, label=label, checked=True, size="sm", withThumbIndicator=False)


def _stage(context: Context) -> Component:
    tools = [
        ("pan", "Move: drag; zoom: wheel; decode: click", "hand"),
        ("lasso", "Draw around points to select them", "lasso"),
        ("in", "Zoom in", "plus"),
        ("out", "Zoom out", "minus"),
        ("home", "Show all", "home"),
    ]
    buttons = [
        html.Button(icon(symbol), title=hint, className="tool", **{"data-tool": name, "aria-label": hint})
        for name, hint, symbol in tools
    ]
    return html.Div(
        [
            html.Div(
                id=Ids.PLOT,
                className="map-plot",
                tabIndex=0,
                role="application",
                **{
                    "data-key": context.view.key,
                    "data-column": str(first_shown(context.view.columns)),
                    "aria-label": "The map. Arrows move it, + and - zoom, Enter decodes what is in the middle.",
                },
            ),
            html.Div(buttons, className="toolbar", role="toolbar"),
            html.Div("Click anywhere, on a point or between points, to decode what is there.", className="map-hint"),
        ],
        className="map-stage",
    )


def _results() -> Component:
    actions = html.Div(
        [
            html.Button([icon("walk"), "Add to walk"], id=Ids.TO_WALK, className="quiet-button", n_clicks=0),
            html.Button([icon("arithmetic"), "Arithmetic"], id=Ids.TO_ARITHMETIC, className="quiet-button", n_clicks=0),
            html.Span(id=Ids.NOTE, className="action-note"),
        ],
        id=Ids.ACTIONS,
        className="actions",
        hidden=True,
    )
    start = empty_state("Nothing decoded yet", "Click on the map, type a sentence, or drop a picture.")
    return html.Aside(
        [
            html.Div(id=Ids.GALLERY),
            html.Div(start, id=Ids.DECODED, className="decoded-panel"),
            actions,
            html.Div(id=Ids.NEAREST, className="nearest"),
        ],
        className="map-results",
    )


def _method(options: Mapping[str, Any]) -> str:
    return {"umap": "UMAP", "pacmap": "PaCMAP", "pca": "PCA"}.get(str(options.get("method", "")), "")
