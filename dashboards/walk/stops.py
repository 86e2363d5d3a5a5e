"""The stops of a walk: how they are edited, read as a request, and listed on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from dash import html

from thoughtspace.explorer.language.evaluate import parse

from ..components import icon
from ..expression_card import check_operands, face, thumbnails, words
from .form import WalkRequest

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from ..serving.workspace import Workspace

EXAMPLES = {
    "Faces": ["a person with long red hair", "a person with blue hair and a crown", "a bald person with sunglasses"],
    "A day": [
        "mountains at dawn",
        "mountains by day with the sun",
        "mountains at sunset",
        "mountains at night, a moon",
    ],
    "Across kinds": ["a landscape with a house", "a sailing boat on a lake at sunset", "a person in a top hat"],
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


def length_of(frames: Any, fps: Any) -> str:
    """How long the film will be; nothing while the fields hold no numbers."""
    try:
        return f"{float(frames) / float(fps):.1f} s"
    except (TypeError, ValueError, ZeroDivisionError):
        return ""


def read_form(
    workspace: Workspace,
    stops: Sequence[str] | None,
    loop: bool | None,
    frames: Any,
    spacing: Any,
    interpolant: Any,
    seed: Any,
    fps: Any,
) -> WalkRequest:
    """The form as a request.

    Raises:
        ThoughtspaceError: the sentence to show when it is not one.
    """
    through = list(stops or [])
    if loop and len(through) > 1:
        through.append(through[0])
    request = WalkRequest.read(through, frames=frames, spacing=spacing, interpolant=interpolant, seed=seed, fps=fps)
    for stop in request.stops:
        check_operands(workspace, parse(stop))
    return request


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
