"""Layout of the Walk page: the stops and the settings of the path, the film and its measurements."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import dash_mantine_components as dmc
from dash import dcc, html

from ..components import JobPanel, empty_state, expression_input, icon, page, section
from ..fields import MAX_SEED
from ..figures import CONFIG
from .form import INTERPOLANTS, MAX_FPS, MAX_FRAMES
from .stops import EXAMPLES, Parts

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from ..serving.context import Context

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
    """The controls of the walk on the left; the film and its measurements on the right."""
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
    hint = "Angles between neighbouring pictures, measured by the model's image encoder"
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
                "Equal: frames are moved along the path until neighbouring pictures differ by equal amounts.",
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
