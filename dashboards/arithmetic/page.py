"""Arithmetic page: an expression, what it is made of, what it looks like, and what lies beside it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, ctx, html, no_update
from dash.exceptions import PreventUpdate

from thoughtspace.explorer.errors import ThoughtspaceError
from thoughtspace.explorer.language.evaluate import parse

from ..components import JobPanel, empty_state, error_alert, expression_input, icon, page, section
from ..expression_card import check_operands
from ..fields import MAX_SEED
from ..serving.context import Context, Shared
from . import task as arithmetic_task
from .form import MAX_PICTURES, ArithmeticRequest
from .view import TO_WALK, answer, terms_line

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from ..serving.workspace import Workspace

TITLE, PATH, ICON = "Arithmetic", "/arithmetic", "arithmetic"

PANEL = JobPanel("arithmetic")

EXAMPLES = (
    '"a person with red hair" - "red hair" + "blue hair"',
    '"a landscape with a house" - "a house" + "a sailing boat"',
    '"a landscape with mountains at night" - "night" + "sunset"',
    '"a person with a beard" - "a beard" + "sunglasses"',
    '"a person with short hair" + 0.8 * "a crown"',
    'slerp("a landscape by day with the sun", "a landscape at night with a moon", 0.5)',
)
"""In the words of the pocket world."""

LEAD = "Add and subtract what things mean, and decode the sum."
HELP = (
    ('"a fox"', "a text"),
    ('item("…")', "an item of the map"),
    ("+  -  *  /", "sums, and scaling by numbers"),
    ("slerp(a, b, 0.3)", "part of the way from a to b"),
    ("mean(a, b, …)", "the middle of several"),
)


class Ids(StrEnum):
    TEXT = "arithmetic-text"
    DECODE = "arithmetic-decode"
    TERMS = "arithmetic-terms"
    SEED = "arithmetic-seed"
    PICTURES = "arithmetic-pictures"
    ERROR = "arithmetic-error"
    EMPTY = "arithmetic-empty"
    RESULT = "arithmetic-answer"


EXAMPLE = "arithmetic-example"
"""Type of the ids of the buttons of examples."""


def layout(context: Context) -> Component:
    """The expression above its answer; examples, seeds and the language beside it."""
    bar = html.Div(
        [
            expression_input(Ids.TEXT, label="Expression", placeholder='"a king" - "a man" + "a woman"'),
            dmc.Button("Decode", id=Ids.DECODE, leftSection=icon("play"), n_clicks=0),
        ],
        className="expression-bar",
    )
    return page(
        TITLE,
        LEAD,
        controls=[_examples(), _settings(), _help()],
        content=[
            bar,
            html.Div(id=Ids.TERMS, className="terms"),
            html.Div(id=Ids.ERROR, role="alert"),
            PANEL.layout(),
            html.Div(
                empty_state("No answer yet", "Type an expression, or take one of the examples, and decode it."),
                id=Ids.EMPTY,
            ),
            html.Div(id=Ids.RESULT),
        ],
    )


def _examples() -> Component:
    buttons = [
        html.Button(html.Code(text), id={"type": EXAMPLE, "index": index}, className="example", n_clicks=0)
        for index, text in enumerate(EXAMPLES)
    ]
    return section("Examples", [html.Div(buttons, className="examples")])


def _settings() -> Component:
    number = {"size": "sm", "allowDecimal": False, "clampBehavior": "none"}
    return section(
        "Pictures",
        [
            html.Div(
                [
                    dmc.NumberInput(id=Ids.PICTURES, label="How many", value=4, min=1, max=MAX_PICTURES, **number),
                    dmc.NumberInput(id=Ids.SEED, label="First seed", value=0, min=0, max=MAX_SEED, **number),
                ],
                className="two",
            )
        ],
    )


def _help() -> Component:
    rows = [html.Div([html.Code(code), html.Span(words)]) for code, words in HELP]
    return section("The language", [html.Div(rows, className="language")])


def read_form(workspace: Workspace, text: str | None, seed: Any, pictures: Any) -> ArithmeticRequest:
    """The form as a request.

    Raises:
        ThoughtspaceError: the sentence to show when it is not one.
    """
    request = ArithmeticRequest.read(text, seed=seed, pictures=pictures)
    check_operands(workspace, parse(request.expression))
    return request


def register(app: Dash, context: Context) -> None:
    """Wire the page."""
    PANEL.register(app, context)
    workspace = context.workspace

    @app.callback(
        Output(Ids.TEXT, "value"),
        Input(Shared.EXPRESSION, "data"),
        Input({"type": EXAMPLE, "index": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def fill(handed: str | None, _clicks: Any) -> str:
        trigger = ctx.triggered_id
        if isinstance(trigger, Mapping):
            return EXAMPLES[trigger["index"]]
        if not handed:
            raise PreventUpdate
        return handed

    @app.callback(Output(Ids.TERMS, "children"), Input(Ids.TEXT, "value"))
    def show_terms(text: str | None) -> list[Component]:
        return terms_line(workspace, text)

    @app.callback(
        Output(PANEL.job, "data"),
        Output(Ids.ERROR, "children"),
        Input(Ids.DECODE, "n_clicks"),
        Input(Ids.TEXT, "n_submit"),
        Input({"type": EXAMPLE, "index": ALL}, "n_clicks"),
        State(Ids.TEXT, "value"),
        State(Ids.SEED, "value"),
        State(Ids.PICTURES, "value"),
        State(PANEL.job, "data"),
        prevent_initial_call=True,
    )
    def start(
        _go: Any, _submit: Any, _examples: Any, text: Any, seed: Any, pictures: Any, before: Any
    ) -> tuple[Any, ...]:
        trigger = ctx.triggered_id
        if not ctx.triggered[0]["value"]:
            raise PreventUpdate
        try:
            chosen = EXAMPLES[trigger["index"]] if isinstance(trigger, Mapping) else text
            request = read_form(workspace, chosen, seed, pictures)
        except ThoughtspaceError as error:
            return no_update, error_alert(str(error))
        context.jobs.cancel(before)  # whoever asks anew no longer waits for the old one
        return context.jobs.submit(arithmetic_task.evaluate_arithmetic, request.to_json()), []

    @app.callback(Output(Ids.RESULT, "children"), Input(PANEL.partial, "data"), Input(PANEL.result, "data"))
    def show(shown: Mapping[str, Any] | None, done: Mapping[str, Any] | None) -> Any:
        if done and (not shown or shown["key"] == done["key"] or ctx.triggered_id == PANEL.result):
            return answer(workspace, done["result"], done["urls"])
        if not shown:
            raise PreventUpdate
        return answer(workspace, shown["partial"], None)

    @app.callback(
        Output(Ids.EMPTY, "hidden"),
        Output(Ids.RESULT, "hidden"),
        Input(PANEL.body, "data-state"),
        Input(Ids.RESULT, "children"),
    )
    def show_state(state: str, answered: Any) -> tuple[bool, bool]:
        working, stopped = state in ("waiting", "running"), state in ("failed", "cancelled")
        return working or (bool(answered) and not stopped), stopped

    @app.callback(
        Output(Shared.STOPS, "data", allow_duplicate=True),
        Output(Shared.LOCATION, "pathname", allow_duplicate=True),
        Input(TO_WALK, "n_clicks"),
        State(PANEL.result, "data"),
        prevent_initial_call=True,
    )
    def to_walk(clicks: int, done: Mapping[str, Any] | None) -> tuple[list[str], str]:
        if not clicks or not done:
            raise PreventUpdate
        made = done["result"]
        return [made["baseline"]["source"], made["expression"]], "/walk"
