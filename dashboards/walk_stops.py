"""The stops of a walk: how they are edited, and their list on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from dash import html

from thoughtspace.explorer.expressions import parse

from .components import icon
from .faces import face, thumbnails, words

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from .workspace import Workspace

EXAMPLES = {
    "Moods": [
        "a sad person with long red hair",
        "a smiling person with long red hair",
        "a surprised person in a crown",
    ],
    "A day": [
        "a landscape with mountains at dawn",
        "a landscape with mountains at sunset",
        "mountains at night, a moon",
    ],
    "Across kinds": [
        "a large yellow star on a navy background",
        "a landscape at night with a moon",
        "a smiling person",
    ],
}
"""Walks to start from, in the words of the pocket world."""


class Parts(StrEnum):
    """Types of the ids of buttons that come in numbers."""

    MOVE = "walk-move"
    EXAMPLE = "walk-example"


def edited(stops: Sequence[str] | None, trigger: Any, text: str | None) -> tuple[list[str], str]:
    """The stops after a press of a button, and what the field for the next one holds then.

    Args:
        trigger: the id of what was pressed: the field or its button, a move (`index` of the stop and `by`: -1, 1, or
            0 to take it away), or an example.

    Raises:
        ExpressionError: the field's text is no expression.
    """
    through = list(stops or [])
    if isinstance(trigger, Mapping) and trigger.get("type") == Parts.EXAMPLE:
        return list(EXAMPLES[trigger["index"]]), text or ""
    if isinstance(trigger, Mapping) and trigger.get("type") == Parts.MOVE:
        index, by = int(trigger["index"]), int(trigger["by"])
        if 0 <= index < len(through):
            stop = through.pop(index)
            if by:
                through.insert(max(0, index + by), stop)
        return through, text or ""
    source = (text or "").strip()
    parse(source)
    return [*through, source], ""


def stop_rows(workspace: Workspace, stops: Sequence[str]) -> list[Component]:
    """One row a stop: its place in the walk, its face, and what can be done with it."""
    return [_stop_row(workspace, index, stop, last=index == len(stops) - 1) for index, stop in enumerate(stops)]


def _stop_row(workspace: Workspace, index: int, stop: str, *, last: bool) -> Component:
    shown = face(workspace, stop)

    def button(name: str, by: int, hint: str, *, disabled: bool = False) -> Component:
        key = {"type": Parts.MOVE, "index": index, "by": by}
        return html.Button(icon(name), id=key, title=hint, className="tool", n_clicks=0, disabled=disabled)

    return html.Li(
        [
            html.Span(str(index + 1), className="stop-number"),
            thumbnails(shown),
            words(shown),
            html.Div(
                [
                    button("up", -1, "Earlier", disabled=index == 0),
                    button("down", 1, "Later", disabled=last),
                    button("close", 0, "Take away"),
                ],
                className="stop-tools",
            ),
        ],
        className="stop",
    )
