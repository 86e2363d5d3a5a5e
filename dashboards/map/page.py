"""Map page: pictures and prompts on one map; a click, a text or a dropped picture is decoded beside it."""

from __future__ import annotations

from functools import partial
from math import nan
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate
from typing_extensions import TypedDict

from thoughtspace.explorer.errors import ThoughtspaceError
from thoughtspace.explorer.options import Gap

from ..components import error_alert
from ..serving.context import Context, Shared
from .layout import ICON, PATH, TITLE, Ids, layout
from .shown import Answer
from .view import answer, gallery

__all__ = ["ICON", "PATH", "TITLE", "Ids", "layout", "register"]


class Click(TypedDict, total=False):
    """What was clicked: a row of the map, an item of a tile, or a place `x`, `y`."""

    row: int | None
    item: str | None
    x: float | None
    y: float | None


class Drop(TypedDict, total=False):
    """A dropped picture: the id that it is kept by, or one line that says why it was refused."""

    id: str
    name: str
    error: str


class Decoded(TypedDict):
    """The point that is shown beside the map."""

    expression: str


def asked(
    context: Context, trigger: str, click: Click | None, text: str | None, drop: Drop | None, gap: Gap | None = None
) -> Answer:
    """The point that a click, a text or a dropped picture asks for.

    Args:
        gap: how the texts of the page enter the space, by default as those of the map.

    Raises:
        ThoughtspaceError: the expression does not parse, the place is invalid, or the picture is no longer kept.
    """
    view = context.view
    if trigger == Ids.CLICK:
        click = click or {}
        if (item := click.get("item")) is not None:
            if (place := view.place_of(context.workspace.collection.row(item))) is not None:
                return view.item(place)
            return view.landing(f'item("{item}")', "An item")
        if (row := click.get("row")) is not None:
            return view.item(row)
        x, y = (nan if each is None else each for each in (click.get("x"), click.get("y")))
        return view.at((x, y))
    if trigger == Ids.DROP:
        return view.landing(f'img("{(drop or {}).get("id", "")}")', "Your picture")
    return view.landing((text or "").strip(), "Your words", gap=gap)


def add_stop(_clicks: int | None, stops: list[str] | None, point: Decoded | None) -> tuple[list[str], str]:
    """The stops of the walk with the decoded point as the last, and a remark."""
    if point is None:
        raise PreventUpdate
    more = [*(stops or []), point["expression"]]
    return more, f"{len(more)} stop{'s' if len(more) > 1 else ''} in the walk"


def decode_asked(
    context: Context,
    click: Click | None,
    _go: int | None,
    _submit: int | None,
    drop: Drop | None,
    text: str | None,
    gap: Gap | None,
) -> tuple[Any, ...]:
    """The picture, the nearest items, the marks on the map and the actions of the point that is asked for."""
    trigger = ctx.triggered_id
    if drop and trigger == Ids.DROP and "error" in drop:
        return *(no_update,) * 5, error_alert(drop["error"]), ""
    try:
        found = asked(context, str(trigger), click, text, drop, gap)
        picture, nearest, mark, kept = answer(context, found, matches=trigger != Ids.CLICK)
        mark["follow"] |= "item" in (click or {})  # the tile may show an item outside of the visible part
        return picture, nearest, mark, kept, False, [], ""
    except ThoughtspaceError as error:
        return *(no_update,) * 5, error_alert(str(error)), ""


def to_arithmetic(_clicks: int | None, point: Decoded | None) -> tuple[str, str]:
    """The expression of the decoded point, and the address of the Arithmetic page."""
    if point is None:
        raise PreventUpdate
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
