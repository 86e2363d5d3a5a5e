"""Parts that pages share: the frame of a page, pictures, errors, expressions, and the panel of a long job.

page("Walk", "A path between stops.", controls=[...], content=[...])   # a column of controls, a column of results
expression_input(Ids.TEXT, label="Expression")                        # monospace, no spell-checking
html.Div(id=Ids.ERROR)                                                # its children: error_alert(message) or []
picture_card(url, title="seed 0", actions=[download_link(url, "fox.png")])
item_grid(context.view.cards(frame))                                  # frame: what workspace.nearest returns

panel = JobPanel("walk")                  # panel.layout() on the page, panel.register(app, context) beside it
Output(panel.job, "data")                 # set it to the key that jobs.submit returned: it polls and can cancel
Input(panel.result, "data")               # its key once more, when it is done: context.jobs.done(key).result, .urls
Input(panel.partial, "data")              # [key, n] whenever its task called work.progress.show(…)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from .serving.context import Context
    from .serving.jobs import Job

Children = Sequence[Any]

_POLL = 250  # milliseconds
_WATCH = 10_000


def icon(name: str) -> Component:
    """One of the icons of `thoughtspace.css`, in the colour of the text around it."""
    return html.Span(className=f"icon icon-{name}")


def page(title: str, lead: str, *, controls: Children, content: Children) -> Component:
    """The frame of a page: its name and one sentence above a column of controls, results beside them."""
    head = html.Div([html.H1(title), html.P(lead)], className="page-head")
    return html.Div(
        [
            html.Div([head, *controls], className="page-controls"),
            html.Div(list(content), className="page-content"),
        ],
        className="page-frame",
    )


def section(title: str, children: Children, *, aside: Any = None) -> Component:
    """A titled group of controls or results; `aside` is shown to the right of the title."""
    return html.Section(
        [html.Div([html.H2(title), html.Div(aside)], className="section-head"), *children], className="section"
    )


def expression_input(id: str, *, label: str, value: str = "", placeholder: str = "", rows: int = 1) -> Component:
    """A field for one expression. With one row, Enter submits (`n_submit`); with more, it grows with its text."""
    options = {
        "id": id,
        "label": label,
        "value": value,
        "placeholder": placeholder,
        "spellCheck": False,
        "autoComplete": "off",
        "className": "expression",
    }
    return dmc.TextInput(**options) if rows == 1 else dmc.Textarea(**options, autosize=True, minRows=rows, maxRows=8)


def error_alert(message: str) -> Component | list[Any]:
    """An alert with the message of an error; nothing for an empty message."""
    if not message:
        return []
    return dmc.Alert(message, color="red", variant="light", icon=icon("alert"), className="error-alert", p="xs")


def empty_state(title: str, hint: str) -> Component:
    """What is shown while there is no result yet."""
    return html.Div([html.Strong(title), html.Span(hint)], className="empty-state")


def picture_card(url: str, *, title: str = "", note: str = "", actions: Children = ()) -> Component:
    """A decoded picture with its name, a remark and a row of actions."""
    foot = [html.Div([html.Strong(title), html.Span(note)], className="picture-title")] if title or note else []
    return html.Figure(
        [
            html.Img(src=url, alt=title or "decoded picture", className="decoded"),
            html.Figcaption([*foot, html.Div(list(actions), className="picture-actions")]),
        ],
        className="picture-card",
    )


def download_link(url: str, name: str, label: str = "Download") -> Component:
    """A link that saves a file under a name."""
    return html.A([icon("download"), label], href=url, download=name, className="quiet-button")


def statistic(name: str, value: str, note: str, hint: str) -> Component:
    """A number with its name, a note beside it, and a hint that explains it."""
    parts = [html.Span(name), html.Strong(value, className="number"), html.Small(note)]
    return html.Div(parts, className="stat", title=hint)


def item_grid(cards: Sequence[Mapping[str, Any]]) -> Component:
    """Items as tiles. A card has a `caption` and may have a `thumbnail` (an address), a `score` and an `id`."""
    return html.Div([_tile(card) for card in cards], className="item-grid")


def _tile(card: Mapping[str, Any]) -> Component:
    caption = str(card.get("caption") or "")
    content = (
        html.Img(src=card["thumbnail"], alt=caption)
        if card.get("thumbnail")
        else html.Div(caption or "without a picture", className="tile-text")
    )
    score = [html.Span(f"{card['score']:.2f}", className="tile-score")] if card.get("score") is not None else []
    look = "tile" if card.get("thumbnail") else "tile words"
    if not card.get("id"):
        return html.Div([content, *score], className=look, title=caption)
    more = {"data-item": card["id"], "aria-label": f"{caption or 'an item'}: show it on the map"}
    return html.Div([content, *score], className=look, title=caption, role="button", tabIndex=0, **more)


@dataclass(frozen=True)
class JobPanel:
    """Progress, cancel and errors of one page's long jobs.

    Attributes:
        prefix: the beginning of its ids; each panel has its own.
    """

    prefix: str

    @property
    def job(self) -> str:
        """Id of the store of the job's key: write it to start watching."""
        return f"{self.prefix}-job"

    @property
    def result(self) -> str:
        """Id of the store that gets the key of a job when it is done."""
        return f"{self.prefix}-result"

    @property
    def partial(self) -> str:
        """Id of the store that gets `[key, shown]` whenever the task shows a partial result."""
        return f"{self.prefix}-partial"

    @property
    def cancel(self) -> str:
        """Id of the cancel button."""
        return f"{self.prefix}-cancel"

    @property
    def body(self) -> str:
        """Id of the element whose `data-state` is the state of the job, `""` before the first job."""
        return f"{self.prefix}-panel"

    @property
    def _interval(self) -> str:
        return f"{self.prefix}-interval"

    @property
    def _watch(self) -> str:
        return f"{self.prefix}-watch"

    @property
    def _bar(self) -> str:
        return f"{self.prefix}-bar"

    @property
    def _text(self) -> str:
        return f"{self.prefix}-state"

    def layout(self) -> Component:
        """A bar, a line of text and a button; hidden until there is a job."""
        return html.Div(
            [
                dcc.Store(id=self.job, storage_type="session"),  # a page that is loaded again shows its job again
                dcc.Store(id=self.result),
                dcc.Store(id=self.partial),
                dcc.Interval(id=self._interval, interval=_POLL, disabled=True),
                dcc.Interval(id=self._watch, interval=_WATCH, disabled=True),
                html.Div(
                    [
                        dmc.Progress(id=self._bar, value=0, size="sm", radius="xl", transitionDuration=200),
                        html.Div(
                            [
                                html.Div(id=self._text, className="job-text"),
                                html.Button("Cancel", id=self.cancel, className="quiet-button", n_clicks=0),
                            ],
                            className="job-line",
                        ),
                    ],
                    id=self.body,
                    className="job-panel",
                    hidden=True,
                    **{"data-state": ""},
                ),
            ]
        )

    def register(self, app: Dash, context: Context) -> None:
        """Wire polling and cancelling."""
        watch = ClientsideFunction("thoughtspace", "watch")
        resting = Output(self._watch, "disabled", allow_duplicate=True)
        app.clientside_callback(watch, resting, Input(self.job, "data"), prevent_initial_call=True)

        @app.callback(
            Output(self._watch, "disabled"),
            Output(self._interval, "disabled"),
            Output(self.body, "hidden"),
            Output(self.body, "data-state"),
            Output(self._bar, "value"),
            Output(self._text, "children"),
            Output(self.cancel, "hidden"),
            Output(self.result, "data"),
            Output(self.partial, "data"),
            Output(self._interval, "max_intervals"),
            Input(self.job, "data"),
            Input(self._interval, "n_intervals"),
            Input(self._watch, "n_intervals"),
            State(self.partial, "data"),
        )
        def poll(
            key: str | None, ticks: int | None, _watched: int | None, seen: list[str | int] | None
        ) -> tuple[Any, ...]:
            job = context.jobs.get(key)
            # Each answer allows one more tick, so that polls do not queue up on a slow machine.
            # When an answer is lost, the slow watch polls again.
            off, *rest = shown(job, key)
            return off, off, *rest, partial(job, seen), (ticks or 0) + 1

        @app.callback(Input(self.cancel, "n_clicks"), State(self.job, "data"), prevent_initial_call=True)
        def cancel(_clicks: int | None, key: str | None) -> None:
            context.jobs.cancel(key)


def shown(job: Job | None, key: str | None = None) -> tuple[Any, ...]:
    """The state of a panel: interval off, panel hidden, job state, bar, text, button hidden, result."""
    if job is None:
        gone = error_alert("Got a job that this server no longer has; start it again.") if key else ""
        return True, not key, "failed" if key else "", 0, gone, True, no_update
    state = str(job.state)
    if not job.finished:
        return False, False, state, round(100 * job.fraction, 1), describe(job), False, no_update
    if state == "done":
        return True, True, state, 100, "", True, job.key
    text: Any = error_alert(job.error) if job.error else "Cancelled. Nothing was kept."
    return True, False, state, 0, text, True, no_update


def partial(job: Job | None, seen: Any = None) -> Any:
    """The mark of a partial result that the page has not shown yet."""
    if job is None or job.partial is None or (mark := [job.key, job.shown]) == seen:
        return no_update
    return mark


def describe(job: Job) -> str:
    """One line about a running job: its stage and how far it is."""
    if str(job.state) == "waiting":
        return "Waiting for the job before it…" if job.ahead < 2 else f"Waiting for {job.ahead} jobs before it…"
    words = job.message[:1].upper() + job.message[1:]
    return f"{words}: {job.done} of {job.total}" if job.total else f"{words}…"
