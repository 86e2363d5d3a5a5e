"""Arithmetic page: decode an expression beside its operands and the items nearest to it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import partial
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
from .form import MAX_PICTURES, ArithmeticRequest
from .task import evaluate_arithmetic
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
"""Expressions in words that the pocket model knows."""

LEAD = "Add and subtract meanings, and decode the sum."
HELP = (
    ('"a fox"', "a text"),
    ('item("…")', "an item of the map"),
    ('dir("…")', "a step along a saved direction"),
    ("+  -  *  /", "sums, and scaling by numbers"),
    ("slerp(a, b, 0.3)", "a point between a and b"),
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
"""Type of the ids of the example buttons."""


def layout(context: Context) -> Component:
    """Examples, seeds and the language on the left; the expression and its answer on the right."""
    bar = html.Div(
        [
            expression_input(Ids.TEXT, label="Expression", placeholder='"a sad face" - "sad" + "smiling"'),
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


def read_form(workspace: Workspace, text: str | None, form: Mapping[str, Any]) -> ArithmeticRequest:
    """Read the form as a request, and check that its items and pictures exist.

    Raises:
        ThoughtspaceError: a field is wrong; the message is shown beside the form.
    """
    request = ArithmeticRequest.read(text, seed=form["seed"], pictures=form["pictures"])
    check_operands(workspace, parse(request.expression))
    return request


def fill(expression: str | None, _clicks: list[int | None]) -> str:
    """The text field after an example was clicked, or after another page sent an expression."""
    trigger = ctx.triggered_id
    if isinstance(trigger, Mapping):
        return EXAMPLES[trigger["index"]]
    if not expression:
        raise PreventUpdate
    return expression


def start(
    context: Context,
    _decode: int | None,
    _submit: int | None,
    _examples: list[int | None],
    text: str | None,
    form: dict[str, Any],
    before: str | None,
) -> tuple[Any, ...]:
    """Start the job of the text field or of an example: its key, and the form's error."""
    if not ctx.triggered[0]["value"]:
        raise PreventUpdate  # buttons that have just been made
    trigger = ctx.triggered_id
    try:
        chosen = EXAMPLES[trigger["index"]] if isinstance(trigger, Mapping) else text
        request = read_form(context.workspace, chosen, form)
    except ThoughtspaceError as error:
        return no_update, error_alert(str(error))
    context.jobs.cancel(before)  # a new request replaces the one before
    return context.jobs.submit(evaluate_arithmetic, request.to_json()), []


def show(context: Context, shown: list[str | int] | None, key: str | None) -> Component:
    """The answer, or the part of it that is known so far."""
    newest = str(shown[0]) if shown else None
    done, job = context.jobs.done(key), context.jobs.get(newest)
    if done is not None and (newest in (None, key) or ctx.triggered_id == PANEL.result):
        return answer(context.workspace, done.result or {}, done.urls)
    if job is None or job.partial is None:
        raise PreventUpdate
    return answer(context.workspace, job.partial, None)


def show_state(state: str | None, answered: Any) -> tuple[bool, bool]:
    """Whether the empty state and the answer are hidden."""
    working, stopped = state in ("waiting", "running"), state in ("failed", "cancelled")
    return working or (bool(answered) and not stopped), stopped


def to_walk(context: Context, clicks: int | None, key: str | None) -> tuple[list[str], str]:
    """The stops of a walk from the start of the arithmetic to its result, and the address of the Walk page."""
    done = context.jobs.done(key)
    if not clicks or done is None or done.result is None or done.result["baseline"] is None:
        raise PreventUpdate
    return [done.result["baseline"]["source"], done.result["expression"]], "/walk"


def register(app: Dash, context: Context) -> None:
    """Wire the page."""
    PANEL.register(app, context)
    _register_form(app, context)
    _register_result(app, context)


def _register_form(app: Dash, context: Context) -> None:
    examples = Input({"type": EXAMPLE, "index": ALL}, "n_clicks")
    app.callback(Output(Ids.TEXT, "value"), Input(Shared.EXPRESSION, "data"), examples, prevent_initial_call=True)(fill)
    app.callback(Output(Ids.TERMS, "children"), Input(Ids.TEXT, "value"))(partial(terms_line, context.workspace))
    app.callback(
        output=[Output(PANEL.job, "data"), Output(Ids.ERROR, "children")],
        inputs={
            "_decode": Input(Ids.DECODE, "n_clicks"),
            "_submit": Input(Ids.TEXT, "n_submit"),
            "_examples": examples,
        },
        state={
            "text": State(Ids.TEXT, "value"),
            "form": {"seed": State(Ids.SEED, "value"), "pictures": State(Ids.PICTURES, "value")},
            "before": State(PANEL.job, "data"),
        },
        prevent_initial_call=True,
    )(partial(start, context))


def _register_result(app: Dash, context: Context) -> None:
    app.callback(Output(Ids.RESULT, "children"), Input(PANEL.partial, "data"), Input(PANEL.result, "data"))(
        partial(show, context)
    )
    app.callback(
        Output(Ids.EMPTY, "hidden"),
        Output(Ids.RESULT, "hidden"),
        Input(PANEL.body, "data-state"),
        Input(Ids.RESULT, "children"),
    )(show_state)
    app.callback(
        Output(Shared.STOPS, "data", allow_duplicate=True),
        Output(Shared.LOCATION, "pathname", allow_duplicate=True),
        Input(TO_WALK, "n_clicks"),
        State(PANEL.result, "data"),
        prevent_initial_call=True,
    )(partial(to_walk, context))
