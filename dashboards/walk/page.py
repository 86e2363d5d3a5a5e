"""Walk page: stops in, a path of pictures out, with steps as even as the eye wants them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from thoughtspace.explorer.errors import ThoughtspaceError
from thoughtspace.explorer.language.evaluate import parse

from ..components import JobPanel, empty_state, error_alert, expression_input, icon, page, section
from ..expression_card import check_operands
from ..fields import MAX_SEED
from ..figures import CONFIG, steps_chart
from ..serving.context import Context, Shared
from . import task as walk_task
from .form import INTERPOLANTS, MAX_FPS, MAX_FRAMES
from .stops import EXAMPLES, Parts, edited, length_of, read_form, stop_rows
from .view import facts, film, strip

if TYPE_CHECKING:
    from dash.development.base_component import Component


TITLE, PATH, ICON = "Walk", "/walk", "walk"

PANEL = JobPanel("walk")

LEAD = "Draw a path through the model's space and watch what lies along it."


class Ids(StrEnum):
    TEXT = "walk-text"
    ADD = "walk-add"
    STOPS = "walk-stops"
    COUNT = "walk-count"
    EXAMPLES = "walk-examples"
    STOP_ERROR = "walk-stop-error"
    FRAMES = "walk-frames"
    FPS = "walk-fps"
    SEED = "walk-seed"
    SPACING = "walk-spacing"
    INTERPOLANT = "walk-interpolant"
    LOOP = "walk-loop"
    LENGTH = "walk-length"
    RENDER = "walk-render"
    ERROR = "walk-error"
    EMPTY = "walk-empty"
    PREVIEW = "walk-preview"
    RESULT = "walk-result-box"
    FILM = "walk-film"
    FACTS = "walk-facts"
    STRIP = "walk-strip"
    CHART = "walk-chart"


def layout(context: Context) -> Component:
    """The stops and how to go through them; the film and its measurements."""
    return page(
        TITLE,
        LEAD,
        controls=[_stops(), _settings(), _render()],
        content=[
            PANEL.layout(),
            html.Div(
                empty_state("No walk yet", "Choose two stops or more, then render: each frame is a decoded point."),
                id=Ids.EMPTY,
            ),
            html.Div(id=Ids.PREVIEW),
            html.Div(
                [
                    html.Div(
                        [
                            html.Div(id=Ids.FILM, className="film-box"),
                            html.Div([html.Div(id=Ids.FACTS), _chart()], className="film-facts"),
                        ],
                        className="film-row",
                    ),
                    html.Div(id=Ids.STRIP),
                ],
                id=Ids.RESULT,
                hidden=True,
            ),
        ],
    )


def _chart() -> Component:
    hint = "Angles between neighbouring pictures, as the model's image encoder sees them"
    graph = dcc.Graph(id=Ids.CHART, config=CONFIG, className="walk-chart", style={"height": 236})
    return html.Div(section("Step lengths", [graph]), title=hint)


def _stops() -> Component:
    examples = [
        html.Button(name, id=_example(name), className="chip", n_clicks=0, title=" → ".join(stops))
        for name, stops in EXAMPLES.items()
    ]
    return section(
        "Stops",
        [
            html.Ol(id=Ids.STOPS, className="stops"),
            html.Div(
                [
                    expression_input(Ids.TEXT, label="", placeholder="a smiling person, or “a” - “b” + “c”"),
                    html.Button(icon("plus"), id=Ids.ADD, className="field-button", title="Add the stop", n_clicks=0),
                ],
                className="find",
            ),
            html.Div(id=Ids.STOP_ERROR, role="alert"),
            html.Div([html.Span("Try", className="footnote"), *examples], id=Ids.EXAMPLES, className="chips"),
        ],
        aside=html.Span(id=Ids.COUNT, className="footnote"),
    )


def _example(name: str) -> dict[str, str]:
    return {"type": Parts.EXAMPLE, "index": name}


def _settings() -> Component:
    number = {"size": "sm", "allowDecimal": False, "clampBehavior": "none"}
    own = [{"value": "", "label": "The space's own (slerp)"}]
    return section(
        "Path",
        [
            dmc.SegmentedControl(
                id=Ids.SPACING,
                value="equal",
                data=[{"value": "equal", "label": "Equal steps"}, {"value": "uniform", "label": "Uniform"}],
                fullWidth=True,
                size="sm",
            ),
            html.P(
                "Equal: frames are moved along the path until each differs as much from the one before.",
                className="footnote",
            ),
            html.Div(
                [
                    dmc.NumberInput(id=Ids.FRAMES, label="Frames", value=48, min=2, max=MAX_FRAMES, **number),
                    dmc.NumberInput(id=Ids.FPS, label="Per second", value=24, min=1, max=MAX_FPS, **number),
                    dmc.NumberInput(id=Ids.SEED, label="Seed", value=0, min=0, max=MAX_SEED, **number),
                ],
                className="three",
            ),
            dmc.Select(
                id=Ids.INTERPOLANT,
                label="Between stops",
                data=own + [{"value": name, "label": name} for name in INTERPOLANTS],
                value="",
                allowDeselect=False,
                size="sm",
            ),
            dmc.Switch(id=Ids.LOOP, label="Return to the first stop", checked=False, size="sm"),
        ],
        aside=html.Span(id=Ids.LENGTH, className="footnote"),
    )


def _render() -> Component:
    return html.Div(
        [
            dmc.Button("Render the walk", id=Ids.RENDER, fullWidth=True, leftSection=icon("play"), n_clicks=0),
            html.Div(id=Ids.ERROR, role="alert"),
        ],
        className="submit",
    )


def register(app: Dash, context: Context) -> None:
    """Wire the page."""
    PANEL.register(app, context)
    workspace = context.workspace

    @app.callback(
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
    )
    def edit(_add: Any, _submit: Any, _moves: Any, _examples: Any, stops: list[str], text: str | None) -> Any:
        if not ctx.triggered[0]["value"]:
            raise PreventUpdate  # buttons that have just been made
        try:
            changed, rest = edited(stops, ctx.triggered_id, text)
            if len(changed) > len(stops or []):
                check_operands(workspace, parse(changed[-1]))
            return changed, rest, []
        except ThoughtspaceError as error:
            return no_update, no_update, error_alert(str(error))

    @app.callback(
        Output(Ids.STOPS, "children"),
        Output(Ids.COUNT, "children"),
        Output(Ids.EXAMPLES, "hidden"),
        Input(Shared.STOPS, "data"),
    )
    def show_stops(stops: list[str] | None) -> tuple[Any, ...]:
        return stop_rows(workspace, stops or []), f"{len(stops)} chosen" if stops else "", len(stops or []) > 1

    app.callback(Output(Ids.LENGTH, "children"), Input(Ids.FRAMES, "value"), Input(Ids.FPS, "value"))(length_of)

    @app.callback(
        Output(PANEL.job, "data"),
        Output(Ids.ERROR, "children"),
        Output(Ids.PREVIEW, "children"),
        Input(Ids.RENDER, "n_clicks"),
        State(Shared.STOPS, "data"),
        State(Ids.LOOP, "checked"),
        State(Ids.FRAMES, "value"),
        State(Ids.SPACING, "value"),
        State(Ids.INTERPOLANT, "value"),
        State(Ids.SEED, "value"),
        State(Ids.FPS, "value"),
        State(PANEL.job, "data"),
        prevent_initial_call=True,
    )
    def start(_clicks: int, stops: list[str], loop: bool, *form: Any) -> tuple[Any, ...]:
        *fields, before = form
        try:
            request = read_form(workspace, stops, loop, *fields)
        except ThoughtspaceError as error:
            return no_update, error_alert(str(error)), no_update
        context.jobs.cancel(before)  # whoever asks anew no longer waits for the old one
        empty: list[str | None] = [None] * len(walk_task.tile_frames(request.frames))
        return context.jobs.submit(walk_task.render, request.to_json()), [], strip(empty, live=True)

    @app.callback(
        Output(Ids.PREVIEW, "children", allow_duplicate=True), Input(PANEL.partial, "data"), prevent_initial_call=True
    )
    def preview(shown: Mapping[str, Any]) -> Component:
        return strip(shown["partial"]["tiles"], live=True)

    @app.callback(
        Output(Ids.FILM, "children"),
        Output(Ids.FACTS, "children"),
        Output(Ids.STRIP, "children"),
        Input(PANEL.result, "data"),
        prevent_initial_call=True,
    )
    def show_film(done: Mapping[str, Any]) -> tuple[Any, ...]:
        return film(done), facts(workspace, done["result"]), strip(done["result"]["tiles"])

    @app.callback(
        Output(Ids.CHART, "figure"),
        Input(PANEL.result, "data"),
        Input(Shared.SCHEME, "data"),
        prevent_initial_call=True,
    )
    def show_chart(done: Mapping[str, Any] | None, scheme: str) -> Any:
        if not done:
            raise PreventUpdate
        result = done["result"]
        return steps_chart(
            result["steps"], scheme, uniform=(result["uniform"] or {}).get("steps"), stops=result["stops"]
        )

    @app.callback(
        Output(Ids.PREVIEW, "hidden"),
        Output(Ids.EMPTY, "hidden"),
        Output(Ids.RESULT, "hidden"),
        Output(Ids.RESULT, "className"),
        Input(PANEL.body, "data-state"),
        Input(Ids.FILM, "children"),
    )
    def show_state(state: str, shown: Any) -> tuple[bool, bool, bool, str]:
        working = state in ("waiting", "running")
        return not working, working or bool(shown), not shown, "behind" if working else ""
