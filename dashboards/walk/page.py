"""Walk page: choose stops, render the path between them, and see how even its steps are."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from dash import ALL, Dash, Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate

from thoughtspace.explorer.errors import ThoughtspaceError
from thoughtspace.explorer.language.evaluate import parse

from ..components import error_alert
from ..expression_card import check_operands
from ..figures import steps_chart
from ..serving.context import Context, Shared
from .layout import ICON, PANEL, PATH, TITLE, Ids, layout
from .stops import Parts, edited, length_of, read_form, stop_rows
from .task import render, tile_frames
from .view import facts, film, strip

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from ..serving.workspace import Workspace

__all__ = ["ICON", "PATH", "TITLE", "Ids", "layout", "register"]


def edit_stops(
    workspace: Workspace,
    _add: int | None,
    _submit: int | None,
    _moves: list[int | None],
    _examples: list[int | None],
    stops: list[str] | None,
    text: str | None,
) -> tuple[Any, ...]:
    """The stops, the text field and its error after a button was pressed."""
    if not ctx.triggered[0]["value"]:
        raise PreventUpdate  # buttons that have just been made
    try:
        changed, rest = edited(stops, ctx.triggered_id, text)
        if len(changed) > len(stops or []):
            check_operands(workspace, parse(changed[-1]))
        return changed, rest, []
    except ThoughtspaceError as error:
        return no_update, no_update, error_alert(str(error))


def show_stops(workspace: Workspace, stops: list[str] | None) -> tuple[Any, ...]:
    """The list of stops, how many there are, and whether the examples are hidden."""
    stops = stops or []
    return stop_rows(workspace, stops), f"{len(stops)} chosen" if stops else "", len(stops) > 1


def start(
    context: Context,
    _clicks: int | None,
    stops: list[str] | None,
    loop: bool | None,
    form: dict[str, Any],
    before: str | None,
) -> tuple[Any, ...]:
    """Start the job of a walk: its key, the form's error, and an empty preview strip."""
    try:
        request = read_form(context.workspace, stops, loop, form)
    except ThoughtspaceError as error:
        return no_update, error_alert(str(error)), no_update
    context.jobs.cancel(before)  # a new request replaces the one before
    empty: list[str | None] = [None] * len(tile_frames(request.frames))
    return context.jobs.submit(render, request.to_json()), [], strip(empty, live=True)


def show_preview(context: Context, shown: list[str | int] | None) -> Component:
    """The pictures of the strip that are there already."""
    job = context.jobs.get(str(shown[0]) if shown else None)
    if job is None or job.partial is None:
        raise PreventUpdate
    return strip(job.partial["tiles"], live=True)


def show_film(context: Context, key: str | None) -> tuple[Any, ...]:
    """The film, its measurements and its strip."""
    job = context.jobs.done(key)
    if job is None or job.result is None:
        raise PreventUpdate
    return film(job), facts(context.workspace, job.result), strip(job.result["tiles"])


def show_chart(context: Context, key: str | None, scheme: str | None) -> Any:
    """The chart of the step lengths, beside those of uniform spacing."""
    job = context.jobs.done(key)
    if job is None or job.result is None:
        raise PreventUpdate
    result = job.result
    uniform = (result["uniform"] or {}).get("steps")
    return steps_chart(result["steps"], scheme or "light", uniform=uniform, stops=result["stops"])


def show_state(state: str | None, shown: Any) -> tuple[bool, bool, bool, str]:
    """Which parts are hidden (preview, empty state, result), and the class of the result."""
    working = state in ("waiting", "running")
    return not working, working or bool(shown), not shown, "behind" if working else ""


def register(app: Dash, context: Context) -> None:
    """Wire the page."""
    PANEL.register(app, context)
    _register_stops(app, context.workspace)
    _register_job(app, context)
    _register_result(app, context)


def _register_stops(app: Dash, workspace: Workspace) -> None:
    app.callback(
        Output(Shared.STOPS, "data"),
        Output(Ids.TEXT, "value"),
        Output(Ids.STOP_ERROR, "children"),
        Input(Ids.ADD, "n_clicks"),
        Input(Ids.TEXT, "n_submit"),
        Input({"type": Parts.MOVE, "index": ALL, "by": ALL}, "n_clicks"),
        Input({"type": Parts.EXAMPLE, "index": ALL}, "n_clicks"),
        State(Shared.STOPS, "data"),
        State(Ids.TEXT, "value"),
        prevent_initial_call=True,
    )(partial(edit_stops, workspace))
    app.callback(
        Output(Ids.STOPS, "children"),
        Output(Ids.COUNT, "children"),
        Output(Ids.EXAMPLES, "hidden"),
        Input(Shared.STOPS, "data"),
    )(partial(show_stops, workspace))
    app.callback(Output(Ids.LENGTH, "children"), Input(Ids.FRAMES, "value"), Input(Ids.FPS, "value"))(length_of)


def _register_job(app: Dash, context: Context) -> None:
    form = {
        "frames": State(Ids.FRAMES, "value"),
        "spacing": State(Ids.SPACING, "value"),
        "interpolant": State(Ids.INTERPOLANT, "value"),
        "seed": State(Ids.SEED, "value"),
        "fps": State(Ids.FPS, "value"),
    }
    app.callback(
        output=[Output(PANEL.job, "data"), Output(Ids.ERROR, "children"), Output(Ids.PREVIEW, "children")],
        inputs={"_clicks": Input(Ids.RENDER, "n_clicks")},
        state={
            "stops": State(Shared.STOPS, "data"),
            "loop": State(Ids.LOOP, "checked"),
            "form": form,
            "before": State(PANEL.job, "data"),
        },
        prevent_initial_call=True,
    )(partial(start, context))
    app.callback(
        Output(Ids.PREVIEW, "children", allow_duplicate=True), Input(PANEL.partial, "data"), prevent_initial_call=True
    )(partial(show_preview, context))


def _register_result(app: Dash, context: Context) -> None:
    app.callback(
        Output(Ids.FILM, "children"),
        Output(Ids.FACTS, "children"),
        Output(Ids.STRIP, "children"),
        Input(PANEL.result, "data"),
        prevent_initial_call=True,
    )(partial(show_film, context))
    app.callback(
        Output(Ids.CHART, "figure"),
        Input(PANEL.result, "data"),
        Input(Shared.SCHEME, "data"),
        prevent_initial_call=True,
    )(partial(show_chart, context))
    app.callback(
        Output(Ids.PREVIEW, "hidden"),
        Output(Ids.EMPTY, "hidden"),
        Output(Ids.RESULT, "hidden"),
        Output(Ids.RESULT, "className"),
        Input(PANEL.body, "data-state"),
        Input(Ids.FILM, "children"),
    )(show_state)
