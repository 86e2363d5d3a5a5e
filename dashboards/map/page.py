"""Map page: pictures and prompts on one map; a click, a text or a dropped picture is decoded beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update

from thoughtspace.explorer.errors import ThoughtspaceError

from ..components import empty_state, error_alert, expression_input, icon, section
from ..serving.context import Context, Shared
from .shown import Answer
from .view import answer, gallery, ingest_notes, quality_rows

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from thoughtspace.explorer.options import Gap

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
    return html.Div([*stores, _controls(context), _stage(context), _results()], className="map-page")


def _controls(context: Context) -> Component:
    view = context.view
    texts = int(view.kinds.sum())
    options = [{"value": str(index), "label": column.label} for index, column in enumerate(view.columns)]
    options.append({"value": "similarity", "label": "Similarity to a text"})
    return html.Aside(
        [
            html.Div(
                [
                    expression_input(Ids.FIND, label="Find or place", placeholder="a red fox, or “a” - “b” + “c”"),
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
                        value="0",
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
            html.Div(id=Ids.PLOT, className="map-plot", **{"data-key": context.view.key}),
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


def asked(context: Context, trigger: str, click: Any, text: str | None, drop: Any, gap: Gap | None = None) -> Answer:
    """The point that a click, a text or a dropped picture asks for.

    Args:
        gap: how the texts of the page enter the space, by default as those of the map.

    Raises:
        ThoughtspaceError: the expression does not parse, the place is invalid, or the picture is no longer kept.
    """
    view = context.view
    if trigger == Ids.CLICK:
        if isinstance(click.get("item"), str):
            if (place := view.place_of(context.workspace.collection.row(click["item"]))) is not None:
                return view.item(place)
            return view.landing(f'item("{click["item"]}")', "An item")
        if isinstance(click.get("row"), int):
            return view.item(click["row"])
        return view.at((float(click["x"]), float(click["y"])))
    if trigger == Ids.DROP:
        return view.landing(f'img("{drop["id"]}")', "Your picture")
    return view.landing((text or "").strip(), "Your words", gap=gap)


def add_stop(_clicks: Any, stops: Sequence[str] | None, point: Mapping[str, Any]) -> tuple[list[str], str]:
    """The stops of the walk with the decoded point as the last, and a remark."""
    more = [*(stops or []), str(point["expression"])]
    return more, f"{len(more)} stop{'s' if len(more) > 1 else ''} in the walk"


def decode_asked(
    context: Context, click: Any, _go: Any, _submit: Any, drop: Any, text: str | None, gap: Gap | None
) -> tuple[Any, ...]:
    """The picture, the nearest items, the marks on the map and the actions of the point that is asked for."""
    trigger = ctx.triggered_id
    if isinstance(drop, dict) and trigger == Ids.DROP and drop.get("error"):
        return *(no_update,) * 5, error_alert(str(drop["error"])), ""
    try:
        found = asked(context, str(trigger), click, text, drop, gap)
        picture, nearest, mark, kept = answer(context, found, matches=trigger != Ids.CLICK)
        mark["follow"] |= "item" in (click or {})  # the tile may show an item outside of the visible part
        return picture, nearest, mark, kept, False, [], ""
    except ThoughtspaceError as error:
        return *(no_update,) * 5, error_alert(str(error)), ""


def to_arithmetic(_clicks: Any, point: Mapping[str, Any]) -> tuple[str, str]:
    """The expression of the decoded point, and the address of the Arithmetic page."""
    return point["expression"], "/arithmetic"


def register(app: Dash, context: Context) -> None:
    """Wire the page."""
    _register_browser(app)
    _register_actions(app)
    app.callback(
        Output(Ids.DECODED, "children"),
        Output(Ids.NEAREST, "children"),
        Output(Ids.MARK, "data"),
        Output(Ids.POINT, "data"),
        Output(Ids.ACTIONS, "hidden"),
        Output(Ids.ERROR, "children"),
        Output(Ids.NOTE, "children"),
        Input(Ids.CLICK, "data"),
        Input(Ids.GO, "n_clicks"),
        Input(Ids.FIND, "n_submit"),
        Input(Ids.DROP, "data"),
        State(Ids.FIND, "value"),
        State(Ids.GAP, "value"),
        running=[(Output(Ids.DECODED, "className"), "decoded-panel busy", "decoded-panel")],
        prevent_initial_call=True,
    )(partial(decode_asked, context))
    app.callback(Output(Ids.GALLERY, "children"), Input(Ids.SELECTION, "data"), prevent_initial_call=True)(
        partial(gallery, context)
    )


def _register_actions(app: Dash) -> None:
    app.callback(
        Output(Shared.STOPS, "data", allow_duplicate=True),
        Output(Ids.NOTE, "children", allow_duplicate=True),
        Input(Ids.TO_WALK, "n_clicks"),
        State(Shared.STOPS, "data"),
        State(Ids.POINT, "data"),
        prevent_initial_call=True,
    )(add_stop)
    app.callback(
        Output(Shared.EXPRESSION, "data"),
        Output(Shared.LOCATION, "pathname"),
        Input(Ids.TO_ARITHMETIC, "n_clicks"),
        State(Ids.POINT, "data"),
        prevent_initial_call=True,
    )(to_arithmetic)


def _register_browser(app: Dash) -> None:
    """Wire what runs in the browser alone: `assets/bridge.js` passes it to the map."""
    app.clientside_callback(
        ClientsideFunction("thoughtspace", "mapShow"),
        Input(Ids.IMAGES, "checked"),
        Input(Ids.PROMPTS, "checked"),
        Input(Ids.THUMBNAILS, "checked"),
    )
    app.clientside_callback(
        ClientsideFunction("thoughtspace", "mapColour"),
        Output(Ids.SIMILAR_BOX, "hidden"),
        Input(Ids.COLOUR, "value"),
        Input(Ids.SIMILAR, "n_submit"),
        Input(Ids.GAP, "value"),
        State(Ids.SIMILAR, "value"),
    )
    app.clientside_callback(ClientsideFunction("thoughtspace", "mapMark"), Input(Ids.MARK, "data"))
